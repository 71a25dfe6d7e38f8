"""Reads behind the analytics."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.insights import queries as insights
from portal.insights.ranges import Range
from portal.insights.tables import Analytics, Plan


def analytics(session: Session, chosen: Range) -> tuple[Analytics, datetime | None]:
    """The business in a range, in two queries, and when its last day was summed up."""
    rows = insights.days(session, Analytics.first_day(chosen), chosen.last)
    made_at = rows[-1].made_at if rows else None
    return Analytics({row.day: row.figures for row in rows}, chosen, _plans(session)), made_at


def _plans(session: Session) -> list[Plan]:
    """Every plan that is sold or held, the fullest first."""
    statement = text(
        """
        SELECT v.name AS service, p.name, p.slots_used, p.slots_total,
               (SELECT count(*) FROM waitlist_entry w WHERE w.plan_id = p.id AND w.status = 'WAITING') AS waiting
        FROM plan p JOIN service v ON v.id = p.service_id
        WHERE p.active AND v.active OR p.slots_used > 0
        ORDER BY p.slots_used * 1000 / greatest(p.slots_total, 1) DESC, v.name, p.sort_order
        """
    )
    return [
        Plan(row.service, row.name, row.slots_used, row.slots_total, row.waiting) for row in session.execute(statement)
    ]
