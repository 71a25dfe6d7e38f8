"""Making reports: once per period, kept as they were, mailed to the operator."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from config import settings
from portal.insights import queries
from portal.insights.models import Report, ReportKind
from portal.insights.rules import Period
from portal.notices import actions as notices


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
