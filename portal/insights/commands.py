"""`flask insights`: the reports that were made, and any month's figures."""

from __future__ import annotations

from datetime import datetime

import click
from flask.cli import AppGroup
from flask_babel import force_locale

from config import settings
from portal.core import clock
from portal.core.db import db, transaction
from portal.insights import actions, queries, rules
from portal.insights.days import SETTLES_WITHIN
from portal.insights.rules import Period
from portal.notices import wording

commands = AppGroup("insights", help="How the business goes.")


@commands.command("report")
@click.argument("month", type=click.DateTime(["%Y-%m"]))
def report(month: datetime) -> None:
    """Prints the report of MONTH (2026-03): as it was made, or, while it is not over, as it stands."""
    _print(rules.month_of(month.date()), "monthly_report", "month")


@commands.command("day")
@click.argument("day", type=click.DateTime(["%Y-%m-%d"]))
def day(day: datetime) -> None:
    """Prints the summary of DAY (2026-03-10), which ends at 23:00."""
    _print(rules.day_of(day.date()), "daily_summary", "begins_on")


@commands.command("rebuild")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="first day; without it the last 40 days")
def rebuild(since: datetime | None) -> None:
    """Makes the figures behind the analytics anew from the books, from a day on up to today. May be repeated."""
    first = since.date() if since else clock.today() - SETTLES_WITHIN
    with transaction() as session:
        made = actions.sum_up(session, first, now=clock.now(), foresee=True)
    click.echo(f"{made} days made anew")


def _print(period: Period, code: str, name: str) -> None:
    kept = queries.report(db.session(), period.kind, period.begins_on)
    figures = kept.figures if kept else queries.figures(db.session(), period.begins_at, period.ends_at)
    with force_locale(settings().operator_language):
        said = wording.word(code, {**figures, name: period.begins_on.isoformat()})
    click.echo(said.title if kept else f"{said.title} (not final, {clock.today()})")
    for label, value in said.rows:
        click.echo(f"  {label:36} {value}")
