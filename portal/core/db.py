"""The database: declarative base, the session, and `transaction()`, the only place that commits.

READ COMMITTED, with a lock time-out of 3 s. A deadlock or a lock time-out becomes `Busy`, which the edge
retries. Messages queued in a transaction reach Redis after its commit, never before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from flask_sqlalchemy import SQLAlchemy
from rq.timeouts import JobTimeoutException
from sqlalchemy import BigInteger, DateTime, MetaData, Uuid
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, registry

from portal.core.errors import Busy
from portal.core.ids import new_id

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
# lock_not_available, deadlock_detected, serialization_failure. Source: PostgreSQL manual, appendix A.
BUSY_SQLSTATES = {"55P03", "40P01", "40001"}
LOCK_TIMEOUT_MS = 3_000
# FOR NO KEY UPDATE, for rows that others point at: writing a row with a foreign key shares the key of the row it
# names, and would wait for FOR UPDATE. So a purchase (customer, then wallet) and a credit (wallet, then a line of
# the customer's) would be a deadlock.
ROW_LOCK: dict[str, Any] = {"key_share": True}
STATEMENT_TIMEOUT_MS = 30_000
INTERRUPTIONS = (JobTimeoutException, KeyboardInterrupt, SystemExit)


class Base(DeclarativeBase):
    """Base of every table; datetimes are aware, integers 64 bit, ids UUIDv7 made by `core.ids`."""

    registry = registry(
        metadata=MetaData(naming_convention=NAMING),
        type_annotation_map={
            datetime: DateTime(timezone=True),
            UUID: Uuid(as_uuid=True),
            int: BigInteger(),
        },
    )


class Identified:
    """Gives a table its `id`."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-10)


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


def engine_options(*, pool_size: int) -> dict[str, Any]:
    """Engine settings every process uses: time zone, time-outs, a pool that notices dead connections."""
    options = (
        f"-c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout={STATEMENT_TIMEOUT_MS} "
        "-c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
    )
    return {
        "pool_size": pool_size,
        "hide_parameters": True,  # an error ends in logs and in the outbox; what people typed must not
        "max_overflow": 2,
        "pool_pre_ping": True,
        "pool_recycle": 1800,
        "connect_args": {"options": options, "connect_timeout": 5, "application_name": "minispod"},
    }


@contextmanager
def transaction() -> Iterator[Session]:
    """One unit of work: commits at the end, rolls back on any error, then hands queued work to Redis.

    Opened by edges only (views, API endpoints, jobs, commands), never nested. Raises `Busy` when locks could
    not be had.
    """
    session = db.session()
    assert not session.info.get("in_unit"), "transactions do not nest: pass the session down"
    session.info["in_unit"] = True
    try:
        yield session
        session.commit()
    except DBAPIError as error:
        roll_back(session)
        if _sqlstate(error) in BUSY_SQLSTATES:
            raise Busy from error
        if (interruption := _interruption(error)) is not None:
            raise interruption from None
        raise
    except BaseException:
        roll_back(session)
        raise
    finally:
        session.info.pop("in_unit", None)
    _push_queued_work(session)


def assert_outside_transaction() -> None:
    """Gateways call this before they touch the network: no lock may be held while the outside world thinks."""
    session = db.session()
    assert not session.info.get("in_unit"), "a network call inside a transaction"
    session.close()  # ends a read that an edge left open and gives its connection back; what was read stays readable


def roll_back(session: Session) -> None:
    """Ends what was begun without a trace. A connection that was interrupted in the middle of a query cannot even do
    that: it is thrown away, and what interrupted it remains the error."""
    session.info.pop("unpushed", None)
    try:
        session.rollback()
    except DBAPIError:
        session.invalidate()


def _interruption(error: BaseException) -> BaseException | None:
    """What stopped us within a query: SQLAlchemy, cleaning up on the interrupted connection, fails itself and shows
    that failure in its place."""
    behind = error.__context__
    while behind is not None and not isinstance(behind, INTERRUPTIONS):
        behind = behind.__context__
    return behind


def _push_queued_work(session: Session) -> None:
    from portal.core import outbox

    outbox.push(session.info.pop("unpushed", []))


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
