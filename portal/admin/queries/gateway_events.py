"""Reads of gateway notifications, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.core.errors import NotFound
from portal.core.ids import parse_id
from portal.payments.models import GatewayEvent, PaymentAttempt
from portal.web.listings import Listing


def listing(conditions: Sequence[Any]) -> Listing:
    """Notifications without their bodies."""
    shown = (
        GatewayEvent.id, GatewayEvent.gateway, GatewayEvent.order_id, GatewayEvent.verdict, GatewayEvent.received_at,
        GatewayEvent.received_count, GatewayEvent.processed_at, GatewayEvent.outcome,
    )  # fmt: skip
    statement: Any = sa.select(*shown).where(*conditions)
    return Listing(statement, GatewayEvent.id, {"received": GatewayEvent.received_at}, default="-received")


def searched(text: str) -> list[Any]:
    """Conditions for a whole order id or a notification's own id."""
    if not text:
        return []
    wanted = parse_id(text)
    return [GatewayEvent.id == wanted] if wanted else [GatewayEvent.order_id == text]


def state_is(state: str | None) -> list[Any]:
    """Worked on, or still to be."""
    if state == "done":
        return [GatewayEvent.processed_at.is_not(None)]
    return [GatewayEvent.processed_at.is_(None)] if state == "waiting" else []


def event(session: Session, event_id: UUID) -> GatewayEvent:
    """One notification with its body; raises `NotFound`."""
    found = session.get(GatewayEvent, event_id, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def payment_id_of(session: Session, found: GatewayEvent) -> UUID | None:
    """The payment behind its order."""
    statement = sa.select(PaymentAttempt.payment_id).where(
        PaymentAttempt.gateway == found.gateway, PaymentAttempt.order_id == found.order_id
    )
    return session.scalar(statement)
