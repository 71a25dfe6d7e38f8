"""Taking in gateway notifications: kept exactly as they came, queued, and worked on later."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core import outbox
from portal.core.ids import new_id
from portal.payments.gateways import Notification
from portal.payments.models import GatewayEvent, PaymentAttempt

log = structlog.get_logger()

LOOK_AGAIN_AFTER = timedelta(minutes=1)
NO_HEADERS: Mapping[str, str] = {}


def receive(
    session: Session, gateway: str, body: bytes, notification: Notification, *, now: datetime,
    headers: Mapping[str, str] = NO_HEADERS,
) -> str:  # fmt: skip
    """Stores a verified notification and queues the look at the gateway's status; returns the verdict.

    The same bytes again are counted, and looked at again only when the last look is a while ago; as long as a look is
    to come, repeats wait for that one. A replayed notification costs nothing and moves nothing.
    """
    attempt_id = attempt_of(session, gateway, notification.order_id)
    verdict = _verdict(notification, attempt_id)
    event_id, processed_at = _store(session, gateway, body, headers, notification.order_id, verdict, now)
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


def attempt_of(session: Session, gateway: str, order_id: str) -> UUID | None:
    """The attempt behind a gateway's order id; None when the order is not ours."""
    statement = select(PaymentAttempt.id).where(
        PaymentAttempt.gateway == gateway, PaymentAttempt.order_id == order_id[:50]
    )
    return session.scalar(statement)


def _verdict(notification: Notification, attempt_id: UUID | None) -> str:
    if notification.is_test_ping:
        return "test_ping"
    return "queued" if attempt_id is not None else "unknown_order"


def _store(
    session: Session, gateway: str, body: bytes, headers: Mapping[str, str], order_id: str, verdict: str, now: datetime
) -> tuple[UUID, datetime | None]:
    row = {
        "id": new_id(),
        "gateway": gateway,
        "body": body,
        "headers": {name: str(value)[:300] for name, value in headers.items()},
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


def process_again(session: Session, event_id: UUID, notification: Notification, *, actor: Actor, now: datetime) -> str:
    """Queues another look for a stored notification, at most one a minute; returns its verdict as of now.

    Only the gateway's answer moves money, and each transaction once: however often this is asked, nothing doubles.
    """
    event = session.get_one(GatewayEvent, event_id, with_for_update=True, populate_existing=True)
    attempt_id = attempt_of(session, event.gateway, notification.order_id)
    before, event.verdict = event.verdict, _verdict(notification, attempt_id)
    if event.verdict == "queued":
        outbox.enqueue(
            session, "payments.process_notification", queue="urgent", event_id=event_id, attempt_id=attempt_id,
            transaction_id=notification.transaction_id, unique_key=f"notification:{event_id}:again:{now:%Y%m%d%H%M}",
        )  # fmt: skip
    audit.changed(
        session, actor, "gateway_event.processed_again", subject_kind="gateway_event", subject_id=event_id, now=now,
        before={"verdict": before}, after={"verdict": event.verdict}, order_id=event.order_id,
    )  # fmt: skip
    return event.verdict


def mark_processed(session: Session, event_id: UUID, *, outcome: str, now: datetime) -> None:
    """Notes what came of a notification."""
    event = session.get_one(GatewayEvent, event_id)
    event.processed_at, event.outcome = now, outcome
