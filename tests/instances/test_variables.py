"""Environment variables: what is allowed, how they reach the app, and that their values go nowhere else."""

from __future__ import annotations

import base64
import logging
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.audit.models import AuditEntry
from portal.catalog.template_files import load_app_templates
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions, queries, variables
from portal.instances.errors import BadVariables, CannotConfigure, VariablesChanged
from portal.instances.models import InstanceEvent, InstanceVariable
from portal.instances.variables import Change, Stored, common_problem, merged, problem
from portal.notices.models import Notice
from tests.instances.world import again, timeline
from tests.personas import sign_in

WORDPRESS = variables.reserved_names(load_app_templates()["wordpress"])
LONG = variables.VALUE_BYTES_MAX
PASSWORD = "correct-horse-battery"


def stored(name="SMTP_PASSWORD", value="x", secret=True):
    return Stored(name, value, secret, clock.now())


def setting(name="A", value="1", secret=False, remove=False):
    return Change(name, value, secret, remove)


# The rules


@pytest.mark.parametrize(
    "name, code",
    [
        ("SMTP_HOST", ""),
        ("_x1", ""),
        ("a" * 100, ""),
        ("a" * 101, "name_long"),
        ("", "name_signs"),
        ("1A", "name_signs"),
        ("A-B", "name_signs"),
        ("A B", "name_signs"),
        ("A=B", "name_signs"),
        ("A\n", "name_signs"),
        ("ÄB", "name_signs"),
        ("Å", "name_signs"),
        ("PATH", "name_reserved"),
        ("path", "name_reserved"),
        ("LD_PRELOAD", "name_reserved"),
        ("KUBERNETES_SERVICE_HOST", "name_reserved"),
        ("HOSTNAME", "name_reserved"),
        ("WORDPRESS_DB_PASSWORD", "name_of_the_app"),
    ],
)
def test_a_name_is_allowed_or_the_reason_is_told(name, code):
    assert problem(setting(name), {}, WORDPRESS) == code


@pytest.mark.parametrize(
    "value, code",
    [
        ("", ""),
        ("=$`\"'\\ {{ secret.key }} $(HOME)", ""),
        ("-----BEGIN KEY-----\n\tabc\n", ""),
        ("grüße ✓", ""),
        ("a\0b", "value_signs"),
        ("a\rb", "value_signs"),
        ("\x1b[31m", "value_signs"),
        ("\ud800", "value_signs"),
        ("x" * LONG, ""),
        ("x" * (LONG + 1), "value_long"),
        ("é" * (LONG // 2 + 1), "value_long"),
    ],
)
def test_a_value_is_allowed_or_the_reason_is_told(value, code):
    assert problem(setting(value=value), {}, WORDPRESS) == code


@pytest.mark.parametrize(
    "change, before, code",
    [
        (Change("A", None, secret=True), None, "value_missing"),
        (Change("A", None, secret=True), stored("A"), ""),
        (Change("A", None, secret=False), stored("A"), "value_hidden"),
        (Change("A", "new", secret=False), stored("A"), ""),
        (Change("A", None, secret=True), stored("A", secret=False), ""),
        (Change("A b", None, secret=True, remove=True), None, ""),
    ],
)
def test_a_secret_left_blank_stays_and_is_never_made_readable(change, before, code):
    assert problem(change, {"A": before} if before else {}, frozenset()) == code


def test_what_they_may_be_together():
    many = [setting(f"A{number}") for number in range(50)]
    assert common_problem(many, {}) == ""
    assert common_problem(many, {"B": stored("B")}) == "too_many"
    assert common_problem([*many, Change("B", None, True, remove=True)], {"B": stored("B")}) == ""
    assert common_problem([setting("A"), setting("A")], {}) == "twice"
    large = [setting(f"A{number}", "x" * LONG) for number in range(2)]
    assert common_problem(large, {}) == "too_large"


values = st.text(max_size=5)
names = st.sampled_from("ABCD")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.tuples(values, st.booleans())), st.dictionaries(names, values), st.sets(names))
def test_what_no_row_mentions_stays_as_it_was(before, wanted, removed):
    kept = {name: Stored(name, value, secret, clock.now()) for name, (value, secret) in before.items()}
    changes = [Change(name, value, False, remove=name in removed) for name, value in wanted.items()]
    after = merged(changes, kept)
    for name in "ABCD":
        if name not in wanted:
            assert after.get(name) == before.get(name)
        else:
            assert after.get(name) == (None if name in removed else (wanted[name], False))


