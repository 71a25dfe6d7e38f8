"""Slots as customers come by them: never past a queue, and whoever has one held for them uses that one.

Whoever calls has locked the customer: that lock orders everything that one customer waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from operator import itemgetter
from uuid import UUID

from sqlalchemy import BindParameter, Select, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from portal.catalog import actions as catalog
from portal.catalog.errors import QuotaExceeded
from portal.catalog.models import Plan, Service
from portal.core.ids import new_id
from portal.core.money import Money
from portal.subscriptions import queues, rules
from portal.subscriptions.models import (
    IN_LINE,
    IntentStatus,
    LaunchIntent,
    Subscription,
    WaitlistEntry,
    WaitlistStatus,
)
from portal.wallet import holds
from portal.wallet.actions import Line
from portal.wallet.ledger import Reference
from portal.wallet.models import TransactionType

Move = tuple[UUID, Callable[[Session, UUID], None]]
"""A plan, and what happens to one of its slots."""


@dataclass(frozen=True)
class Waits:
    """What a customer waits for of one service: launches that wait for credit, and places in queues."""

    intents: list[LaunchIntent]
    entries: list[WaitlistEntry]

    @property
    def holding(self) -> list[LaunchIntent | WaitlistEntry]:
        """Those that a slot is held for: an open offer before a hold of *pay and launch*."""
        offered = [entry for entry in self.entries if entry.holds_slot]
        return [*offered, *(intent for intent in self.intents if intent.holds_slot)]

    def belong_to(self, subscription: Subscription) -> None:
        """Notes which subscription ended the wait."""
        for intent in self.intents:
            intent.subscription_id = subscription.id
        for entry in self.entries:
            entry.subscription_id = subscription.id


def take(
    session: Session, customer_id: UUID, *, plan_id: UUID, service_id: UUID, now: datetime, resuming: bool = False
) -> Waits:
    """Gives a customer a slot of the plan: the one that is held for them, or a free one that nobody else waits for.

    What they waited for of this service has its end with it: credit set aside is given back, slots held for its other
    plans are freed. Returns what ended. Raises `QuotaExceeded`, also while others stand before them in the queue;
    who is `resuming` comes before all that do not. A hold or an offer counts until it is taken back.
    """
    waits = of_service(session, customer_id, service_id)
    own = next((one for one in waits.holding if one.plan_id == plan_id), None)
    moves: list[tuple[UUID, Callable[[Session, UUID], None]]] = [
        (one.plan_id, catalog.free_slot) for one in waits.holding if one is not own
    ]
    if own is None:
        moves.append((plan_id, partial(catalog.take_slot, still_sold=not resuming)))
    for moved_id, move in sorted(moves, key=itemgetter(0)):
        move(session, moved_id)
    if own is None:
        refuse_past_the_queue(session, customer_id, plan_id, resuming=resuming)
    _end(session, waits, plan_id, now=now)
    return waits


def refuse_past_the_queue(session: Session, customer_id: UUID, plan_id: UUID, *, resuming: bool = False) -> None:
    """Raises `QuotaExceeded` while others stand before the customer. Asked with the slot in hand: whoever joined
    before it was taken is seen, and who joins later finds it gone."""
    ahead = queues.count_ahead(session, customer_id, plan_id, resuming=resuming)
    if not rules.slots_for_sale(1, ahead=ahead):
        raise QuotaExceeded


def of_service(session: Session, customer_id: UUID, service_id: UUID) -> Waits:
    """What the customer waits for of a service, locked. Mostly nothing: nobody begins to wait without the customer's
    lock, so a look without one is enough to know that."""
    if not session.scalar(_asked_whether_waiting(), {"customer_id": customer_id}):
        return Waits([], [])
    plans = select(Plan.id).where(Plan.service_id == service_id)
    intents = select(LaunchIntent).where(
        LaunchIntent.customer_id == customer_id,
        LaunchIntent.plan_id.in_(plans),
        LaunchIntent.status == IntentStatus.WAITING,
    )
    entries = select(WaitlistEntry).where(
        WaitlistEntry.customer_id == customer_id,
        WaitlistEntry.plan_id.in_(plans),
        WaitlistEntry.status.in_(IN_LINE),
    )
    return Waits(_locked(session, intents, LaunchIntent.id), _locked(session, entries, WaitlistEntry.id))


@cache
def _asked_whether_waiting() -> Select[bool]:
    """Built once: every purchase asks."""
    customer_id: BindParameter[UUID] = bindparam("customer_id")
    launch = exists().where(LaunchIntent.customer_id == customer_id, LaunchIntent.status == IntentStatus.WAITING)
    place = exists().where(WaitlistEntry.customer_id == customer_id, WaitlistEntry.status.in_(IN_LINE))
    return select(or_(launch, place))


def of_customer(session: Session, customer_id: UUID) -> Waits:
    """Whatever the customer waits for, locked."""
    intents = select(LaunchIntent).where(
        LaunchIntent.customer_id == customer_id, LaunchIntent.status == IntentStatus.WAITING
    )
    entries = select(WaitlistEntry).where(WaitlistEntry.customer_id == customer_id, WaitlistEntry.status.in_(IN_LINE))
    return Waits(_locked(session, intents, LaunchIntent.id), _locked(session, entries, WaitlistEntry.id))


def _locked(session: Session, statement, order):  # type: ignore[no-untyped-def]
    statement = statement.order_by(order).with_for_update().execution_options(populate_existing=True)
    return list(session.scalars(statement))


def _end(session: Session, waits: Waits, plan_id: UUID, *, now: datetime) -> None:
    for intent in waits.intents:
        got_it = intent.plan_id == plan_id
        end_intent(intent, IntentStatus.FULFILLED if got_it else IntentStatus.CANCELLED, now=now)
    for entry in waits.entries:
        got_it = entry.plan_id == plan_id
        end_entry(session, entry, WaitlistStatus.SERVED if got_it else WaitlistStatus.LEFT, now=now)


def end_intent(intent: LaunchIntent, status: IntentStatus, *, now: datetime) -> None:
    """Ends a launch's wait. A slot held for it is the caller's to use or to free."""
    intent.status, intent.decided_at, intent.hold_ends_at = status, now, None


def end_entry(
    session: Session, entry: WaitlistEntry, status: WaitlistStatus, *, now: datetime, reason: str | None = None
) -> None:
    """Ends a place in a queue and gives back what was set aside. A slot held for it is the caller's."""
    entry.status, entry.decided_at, entry.offer_ends_at, entry.failure_code = status, now, None, reason
    entry.subscription_id = entry.resumes_id
    give_back(session, entry, now=now)


