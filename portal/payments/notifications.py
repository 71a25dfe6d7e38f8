"""Taking in gateway notifications: kept exactly as they came, queued, and worked on later."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.core import outbox
from portal.core.ids import new_id
from portal.payments.gateways import Notification
from portal.payments.models import GatewayEvent, PaymentAttempt

log = structlog.get_logger()

LOOK_AGAIN_AFTER = timedelta(minutes=1)


def receive(session: Session, gateway: str, body: bytes, notification: Notification, *, now: datetime) -> str:
    """Stores a verified notification and queues the look at the gateway's status; returns the verdict.

    The same bytes again are counted, and looked at again only when the last look is a while ago; as long as a look is
    to come, repeats wait for that one. A replayed notification costs nothing and moves nothing.
    """
    attempt_id = _attempt_of(session, gateway, notification.order_id)
    verdict = _verdict(notification, attempt_id)
    event_id, processed_at = _store(session, gateway, body, notification.order_id, verdict, now)
    if verdict != "queued":
        log.warning("webhook.not_ours", verdict=verdict, order_id=notification.order_id[:80])
        return verdict
    if processed_at is None or now - processed_at > LOOK_AGAIN_AFTER:
        key = f"notification:{event_id}:{processed_at.isoformat() if processed_at else 'new'}"
        outbox.enqueue(
            session, "payments.process_notification", queue="urgent", unique_key=key, event_id=event_id,
            attempt_id=attempt_id, transaction_id=notification.transaction_id,
        )  # fmt: skip
    return verdict


def _attempt_of(session: Session, gateway: str, order_id: str) -> UUID | None:
    statement = select(PaymentAttempt.id).where(
        PaymentAttempt.gateway == gateway, PaymentAttempt.order_id == order_id[:50]
    )
    return session.scalar(statement)


def _verdict(notification: Notification, attempt_id: UUID | None) -> str:
    if notification.is_test_ping:
        return "test_ping"
    return "queued" if attempt_id is not None else "unknown_order"


def _store(
    session: Session, gateway: str, body: bytes, order_id: str, verdict: str, now: datetime
) -> tuple[UUID, datetime | None]:
    row = {
        "id": new_id(),
        "gateway": gateway,
        "body": body,
        "body_digest": hashlib.sha256(body).hexdigest(),
        "order_id": order_id[:80],
        "verdict": verdict,
        "received_at": now,
        "received_count": 1,
    }
    statement = (
        upsert(GatewayEvent)
        .values(row)
        .on_conflict_do_update(
            index_elements=["gateway", "body_digest"],
            set_={"received_count": GatewayEvent.received_count + 1, "verdict": verdict},
        )
        .returning(GatewayEvent.id, GatewayEvent.processed_at)
    )
    stored = session.execute(statement).one()
    return stored.id, stored.processed_at


def mark_processed(session: Session, event_id: UUID, *, outcome: str, now: datetime) -> None:
    """Notes what came of a notification."""
    event = session.get_one(GatewayEvent, event_id)
    event.processed_at, event.outcome = now, outcome
