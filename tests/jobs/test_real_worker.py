"""The real thing: `python -m jobs.worker` on real Redis, in real time, stopped politely and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from jobs import outbox as sweeper
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.payments.models import PaymentAttempt
from sandbox.server import SandboxServer
from tests.books_audit import assert_books_are_clean
from tests.jobs.life import open_owner
from tests.outside import surroundings
from tests.payments.counter import Counter

pytestmark = pytest.mark.slow

PATIENCE_S = 60
Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def start(outside: SandboxServer) -> Iterator[Start]:
    """Starts workers; whatever they leave running is ended with their process groups."""
    started: list[subprocess.Popen[bytes]] = []

    def run() -> subprocess.Popen[bytes]:
        environment = os.environ | surroundings(outside) | {"WORKER_FORKS": "0", "LOG_LEVEL": "ERROR"}
        environment["MIDTRANS_TIMEOUT_S"] = "30"  # a gateway that hangs here is let go by the test, not by its time-out
        command = [sys.executable, "-m", "jobs.worker"]
        started.append(subprocess.Popen(command, env=environment, start_new_session=True))
        return started[-1]

    yield run
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        process.wait(PATIENCE_S)


@pytest.fixture
def real_time(portal: Flask, outside: SandboxServer) -> Iterator[None]:
    """The worker's clock is the machine's, and so is everybody's here."""
    with clock.at(datetime.now(clock.now().tzinfo)):
        outside.midtrans.clock.set(clock.now())
        yield


def until(condition: Callable[[], object], what: str) -> None:
    """Looks again and again until it is true, `PATIENCE_S` at most."""
    deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        pause.wait(0.05)


def settled_and_told(outside: SandboxServer) -> Counter:
    """A paid top-up whose notification has just come in."""
    counter = Counter(outside, open_owner())
    payment = counter.ask(50_000)
    counter.pay(payment)
    counter.receive(outside.midtrans.notifications(order_id=counter.order_id(payment))[-1].body)
    return counter


def message() -> OutboxMessage:
    db.session.rollback()
    statement = sa.select(OutboxMessage).where(OutboxMessage.name == "payments.process_notification")
    return db.session().scalars(statement.execution_options(populate_existing=True)).one()


def asked_at_gateway(outside: SandboxServer) -> bool:
    """The worker has the message and asks the gateway about the payment, which takes its time."""
    return message().claimed_until is not None


@pytest.mark.usefixtures("real_time")
def test_a_killed_worker_is_followed_by_one_that_finishes_its_work_once(outside: SandboxServer, start: Start) -> None:
    hanging = outside.midtrans.inject("hang", endpoint="status", seconds=60)
    counter = settled_and_told(outside)
    first = start()
    until(lambda: asked_at_gateway(outside), "the worker took the message")
    os.killpg(first.pid, signal.SIGKILL)
    assert first.wait(PATIENCE_S) == -signal.SIGKILL
    outside.midtrans.heal(hanging.fault_id)
    assert counter.balance == 0
    let_the_lease_end()
    start()
    until(lambda: message().done_at, "the next worker finished it")
    assert (counter.balance, counter.entries()) == (50_000, 1)
    assert_books_are_clean()


def let_the_lease_end() -> None:
    """Nobody waits two minutes here: the dead worker's lease is moved into the past, then the sweeper comes."""
    with transaction() as session:
        running = session.scalars(sa.select(OutboxMessage).where(OutboxMessage.claimed_until.is_not(None))).one()
        running.claimed_until = clock.now()
        running.run_at -= timedelta(minutes=1)
    sweeper.sweep()


@pytest.mark.usefixtures("real_time")
def test_a_worker_told_to_stop_finishes_the_job_at_hand(outside: SandboxServer, start: Start) -> None:
    outside.midtrans.inject("drip", endpoint="status", times=1, interval_s=0.002)
    counter = settled_and_told(outside)
    worker = start()
    until(lambda: asked_at_gateway(outside), "the worker took the message")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0
    assert message().done_at is not None
    assert counter.balance == 50_000
    assert db.session().scalar(sa.select(sa.func.count()).select_from(PaymentAttempt)) == 1
