"""Reads of alerts, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.accounts.models import User
from portal.alerts.models import Alert
from portal.web.listings import Listing

STATES = ("OPEN", "CLOSED")


def listing(*, state: str | None, code: str | None) -> Listing:
    """Alerts that people heard of, with who took them on; newest first."""
    statement: Any = (
        sa.select(Alert, User.name.label("taken_on_by"))
        .outerjoin(User, User.id == Alert.acknowledged_by)
        .where(Alert.opened_at.is_not(None), *_conditions(state, code))
    )
    return Listing(statement, Alert.id, {"opened": Alert.first_seen_at}, default="-opened")


def _conditions(state: str | None, code: str | None) -> list[Any]:
    conditions: list[Any] = []
    if state:
        conditions.append(Alert.closed_at.is_(None) if state == "OPEN" else Alert.closed_at.is_not(None))
    if code:
        conditions.append(Alert.code == code)
    return conditions


def one(session: Session, alert_id: UUID) -> Any:
    """One alert with who took it on; None when there is none."""
    statement: Any = (
        sa.select(Alert, User.name.label("taken_on_by"))
        .outerjoin(User, User.id == Alert.acknowledged_by)
        .where(Alert.id == alert_id, Alert.opened_at.is_not(None))
    )
    return session.execute(statement).one_or_none()


def codes_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The code of each, for a preview."""
    rows = session.execute(sa.select(Alert.id, Alert.code).where(Alert.id.in_(ids)))
    return {row.id: row.code for row in rows}


def state_of(alert: Alert) -> str:
    """As `portal/web/states.py` shows it."""
    if alert.closed_at is not None:
        return "CLOSED"
    return "ACKNOWLEDGED" if alert.acknowledged_at else "OPEN"
