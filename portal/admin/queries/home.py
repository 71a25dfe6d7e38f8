"""Reads behind the operator's first page.

**To add something that waits for a person**, add a line to `WAITING`: where it is dealt with, an icon, words for how
many, and a scalar query that an index answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from flask_babel import ngettext
from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.core import schedules
from portal.insights import queries as insights
from portal.insights.ranges import ONE_DAY, Range
from portal.insights.tables import Analytics, Change

SHOWN = ("revenue", "mrr", "customer_churn", "top_up_success", "quota", "balances")
HAPPENINGS_MAX = 12


@dataclass(frozen=True)
class Waiting:
    """A kind of thing that waits for a person: `words` of how many, counted by `sql`; `arguments` of its page."""

    endpoint: str
    icon: str
    words: Callable[[int], str]
    sql: str
    arguments: Mapping[str, str] = field(default_factory=dict)


WAITING = [
    Waiting(
        "admin_payments.listing", "credit-card",
        lambda n: ngettext("%(num)d top-up to decide on", "%(num)d top-ups to decide on", n),
        "SELECT count(*) FROM payment WHERE gateway <> 'bank_transfer' AND status = 'IN_REVIEW'",
        {"status": "IN_REVIEW"},
    ),
    Waiting(
        "admin_alerts.listing", "bell-ringing",
        lambda n: ngettext("%(num)d open alert", "%(num)d open alerts", n),
        "SELECT count(*) FROM alert WHERE opened_at IS NOT NULL AND closed_at IS NULL", {"state": "OPEN"},
    ),
    Waiting(
        "admin_transfers.listing", "building-bank",
        lambda n: ngettext("%(num)d bank transfer to check", "%(num)d bank transfers to check", n),
        "SELECT count(*) FROM payment WHERE gateway = 'bank_transfer' AND status = 'IN_REVIEW'",
    ),
    Waiting(
        "admin_adjustments.listing", "adjustments",
        lambda n: ngettext("%(num)d adjustment to decide on", "%(num)d adjustments to decide on", n),
        "SELECT count(*) FROM adjustment_request WHERE status = 'WAITING'",
    ),
    Waiting(
        "admin_books.overview", "scale",
        lambda n: ngettext("%(num)d difference in the books", "%(num)d differences in the books", n),
        "SELECT count(*) FROM books_difference WHERE resolved_at IS NULL",
    ),
    Waiting(
        "admin_jobs.overview", "alert-triangle",
        lambda n: ngettext("%(num)d piece of work failed", "%(num)d pieces of work failed", n),
        "SELECT count(*) FROM outbox_message WHERE failed_at IS NOT NULL AND given_up_at IS NULL AND done_at IS NULL",
    ),
]  # fmt: skip
LATE_RUNS = Waiting(
    "admin_jobs.overview", "clock-pause",
    lambda n: ngettext("%(num)d periodic job is late", "%(num)d periodic jobs are late", n), "",
)  # fmt: skip


@dataclass(frozen=True)
class Happening:
    """Something that just happened; `kind` says of what."""

    kind: str
    id: UUID
    at: datetime
    title: str
    detail: str
    state: str
    amount: int | None


def week(session: Session, today: date) -> tuple[list[Change], datetime | None]:
    """What is shown of the last seven days against the seven before, and when today was summed up."""
    chosen = Range(today - 6 * ONE_DAY, today)
    rows = insights.days(session, chosen.before.first - ONE_DAY, chosen.last)
    found = Analytics({row.day: row.figures for row in rows}, chosen)
    return [one for one in found.changes if one.measure.name in SHOWN], rows[-1].made_at if rows else None


def waiting(session: Session, *, now: datetime) -> list[tuple[Waiting, int]]:
    """What waits for a person and how many of each, in one query and what the schedule needs; nothing of nothing."""
    counts = session.execute(text(f"SELECT {', '.join(f'({one.sql})' for one in WAITING)}")).one()
    found = [
        *zip(WAITING, counts, strict=True),
        (LATE_RUNS, len(schedules.late(session, schedules.entries(), now=now))),
    ]
    return [(one, count) for one, count in found if count]


def happenings(session: Session) -> list[Happening]:
    """The latest of what customers and administrators did, newest first; ids are in the order of time."""
    rows = session.execute(text(HAPPENINGS), {"limit": HAPPENINGS_MAX})
    return [Happening(**row) for row in rows.mappings()]


HAPPENINGS = """
    SELECT * FROM (
        (SELECT 'transaction' AS kind, t.id, t.created_at AS at, c.name AS title, t.type AS detail, t.status AS state,
                t.amount
         FROM transaction t JOIN customer c ON c.id = t.customer_id ORDER BY t.id DESC LIMIT :limit)
        UNION ALL
        (SELECT 'user', id, created_at, name, email, '', NULL FROM user_account ORDER BY id DESC LIMIT :limit)
        UNION ALL
        (SELECT 'instance', i.id, i.created_at, i.name, i.service_name, i.state, NULL
         FROM instance i ORDER BY i.id DESC LIMIT :limit)
        UNION ALL
        (SELECT 'audit', id, happened_at, action, subject_kind, '', NULL FROM audit_entry
         WHERE action NOT IN ('user.signed_in', 'user.registered') ORDER BY id DESC LIMIT :limit)
    ) latest ORDER BY at DESC, id DESC LIMIT :limit
"""
