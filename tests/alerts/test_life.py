"""An alert's life: seen, opened, told once, grown, taken on, over, back again."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from config import settings
from jobs import alerts as job
from jobs import periodic
from portal.alerts import actions
from portal.alerts.models import Alert
from portal.alerts.rules import Signal
from portal.audit.actions import Actor
from portal.core import clock, outbox, pulse
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.notices.models import Mail
from tests.conftest import run_due_work

pytest_plugins = ["tests.personas"]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def round_of(*signals: Signal, after: timedelta = MINUTE) -> actions.Tally:
    """One look, a while after the last."""
    clock.advance(after)
    with transaction() as session:
        return actions.record(session, signals, codes=("queue_old", "work_failed", "books_differ"), now=clock.now())


def alerts() -> list[Alert]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(Alert).order_by(Alert.id)))


def letters() -> list[str]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(Mail.code).order_by(Mail.created_at, Mail.id)))


OLD = Signal("queue_old", {"due": 3, "oldest_at": "2026-03-10T03:05:00+00:00"})


def failed(*ids: str) -> Signal:
    return Signal("work_failed", {"count": len(ids), "first": "payments.check"}, about=ids)


def test_what_lasts_is_told_once_and_told_when_it_is_over(portal: Flask, dewi) -> None:
    assert [round_of(OLD).told for _ in range(5)] == [0, 0, 1, 0, 0]
    assert [round_of().told for _ in range(12)] == [0] * 9 + [1, 0, 0]
    assert letters() == ["alert_queue_old", "alert_over_queue_old"]
    assert [mail.to_address for mail in db.session().scalars(sa.select(Mail))] == [dewi.email] * 2


def test_what_does_not_last_is_told_to_nobody(portal: Flask, dewi) -> None:
    for _ in range(10):
        round_of(OLD)
        round_of(OLD)
        round_of()
    assert (alerts(), letters()) == ([], [])


def test_what_comes_and_goes_is_one_alert(portal: Flask, dewi) -> None:
    for _ in range(3):
        round_of(OLD)
    for _ in range(20):
        round_of(after=5 * MINUTE)
        round_of(OLD)
    assert (len(alerts()), letters()) == (1, ["alert_queue_old"])


def test_what_comes_back_soon_is_the_same_alert_and_told_less(portal: Flask, dewi) -> None:
    for _ in range(3):
        round_of(OLD)
    for _ in range(4):  # away for a quarter of an hour, and back
        round_of(after=15 * MINUTE)
        round_of(OLD, after=5 * MINUTE)
    assert (len(alerts()), alerts()[0].returns) == (1, 1)
    assert letters() == ["alert_queue_old", "alert_over_queue_old", "alert_queue_old"]
    round_of(after=HOUR)
    assert letters()[-1] == "alert_over_queue_old"


def test_more_of_the_same_is_told_but_not_at_once(portal: Flask, dewi) -> None:
    for _ in range(3):
        round_of(failed("a"))
    for _ in range(59):
        assert round_of(failed("a", "b")).told == 0
    assert [round_of(failed("a", "b")).told for _ in range(3)] == [1, 0, 0]
    assert round_of(failed("b"), after=HOUR).told == 0


def test_what_nobody_takes_on_is_told_again_every_day(portal: Flask, dewi) -> None:
    told = sum(round_of(OLD, after=HOUR).told for _ in range(50))
    assert told == 3
    with transaction() as session:
        actions.acknowledge(session, alerts()[0].id, actor=Actor(dewi.user_id), now=clock.now())
    assert sum(round_of(OLD, after=HOUR).told for _ in range(50)) == 0


def test_the_books_are_mailed_by_their_own_letter(portal: Flask, dewi) -> None:
    differs = Signal("books_differ", {"count": 1, "first": "x"}, about=["x"], lasts=timedelta(0))
    assert round_of(differs).opened == 1
    assert letters() == []
    round_of(after=HOUR)
    assert letters() == ["alert_over_books_differ"]


def test_who_hears_of_it(portal: Flask, dewi, ayu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_EMAIL", "operator@example.com")
    monkeypatch.setenv("ALERT_EMAILS", "one@example.com, two@example.com,one@example.com")
    settings.cache_clear()
    for _ in range(3):
        round_of(OLD)
    told = set(db.session().scalars(sa.select(Mail.to_address)))
    monkeypatch.undo()
    settings.cache_clear()
    assert told == {"one@example.com", "two@example.com"}


def test_two_looks_at_once_open_one_alert(portal: Flask, dewi) -> None:
    round_of(OLD)
    clock.advance(HOUR)
    now, tallies = clock.now(), []

    def look() -> None:
        with portal.app_context(), transaction() as session:
            tallies.append(actions.record(session, [OLD], codes=("queue_old",), now=now))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.opened for one in tallies) == [0, 0, 0, 1]
    assert letters() == ["alert_queue_old"]


# --- the job that looks ----------------------------------------------------------------------------------


def test_the_job_finds_old_work_and_what_failed(portal: Flask, dewi) -> None:
    with transaction() as session:
        old = outbox.enqueue(session, "payments.check", payment_id="x")
        bad = outbox.enqueue(session, "payments.check", payment_id="y")
        session.execute(sa.update(OutboxMessage).where(OutboxMessage.id == bad).values(failed_at=clock.now()))
    for _ in range(5):
        clock.advance(5 * MINUTE)
        periodic.run("alerts")
    assert {"queue_old", "work_failed"} <= {one.code for one in alerts() if one.opened_at}
    with transaction() as session:
        outbox.give_up(session, bad, now=clock.now())
        session.execute(sa.update(OutboxMessage).where(OutboxMessage.id == old).values(done_at=clock.now()))
        session.execute(sa.update(OutboxMessage).values(done_at=clock.now()).where(OutboxMessage.id != bad))
    for _ in range(3):
        clock.advance(5 * MINUTE)
        job.evaluate()
        with transaction() as session:
            session.execute(sa.update(OutboxMessage).values(done_at=clock.now()).where(OutboxMessage.id != bad))
    assert {one.code for one in alerts() if one.closed_at} >= {"queue_old", "work_failed"}


def test_calls_are_counted_by_the_minute_and_forgotten(portal: Flask) -> None:
    for _ in range(3):
        pulse.note("gateway", answered=False)
    clock.advance(9 * MINUTE)
    pulse.note("gateway", answered=True)
    assert pulse.read("gateway", now=clock.now(), minutes=10) == pulse.Pulse(1, 3)
    clock.advance(MINUTE)
    assert pulse.read("gateway", now=clock.now(), minutes=10) == pulse.Pulse(1, 0)
    assert pulse.read("mail", now=clock.now(), minutes=10).failed_percent == 0


# --- the webhook -----------------------------------------------------------------------------------------


class Receiver:
    """A server that keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status, self.headers = 200, {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


SECRET = "a-secret-of-sixteen-or-more"


@pytest.fixture
def receiver(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()
    monkeypatch.setenv("ALERT_WEBHOOK_URL", receiver.url)
    monkeypatch.setenv("ALERT_WEBHOOK_SECRET", SECRET)
    settings.cache_clear()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    monkeypatch.undo()
    settings.cache_clear()


def open_one() -> Alert:
    for _ in range(3):
        round_of(OLD)
    return alerts()[0]


def test_it_is_posted_signed(receiver: Receiver) -> None:
    alert = open_one()
    run_due_work()
    [(headers, body)] = receiver.got
    facts = json.loads(body)
    assert facts["id"] == f"{alert.id}:1"
    assert (facts["state"], facts["code"], facts["title"]) == ("open", "queue_old", "Queued work waits too long")
    assert facts["url"].endswith(f"/admin/alerts/{alert.id}")
    at, mac = (part.partition("=")[2] for part in headers["X-MinisPod-Signature"].split(","))
    assert int(at) == int(clock.now().timestamp())
    assert mac == hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def test_a_receiver_that_is_away_is_asked_again(receiver: Receiver) -> None:
    open_one()
    receiver.status = 503
    run_due_work()
    receiver.status = 204
    clock.advance(timedelta(seconds=10))
    run_due_work()
    assert len(receiver.got) == 2
    assert len({json.loads(body)["id"] for _, body in receiver.got}) == 1


@pytest.mark.parametrize("status", [302, 307, 400, 404])
def test_a_receiver_that_refuses_or_redirects_is_asked_once_and_named(receiver: Receiver, status: int) -> None:
    open_one()
    receiver.status, receiver.headers = status, {"Location": receiver.url}
    run_due_work()
    clock.advance(HOUR)
    run_due_work()
    assert len(receiver.got) == 1
    assert alerts()[0].webhook_error == f"HTTP {status}"
