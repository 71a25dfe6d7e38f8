"""The webhook through HTTP: what is true is kept and queued, what is not is refused at once and leaves no trace."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from redis import Redis

from portal.core import clock
from portal.core.db import db
from portal.core.outbox import OutboxMessage
from portal.payments.models import GatewayEvent, GatewayTransaction, Payment
from portal.wallet.models import JournalEntry
from sandbox.midtrans.faults import Fault
from sandbox.midtrans.forgery import MALFORMED_KINDS, disguise
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.outside import forget_settings
from tests.payments.counter import PAPERWORK, Counter

ADDRESS = "/webhooks/midtrans"
SIGNED = sorted((Path(__file__).parents[1] / "contract" / "midtrans" / "signed").glob("*.json"))
FORGED = [
    "wrong_signature", "other_key", "signature_absent", "signature_null", "signature_number", "signature_list",
    "signature_upper", "cross_env",
]  # fmt: skip
HONEST_KINDS = {"bom", "latin1", "form", "get", "duplicate_keys"}


@pytest.fixture(autouse=True)
def clean_books(counter: Counter) -> Iterator[None]:
    """Whatever arrives, the books stay clean."""
    yield
    assert_books_are_clean()


@pytest.fixture
def truth(counter: Counter) -> dict[str, Any]:
    """The gateway's own message about a settled top-up of 50.000, not delivered yet."""
    payment = counter.ask(50_000)
    counter.pay(payment)
    return json.loads(counter.outside.midtrans.notifications(order_id=counter.order_id(payment))[-1].body)


def post(app: Flask, body: bytes, **options: Any) -> tuple[int, dict[str, Any]]:
    """One notification as the gateway sends it; never 5xx."""
    facts = {"content_type": "application/json", "headers": {"User-Agent": "Veritrans"}} | options
    answer = app.test_client().open(ADDRESS, method=facts.pop("method", "POST"), data=body, **facts)
    assert answer.status_code < 500, answer.get_data(as_text=True)
    return answer.status_code, answer.get_json()


def stored() -> int:
    db.session.close()
    return db.session().scalar(sa.select(sa.func.count()).select_from(GatewayEvent)) or 0


def queued() -> int:
    db.session.close()
    statement = sa.select(sa.func.count()).where(OutboxMessage.name == "payments.process_notification")
    return db.session().scalar(statement) or 0


def signed(message: dict[str, Any], key: str) -> bytes:
    """The message with a signature over its fields as they stand."""
    text = "".join(str(message.get(name)) for name in ("order_id", "status_code", "gross_amount"))
    return json.dumps(message | {"signature_key": hashlib.sha512((text + key).encode()).hexdigest()}).encode()


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
    assert queued() == 3, "a look a moment ago is enough"
    clock.advance(timedelta(minutes=2))
    post(portal, body)
    assert queued() == 4
    run_due_work(without=PAPERWORK)
    assert (counter.balance, counter.entries()) == (50_000, 1)


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


# --- what is broken -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(set(MALFORMED_KINDS) - HONEST_KINDS))
def test_a_malformed_body_is_refused_and_leaves_nothing(
    portal: Flask, counter: Counter, truth: dict[str, Any], kind: str
) -> None:
    wire = disguise(truth, [Fault(0, "malformed", params={"kind": kind})], counter.outside.server_key)
    status, answer = post(portal, wire.body)
    assert (status, answer["error"]["code"]) in [(400, "MALFORMED_NOTIFICATION"), (413, "TOO_LARGE")]
    assert (stored(), queued()) == (0, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"null", b"[]", b'"text"', b"7", b"{", b"\xff\xfe\x00", b"NaN", b'{"order_id": Infinity}', b"[" * 60_000,
        b'{"a":' * 150 + b"1" + b"}" * 150, b"9" * 5_000, b"\x00", b" " * 1_000,
        json.dumps({"order_id": "\ud800", "status_code": "200", "gross_amount": "1", "signature_key": "x"}).encode(),
        json.dumps({"order_id": "a", "status_code": "200", "gross_amount": "1", "signature_key": "\udfff"}).encode(),
        json.dumps({"order_id": "a\n", "status_code": "200", "gross_amount": "1", "signature_key": "x"}).encode(),
        json.dumps({"order_id": "é", "status_code": "200", "gross_amount": "1", "signature_key": "é"}).encode(),
        json.dumps({"order_id": "a" * 9_000, "status_code": "", "gross_amount": "", "signature_key": ""}).encode(),
    ],
    ids=lambda body: ascii(body[:12]),
)  # fmt: skip
def test_hostile_shapes_are_refused_without_an_error(portal: Flask, counter: Counter, body: bytes) -> None:
    assert post(portal, body)[0] in (400, 403)
    assert stored() == 0


