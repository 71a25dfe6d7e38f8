"""The operator's daily summary and monthly reports, the figures behind the analytics, and overdue invoices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from portal.core import clock, job_runs
from portal.core.db import transaction
from portal.insights import actions, days, queries, rules
from portal.insights.rules import Period
from portal.subscriptions.actions import overdue


def daily() -> dict[str, int]:
    """Every day at 23:00: the summary of the 24 hours before, and of days for which none was made."""
    return _make_missing(rules.days_due(job_runs.moment()))


def monthly() -> dict[str, int]:
    """On the first at 02:00: the report of the month that has ended, and of months for which none was made."""
    return _make_missing(rules.months_due(job_runs.moment()))


def sum_up() -> dict[str, int]:
    """Every hour: the figures of yesterday and today, and of days for which there are none."""
    with transaction() as session:
        return {"days": actions.sum_up(session, clock.today() - timedelta(days=1), now=clock.now())}


def sum_up_anew() -> dict[str, int]:
    """Every night at 00:20: the figures of all days that may still change, and the forecast of the next month."""
    with transaction() as session:
        since = clock.today() - days.SETTLES_WITHIN
        return {"days": actions.sum_up(session, since, now=clock.now(), foresee=True)}


def remind_overdue() -> dict[str, int]:
    """Every day at 09:00. An overdue invoice is that of a subscription in grace: each customer has been reminded today
    when this has run, and the operator sees how many they are and what they owe."""
    total = {"overdue": 0, "overdue_sum": 0, "reminded": 0}
    after = None
    while True:
        with transaction() as session:
            batch = overdue.remind(session, after, now=clock.now())
            if batch is None:
                return total
            total = {name: total[name] + batch.counts[name] for name in total}
            job_runs.progress(session, total)
        after = batch.last_id


def _make_missing(periods: Iterable[Period]) -> dict[str, int]:
    """One transaction each. Nothing is reported of the time before the portal's first user."""
    made = 0
    with transaction() as session:
        began_at = queries.first_day(session)
    for period in periods:
        if began_at is not None and period.ends_at > began_at:
            with transaction() as session:
                made += actions.make(session, period, now=clock.now())
    return {"made": made}
