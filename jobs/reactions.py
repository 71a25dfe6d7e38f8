"""What follows from what: the one table from an event to the jobs it wakes."""

from __future__ import annotations

from typing import Any

import structlog

from portal.core import clock, outbox
from portal.core.db import transaction

log = structlog.get_logger()

# event                   job, and which of the event's facts it takes
REACTIONS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "wallet.credited": [("subscriptions.use_credit", ("customer_id",))],
    "wallet.indebted": [("waitlist.pay_debt_from_holds", ("customer_id",))],
    "payment.needs_review": [],  # the operator's review page; the customer was told with the event
    "instance.ready": [],
    "slot.freed": [("waitlist.offer_next", ("plan_id",))],
}


def react(event: str, facts: dict[str, str]) -> None:
    """Queues one message per reaction, so that each is retried by itself."""
    if event not in REACTIONS:
        log.error("event.unknown", name=event)
    with transaction() as session:
        for job, names in REACTIONS.get(event, []):
            chosen: dict[str, Any] = {name: facts[name] for name in names}
            outbox.enqueue(session, job, queue="urgent", **chosen)
        outbox.complete(session, now=clock.now())
