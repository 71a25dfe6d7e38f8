"""Doing something for real and taking all of it back: nobody can say better what it would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from portal.core.db import transaction

Found = TypeVar("Found")


def rehearsed(work: Callable[[Session], Found]) -> Found:
    """What `work` returns; whatever it wrote is rolled back and nothing it queued is sent. It returns no rows."""
    found: list[Found] = []
    try:
        with transaction() as session:
            found.append(work(session))
            raise _TakenBack
    except _TakenBack:
        return found[0]


class _TakenBack(Exception):
    """Ends a rehearsal."""