# What is saved


@pytest.fixture
def running(world, ayu):
    return world.buy_running(ayu.customer)


def revision_of(instance):
    db.session.rollback()
    return variables.revision(queries.variables_of(db.session(), instance.id).values())


def save(instance, *changes, revision=None):
    revision = revision or revision_of(instance)
    db.session.rollback()
    clock.advance(timedelta(seconds=1))
    with transaction() as session:
        return actions.save_variables(session, instance.id, changes, revision=revision, now=clock.now())


def secret_of(world, instance):
    found = world.cluster.objects(namespace=instance.namespace)
    data = next(one["data"] for one in found if one["kind"] == "Secret" and one["metadata"]["name"] == instance.name)
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def env_of(world, instance):
    spec = world.deployment(instance)["spec"]["template"]["spec"]
    return {c["name"]: {e["name"] for e in c["env"]} for c in [*spec.get("initContainers", []), *spec["containers"]]}


def test_all_of_them_are_in_force_after_one_roll_out(world, running):
    assert save(running, setting("TZ", "Asia/Jakarta"), Change("KEY", PASSWORD, secret=True)) == ["KEY", "TZ"]
    world.play()
    assert again(running).state == "RUNNING"
    assert secret_of(world, running)["n8n.KEY"] == PASSWORD
    assert {"KEY", "TZ"} <= env_of(world, running)["n8n"]
    assert timeline(running).count("variables_saved") == 1
    assert save(running, Change("KEY", None, secret=True, remove=True)) == ["KEY"]
    world.play()
    assert "n8n.KEY" not in secret_of(world, running)
    assert "n8n.TZ" in secret_of(world, running)


def test_saving_what_is_there_already_restarts_nothing(world, running):
    save(running, setting("A"))
    world.play()
    assert save(running, setting("A")) == []
    assert again(running).state == "RUNNING"


def test_a_stopped_app_reads_them_at_its_next_start(world, running):
    with transaction() as session:
        actions.stop(session, running.id, now=clock.now())
    world.play()
    save(running, setting("A"))
    assert again(running).state == "STOPPED"
    with transaction() as session:
        actions.start(session, running.id, now=clock.now())
    world.play()
    assert "A" in env_of(world, running)["n8n"]


def test_whoever_saves_on_top_of_another_is_told(world, running):
    seen = revision_of(running)
    save(running, setting("A", "mine"))
    with pytest.raises(VariablesChanged):
        save(running, setting("A", "yours"), revision=seen)
    assert queries.variables_of(db.session(), running.id)["A"].value == "mine"


def test_the_action_enforces_what_the_form_shows(world, running):
    for changes in ([setting("PATH")], [setting("A\0")], [setting("N8N_HOST")], [setting("A"), setting("A")]):
        with pytest.raises(BadVariables):
            save(running, *changes)
    assert queries.variables_of(db.session(), running.id) == {}


def test_an_app_that_is_ending_takes_none(world, running):
    with transaction() as session:
        actions.fence(session, running.id, now=clock.now())
    with pytest.raises(CannotConfigure):
        save(running, setting("A"))


def test_a_value_is_encrypted_at_rest_and_told_to_nobody(world, running, caplog, capsys):
    with caplog.at_level(logging.DEBUG):
        save(running, Change("KEY", PASSWORD, secret=True), setting("SHOWN", PASSWORD + "!"))
        world.play()
    raw = db.session().execute(sa.text("SELECT value FROM instance_variable")).scalars().all()
    assert len(raw) == 2
    kept = str(raw)
    for table in (InstanceEvent.parameters, Notice.parameters, AuditEntry.facts):
        kept += str(db.session().scalars(sa.select(table)).all())
    kept += str(db.session().execute(sa.text("SELECT arguments, last_error FROM outbox_message")).all())
    kept += caplog.text + "".join(capsys.readouterr())
    assert PASSWORD not in kept
    assert repr(PASSWORD) not in repr(queries.variables_of(db.session(), running.id))