def set_aside(session: Session, entry: WaitlistEntry, total: Money, *, now: datetime) -> None:
    """Sets the price of an automatic entry aside; raises `InsufficientCredit`."""
    if not total:
        return
    line = Line(TransactionType.HOLD, "waitlist_hold", names(session, entry.plan_id))
    holds.hold(session, entry.customer_id, total, key=_key("hold", entry), about=_about(entry), line=line, now=now)
    entry.held = total.amount


def give_back(session: Session, entry: WaitlistEntry, *, now: datetime) -> None:
    """Gives back whatever is set aside for an entry: a debt takes it first."""
    if not entry.held:
        return
    held, entry.held = Money(entry.held), 0
    line = Line(TransactionType.HOLD, "waitlist_release", names(session, entry.plan_id))
    holds.release(session, entry.customer_id, held, key=_key("release", entry), about=_about(entry), line=line, now=now)


def _key(word: str, entry: WaitlistEntry) -> str:
    """Of this moment alone: `held`, written under the customer's lock, is what makes it happen once."""
    return f"{word}:{entry.id}:{new_id()}"


def _about(entry: WaitlistEntry) -> Reference:
    return Reference("waitlist_entry", entry.id)


def names(session: Session, plan_id: UUID) -> dict[str, str]:
    """What lines and notices call a plan."""
    statement = select(Service.name, Plan.name).join(Service, Service.id == Plan.service_id).where(Plan.id == plan_id)
    app, plan = session.execute(statement).one()
    return {"app": app, "plan": plan}
