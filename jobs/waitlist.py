"""Waitlist jobs: a free slot goes to the next in line, and what was held for too long goes back.

Each entry is dealt with in a transaction of its own. Run twice, or after a kill, they find what is left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import structlog
from rq.timeouts import JobTimeoutException

from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.errors import Unavailable
from portal.subscriptions import intents, queues
from portal.subscriptions.actions import waiting

log = structlog.get_logger()
LOOKS_MAX = 200


def offer_next(plan_id: str) -> None:
    """A slot came free, or somebody joined: serves the queue in its order, as far as slots go.

    While the operator holds launches back the queue stands still; `offer_free_slots` looks again.
    """
    _serve(UUID(plan_id))


def _serve(plan_id: UUID) -> int:
    """How many were dealt with; a long queue goes on in a message of its own."""
    for looks in range(LOOKS_MAX):
        try:
            with transaction() as session:
                if waiting.offer_next(session, plan_id, now=clock.now()) is None:
                    return looks
        except Unavailable as held_back:
            if "switch" not in held_back.details:
                raise
            return looks
    with transaction() as session:
        outbox.enqueue(session, "waitlist.offer_next", plan_id=plan_id)
    return LOOKS_MAX


def offer_free_slots() -> dict[str, int]:
    """Every few minutes: whatever slot is free while somebody waits for it, should its event have been lost."""
    plans = queues.plans_to_look_at(db.session())
    db.session.rollback()
    return {"plans": len(plans), "served": _each(plans, _serve)}


def expire_offers() -> dict[str, int]:
    """Every minute: offers that were not taken in time go to the next in line."""
    due = queues.offers_ended(db.session(), now=clock.now())
    db.session.rollback()
    return {"missed": _each(due, lambda entry_id: _in_transaction(waiting.expire_offer, entry_id))}


def release_launch_holds() -> dict[str, int]:
    """Every minute: slots held for launches that were not paid in time go back."""
    due = intents.holds_ended(db.session(), now=clock.now())
    db.session.rollback()
    return {"released": _each(due, lambda intent_id: _in_transaction(intents.release_hold, intent_id))}


def pay_debt_from_holds(customer_id: str) -> None:
    """A debt came up: what its customer has set aside pays it."""
    with transaction() as session:
        waiting.pay_debt_from_holds(session, UUID(customer_id), now=clock.now())
        outbox.complete(session, now=clock.now())


def _in_transaction(verb: Callable[..., bool], row_id: UUID) -> int:
    with transaction() as session:
        return int(verb(session, row_id, now=clock.now()))


def _each(row_ids: Sequence[UUID], deal_with: Callable[[UUID], int]) -> int:
    """The sum over all, each on its own; the first failure is raised when all were tried."""
    done, failures = 0, []
    for row_id in row_ids:
        try:
            done += deal_with(row_id)
        except JobTimeoutException:
            raise  # time is up for all of them
        except Exception as failure:  # the edge; raised again below
            log.warning("waitlist.failed", row=str(row_id), exc_info=failure)
            failures.append(failure)
    if failures:
        raise failures[0]
    return done
