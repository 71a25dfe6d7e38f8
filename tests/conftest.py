"""Fixtures every ring shares: real PostgreSQL and Redis, the portal on a migrated schema, a clock that is moved.

Every test starts from empty tables and commits for real: deferred constraints fire, and jobs see what they would
see in production. Emptying is the one place where the append-only triggers are stepped around.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

os.environ.setdefault("ENVIRONMENT", "test")

from sandbox.engines import Postgres, Redis

NOON = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
"""12:00 in Jakarta on an ordinary day: where a test's clock stands unless it moves it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: the other process has all the rest to do meanwhile."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """PostgreSQL and Redis of this test process, thrown away at the end."""
    folder = Path(tmp_path_factory.mktemp("engines"))
    with Postgres(folder / "pg", durable=False) as postgres, Redis(folder / "redis", durable=False) as redis:
        os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = postgres.url, redis.url
        yield


@pytest.fixture(scope="session")
def app(engines: None) -> Iterator[Flask]:
    """The portal, its schema built by the migrations."""
    from flask_migrate import upgrade

    from config import settings
    from portal import create_app
    from portal.core.db import db

    settings.cache_clear()
    app = create_app({"SERVER_NAME": None, "RATELIMIT_ENABLED": True})
    with app.app_context():
        upgrade(directory=str(Path(app.root_path) / "migrations"))
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def portal(app: Flask) -> Iterator[Flask]:
    """An app context around empty tables and an empty Redis, at `NOON`."""
    from portal.core import clock
    from portal.core.db import db

    with app.app_context():
        _empty(app)
        with clock.at(NOON):
            yield app
        db.session.remove()


@pytest.fixture
def session(portal: Flask) -> Session:
    """The database session for looking at what was written; tests that write open `transaction()`."""
    from portal.core.db import db

    return db.session()


@pytest.fixture
def client(portal: Flask) -> FlaskClient:
    """A browser without JavaScript; forms carry no CSRF token here, `tests/house` proves the check is on."""
    portal.config["WTF_CSRF_ENABLED"] = False
    return portal.test_client()


@pytest.fixture
def drain(portal: Flask) -> Callable[..., int]:
    """Runs all queued work that is due, in order, as the worker would; returns how many messages ran."""
    return run_due_work


def run_due_work(*, limit: int = 500, without: tuple[str, ...] = ()) -> int:
    """Runs due messages until none is left, those of `without` left lying; fails when the work never ends."""
    from jobs import runner
    from portal.core import clock
    from portal.core.db import db
    from portal.core.outbox import OutboxMessage

    ran = 0
    while True:
        db.session.close()
        due = db.session().scalar(
            sa.select(OutboxMessage.id)
            .where(
                OutboxMessage.done_at.is_(None),
                OutboxMessage.failed_at.is_(None),
                OutboxMessage.run_at <= clock.now(),
                OutboxMessage.name.not_in(without),
                sa.or_(OutboxMessage.claimed_until.is_(None), OutboxMessage.claimed_until <= clock.now()),
            )
            .order_by(OutboxMessage.run_at, OutboxMessage.id)
            .limit(1)
        )
        db.session.close()
        if due is None:
            return ran
        runner.perform(str(due))
        ran += 1
        assert ran < limit, "queued work never ends"


def settle(*, for_at_most: timedelta = timedelta(minutes=30)) -> None:
    """Runs queued work and moves the clock to each later due time until nothing is left."""
    from portal.core import clock
    from portal.core.db import db
    from portal.core.outbox import OutboxMessage

    end = clock.now() + for_at_most
    while True:
        run_due_work()
        upcoming = db.session().scalar(
            sa.select(sa.func.min(OutboxMessage.run_at)).where(
                OutboxMessage.done_at.is_(None), OutboxMessage.failed_at.is_(None)
            )
        )
        db.session.rollback()
        if upcoming is None or upcoming > end:
            return
        clock.advance(max(upcoming - clock.now(), timedelta(0)) + timedelta(milliseconds=1))


def _empty(app: Flask) -> None:
    """Deletes every row with triggers off, and forgets Redis."""
    from portal.core.db import db

    tables = [f'"{table.name}"' for table in db.metadata.sorted_tables]
    with db.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.exec_driver_sql("; ".join(f"DELETE FROM {name}" for name in tables))
    app.extensions["redis"].flushall()
