"""The webhook when something else is wrong: masses of forgeries, no Redis, a lost lock, a gateway away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from redis import Redis

from portal.core import clock
from portal.core.db import db
from portal.payments.models import GatewayTransaction, Payment
from portal.wallet.models import JournalEntry
from tests.conftest import run_due_work
from tests.payments.counter import PAPERWORK, Counter
from tests.payments.door import ADDRESS, post, queued

pytestmark = pytest.mark.usefixtures("audited")


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
