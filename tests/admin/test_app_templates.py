"""App templates that an operator writes: checked as files are, shown before they count, in effect everywhere."""

from __future__ import annotations

import re
from functools import partial

import pytest
import sqlalchemy as sa

from portal.audit.actions import Actor
from portal.audit.models import AuditEntry
from portal.catalog import actions as catalog
from portal.catalog import templates, templating
from portal.catalog.models import AppTemplateVersion, Service
from portal.catalog.template_changes import Change, Risk, changes
from portal.catalog.template_files import APPS_DIRECTORY, InvalidTemplate, check_text, load_categories
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import versions
from portal.instances.apps import app_template
from portal.instances.models import Instance
from tests.books.crowd import all_at_once, errors
from tests.personas import sign_in
from tests.queries import counted
from tests.subscriptions.shop import buy, credit, plan_of, stock_catalog

pytest_plugins = ["tests.personas"]
BASE = "/admin/app-templates"
FILE = (APPS_DIRECTORY / "n8n.yaml").read_text()
NEWER = FILE.replace("version: 2.35.5", "version: 2.36.0").replace("n8n:2.35.5", "n8n:2.36.0")
OTHER = FILE.replace("slug: n8n", "slug: flows").replace("name: n8n\n", "name: Flows\n", 1)


@pytest.fixture
def admin(client, dewi):
    stock_catalog()
    return sign_in(client, dewi.email)


def acts(action: str) -> list[AuditEntry]:
    db.session.rollback()
    return db.session().query(AuditEntry).filter_by(action=action).order_by(AuditEntry.id).all()


def in_effect(slug: str = "n8n"):
    db.session.rollback()
    return app_template(slug)


def write(admin, text: str, slug: str = "n8n"):
    return admin.post(f"{BASE}/{slug}/edit", data={"text": text, "comment": "newer"})


def test_only_an_administrator_knows_it_is_there(client, ayu, dewi):
    gets = [f"{BASE}/", f"{BASE}/new", f"{BASE}/n8n", f"{BASE}/n8n/edit"]
    posts = [f"{BASE}/n8n/edit", f"{BASE}/n8n/versions/1/activation", f"{BASE}/n8n/file"]
    for status, person in ((303, None), (404, ayu), (200, dewi)):
        if person:
            client.post("/sign-out")
            sign_in(client, person.email)
        assert {client.get(one).status_code for one in gets} == {status}
        if person is not dewi:
            assert {client.post(one).status_code for one in posts} == {status}
    for nowhere in (f"{BASE}/nothing", f"{BASE}/n8n/versions/1"):
        assert client.get(nowhere).status_code == 404
    assert client.post(f"{BASE}/n8n/versions/{'9' * 18}/activation").status_code == 404


def test_a_template_shows_its_text_and_what_it_makes_of_an_app(admin):
    page = admin.get(f"{BASE}/n8n?plan=PRO").text
    assert "Port 5678, user node" in page
    assert "kind: Deployment" in page
    assert "storage: 10Gi" in page
    assert "Every check passes" in page
    assert "storage: 5Gi" in admin.get(f"{BASE}/n8n?plan=nonsense").text
    with counted() as queries:
        assert "n8nio/n8n:2.35.5" in admin.get(f"{BASE}/").text
    assert len(queries) <= 8


def test_a_new_version_is_kept_shown_and_then_put_into_effect(admin, ayu):
    credit(ayu.customer_id, 100_000)
    buy(ayu.customer_id, plan_of("n8n"))
    for _ in range(2):
        address = write(admin, NEWER).location
        assert address.endswith("/n8n/versions/1")
    assert in_effect().version == "2.35.5"
    page = admin.get(address).text
    assert "1 app runs" in page
    assert "offered the update" in page
    assert re.search(r'diff-add">\+\s*image: n8nio/n8n:2\.36\.0', page)
    for _ in range(2):
        assert admin.post(f"{address}/activation").status_code == 303
    assert in_effect().version == "2.36.0"
    service = db.session().scalars(sa.select(Service).where(Service.slug == "n8n")).one()
    instance = db.session().scalars(sa.select(Instance)).one()
    assert service.version == "2.36.0"
    assert instance.images == {"n8n": "n8nio/n8n:2.35.5"}
    offer = versions.next_update(instance, in_effect())
    assert (offer.version, offer.obstacle) == ("2.36.0", "")
    with transaction() as session:
        report = catalog.sync(session, templates.app_templates(session), load_categories(), now=clock.now())
    assert "n8n" in report.unchanged
    assert [(note.facts["before"], note.facts["after"]) for note in acts("app_template.activated")] == [
        ({"version": None}, {"version": 1})
    ]
    admin.post(f"{BASE}/n8n/file")
    admin.post(f"{BASE}/n8n/file")
    assert in_effect().version == "2.35.5"
    assert len(acts("app_template.taken_back")) == 1
    admin.post(f"{address}/activation")
    assert in_effect().version == "2.36.0"


def test_another_process_sees_it_with_its_next_transaction(admin, portal, dewi):
    """What a process keeps is as old as its stamp; another process has changed that meanwhile."""
    assert in_effect().version == "2.35.5"
    with db.engine.begin() as elsewhere:
        elsewhere.execute(sa.insert(AppTemplateVersion.__table__).values(
            id=sa.text("gen_random_uuid()"), slug="n8n", number=1, text=NEWER, comment="", written_at=clock.now(),
            active=True,
        ))  # fmt: skip
        elsewhere.exec_driver_sql(
            "INSERT INTO operational_switch (name, value, changed_at) VALUES ('stamp:app_templates', 'x', now())"
        )
    assert in_effect().version == "2.36.0"
    with counted() as queries:
        for _ in range(20):
            app_template("n8n")
    assert len(queries) <= 1


