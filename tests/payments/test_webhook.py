"""The webhook through HTTP: what is true is kept and queued, what is not is refused at once and leaves no trace."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.core import clock
from portal.core.db import db
from portal.payments.models import GatewayEvent
from sandbox.midtrans.faults import Fault
from sandbox.midtrans.forgery import disguise
from tests.conftest import run_due_work
from tests.outside import forget_settings
from tests.payments.counter import PAPERWORK, Counter
from tests.payments.door import post, queued, signed, stored

pytestmark = pytest.mark.usefixtures("audited")

SIGNED = sorted((Path(__file__).parents[1] / "contract" / "midtrans" / "signed").glob("*.json"))
FORGED = [
    "wrong_signature", "other_key", "signature_absent", "signature_null", "signature_number", "signature_list",
    "signature_upper", "cross_env",
]  # fmt: skip


# --- what is true ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", SIGNED, ids=lambda path: path.stem)
def test_the_vendors_signed_examples_are_taken_in(
    portal: Flask, counter: Counter, monkeypatch: pytest.MonkeyPatch, example: Path
) -> None:
    monkeypatch.setenv("MIDTRANS_SERVER_KEY", "SB-Mid-server-test")
    forget_settings()
    assert post(portal, example.read_bytes()) == (200, {"status": "ignored"})
    assert db.session().scalars(sa.select(GatewayEvent.verdict)).all() == ["unknown_order"]


@pytest.mark.parametrize("example", SIGNED, ids=lambda path: path.stem)
def test_the_vendors_examples_are_refused_under_our_own_key(portal: Flask, example: Path) -> None:
    status, answer = post(portal, example.read_bytes())
    assert (status, answer["error"]["code"]) == (403, "BAD_SIGNATURE")
    assert stored() == 0


def test_a_true_notification_is_answered_stored_as_it_came_and_credited(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    body = json.dumps(truth, indent=3).encode()
    assert post(portal, body) == (200, {"status": "queued"})
    event = db.session().scalars(sa.select(GatewayEvent)).one()
    assert (event.body, event.order_id, event.verdict) == (body, truth["order_id"], "queued")
    assert counter.balance == 0
    run_due_work(without=PAPERWORK)
    assert counter.balance == 50_000
    db.session.close()
    event = db.session().scalars(sa.select(GatewayEvent)).one()
    assert (event.processed_at, event.outcome) == (clock.now(), "settlement, settlement")


def test_the_same_body_again_is_stored_once_and_counted(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    body = json.dumps(truth).encode()
    for _ in range(3):
        assert post(portal, body)[0] == 200
    run_due_work(without=PAPERWORK)
    for _ in range(4):
        assert post(portal, body)[0] == 200
    assert db.session().scalars(sa.select(GatewayEvent.received_count)).all() == [7]
    assert queued() == 1, "a look a moment ago is enough"
    clock.advance(timedelta(minutes=2))
    for _ in range(3):
        post(portal, body)
    assert queued() == 2
    run_due_work(without=PAPERWORK)
    assert (counter.balance, counter.entries()) == (50_000, 1)


def test_twenty_of_one_notification_are_one_look_and_another_state_is_its_own(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    for _ in range(20):
        assert post(portal, json.dumps(truth).encode())[0] == 200
    assert (stored(), queued()) == (1, 1)
    post(portal, json.dumps(truth | {"transaction_status": "refund"}).encode())
    assert (stored(), queued()) == (2, 2)


def test_a_body_of_other_bytes_is_another_notification_and_still_one_credit(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    for body in (json.dumps(truth), json.dumps(truth, indent=1), json.dumps(dict(reversed(truth.items())))):
        assert post(portal, body.encode())[0] == 200
    run_due_work(without=PAPERWORK)
    assert (stored(), counter.balance, counter.entries()) == (3, 50_000, 1)


def test_the_dashboards_test_ping_is_answered_and_changes_nothing(portal: Flask, counter: Counter) -> None:
    counter.outside.midtrans.send_test_ping()
    ping = counter.outside.midtrans.notifications()[-1].body
    assert post(portal, ping) == (200, {"status": "ignored"})
    assert db.session().scalars(sa.select(GatewayEvent.verdict)).all() == ["test_ping"]
    assert queued() == 0


def test_an_unknown_order_is_answered_kept_and_not_asked_about(portal: Flask, counter: Counter) -> None:
    counter.outside.midtrans.send_unknown_order()
    assert post(portal, counter.outside.midtrans.notifications()[-1].body) == (200, {"status": "ignored"})
    assert db.session().scalars(sa.select(GatewayEvent.verdict)).all() == ["unknown_order"]
    assert queued() == 0


def test_an_order_id_longer_than_ours_matches_nobody(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    order_id = truth["order_id"] + "x" * 60
    body = signed(truth | {"order_id": order_id}, counter.outside.server_key)
    assert post(portal, body) == (200, {"status": "ignored"})
    assert queued() == 0


# --- what lies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", FORGED)
def test_a_forged_notification_is_refused_and_leaves_nothing(
    portal: Flask, counter: Counter, truth: dict[str, Any], mode: str
) -> None:
    body = disguise(truth, [Fault(0, mode)], counter.outside.server_key).body
    status, answer = post(portal, body)
    assert (status, answer["error"]["code"]) in [(403, "BAD_SIGNATURE"), (400, "MALFORMED_NOTIFICATION")]
    run_due_work(without=PAPERWORK)
    assert (stored(), queued(), counter.balance) == (0, 0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"gross_amount": "50000.01"},
        {"gross_amount": "50000"},
        {"gross_amount": 50000},
        {"gross_amount": None},
        {"gross_amount": ["50000.00"]},
        {"order_id": "TOPUP-somebody-else-1"},
        {"order_id": 7},
        {"status_code": "201"},
        {"status_code": 200},
        {"order_id": ""},
    ],
)
def test_tampering_with_a_signed_field_breaks_the_signature(
    portal: Flask, counter: Counter, truth: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert post(portal, json.dumps(truth | changes).encode())[0] in (400, 403)
    assert (stored(), queued()) == (0, 0)


@pytest.mark.parametrize(
    "changes",
    [{"transaction_status": "settlement"}, {"transaction_id": "11111111-2222-3333-4444-555555555555"},
     {"transaction_status": ["settlement"]}, {"transaction_id": "../../v2/token"}, {"fraud_status": "accept"}],
)  # fmt: skip
def test_what_the_signature_does_not_cover_moves_nothing(
    portal: Flask, counter: Counter, changes: dict[str, Any]
) -> None:
    """The signature covers neither status nor transaction: only the gateway's own status is believed."""
    payment = counter.ask(50_000)
    gateway = counter.outside.midtrans
    gateway.choose(str(counter.attempt(payment).token), "bca_va")
    pending = json.loads(gateway.notifications(order_id=counter.order_id(payment))[-1].body)
    assert post(portal, json.dumps(pending | changes).encode())[0] == 200
    run_due_work(without=PAPERWORK)
    assert (counter.balance, counter.status(payment)) == (0, "PENDING")


def test_an_old_settlement_played_again_as_a_refund_takes_nothing(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    post(portal, json.dumps(truth).encode())
    run_due_work(without=PAPERWORK)
    flipped = disguise(truth, [Fault(0, "replay_tamper")], counter.outside.server_key).body
    assert post(portal, flipped)[0] == 200
    run_due_work(without=PAPERWORK)
    assert (counter.balance, counter.entries()) == (50_000, 1)


@pytest.mark.parametrize("value", ["49999.00", "50000", "50000.0", 50_000, "5e4", "-50000.00", ""])
def test_a_drifted_amount_correctly_signed_credits_what_the_gateway_says(
    portal: Flask, counter: Counter, truth: dict[str, Any], value: Any
) -> None:
    fault = Fault(0, "amount_drift", params={"value": value})
    assert post(portal, disguise(truth, [fault], counter.outside.server_key).body)[0] in (200, 400)
    run_due_work(without=PAPERWORK)
    assert counter.balance in (0, 50_000)
    assert counter.entries() <= 1
