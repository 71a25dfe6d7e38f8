"""Notifications for an administrator: read as text, replayed as a drill that changes nothing, worked on again."""

from __future__ import annotations

import json

import pytest

from portal.audit.models import AuditEntry
from portal.core.db import db
from portal.core.outbox import OutboxMessage
from portal.payments.models import GatewayEvent
from tests.admin.test_payments import NOBODYS, admin  # noqa: F401 - a fixture
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.outside import outside, outside_server  # noqa: F401 - fixtures
from tests.payments.conftest import counter, truth  # noqa: F401 - fixtures
from tests.payments.counter import PAPERWORK
from tests.payments.door import post, signed
from tests.queries import counted

pytest_plugins = ["tests.personas"]
LIST_MAX = 5


def the_event() -> GatewayEvent:
    db.session.close()
    return db.session().query(GatewayEvent).one()


@pytest.fixture
def arrived(counter, truth):  # noqa: F811 - fixtures
    """A settlement is known to us, and no work on it has been done."""
    counter.receive(json.dumps(truth).encode())
    return the_event()


@pytest.mark.parametrize("act", ["drill", "processing"])
def test_only_an_administrator_knows_it_is_there(client, ayu, act):
    from tests.personas import sign_in

    path = f"/admin/gateway-events/{NOBODYS}"
    assert [client.get("/admin/gateway-events/").status_code, client.get(path).status_code] == [303, 303]
    assert client.post(f"{path}/{act}").status_code == 303
    customer = sign_in(client, ayu.email)
    assert [customer.get("/admin/gateway-events/").status_code, customer.get(path).status_code] == [404, 404]
    assert customer.post(f"{path}/{act}").status_code == 404


@pytest.mark.parametrize("act", ["drill", "processing"])
def test_what_is_not_there_is_not_found(admin, act):  # noqa: F811
    assert admin.get(f"/admin/gateway-events/{NOBODYS}").status_code == 404
    assert admin.post(f"/admin/gateway-events/{NOBODYS}/{act}").status_code == 404


def test_the_list_filters_by_order_verdict_work_and_day(admin, arrived):  # noqa: F811
    shown = f"/admin/gateway-events/{arrived.id}"
    with counted() as queries:
        assert shown in admin.get("/admin/gateway-events/").text
    assert len(queries) <= LIST_MAX
    for query in (f"search={arrived.order_id}", f"search={arrived.id}", "verdict=queued", "state=waiting",
                  "since=2026-03-10", "until=2026-03-10"):  # fmt: skip
        assert shown in admin.get(f"/admin/gateway-events/?{query}").text, query
    for query in ("search=TOPUP-X", "verdict=test_ping", "state=done", "since=2026-03-11", "search=%25"):
        assert shown not in admin.get(f"/admin/gateway-events/?{query}").text, query
    assert arrived.order_id in admin.get("/admin/gateway-events/?format=csv").text


def test_a_hostile_body_is_text_and_where_it_came_from_is_kept(admin, portal, outside):  # noqa: F811
    message = {"order_id": "x", "status_code": "200", "gross_amount": "1.00", "note": "<script>alert(1)</script>"}
    assert post(portal, signed(message, outside.server_key), headers={"User-Agent": "<b>Veritrans"})[0] == 200
    page = admin.get(f"/admin/gateway-events/{the_event().id}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "&lt;b&gt;Veritrans" in page
    assert the_event().headers["Remote-Address"] == "127.0.0.1"
    assert "signature" not in json.dumps(the_event().headers).lower()


def test_a_drill_shows_the_credit_and_leaves_everything_as_it_was(admin, counter, arrived):  # noqa: F811
    before = db.session().query(OutboxMessage).count()
    page = admin.post(f"/admin/gateway-events/{arrived.id}/drill").text
    assert "It would change what you see below." in page
    assert "Rp50.000" in page
    assert "Money would move." in page
    assert (counter.balance, counter.entries(), the_event().processed_at) == (0, 0, None)
    assert db.session().query(OutboxMessage).count() == before
    run_due_work(without=PAPERWORK)
    assert (counter.balance, counter.entries()) == (50_000, 1)
    assert "It would change nothing." in admin.post(f"/admin/gateway-events/{arrived.id}/drill").text
    assert counter.entries() == 1
    assert_books_are_clean()


def test_a_drill_says_when_the_gateway_does_not_answer(admin, outside, arrived):  # noqa: F811
    outside.midtrans.inject("http_429")
    assert "it would be asked again" in admin.post(f"/admin/gateway-events/{arrived.id}/drill").text


def test_a_drill_says_when_the_signature_fits_no_more(admin, arrived, monkeypatch):  # noqa: F811
    from tests.outside import forget_settings

    monkeypatch.setenv("MIDTRANS_SERVER_KEY", "another key")
    forget_settings()
    assert "signature does not fit" in admin.post(f"/admin/gateway-events/{arrived.id}/drill").text
    assert admin.post(f"/admin/gateway-events/{arrived.id}/processing").status_code == 303
    assert "signature does not fit" in admin.get(f"/admin/gateway-events/{arrived.id}").text


def test_one_that_was_given_up_is_worked_on_again_and_credits_once(admin, counter, arrived, dewi):  # noqa: F811
    for message in db.session().query(OutboxMessage).filter_by(name="payments.process_notification"):
        message.failed_at = message.created_at
    db.session.commit()
    for _ in range(3):
        assert admin.post(f"/admin/gateway-events/{arrived.id}/processing").status_code == 303
    run_due_work(without=PAPERWORK)
    assert (counter.balance, counter.entries()) == (50_000, 1)
    assert the_event().outcome == "settlement, settlement"
    notes = db.session().query(AuditEntry).filter_by(action="gateway_event.processed_again").all()
    assert {(note.actor_id, note.subject_id) for note in notes} == {(dewi.user_id, str(arrived.id))}
    assert_books_are_clean()


def test_somebody_elses_order_is_left_alone(admin, portal, outside):  # noqa: F811
    message = {"order_id": "not-ours", "status_code": "200", "gross_amount": "1.00"}
    post(portal, signed(message, outside.server_key))
    event = the_event()
    assert "none of ours" in admin.post(f"/admin/gateway-events/{event.id}/drill").text
    admin.post(f"/admin/gateway-events/{event.id}/processing")
    assert db.session().query(OutboxMessage).filter_by(name="payments.process_notification").count() == 0