def test_an_activation_that_is_rolled_back_leaves_nothing_behind(admin, dewi):
    write(admin, NEWER)
    with pytest.raises(RuntimeError), transaction() as session:
        templating.activate(session, "n8n", 1, actor=Actor(dewi.user_id), now=clock.now())
        assert app_template("n8n").version == "2.36.0"
        raise RuntimeError
    assert in_effect().version == "2.35.5"


def test_a_version_that_is_no_longer_sound_leaves_the_file(admin):
    write(admin, NEWER)
    admin.post(f"{BASE}/n8n/versions/1/activation")
    with transaction() as session:
        session.execute(sa.text("UPDATE app_template_version SET text = 'slug: [n8n'"))
        session.execute(sa.text("UPDATE operational_switch SET value = 'another' WHERE name LIKE 'stamp%'"))
    assert in_effect().version == "2.35.5"
    assert "no longer sound" in admin.get(f"{BASE}/n8n").text
    assert "1 problem" in admin.get(f"{BASE}/").text
    assert admin.get(f"{BASE}/n8n/versions/1").status_code == 200


def test_a_new_app_is_written_and_put_into_the_catalog(admin, client):
    from portal.catalog.models import Category

    shelf = str(db.session().scalar(sa.select(Category.id).where(Category.slug == "automation")))
    write(admin, OTHER, "flows")
    assert "flows" not in admin.get("/admin/services/new").text
    admin.post(f"{BASE}/flows/versions/1/activation")
    assert "flows" in admin.get("/admin/services/new").text
    admin.post("/admin/services/new", data={"template": "flows", "category": shelf})
    admin.post("/admin/services/flows/sale", data={"active": "yes"})
    assert "Flows" in client.get("/catalog/flows").text
    assert admin.post(f"{BASE}/flows/file").status_code == 409
    assert in_effect("flows").name == "Flows"


@pytest.mark.parametrize(("old", "new", "line", "said"), [
    ("{{ secret.encryption_key }}", "{{ secret.nothing }}", 48, "unknown placeholder"),
    ("image: n8nio/n8n:2.35.5", "image: n8nio/n8n:latest", 39, "pin a version"),
    ("slug: n8n", "slug: other", 1, "differs from"),
    ("category: automation", "category: cooking", 3, "not in"),
    ("minimum: {", "minimum: &a {", 27, ""),
    ("tags: [automation", "tags: [*x, automation", 4, "aliases"),
    ("name: n8n\n", "name: \x07\n", 1, "special characters"),
    ("name: n8n\n", "name: 2001-99-99\n", 1, "month must be"),
])  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_nothing_is_kept(admin, old, new, line, said):
    text = FILE.replace(old, new, 1)
    answer = write(admin, text)
    kept = db.session().scalar(sa.select(sa.func.count()).select_from(AppTemplateVersion))
    if not said:  # an anchor that nothing refers to does no harm
        assert (answer.status_code, kept) == (303, 1)
        return
    assert (answer.status_code, kept) == (422, 0)
    found = re.findall(r"Line (\d+): ([^<]+)", answer.text)
    assert any((int(number), said in what) == (line, True) for number, what in found), found


@pytest.mark.parametrize("text", [
    "", "[]", "[" * 5000, "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]", "- " * 3000, "x" * 70_000, "cpu: " + "9" * 5000,
    "\x00", "? [a]\n: b", "!!python/object:os.system {}",
])  # fmt: skip
def test_hostile_text_is_refused_quickly(admin, text):
    assert write(admin, text).status_code == 422


def test_what_is_written_is_never_run(admin):
    write(admin, NEWER.replace("# ", "").replace("licence: Sus", "licence: <script>x</script>Sus"))
    for address in (f"{BASE}/n8n", f"{BASE}/n8n/versions/1", f"{BASE}/n8n/edit"):
        assert "<script>x" not in admin.get(address).text


def test_two_who_write_and_activate_at_once_follow_each_other(admin, portal, dewi):
    actor = Actor(dewi.user_id)

    def one(number: int) -> None:
        with transaction() as session:
            text = FILE.replace("version: 2.35.5", f"version: 2.36.{number}")
            kept = templating.write(session, "n8n", text, comment="", actor=actor, now=clock.now())
            templating.activate(session, "n8n", kept.number, actor=actor, now=clock.now())

    assert errors(all_at_once(portal, [partial(one, number) for number in range(6)])) == []
    db.session.rollback()
    rows = db.session().execute(sa.select(AppTemplateVersion.number, AppTemplateVersion.active)).tuples().all()
    assert sorted(number for number, _ in rows) == [1, 2, 3, 4, 5, 6]
    assert sum(active for _, active in rows) == 1


def test_what_a_difference_does_to_running_apps():
    before = check_text(FILE, slug="n8n")
    assert changes(before, before) == []
    assert changes(before, check_text(NEWER, slug="n8n")) == [Change(Risk.UPDATE, "n8n")]
    for old, new, risk in (
        ("period_s: 30", "period_s: 31", Risk.RESTART),
        ("sub_path: n8n", "sub_path: other", Risk.DATA),
        ("run_as_user: 1000", "run_as_user: 1001", Risk.DATA),
        ("fs_group: 1000", "fs_group: 1001", Risk.DATA),
        ("encryption_key", "other_key", Risk.SECRETS),
    ):
        after = check_text(FILE.replace(old, new), slug="n8n")
        assert risk in {one.risk for one in changes(before, after)}, old


def test_a_text_of_another_slug_is_refused():
    with pytest.raises(InvalidTemplate):
        check_text(OTHER, slug="n8n")
