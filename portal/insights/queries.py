"""The figures of a report: what happened in a period, and how things stand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from portal.books import queries as books
from portal.core import clock
from portal.insights.models import BusinessDay, Report, ReportKind

Figures = dict[str, int]
"""Counts, and sums in whole rupiah under names that end in `_sum`; see `notices.wording.reports.FIGURES`."""


def figures(session: Session, begins_at: datetime, ends_at: datetime) -> Figures:
    """What happened from `begins_at` up to `ends_at`, and how things stand now or, for money, stood at the end."""
    between = {"begin": begins_at, "end": ends_at}
    return {
        **_people(session, between),
        **_top_ups(session, between),
        **_charges(session, between),
        **_ledger(session, between),
        **_courses(session, between),
        **_standing(session),
    }


def report(session: Session, kind: ReportKind, begins_on: date) -> Report | None:
    return session.get(Report, (kind, begins_on), populate_existing=True)


def first_day(session: Session) -> datetime | None:
    """When the portal's first user came: no report is made of the time before."""
    return session.scalar(text("SELECT min(created_at) FROM user_account"))


def made(session: Session, kind: ReportKind, since: date) -> set[date]:
    """Which reports stand."""
    return set(session.scalars(select(Report.begins_on).where(Report.kind == kind, Report.begins_on >= since)))


def first_missing_day(session: Session) -> date | None:
    """The first day that is to be summed up and never was; None before the portal's first user."""
    last = session.scalar(select(func.max(BusinessDay.day)))
    return first_day_of_business(session) if last is None else last + timedelta(days=1)


def first_day_of_business(session: Session) -> date | None:
    """The day on which the first user came, or the first money moved."""
    began_at = session.scalar(
        text("SELECT least((SELECT min(created_at) FROM user_account), (SELECT min(happened_at) FROM journal_entry))")
    )
    return clock.today(began_at) if began_at else None


def slots(session: Session) -> Figures:
    """Slots in use and for sale, over all plans that are sold or held."""
    sql = (
        "SELECT sum(slots_used) AS slots_used, sum(slots_total) AS slots_total FROM plan WHERE active OR slots_used > 0"
    )
    return _row(session, sql, {})


def days(session: Session, first: date, last: date) -> list[BusinessDay]:
    """The days of a range that are summed up, oldest first."""
    between = BusinessDay.day.between(first, last)
    statement = select(BusinessDay).where(between).order_by(BusinessDay.day)
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def _row(session: Session, sql: str, values: dict[str, Any]) -> Figures:
    return {name: int(value or 0) for name, value in session.execute(text(sql), values).mappings().one().items()}


def _people(session: Session, between: dict[str, Any]) -> Figures:
    return _row(
        session,
        """
        SELECT (SELECT count(*) FROM user_account WHERE created_at >= :begin AND created_at < :end) AS sign_ups,
               (SELECT count(*) FROM waitlist_entry WHERE joined_at >= :begin AND joined_at < :end) AS waitlisted,
               (SELECT count(*) FROM mail WHERE status = 'FAILED' AND created_at >= :begin AND created_at < :end)
                   AS mails_failed
        """,
        between,
    )


def _top_ups(session: Session, between: dict[str, Any]) -> Figures:
    """What was credited, by the method chosen; and top-ups that ended unpaid."""
    rows = session.execute(
        text(
            """
            SELECT p.method, count(*) AS credits, -sum(s.amount) AS credited
            FROM journal_entry e JOIN payment p ON e.reference_kind = 'payment' AND p.id = e.reference_id
            JOIN posting s ON s.entry_id = e.id
            JOIN ledger_account c ON c.id = s.account_id AND c.kind = 'GATEWAY_CLEARING'
            WHERE e.kind = 'TOP_UP' AND e.happened_at >= :begin AND e.happened_at < :end
            GROUP BY p.method ORDER BY p.method
            """
        ),
        between,
    ).all()
    found = {"top_ups": sum(row.credits for row in rows), "top_ups_sum": int(sum(row.credited for row in rows))}
    for row in rows:
        found |= {f"top_ups_by_{row.method}": row.credits, f"top_ups_by_{row.method}_sum": int(row.credited)}
    unpaid = """
        SELECT count(*) AS top_ups_unpaid FROM payment
        WHERE status IN ('EXPIRED', 'CANCELLED', 'FAILED') AND expires_at >= :begin AND expires_at < :end
        """
    return found | _row(session, unpaid, between)


