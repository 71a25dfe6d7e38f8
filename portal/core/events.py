"""Things that happened, told upward: a lower package records one, `jobs/reactions.py` says what follows."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from portal.core import outbox


def record(session: Session, event: str, **facts: Any) -> None:
    """Records `event` (such as `wallet.credited`) with the ids it concerns, in the surrounding transaction."""
    outbox.enqueue(session, "reactions.react", queue="urgent", event=event, facts=_plain(facts))


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value if value is None or isinstance(value, int | bool) else str(value) for key, value in facts.items()
    }
