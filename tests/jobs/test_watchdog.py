"""When no worker is alive, the scheduler tells so by itself, and does nothing else of a worker's part."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from rq import Queue, SimpleWorker

from jobs.watchdog import Watchdog
from portal.alerts.models import Alert
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.notices.models import Mail

pytest_plugins = ["tests.personas"]


def looks(watchdog: Watchdog, minutes: int) -> list[bool]:
    found = []
    for _ in range(minutes):
        clock.advance(timedelta(minutes=1))
        found.append(watchdog.look())
    return found


def test_nobody_left_is_told_without_a_worker(portal: Flask, dewi) -> None:
    with transaction() as session:
        other = outbox.enqueue(session, "outbox.sweep")
    watchdog = Watchdog(outbox.redis_connection())
    assert watchdog.look() is False
    assert looks(watchdog, 6) == [False, True, True, True, True, True]
    [alert] = db.session().scalars(sa.select(Alert).where(Alert.code == "worker_absent"))
    assert alert.opened_at is not None
    mail = db.session().scalars(sa.select(Mail).where(Mail.code == "alert_worker_absent")).one()
    assert (mail.to_address, mail.attempts > 0) == (dewi.email, True)
    assert db.session().get_one(OutboxMessage, other).attempts == 0


def test_while_a_worker_is_alive_it_leaves_everything_to_it(portal: Flask, dewi) -> None:
    connection = outbox.redis_connection()
    worker = SimpleWorker([Queue("urgent", connection=connection)], connection=connection)
    worker.register_birth()
    assert looks(Watchdog(connection), 5) == [False] * 5
    worker.register_death()


def test_a_database_that_is_away_does_not_end_the_scheduler(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs import alerts

    watchdog = Watchdog(outbox.redis_connection())
    monkeypatch.delattr(alerts, "evaluate")
    assert looks(watchdog, 3) == [False] * 3