def _charges(session: Session, between: dict[str, Any]) -> Figures:
    names = {"FIRST": "purchases", "RENEWAL": "renewals", "UPGRADE": "upgrades", "RESUMPTION": "resumptions"}
    found = {name: 0 for one in names.values() for name in (one, f"{one}_sum")}
    rows = session.execute(
        text(
            """
            SELECT kind, count(*) AS charges, sum(amount) AS charged FROM subscription_charge
            WHERE charged_at >= :begin AND charged_at < :end AND amount > 0 GROUP BY kind
            """
        ),
        between,
    )
    for row in rows:
        found |= {names[row.kind]: row.charges, f"{names[row.kind]}_sum": int(row.charged)}
    return found


def _ledger(session: Session, between: dict[str, Any]) -> Figures:
    """The journal: refunds, what the gateway took back, revenue and PPN; and what customers had at the end."""
    return _row(
        session,
        """
        WITH moved AS (
            SELECT e.id, e.kind, c.kind AS account, c.customer_id, s.amount
            FROM journal_entry e JOIN posting s ON s.entry_id = e.id JOIN ledger_account c ON c.id = s.account_id
            WHERE e.happened_at >= :begin AND e.happened_at < :end),
        stood AS (
            SELECT c.kind, sum(s.amount) AS total
            FROM posting s JOIN ledger_account c ON c.id = s.account_id AND c.customer_id IS NOT NULL
            JOIN journal_entry e ON e.id = s.entry_id WHERE e.happened_at < :end GROUP BY c.kind)
        SELECT
            (SELECT count(DISTINCT id) FROM moved WHERE kind = 'PURCHASE_REFUND') AS refunds,
            (SELECT sum(amount) FROM moved WHERE kind = 'PURCHASE_REFUND' AND customer_id IS NOT NULL) AS refunds_sum,
            (SELECT count(DISTINCT id) FROM moved WHERE kind IN ('GATEWAY_REFUND', 'CHARGEBACK', 'TOP_UP_REVERSAL'))
                AS taken_back,
            (SELECT -sum(amount) FROM moved WHERE kind IN ('GATEWAY_REFUND', 'CHARGEBACK', 'TOP_UP_REVERSAL')
                AND customer_id IS NOT NULL) AS taken_back_sum,
            (SELECT sum(amount) FROM moved WHERE account = 'REVENUE') AS revenue_sum,
            (SELECT sum(amount) FROM moved WHERE account = 'PPN_PAYABLE') AS ppn_sum,
            (SELECT sum(total) FROM stood WHERE kind IN ('AVAILABLE', 'HELD')) AS balances_sum,
            (SELECT -sum(total) FROM stood WHERE kind = 'RECEIVABLE') AS debts_sum
        """,
        between,
    )


def _courses(session: Session, between: dict[str, Any]) -> Figures:
    return _row(
        session,
        """
        SELECT (SELECT count(*) FROM renewal_attempt
                WHERE outcome = 'SHORT' AND attempted_at >= :begin AND attempted_at < :end) AS renewals_short,
               (SELECT count(*) FROM subscription WHERE end_reason = 'provisioning_failed'
                AND ended_at >= :begin AND ended_at < :end) AS failures,
               (SELECT count(*) FROM subscription
                WHERE suspended_at >= :begin AND suspended_at < :end) AS suspended,
               (SELECT count(*) FROM subscription WHERE ended_at >= :begin AND ended_at < :end
                AND end_reason IS DISTINCT FROM 'provisioning_failed') AS ended
        """,
        between,
    )


def _standing(session: Session) -> Figures:
    found = _row(
        session,
        """
        SELECT count(*) FILTER (WHERE status = 'PAST_DUE') AS in_grace,
               sum(price) FILTER (WHERE status = 'PAST_DUE') AS in_grace_sum,
               count(*) FILTER (WHERE status IN ('TRIALING', 'ACTIVE', 'PAST_DUE')) AS running,
               (SELECT count(*) FROM waitlist_entry WHERE status = 'WAITING') AS waiting,
               (SELECT sum(slots_used) FROM plan) AS slots_used,
               (SELECT sum(slots_total) FROM plan) AS slots_total
        FROM subscription
        """,
        {},
    )
    return found | {"open_differences": books.count_open(session)}
