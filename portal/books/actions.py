"""Keeping what was compared: a day's progress, and differences from when they are found until they are gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.books import queries, rules
from portal.books.models import BooksAudit, BooksDifference, Reconciliation
from portal.core import outbox
from portal.core.errors import Conflict, NotFound
from portal.core.ids import new_id
from portal.notices import actions as notices
from portal.notices import operators
from portal.wallet.proofs import Difference

FRESH: dict[str, Any] = {
    "cursor": None, "asked": 0, "not_opened": 0, "changed_meanwhile": 0, "handed_over": 0,
    "gateway": {"count": 0, "sum": 0}, "why": None,
}  # fmt: skip
SHOWN_IN_MAIL = 30
AUDIT_TAKES = timedelta(minutes=10)
"""One that was asked for longer ago counts as lost: another may be asked for."""


def begin(session: Session, day: date, *, now: datetime) -> Reconciliation:
    """The day's comparison: the one that is not finished yet, or a new one in the place of a finished one."""
    row = {"day": day, "started_at": now, "figures": FRESH}
    session.execute(upsert(Reconciliation).values(row).on_conflict_do_nothing())
    found = session.get_one(Reconciliation, day, with_for_update=True, populate_existing=True)
    if found.ended_at is not None:
        found.started_at, found.ended_at, found.figures = now, None, dict(FRESH)
    return found


def record_order(
    session: Session, day: date, after: UUID | None, attempt_id: UUID, found: Sequence[Difference],
    tally: dict[str, Any], *, order_name: str, now: datetime,
) -> bool:  # fmt: skip
    """Notes one order's outcome and moves the day's cursor to it; False when somebody else has moved it already."""
    row = session.get_one(Reconciliation, day, with_for_update=True, populate_existing=True)
    if row.ended_at is not None or row.figures["cursor"] != (str(after) if after else None):
        return False
    row.figures = _added(row.figures, tally) | {"cursor": str(attempt_id), "why": None}
    if not tally.get("changed_meanwhile"):
        keep(session, found, checks=rules.OF_ORDERS, only=order_name, now=now)
    return True


def _added(figures: dict[str, Any], tally: dict[str, Any]) -> dict[str, Any]:
    total = dict(figures)
    for name, more in tally.items():
        total[name] = _added(total[name], more) if isinstance(more, dict) else total[name] + more
    return total


def hand_over(session: Session, attempt_id: UUID, payment_id: UUID, *, day: date, now: datetime) -> None:
    """Wakes the job that answers notifications, and looks again a while later. Nothing is booked here."""
    key = f"reconcile:{attempt_id}:{day.isoformat()}"
    outbox.enqueue(session, "payments.check", unique_key=f"{key}:check", payment_id=payment_id)
    outbox.enqueue(
        session, "books.look_again", run_at=now + rules.LOOK_AGAIN_AFTER, unique_key=f"{key}:again",
        attempt_id=attempt_id, day=day.isoformat(),
    )  # fmt: skip


def note_away(session: Session, day: date, why: str) -> None:
    """The gateway does not answer: what was not asked is not judged."""
    row = session.get_one(Reconciliation, day, with_for_update=True, populate_existing=True)
    row.figures = {**row.figures, "why": why[:200]}


def finish(session: Session, day: date, *, now: datetime) -> Reconciliation:
    """Every order was asked about: compares the day's sums, and those of days that differed, and closes the day."""
    keep(session, queries.unexplained_clearing(session), checks=("clearing_unexplained",), now=now)
    for other in queries.days_that_differ(session):
        compare_sums(session, other, now=now)
    row = compare_sums(session, day, now=now)
    row.figures = {**row.figures, "unknown_orders": queries.unknown_orders(session, day)}
    row.ended_at = now
    return row


def compare_sums(session: Session, day: date, *, now: datetime) -> Reconciliation:
    """Our rows and the ledger as they are now, beside what the gateway said when the day was compared."""
    row = session.get_one(Reconciliation, day, with_for_update=True, populate_existing=True)
    sums = {**queries.our_sums(session, day), "gateway": row.figures["gateway"]}
    row.figures = {**row.figures, **sums}
    name, found = f"day {day.isoformat()}", []
    if not sums["ours"] == sums["ledger"] == sums["gateway"]:
        said = "; ".join(f"{side} {one['count']} of {one['sum']}" for side, one in sums.items())
        found.append(Difference("day_sums_differ", name, said))
    keep(session, found, checks=("day_sums_differ",), only=name, now=now)
    return row


def keep(
    session: Session, found: Iterable[Difference], *, checks: Sequence[str], only: str | None = None, now: datetime
) -> None:
    """Keeps what these checks found (of the row `only`, if given): new ones are noted, known ones seen again, and
    open ones that are not found any more are resolved."""
    mine = {(each.check, each.row[:120]): each.reason for each in found if each.check in checks}
    for (check, reference), reason in mine.items():
        _keep_one(session, check, reference, reason, now)
    gone = update(BooksDifference).where(
        BooksDifference.check.in_(checks),
        BooksDifference.resolved_at.is_(None),
        tuple_(BooksDifference.check, BooksDifference.reference).not_in(list(mine)),
    )
    if only is not None:
        gone = gone.where(BooksDifference.reference == only)
    session.execute(gone.values(resolved_at=now).execution_options(synchronize_session=False))


