"""Pushing again what is due and not done: what makes losing Redis harmless."""

from __future__ import annotations

from portal.core import clock, outbox
from portal.core.db import transaction


def sweep() -> str:
    """Every 15 seconds: hands due messages to Redis again."""
    with transaction() as session:
        found = outbox.sweep(session, now=clock.now())
    return f"{len(found)} messages"
