"""`flask subscriptions renew`: the renewal run by hand, safe beside the schedule."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from portal.core import job_runs, outbox

commands = AppGroup("subscriptions", help="Renewals by hand.")


@commands.command("renew")
def renew() -> None:
    """Renews, reminds and suspends whatever is due now, exactly as the schedule does every five minutes."""
    _run("subscriptions.renew_due")


@commands.command("remind")
def remind() -> None:
    """Sends the reminders that are due now."""
    _run("subscriptions.remind_due")


def _run(job: str) -> None:
    click.echo(job_runs.sentence(outbox.resolve(job)()) or "nothing is due")