def test_a_variable_that_breaks_the_app_is_an_outage_with_a_way_back(world, running, client):
    fault = world.cluster.add_fault("crash-loop", namespace=running.namespace)
    save(running, setting("NODE_OPTIONS", "--nonsense"))
    world.play(for_at_most=timedelta(minutes=6))
    assert again(running).state == "ERROR"
    html = sign_in(client, "ayu@example.com").get(f"/instances/{running.id}").get_data(as_text=True)
    assert "You changed its variables just before." in html
    world.cluster.clear_faults(fault.id)
    save(running, Change("NODE_OPTIONS", None, False, remove=True))
    world.play()
    assert again(running).state == "RUNNING"


# The page


def page_of(instance):
    return f"/instances/{instance.id}/variables"


def rows(*entries, revision=""):
    data = {"revision": revision}
    for number, entry in enumerate(entries):
        data |= {f"rows-{number}-{field}": value for field, value in entry.items()}
    return data


def test_only_the_owner_reads_and_saves(world, running, citra, client):
    save(running, setting("A", "seen by nobody else"))
    assert client.get(page_of(running)).status_code == 303
    sign_in(client, "citra@example.com")
    assert client.get(page_of(running)).status_code == 404
    assert client.post(page_of(running), data=rows({"name": "B", "value": "1"})).status_code == 404
    assert list(queries.variables_of(db.session(), running.id)) == ["A"]


def test_the_page_is_not_there_before_the_first_start_or_after_the_end(world, ayu, client):
    instance = world.buy(ayu.customer)
    assert sign_in(client, "ayu@example.com").get(page_of(instance)).status_code == 409


def test_a_form_sets_changes_and_removes_and_never_shows_a_secret(world, running, client):
    mine = sign_in(client, "ayu@example.com")
    data = rows(
        {"name": " TOKEN ", "value": PASSWORD, "secret": "y"}, {"name": "TZ", "value": "Asia/Jakarta"}, {"name": ""},
        revision=revision_of(running),
    )  # fmt: skip
    assert mine.post(page_of(running), data=data).status_code == 303
    html = mine.get(page_of(running)).get_data(as_text=True)
    assert "Asia/Jakarta" in html
    assert "TOKEN" in html
    assert PASSWORD not in html
    world.play()
    data = rows(
        {"name": "TOKEN", "value": "", "secret": "y"}, {"name": "TZ", "value": "", "remove": "y"},
        revision=revision_of(running),
    )  # fmt: skip
    assert mine.post(page_of(running), data=data).status_code == 303
    kept = queries.variables_of(db.session(), running.id)
    assert {name: one.value for name, one in kept.items()} == {"TOKEN": PASSWORD}
    noted = db.session().scalars(sa.select(AuditEntry.facts).where(AuditEntry.action == "instance.variables_saved"))
    assert [entry["names"] for entry in noted] == [["TOKEN", "TZ"], ["TZ"]]


def test_a_row_that_is_not_allowed_is_marked_and_nothing_is_saved(world, running, client):
    mine = sign_in(client, "ayu@example.com")
    data = rows(
        {"name": "GOOD", "value": "kept on the page"}, {"name": "PATH", "value": "/"}, revision=revision_of(running)
    )
    answer = mine.post(page_of(running), data=data)
    assert answer.status_code == 422
    html = answer.get_data(as_text=True)
    assert "The system uses this name." in html
    assert "kept on the page" in html
    assert db.session().scalar(sa.select(sa.func.count()).select_from(InstanceVariable)) == 0


def test_a_save_on_top_of_another_shows_what_is_there_now(world, running, client):
    seen = revision_of(running)
    save(running, setting("A", "the other one's"))
    mine = sign_in(client, "ayu@example.com")
    answer = mine.post(page_of(running), data=rows({"name": "A", "value": "mine"}, revision=seen))
    assert answer.status_code == 409
    assert "the other one&#39;s" in answer.get_data(as_text=True)
    assert queries.variables_of(db.session(), running.id)["A"].value == "the other one's"


def test_what_a_value_holds_cannot_act_in_the_page(world, running, client):
    save(running, setting("A", "</textarea><script>alert(1)</script>"))
    html = sign_in(client, "ayu@example.com").get(page_of(running)).get_data(as_text=True)
    assert "<script>alert" not in html