def _keep_one(session: Session, check: str, reference: str, reason: str, now: datetime) -> None:
    row = {
        "id": new_id(), "check": check, "reference": reference, "found": reason, "found_at": now, "seen_at": now,
    }  # fmt: skip
    statement = upsert(BooksDifference).values(row)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["check", "reference"],
            index_where=BooksDifference.resolved_at.is_(None),
            set_={"seen_at": now, "found": reason, **_explained_while(BooksDifference.found == reason)},
        )
    )


def _explained_while(the_same: ColumnElement[bool]) -> dict[str, Any]:
    """An explanation holds for what it explained: other figures are a new question."""
    columns = BooksDifference.explained_at, BooksDifference.explained_by, BooksDifference.explanation
    return {column.key: case((the_same, column), else_=None) for column in columns}


def explain(session: Session, difference_id: UUID, *, reason: str, actor: Actor, now: datetime) -> BooksDifference:
    """Notes why something differs. Nothing is mended: it stays open until a run does not find it any more.

    A later explanation takes the place of an earlier one. Raises `NotFound`, `Conflict` once it is resolved.
    """
    found = session.get(BooksDifference, difference_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    if found.resolved_at is not None:
        raise Conflict
    before, found.explanation = found.explanation, reason
    found.explained_at, found.explained_by = now, actor.user_id
    audit.changed(
        session, actor, "books_difference.explained", subject_kind="books_difference", subject_id=found.id, now=now,
        before={"explanation": before}, after={"explanation": reason}, check=found.check, reference=found.reference,
    )  # fmt: skip
    return found


# --- audits ---------------------------------------------------------------------------------------------


def note_audit(session: Session, *, now: datetime) -> BooksAudit:
    """The row of an audit that the clock runs."""
    row = BooksAudit(id=new_id(), asked_at=now)
    session.add(row)
    return row


def ask_for_audit(session: Session, *, actor: Actor, now: datetime) -> BooksAudit:
    """Queues an audit for a person; while one of the last minutes is under way, that one answers."""
    waiting = select(BooksAudit).where(
        BooksAudit.ended_at.is_(None), BooksAudit.asked_at > now - AUDIT_TAKES, BooksAudit.asked_by.is_not(None)
    )
    if (under_way := session.scalars(waiting.order_by(BooksAudit.asked_at.desc()).limit(1)).first()) is not None:
        return under_way
    row = BooksAudit(id=new_id(), asked_at=now, asked_by=actor.user_id)
    session.add(row)
    outbox.enqueue(session, "books.hand_over_audit", queue="slow", unique_key=f"books.audit:{row.id}", audit_id=row.id)
    audit.changed(
        session, actor, "books.audit_asked", subject_kind="books_audit", subject_id=row.id, now=now
    )  # fmt: skip
    return row


def end_audit(
    session: Session, audit_id: UUID, found: Sequence[Difference], *, checks: Sequence[str], heads: dict[str, Any],
    started_at: datetime, now: datetime,
) -> BooksAudit:  # fmt: skip
    """Keeps an audit's results by check, and its differences."""
    row = session.get_one(BooksAudit, audit_id, with_for_update=True, populate_existing=True)
    row.results = {name: sum(each.check == name for each in found) for name in checks}
    row.heads, row.started_at, row.ended_at = heads, started_at, now
    keep(session, found, checks=checks, now=now)
    return row


def tell_operator(session: Session, *, now: datetime, waiting: Sequence[str] = rules.STILL_LOOKED_AT) -> int:
    """One mail about all differences that were not told yet, to each who hears of alerts; returns how many differences.
    Those of the `waiting` checks may go by themselves, and have a quarter of an hour for it."""
    young = BooksDifference.check.in_(waiting) & (BooksDifference.found_at > now - rules.LOOK_AGAIN_AFTER)
    statement = select(BooksDifference).where(
        BooksDifference.resolved_at.is_(None), BooksDifference.told_at.is_(None), ~young
    )
    fresh = list(session.scalars(statement.order_by(BooksDifference.id).with_for_update()))
    for difference in fresh:
        difference.told_at = now
    if fresh:
        _mail(session, fresh, now=now)
    return len(fresh)


def _mail(session: Session, fresh: Sequence[BooksDifference], *, now: datetime) -> None:
    listed = "\n".join(f"{each.check}\t{each.reference}\t{each.found}" for each in fresh[:SHOWN_IN_MAIL])
    still_open = queries.count_open(session)
    for reader in operators.readers(session):
        notices.send_mail(
            session, to_address=reader.address, language=reader.language,
            code="books_differ", unique_key=f"books_differ:{fresh[0].id}:{reader.address}"[:200], now=now,
            parameters={"count": len(fresh), "open": still_open, "listed": listed},
        )  # fmt: skip


def ask_for_comparison(session: Session, day: date, *, actor: Actor, now: datetime) -> Reconciliation:
    """Queues the comparison of a day with the gateway, now; one that is under way goes on."""
    row = begin(session, day, now=now)
    key = f"books.go_on:{day}:{row.started_at.timestamp()}"
    outbox.enqueue(session, "books.go_on", queue="slow", unique_key=key, day=day.isoformat())
    audit.changed(session, actor, "books.comparison_asked", subject_kind="reconciliation", subject_id=str(day), now=now)
    return row
