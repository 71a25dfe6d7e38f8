"""The verbs of the catalog: slots and prices; `syncing` writes app templates into the tables, `stocking` is what an
operator edits by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.catalog.errors import PlanNotSold, QuotaExceeded, SlotsInUse
from portal.catalog.models import Plan, PlanPrice
from portal.catalog.syncing import SyncReport, sync
from portal.core import events
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id

__all__ = [
    "SyncReport", "change_price", "change_slots", "free_slot", "set_price", "set_slots", "sync", "take_slot",
    "withdraw_price",
]  # fmt: skip


def take_slot(session: Session, plan_id: UUID, *, still_sold: bool = True) -> None:
    """Takes one slot in one conditional statement, so that no concurrency oversells; raises `QuotaExceeded`.

    A plan that is no longer sold has slots only for those who come back to it (`still_sold=False`).
    """
    statement = update(Plan).where(Plan.id == plan_id, Plan.slots_used < Plan.slots_total)
    if still_sold:
        statement = statement.where(Plan.active)
    if not _moved_one(session, statement.values(slots_used=Plan.slots_used + 1)):
        raise QuotaExceeded


def free_slot(session: Session, plan_id: UUID) -> None:
    """Gives one slot back and records `slot.freed`. The caller proves, by a state it changes, that it is due."""
    statement = update(Plan).where(Plan.id == plan_id, Plan.slots_used > 0)
    moved = _moved_one(session, statement.values(slots_used=Plan.slots_used - 1))
    assert moved, "a slot is freed by its holder only"
    events.record(session, "slot.freed", plan_id=plan_id)


def set_slots(session: Session, plan_id: UUID, total: int) -> None:
    """Sets how many slots a plan has; more of them are offered to who waits. Raises `SlotsInUse` below what is used."""
    statement = update(Plan).where(Plan.id == plan_id, Plan.slots_used <= total)
    if not _moved_one(session, statement.values(slots_total=total)):
        raise SlotsInUse
    events.record(session, "slot.freed", plan_id=plan_id)


def change_slots(session: Session, plan_id: UUID, total: int, *, actor: Actor | None, now: datetime) -> Plan:
    """`set_slots` by an operator, written down; the plan's row is locked, so that what was used is what is told.

    Raises `SlotsInUse` with `used`, `PlanNotSold` when there is no such plan. A repeat changes nothing.
    """
    plan = session.get(Plan, plan_id, with_for_update=ROW_LOCK, populate_existing=True)
    if plan is None:
        raise PlanNotSold
    if plan.slots_total == total:
        return plan
    before = plan.slots_total
    if plan.slots_used > total:
        raise SlotsInUse(used=plan.slots_used)
    set_slots(session, plan_id, total)
    audit.changed(
        session, actor, "catalog.slots_changed", subject_kind="plan", subject_id=plan_id, now=now,
        before={"slots_total": before}, after={"slots_total": total},
    )  # fmt: skip
    session.refresh(plan)
    return plan


def _moved_one(session: Session, statement: Any) -> bool:
    return session.execute(statement.execution_options(synchronize_session=False)).rowcount == 1  # type: ignore[attr-defined]


def set_price(session: Session, plan_id: UUID, interval: str, amount: int) -> None:
    """What new customers pay from now on; a way of paying that was not sold before is sold then."""
    values = {"id": new_id(), "plan_id": plan_id, "interval": interval, "amount": amount, "active": True}
    statement = upsert(PlanPrice).values(values)
    changed = {"amount": amount, "active": True}
    session.execute(statement.on_conflict_do_update(index_elements=["plan_id", "currency", "interval"], set_=changed))


def change_price(
    session: Session, plan_id: UUID, interval: str, amount: int, *, actor: Actor | None, now: datetime
) -> bool:
    """`set_price` by an operator, written down. False when it is sold at that price already.

    Whoever pays another price is told by `jobs.prices.announce`, which the caller queues.
    """
    row = _price(session, plan_id, interval)
    before = row.amount if row is not None and row.active else None
    if before == amount:
        return False
    set_price(session, plan_id, interval, amount)
    _note_price(session, actor, plan_id, interval, before, amount, now=now)
    return True


def withdraw_price(session: Session, plan_id: UUID, interval: str, *, actor: Actor | None, now: datetime) -> None:
    """Stops selling a plan by an interval. Who pays that way goes on at their price. A repeat changes nothing."""
    row = _price(session, plan_id, interval)
    if row is None or not row.active:
        return
    row.active = False
    session.flush()
    _note_price(session, actor, plan_id, interval, row.amount, None, now=now)


def _price(session: Session, plan_id: UUID, interval: str) -> PlanPrice | None:
    """The row, behind the plan's lock: two operators at once change it one after the other."""
    if session.get(Plan, plan_id, with_for_update=ROW_LOCK, populate_existing=True) is None:
        raise PlanNotSold
    statement = select(PlanPrice).where(PlanPrice.plan_id == plan_id, PlanPrice.interval == interval)
    return session.scalar(statement.execution_options(populate_existing=True))


def _note_price(
    session: Session, actor: Actor | None, plan_id: UUID, interval: str, before: int | None, after: int | None,
    *, now: datetime,
) -> None:  # fmt: skip
    audit.changed(
        session, actor, "catalog.price_changed", subject_kind="plan", subject_id=plan_id, now=now,
        before={"amount": before}, after={"amount": after}, interval=interval, amount=after,
    )  # fmt: skip
