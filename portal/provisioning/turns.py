"""Work on one customer's namespace, one worker at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portal.core.db import db


@contextmanager
def turn(namespace: str) -> Iterator[bool]:
    """Holds the namespace while the body runs; yields False, at once, when another worker holds it.

    A PostgreSQL advisory lock of a connection of its own that is in no transaction, so the network may be slow
    meanwhile and no row waits. It ends with the connection, thus with a killed worker: no time to live to guess,
    nothing left to sweep. Should it ever be lost half-way, jobs notice by reading the wanted state once more
    after they have written (`jobs.instances`), so the lock saves work and is not what correctness rests on.
    """
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = {"name": f"namespace:{namespace}"}
        taken = connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), key)
        try:
            yield bool(taken)
        finally:
            if taken:
                try:
                    connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), key)
                except SQLAlchemyError:
                    connection.invalidate()  # closes it, which releases the lock too
