"""The pages of an app: who may see them, what they show in each state, and that they stop asking."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db
from portal.instances import queries
from portal.subscriptions.models import Subscription
from tests.instances.world import again, run_instance_work, timeline
from tests.personas import register_person, sign_in

NOBODYS_ID = "01a1fc5c-0000-7000-8000-000000000000"

CITRA, DEWI = "citra@example.com", "dewi@example.com"
HTMX = {"HX-Request": "true"}
READS = ["", "/logs", "/deletion"]
WRITES = ["/start", "/stop", "/restart", "/credentials", "/deletion"]


@pytest.fixture
def mine(client, ayu):
    return sign_in(client, ayu.email)


def page_of(instance, path=""):
    return f"/instances/{instance.id}{path}"


def polls(html):
    return "hx-trigger" in html.split('id="instances-live"')[1].split(">")[0]


@pytest.mark.parametrize("path", ["/instances/", *[f"/instances/{NOBODYS_ID}{path}" for path in READS]])
def test_a_visitor_is_sent_to_sign_in(world, client, path):
    answer = client.get(path)
    assert answer.status_code == 303
    assert "/sign-in" in answer.headers["Location"]


def test_a_stranger_sees_and_moves_nothing(world, ayu, citra, client):
    instance = world.buy_running(ayu.customer)
    sign_in(client, CITRA)
    assert [client.get(page_of(instance, path)).status_code for path in READS] == [404] * len(READS)
    assert [client.post(page_of(instance, path)).status_code for path in WRITES] == [404] * len(WRITES)
    assert instance.name not in client.get("/instances/").get_data(as_text=True)
    assert again(instance).state == "RUNNING"
    assert again(instance).wanted == "RUNNING"


def test_an_administrator_is_a_stranger_here(world, ayu, dewi, client):
    instance = world.buy_running(ayu.customer)
    sign_in(client, DEWI)
    assert client.get(page_of(instance)).status_code == 404


def test_an_app_that_comes_up_is_watched_until_it_is_there(world, ayu, mine):
    instance = world.buy(ayu.customer)
    html = mine.get(page_of(instance)).get_data(as_text=True)
    assert "In line" in html
    assert polls(html)
    run_instance_work()
    region = mine.get(page_of(instance) + "?first=1", headers=HTMX)
    assert region.status_code == 200
    assert "<html" not in region.get_data(as_text=True)
    assert "Being set up" in region.get_data(as_text=True)
    world.play()
    done = mine.get(page_of(instance) + "?first=1", headers=HTMX)
    assert (done.status_code, done.headers["HX-Redirect"]) == (204, page_of(instance))
    html = mine.get(page_of(instance)).get_data(as_text=True)
    assert not polls(html)
    assert f"http://{instance.name}.apps.test" in html
    assert "Your first steps" in html


def test_what_happened_is_told_anew_whenever_the_state_is(world, ayu, mine):
    instance = world.buy_running(ayu.customer)
    assert 'hx-trigger="instances-changed from:body"' in mine.get(page_of(instance)).get_data(as_text=True)
    answer = mine.post(page_of(instance, "/restart"), headers=HTMX | {"HX-Target": "instances-live"})
    assert answer.headers["HX-Trigger-After-Settle"] == "instances-changed"
    history = mine.get(page_of(instance), headers=HTMX | {"HX-Target": "instances-history"})
    assert "You restarted it" in history.get_data(as_text=True)
    assert "instances-live" not in history.get_data(as_text=True)
    assert "HX-Trigger-After-Settle" not in history.headers, "or it would wake itself for ever"


def test_the_time_so_far_is_told_while_it_comes_up(world, ayu, mine):
    instance = world.buy(ayu.customer)
    run_instance_work()
    clock.advance(timedelta(seconds=75))
    assert "1 min 15 s" in mine.get(page_of(instance)).get_data(as_text=True)


def test_a_failure_says_why_and_that_the_money_is_back(world, ayu, mine):
    world.cluster.add_fault("crash-loop", namespace="user-*")
    instance = world.buy(ayu.customer)
    world.play()
    html = mine.get(page_of(instance)).get_data(as_text=True)
    assert "It stopped again and again right after its start." in html
    assert "Rp25.000 was refunded to your credit." in html
    assert "/catalog/n8n" in html
    assert not polls(html)
    for path in ("/start", "/stop", "/restart"):
        assert page_of(instance, path) not in html


def test_stopping_and_starting_go_there_and_back(world, ayu, mine):
    instance = world.buy_running(ayu.customer)
    assert mine.post(page_of(instance, "/stop")).status_code == 303
    html = mine.get(page_of(instance)).get_data(as_text=True)
    assert "Stopping" in html
    assert polls(html)
    world.play()
    assert again(instance).state == "STOPPED"
    assert world.deployment(instance)["spec"]["replicas"] == 0
    html = mine.get(page_of(instance)).get_data(as_text=True)
    assert not polls(html)
    assert "It is stopped." in html
    region = mine.post(page_of(instance, "/start"), headers=HTMX).get_data(as_text=True)
    assert "Starting" in region
    assert polls(region)
    world.play()
    assert again(instance).state == "RUNNING"
    assert timeline(instance)[-1] == "ready"


def test_a_restart_makes_a_new_pod_and_no_second_notice(world, ayu, mine):
    instance = world.buy_running(ayu.customer)
    before = [one for one in world.labelled(instance) if one.startswith("Pod/")]
    mine.post(page_of(instance, "/restart"))
    assert mine.post(page_of(instance, "/restart")).status_code == 409, "one at a time"
    world.play()
    after = [one for one in world.labelled(instance) if one.startswith("Pod/")]
    assert again(instance).state == "RUNNING"
    assert len(after) == 1
    assert after != before


@pytest.mark.parametrize("path", ["/start", "/stop", "/restart"])
def test_a_button_that_is_not_drawn_is_refused_too(world, ayu, mine, path):
    instance = world.buy(ayu.customer)
    assert page_of(instance, path) not in mine.get(page_of(instance)).get_data(as_text=True)
    assert mine.post(page_of(instance, path)).status_code == 409


def test_passwords_are_shown_on_demand_and_noted(world, ayu, mine):
    instance = world.buy_running(ayu.customer)
    secrets = list(queries.secrets_of(db.session(), instance.id).values())
    assert secrets
    html = mine.get(page_of(instance)).get_data(as_text=True)
    assert not any(secret in html for secret in secrets)
    assert "You create" in html or "Show how to sign in" in html
    answer = mine.post(page_of(instance, "/credentials"), headers=HTMX)
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert mine.get(page_of(instance, "/credentials")).status_code == 405
    noted = sa.select(sa.func.count()).where(AuditEntry.action == "instance.credentials_shown")
    assert db.session().scalar(noted) == 1


def test_passwords_are_not_shown_before_the_app_ran_or_after_its_end(world, ayu, mine):
    instance = world.buy(ayu.customer)
    assert mine.post(page_of(instance, "/credentials")).status_code == 404


def test_what_an_app_writes_cannot_act_in_the_page(world, ayu, mine):
    instance = world.buy_running(ayu.customer)
    pod = next(one for one in world.labelled(instance) if one.startswith("Pod/")).removeprefix("Pod/")
    world.cluster.put_log(instance.namespace, pod, "hallo <script>alert(1)</script> grüße ✓\n")
    html = mine.get(page_of(instance, "/logs")).get_data(as_text=True)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "grüße ✓" in html
    assert "Placed on a server" in html


@pytest.mark.parametrize("container", ["", "n8n", "../../secrets", "<b>"])
def test_an_unknown_container_reads_the_apps_own_log(world, ayu, mine, container):
    instance = world.buy_running(ayu.customer)
    assert mine.get(page_of(instance, "/logs"), query_string={"container": container}).status_code == 200


@pytest.mark.parametrize(
    "fault", [{"kind": "error", "status": 500}, {"kind": "reset"}, {"kind": "error", "status": 403}]
)
def test_logs_of_a_silent_cluster_say_so(world, ayu, mine, fault):
    instance = world.buy_running(ayu.customer)
    world.cluster.add_fault(method="GET", **fault)
    answer = mine.get(page_of(instance, "/logs"))
    assert answer.status_code == 200
    assert "The servers do not answer right now" in answer.get_data(as_text=True)


def test_reading_logs_all_the_time_is_refused_clearly_and_leaves_the_region_alone(world, ayu, mine):
    instance = world.buy_running(ayu.customer)
    for _ in range(41):  # two windows' worth: a minute may end meanwhile
        answer = mine.get(page_of(instance, "/logs"))
        if answer.status_code == 429:
            break
    assert answer.status_code == 429
    assert "Too many attempts. Try again in" in answer.get_data(as_text=True)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    region = mine.get(page_of(instance, "/logs"), headers=HTMX)
    assert (region.status_code, region.headers["HX-Reswap"]) == (429, "none")
    assert mine.get(page_of(instance)).status_code == 200


def test_deleting_asks_for_the_name_and_says_what_is_lost(world, ayu, mine):
    instance = world.buy_running(ayu.customer)
    html = mine.get(page_of(instance, "/deletion")).get_data(as_text=True)
    assert "lost for good" in html
    refused = mine.post(page_of(instance, "/deletion"), data={"name": "n8n"})
    assert refused.status_code == 422
    assert again(instance).fenced_at is None
    agreed = re.search(r'name="agreed" value="([^"]+)"', html).group(1)
    assert mine.post(page_of(instance, "/deletion"), data={"name": instance.name}).status_code == 409
    form = {"name": f" {instance.name} ", "agreed": agreed}
    assert mine.post(page_of(instance, "/deletion"), data=form).status_code == 303
    world.play()
    instance = again(instance)
    assert (instance.state, world.labelled(instance)) == ("TERMINATED", [])
    assert instance.cleaned_up_at is not None
    assert db.session().scalar(sa.select(Subscription.status)) == "CANCELLED"
    assert mine.get(page_of(instance)).status_code == 200
    assert mine.post(page_of(instance, "/deletion"), data={"name": instance.name}).status_code == 409


def test_an_app_under_way_for_the_first_time_is_not_deleted(world, ayu, mine):
    instance = world.buy(ayu.customer)
    assert mine.get(page_of(instance, "/deletion")).status_code == 409
    assert mine.post(page_of(instance, "/deletion"), data={"name": instance.name}).status_code == 409


def test_the_list_asks_again_only_while_something_changes(world, ayu, mine):
    assert "No apps yet" in mine.get("/instances/").get_data(as_text=True)
    instance = world.buy(ayu.customer)
    assert "every 5s" in mine.get("/instances/").get_data(as_text=True)
    world.play()
    html = mine.get("/instances/").get_data(as_text=True)
    assert instance.name in html
    assert "every 5s" not in html


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("path", ["", "/logs", "/deletion"])
def test_every_page_stands_in_both_languages(world, client, path, language):
    _, customer = register_person("Eka", "eka@example.com", language=language)
    instance = world.buy_running(customer)
    html = sign_in(client, "eka@example.com").get(page_of(instance, path)).get_data(as_text=True)
    assert f'<html lang="{language}"' in html
    assert not re.search(r"%\(\w+\)", html)


def test_the_pages_cost_six_queries_at_most(world, ayu, mine):
    instance = world.buy_running(ayu.customer)
    for path in ("/instances/", page_of(instance)):
        assert queries_of(lambda path=path: mine.get(path)) <= 6, path


def queries_of(act):
    seen = []

    def note(connection, cursor, statement, *_):
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return len([one for one in seen if one.lstrip().upper().startswith(("SELECT", "WITH"))])
