"""The switches: their page, what each holds back, who turned it; read-only over every address there is."""

from __future__ import annotations

from uuid import uuid4

import pytest

from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.switches import Switch, set_value, value
from portal.web.guards import Access, declared
from tests.house.test_access import WRITES, _address, _rules
from tests.personas import PASSWORD, sign_in
from tests.queries import SIGNED_IN_MAX, counted

pytest_plugins = ["tests.personas"]
PAGE = "/admin/switches/"
OPEN_WHEN_READ_ONLY = {"accounts.sign_in", "accounts.sign_in_code", "accounts.sign_out"}


def standing(switch: Switch) -> str:
    db.session.rollback()
    return value(db.session(), switch)


def put(switch: Switch, text: str) -> None:
    with transaction() as session:
        set_value(session, switch, text, now=clock.now())


def test_only_an_administrator_knows_it_is_there(client, ayu, dewi):
    turning = f"{PAGE}no_top_ups"
    assert client.get(PAGE).status_code == 303
    assert client.post(turning, data={"text": "x"}).status_code == 303
    sign_in(client, ayu.email)
    assert client.get(PAGE).status_code == 404
    assert client.post(turning, data={"text": "x"}).status_code == 404
    assert standing(Switch.NO_TOP_UPS) == ""
    client.post("/sign-out")
    sign_in(client, dewi.email)
    with counted() as queries:
        assert client.get(PAGE).status_code == 200
    assert len(queries) <= SIGNED_IN_MAX


def test_a_switch_is_turned_with_words_and_written_down(client, dewi):
    admin = sign_in(client, dewi.email)
    admin.post(f"{PAGE}no_top_ups", data={"text": " the bank\n is away \x00"})
    assert standing(Switch.NO_TOP_UPS) == "the bank is away"
    page = admin.get(PAGE).text
    assert "the bank is away" in page
    assert "Dewi Anggraini" in page
    admin.post(f"{PAGE}no_top_ups", data={"text": "the bank is away"})
    admin.post(f"{PAGE}no_top_ups", data={"off": "yes"})
    admin.post(f"{PAGE}no_top_ups", data={"off": "yes"})
    notes = db.session().query(AuditEntry).filter_by(action="switch.turned").order_by(AuditEntry.id).all()
    assert [(note.actor_id, note.subject_id, note.facts["after"]["text"]) for note in notes] == [
        (dewi.user_id, "no_top_ups", "the bank is away"),
        (dewi.user_id, "no_top_ups", ""),
    ]


@pytest.mark.parametrize(("name", "form", "status"), [
    ("nothing", {"text": "x"}, 404), ("stamp:app_templates", {"text": "x"}, 404), ("read_only", {}, 303),
    ("read_only", {"text": " \x00 "}, 303),
])  # fmt: skip
def test_what_makes_no_sense_turns_nothing(client, dewi, name, form, status):
    assert sign_in(client, dewi.email).post(f"{PAGE}{name}", data=form).status_code == status
    assert standing(Switch.READ_ONLY) == ""


def test_words_are_cut_and_never_run(client, dewi):
    admin = sign_in(client, dewi.email)
    admin.post(f"{PAGE}banner", data={"text": "<script>x</script>" + "a" * 5000})
    assert len(standing(Switch.BANNER)) == 300
    assert "<script>x" not in admin.get(PAGE).text


def test_the_console_turns_the_same_switches(portal, client, dewi):
    answer = portal.test_cli_runner().invoke(args=["switches", "set", "read_only", "moving the database"])
    assert answer.exit_code == 0, answer.output
    page = sign_in(client, dewi.email).get(PAGE).text
    assert "moving the database" in page
    assert "from the console" in page
    note = db.session().query(AuditEntry).filter_by(action="switch.turned").one()
    assert (note.actor_id, note.facts["after"]) == (None, {"text": "moving the database"})


@pytest.mark.parametrize(("switch", "english"), [
    (Switch.NO_TOP_UPS, "Top-ups are paused"),
    (Switch.NO_PROVISIONING, "New apps, upgrades and resuming are paused"),
    (Switch.READ_ONLY, "you can look at everything and change nothing"),
])  # fmt: skip
def test_customers_are_told_by_a_banner_and_not_of_the_reason(client, ayu, switch, english):
    customer = sign_in(client, ayu.email)
    assert english not in customer.get("/dashboard/").text
    put(switch, "internal matters")
    page = customer.get("/dashboard/").text
    assert english in page
    assert "internal matters" not in page
    assert "Paused by us" in customer.get("/status").text


def test_read_only_refuses_every_write_but_gateways_and_the_doors(portal):
    """Whoever asks, signed in or not: one place refuses, so no view has to remember it."""
    portal.config["WTF_CSRF_ENABLED"] = False
    put(Switch.READ_ONLY, "on")
    browser, let_in = portal.test_client(), set()
    for rule in _rules(portal, methods=WRITES):
        if declared(portal, rule.endpoint) is Access.GATEWAY:
            continue
        for method in sorted((rule.methods or set()) & WRITES):
            if browser.open(_address(portal, rule), method=method).status_code != 503:
                let_in.add(rule.endpoint)
    assert let_in == OPEN_WHEN_READ_ONLY


def test_read_only_customers_look_and_change_nothing(portal, client, ayu):
    put(Switch.READ_ONLY, "on")
    customer = sign_in(client, ayu.email)
    for rule in _rules(portal, methods=WRITES):
        if declared(portal, rule.endpoint) is Access.CUSTOMER:
            answer = customer.post(_address(portal, rule))
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60"), rule.rule
            assert "change nothing" in answer.text
    assert customer.get("/dashboard/").status_code == 200
    assert customer.post("/sign-out").status_code == 303


def test_read_only_administrators_and_notifications_go_on(client, dewi):
    put(Switch.READ_ONLY, "on")
    assert client.post("/webhooks/midtrans", data=b"{}", content_type="application/json").status_code != 503
    admin = sign_in(client, dewi.email, PASSWORD)
    assert admin.post("/profile", data={"name": "Dewi A", "language": "en"}).status_code != 503
    admin.post(f"{PAGE}read_only", data={"off": "yes"})
    assert standing(Switch.READ_ONLY) == ""


def test_a_held_back_top_up_says_why(client, ayu):
    put(Switch.NO_TOP_UPS, "on")
    form = {"amount": "50000", "method": "bca_va", "key": str(uuid4()), "intent": ""}
    answer = sign_in(client, ayu.email).post("/top-ups/", data=form)
    assert answer.status_code in (409, 503)
    assert "Top-ups are paused" in answer.text
