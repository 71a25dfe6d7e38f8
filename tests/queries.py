"""Counts what a request asks the database: list pages have no N+1, and every page keeps to its budget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from portal.core.db import db

CATALOG_MAX = 3
SIGNED_IN_MAX = 6


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements sent to PostgreSQL inside the block, in order."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
