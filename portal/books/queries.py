"""What the reconciliation reads: which orders to ask about, our side and the ledger's of them, and sums of a day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from portal.books import rules
from portal.books.models import BooksDifference, Reconciliation
from portal.books.rules import Booked, Order
from portal.core import clock
from portal.core.money import Money
from portal.payments.registry import GATEWAYS
from portal.wallet.proofs import Difference


def next_attempt(session: Session, after: UUID | None, *, day: date, before: datetime) -> UUID | None:
    """The next order to ask about, by id: young ones, open ones, what differs already, and old credited ones in turn.

    `before` is when the comparison began: what came later is tomorrow's.
    """
    statement = text(
        """
        SELECT a.id FROM payment_attempt a JOIN payment p ON p.id = a.payment_id
        WHERE (CAST(:after AS uuid) IS NULL OR a.id > CAST(:after AS uuid)) AND a.created_at < :before
          AND a.gateway = ANY(:gateways)
          AND (a.created_at >= :young
            OR p.status IN ('CREATED', 'PENDING', 'IN_REVIEW')
            OR p.settled_at >= :young
            OR (p.settled_at >= CAST(:day AS date) - 1 AND p.settled_at < CAST(:day AS date) + 2)
            OR (p.settled_at >= :disputed
                AND (CAST(:day AS date) - CAST(p.settled_at AT TIME ZONE 'Asia/Jakarta' AS date)) % :every = 0)
            OR EXISTS (SELECT 1 FROM books_difference d
                       WHERE d.reference = 'order ' || a.order_id AND d.resolved_at IS NULL))
        ORDER BY a.id LIMIT 1
        """
    )
    values = {
        "after": after, "before": before, "young": before - rules.ASKED_FOR, "day": day,
        "disputed": before - rules.CHARGEBACKS_COME_FOR, "every": rules.EVERY_DAYS, "gateways": list(GATEWAYS),
    }  # fmt: skip
    return session.scalar(statement, values)


def order(session: Session, attempt_id: UUID) -> Order:
    """Our side and the ledger's of one order, read in one statement, so that both are of one moment."""
    rows = session.execute(
        text(
            """
            SELECT a.id, a.payment_id, a.gateway, a.order_id, p.amount, p.currency, g.transaction_id, g.status,
                   g.credited, g.taken_back, g.updated_at, g.settled_at,
                   coalesce(l.credited, 0) AS ledger_credited, coalesce(l.taken_back, 0) AS ledger_taken_back
            FROM payment_attempt a JOIN payment p ON p.id = a.payment_id
            LEFT JOIN gateway_transaction g ON g.attempt_id = a.id
            LEFT JOIN LATERAL (
                SELECT -sum(s.amount) FILTER (WHERE e.kind = 'TOP_UP') AS credited,
                       sum(s.amount) FILTER (WHERE e.kind <> 'TOP_UP') AS taken_back
                FROM journal_entry e JOIN posting s ON s.entry_id = e.id
                JOIN ledger_account c ON c.id = s.account_id AND c.kind = 'GATEWAY_CLEARING'
                    AND c.qualifier = g.gateway
                WHERE e.reference_kind = 'payment' AND e.reference_id = p.id
                  AND split_part(e.idempotency_key, ':', 2) = g.transaction_id
            ) l ON true
            WHERE a.id = :attempt_id ORDER BY g.transaction_id
            """
        ),
        {"attempt_id": attempt_id},
    ).all()
    first = rows[0]
    return Order(
        attempt_id=first.id, payment_id=first.payment_id, gateway=first.gateway, order_id=first.order_id,
        expected=Money(first.amount, first.currency),
        booked=tuple(_booked(row) for row in rows if row.transaction_id is not None),
    )  # fmt: skip


def _booked(row: Any) -> Booked:
    return Booked(
        transaction_id=row.transaction_id, status=row.status, credited=row.credited, taken_back=row.taken_back,
        updated_at=row.updated_at, settled_at=row.settled_at, ledger_credited=int(row.ledger_credited),
        ledger_taken_back=int(row.ledger_taken_back),
    )  # fmt: skip


