"""Making reports: once per period, kept as they were, mailed to the operator. Summing up days: again and again."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from config import settings
from portal.core.clock import today
from portal.insights import days, forecast, queries
from portal.insights.models import BusinessDay, Report, ReportKind
from portal.insights.rules import Period
from portal.notices import actions as notices
from portal.subscriptions.terms import terms


def make(session: Session, period: Period, *, now: datetime) -> bool:
    """Makes the report of a period that has ended and mails it to the operator. A repeat makes and mails nothing."""
    assert period.ends_at <= now, "a report covers what is over"
    figures = queries.figures(session, period.begins_at, period.ends_at)
    row = {"kind": period.kind, "begins_on": period.begins_on, "figures": figures, "made_at": now}
    made = session.scalar(upsert(Report).values(row).on_conflict_do_nothing().returning(Report.kind))
    if made is not None and settings().operator_email:
        _mail(session, period, figures, now=now)
    return made is not None


def _mail(session: Session, period: Period, figures: queries.Figures, *, now: datetime) -> None:
    daily = period.kind is ReportKind.DAY
    notices.send_mail(
        session, to_address=settings().operator_email, language=settings().operator_language,
        code="daily_summary" if daily else "monthly_report",
        parameters={**figures, "begins_on" if daily else "month": period.begins_on.isoformat()},
        unique_key=f"report:{period.kind}:{period.begins_on.isoformat()}", now=now,
    )  # fmt: skip


def sum_up(session: Session, since: date, *, now: datetime, foresee: bool = False) -> int:
    """Writes the figures of every day from `since` to today anew, from the books; returns how many days.

    Days without a row are begun with, however far back. What was only seen on a day, its slots and (with `foresee`)
    the forecast, is written for today and kept of other days. A repeat writes the same; two at once follow each other.
    """
    session.execute(
        text("SELECT set_config('lock_timeout', '60s', true), set_config('statement_timeout', '600s', true)")
    )
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('business_day'))"))
    begins = queries.first_day_of_business(session)
    if begins is None:
        return 0
    since = max(min(since, queries.first_missing_day(session) or since), begins)
    found = days.figures(session, since, today(now))
    found[today(now)] |= queries.slots(session)
    if foresee:
        found[today(now)] |= forecast.next_month(session, now=now, terms=terms())
    _write_days(session, found, now=now)
    return len(found)


def _write_days(session: Session, found: dict[date, days.Figures], *, now: datetime) -> None:
    rows = [{"day": day, "figures": figures, "made_at": now} for day, figures in found.items()]
    for first in range(0, len(rows), 500):
        statement = upsert(BusinessDay).values(rows[first : first + 500])
        merged = BusinessDay.figures.op("||")(statement.excluded.figures)
        changes = {"figures": merged, "made_at": statement.excluded.made_at}
        session.execute(statement.on_conflict_do_update(index_elements=["day"], set_=changes))
