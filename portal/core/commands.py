"""`flask switches`, what an operator turns off in an emergency; `flask outbox`, work that waits or gave up; and
`flask jobs`, periodic work: what ran, what runs next, what is late."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import click
from flask.cli import AppGroup

from portal.audit import switching
from portal.core import clock, job_runs, outbox, schedules, switches
from portal.core.db import db, transaction
from portal.core.job_runs import JobRun
from portal.core.switches import Switch

commands = AppGroup("switches", help="Operational switches and the incident banner.")
outbox_commands = AppGroup("outbox", help="Queued work: what waits, what gave up, and another try.")
job_commands = AppGroup("jobs", help="Periodic work: what ran, what runs next, what is late.")


@commands.command("set")
@click.argument("name", type=click.Choice([switch.value for switch in Switch]))
@click.argument("text", default="")
def set_switch(name: str, text: str) -> None:
    """Turns NAME on with TEXT (the banner's words, or a reason), or off without."""
    with transaction() as session:
        switching.turn(session, Switch(name), text, actor=None, now=clock.now())
    click.echo(f"{name} is {'on: ' + text if text else 'off'}")


@commands.command("list")
def list_switches() -> None:
    """Shows every switch."""
    with transaction() as session:
        for switch in Switch:
            click.echo(f"{switch.value:20} {switches.value(session, switch) or 'off'}")


@outbox_commands.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what is merely waiting for its time.")
def list_work(everything: bool) -> None:
    """Shows work that gave up or is overdue, oldest first: id, job, attempts, last error."""
    now = clock.now()
    with transaction() as session:
        for message in outbox.unfinished(session, now=None if everything else now):
            state = "gave up" if message.failed_at else f"due {message.run_at:%Y-%m-%d %H:%M:%S}Z"
            arguments = " ".join(f"{name}={value}" for name, value in message.arguments.items())
            click.echo(f"{message.id}  {message.name}  {state}  attempts {message.attempts}  {arguments}")
            if message.last_error:
                click.echo(f"    {message.last_error[:300]}")


@outbox_commands.command("retry")
@click.argument("message_id", type=click.UUID)
def retry_work(message_id: UUID) -> None:
    """Gives one piece of work a fresh set of attempts, now. Safe at any time: every job may run twice."""
    with transaction() as session:
        if not outbox.retry(session, message_id, now=clock.now()):
            raise click.ClickException("there is no unfinished work of that id")
    click.echo("queued again")


@job_commands.command("runs")
@click.argument("name", default="")
@click.option("--limit", default=40, show_default=True)
def list_runs(name: str, limit: int) -> None:
    """Shows the newest runs, of the job NAME or of all: moment, start, how long, what came of it (times are WIB)."""
    for run in job_runs.latest(db.session(), name or None, limit=limit):
        click.echo(f"{run.name:20} {_wib(run.scheduled_for)}  began {_wib(run.started_at)}  {_outcome(run)}")


@job_commands.command("schedule")
def show_schedule() -> None:
    """Shows every line of the schedule: when it runs, last and next, and which is late (times are WIB)."""
    now = clock.now()
    last = job_runs.last_ended(db.session(), [entry.name for entry in schedules.entries()])
    late = {each.name: str(each) for each in schedules.late(db.session(), schedules.entries(), now=now)}
    for entry in schedules.entries():
        run = last.get(entry.name)
        when = entry.cron or f"every {entry.every_s} s"
        ran = _wib(run.scheduled_for) if run else "never"
        upcoming = _wib(schedules.next_moment(entry, now))
        click.echo(f"{entry.name:20} {when:14} last {ran:16} next {upcoming}  {late.get(entry.name, '')}".rstrip())


def _outcome(run: JobRun) -> str:
    if run.ended_at is None:
        return f"not ended  {job_runs.sentence(run.counts)}".rstrip()
    took_s = (run.ended_at - run.started_at).total_seconds()
    return f"took {took_s:.0f} s  {f'FAILED {run.error}' if run.error else run.result}"


def _wib(instant: datetime) -> str:
    return f"{instant.astimezone(clock.JAKARTA):%Y-%m-%d %H:%M}"