def our_sums(session: Session, day: date) -> dict[str, dict[str, int]]:
    """Count and sum of what was credited for the gateway's transactions of a day: by our rows, and by the ledger.

    A settlement that was denied afterwards is none, as the gateway sees it.
    """
    begin = datetime.combine(day, datetime.min.time(), clock.JAKARTA)
    row = session.execute(
        text(
            """
            WITH g AS (SELECT gateway, transaction_id, credited FROM gateway_transaction
                       WHERE credited > 0 AND settled_at >= :begin AND settled_at < :end
                         AND gateway = ANY(:gateways)
                         AND status NOT IN ('deny', 'cancel', 'failure')),
            l AS (SELECT count(DISTINCT e.id) AS entries, coalesce(-sum(s.amount), 0) AS booked
                  FROM g JOIN journal_entry e ON e.idempotency_key = g.gateway || ':' || g.transaction_id || ':credit'
                  JOIN posting s ON s.entry_id = e.id
                  JOIN ledger_account c ON c.id = s.account_id AND c.kind = 'GATEWAY_CLEARING')
            SELECT (SELECT count(*) FROM g) AS credits, (SELECT coalesce(sum(credited), 0) FROM g) AS credited,
                   l.entries, l.booked FROM l
            """.replace(":credit'", r"\:credit'")
        ),
        {"begin": begin, "end": begin + timedelta(days=1), "gateways": list(GATEWAYS)},
    ).one()
    return {
        "ours": {"count": int(row.credits), "sum": int(row.credited)},
        "ledger": {"count": int(row.entries), "sum": int(row.booked)},
    }


def days_that_differ(session: Session) -> list[date]:
    """Days whose sums did not agree when they were last compared."""
    references = session.scalars(
        select(BooksDifference.reference).where(
            BooksDifference.check == "day_sums_differ", BooksDifference.resolved_at.is_(None)
        )
    )
    return sorted(date.fromisoformat(reference.removeprefix("day ")) for reference in references)


def unexplained_clearing(session: Session) -> list[Difference]:
    """Entries that move a clearing account though no transaction of its gateway stands behind them."""
    rows = session.execute(
        text(
            """
            SELECT e.id, e.kind, sum(s.amount) AS amount
            FROM posting s JOIN ledger_account c ON c.id = s.account_id AND c.kind = 'GATEWAY_CLEARING'
            JOIN journal_entry e ON e.id = s.entry_id
            LEFT JOIN gateway_transaction g ON g.gateway = c.qualifier
                AND g.transaction_id = split_part(e.idempotency_key, ':', 2)
            WHERE g.id IS NULL AND e.kind IN ('TOP_UP', 'TOP_UP_REVERSAL', 'GATEWAY_REFUND', 'CHARGEBACK')
            GROUP BY e.id ORDER BY e.id
            """
        )
    )
    return [
        Difference("clearing_unexplained", f"journal_entry {row.id}", f"{row.kind} moved {row.amount}") for row in rows
    ]


def unknown_orders(session: Session, day: date) -> int:
    """How many notifications of a day were about orders that are not ours."""
    begin = datetime.combine(day, datetime.min.time(), clock.JAKARTA)
    statement = text(
        "SELECT count(*) FROM gateway_event WHERE verdict = 'unknown_order' AND received_at >= :begin "
        "AND received_at < :end"
    )
    return session.scalar(statement, {"begin": begin, "end": begin + timedelta(days=1)}) or 0


def open_differences(session: Session) -> list[BooksDifference]:
    """What a person must look at, oldest first."""
    statement = select(BooksDifference).where(BooksDifference.resolved_at.is_(None))
    return list(session.scalars(statement.order_by(BooksDifference.found_at, BooksDifference.id)))


def resolved_differences(session: Session, *, since: datetime) -> list[BooksDifference]:
    """What was open and is gone since."""
    statement = select(BooksDifference).where(BooksDifference.resolved_at >= since)
    return list(session.scalars(statement.order_by(BooksDifference.resolved_at)))


def count_open(session: Session) -> int:
    return session.scalar(select(func.count()).where(BooksDifference.resolved_at.is_(None))) or 0


def reconciliation(session: Session, day: date) -> Reconciliation | None:
    return session.get(Reconciliation, day, populate_existing=True)