def test_a_byte_order_mark_does_no_harm(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    assert post(portal, b"\xef\xbb\xbf" + json.dumps(truth).encode())[0] == 200
    run_due_work(without=PAPERWORK)
    assert counter.balance == 50_000


def test_of_doubled_keys_the_signed_one_counts_or_none(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    wire = disguise(truth, [Fault(0, "malformed", params={"kind": "duplicate_keys"})], "")
    assert post(portal, wire.body)[0] == 200
    assert post(portal, wire.body[:-1] + b', "order_id": "somebody-else"}')[0] == 403


def test_latin_letters_in_latin_bytes_are_malformed(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    wire = disguise(truth, [Fault(0, "malformed", params={"kind": "latin1"})], "")
    assert post(portal, wire.body)[0] == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
def test_only_a_post_is_a_notification(portal: Flask, counter: Counter, method: str) -> None:
    answer = portal.test_client().open(ADDRESS, method=method)
    assert answer.status_code == 405


def test_a_form_is_no_notification(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    wire = disguise(truth, [Fault(0, "malformed", params={"kind": "form"})], "")
    assert post(portal, wire.body, content_type=wire.content_type)[0] == 400
    assert stored() == 0


def test_json_under_a_forms_content_type_is_read_as_it_came(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    body = json.dumps(truth).encode()
    assert post(portal, body, content_type="application/x-www-form-urlencoded")[0] == 200


# --- sizes ----------------------------------------------------------------------------------------------


def padded(truth: dict[str, Any], size: int) -> bytes:
    bare = len(json.dumps(truth | {"padding": ""}))
    return json.dumps(truth | {"padding": "x" * (size - bare)}).encode()


def test_sixty_four_kibibytes_are_taken_and_one_byte_more_is_not(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    assert post(portal, padded(truth, 64 * 1024))[0] == 200
    assert post(portal, padded(truth, 64 * 1024 + 1))[0] == 413
    assert stored() == 1


@pytest.mark.parametrize(
    "size, accepted", [(60_000, True), (64 * 1024 + 1, False), (900_000, False), (2_000_000, False)]
)
def test_a_chunked_body_without_a_length_is_measured_while_it_is_read(
    portal: Flask, counter: Counter, truth: dict[str, Any], size: int, accepted: bool
) -> None:
    """As gunicorn hands it over: no CONTENT_LENGTH, and a stream that ends by itself."""
    from io import BytesIO

    environ = {"wsgi.input": BytesIO(padded(truth, size)), "wsgi.input_terminated": True}
    environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_TYPE": "application/json"}
    answer = portal.test_client().open(ADDRESS, method="POST", environ_overrides=environ)
    assert answer.status_code in ([200] if accepted else [400, 413])
    assert stored() == accepted


# --- bad signatures in masses ---------------------------------------------------------------------------


def test_masses_of_forgeries_are_turned_away_and_good_ones_still_pass(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    forged = json.dumps(truth | {"signature_key": "0" * 128}).encode()
    statuses = [post(portal, forged)[0] for _ in range(35)]
    assert statuses == [403] * 30 + [429] * 5
    assert post(portal, json.dumps(truth).encode())[0] == 200
    clock.advance(timedelta(minutes=1))
    assert post(portal, forged)[0] == 403


def test_good_notifications_are_never_limited(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    body = json.dumps(truth).encode()
    assert {post(portal, body)[0] for _ in range(80)} == {200}


# --- our own faults -------------------------------------------------------------------------------------


@pytest.fixture
def no_redis(portal: Flask) -> Iterator[None]:
    """Nobody answers where Redis was."""
    real = portal.extensions["redis"]
    portal.extensions["redis"] = Redis.from_url("unix:///nowhere/redis.sock", retry=real.get_retry())
    yield
    portal.extensions["redis"] = real


def test_without_redis_it_is_answered_all_the_same_and_swept_up_later(
    portal: Flask, counter: Counter, truth: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("no_redis")
    assert post(portal, json.dumps(truth).encode()) == (200, {"status": "queued"})
    assert post(portal, json.dumps(truth | {"signature_key": "0" * 128}).encode())[0] == 403
    assert queued() == 1
    run_due_work(without=PAPERWORK)
    assert counter.balance == 50_000


def test_a_lock_that_could_not_be_had_is_tried_again_with_the_same_body(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    """The view runs again from its start, and a stream can be read but once."""
    body = json.dumps(truth).encode()
    post(portal, body)
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with db.engine.begin() as connection:
            connection.execute(sa.text("SELECT 1 FROM gateway_event FOR UPDATE"))
            locked.set()
            release.wait(30)

    def let_go_after_the_first_refusal() -> None:
        waiting = sa.text("SELECT xact_start FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        deadline = time.monotonic() + 20
        seen: set[Any] = set()
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while len(seen) < 2 and time.monotonic() < deadline:
                seen |= set(connection.scalars(waiting))
                release.wait(0.02)
        release.set()

    threads = [threading.Thread(target=within(portal, work)) for work in (hold, let_go_after_the_first_refusal)]
    threads[0].start()
    assert locked.wait(10)
    threads[1].start()
    answer = portal.test_client().post(ADDRESS, data=body, content_type="application/json")
    for thread in threads:
        thread.join(30)
    assert (answer.status_code, answer.get_json()) == (200, {"status": "queued"})


def within(app: Flask, work: Any) -> Any:
    def run() -> None:
        with app.app_context():
            work()

    return run


def test_a_gateway_away_for_hours_loses_no_chargeback(portal: Flask, counter: Counter) -> None:
    """The notification's own look is given up after an hour; the half-hourly look finds it all the same."""
    from jobs import payments as jobs

    payment = counter.ask(method="credit_card")
    gateway = counter.outside.midtrans
    card = gateway.choose(str(counter.attempt(payment).token), "credit_card", card_number="4811111111111114")
    gateway.authenticate_card(card.transaction_id)
    counter.deliver(payment)
    counter.pass_time(timedelta(days=5))
    counter.deliver(payment)
    gateway.chargeback(card.transaction_id)
    broken = gateway.inject("http_503")
    assert post(portal, gateway.notifications(order_id=counter.order_id(payment))[-1].body)[0] == 200
    for _ in range(30):
        run_due_work(without=PAPERWORK)
        counter.pass_time(timedelta(minutes=5))
    gateway.heal(broken.fault_id)
    jobs.sync()
    run_due_work(without=PAPERWORK)
    assert (counter.balance, counter.status(payment)) == (0, "CHARGED_BACK")


def test_no_secret_and_no_body_reaches_the_log(
    portal: Flask, counter: Counter, truth: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    post(portal, json.dumps(truth).encode())
    post(portal, json.dumps(truth | {"signature_key": "0" * 128, "card": "4811111111111114"}).encode())
    post(portal, b'{"order_id": "half')
    run_due_work(without=PAPERWORK)
    written = "".join(capfd.readouterr())
    assert "webhook.refused" in written
    for secret in (counter.outside.server_key, truth["signature_key"], "4811111111111114", "0" * 128):
        assert secret not in written


def test_only_the_gateways_word_was_ever_booked(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    post(portal, json.dumps(truth).encode())
    run_due_work(without=PAPERWORK)
    db.session.close()
    session = db.session()
    row = session.scalars(sa.select(GatewayTransaction)).one()
    payment = session.scalars(sa.select(Payment)).one()
    assert (row.transaction_id, row.credited, row.gross_amount) == (truth["transaction_id"], 50_000, payment.amount)
    assert session.scalars(sa.select(JournalEntry.idempotency_key)).all() == [
        f"midtrans:{truth['transaction_id']}:credit"
    ]
