"""`flask switches`, what an operator turns off in an emergency, and `flask outbox`, work that waits or gave up."""

from __future__ import annotations

from uuid import UUID

import click
from flask.cli import AppGroup

from portal.core import clock, outbox, switches
from portal.core.db import transaction
from portal.core.switches import Switch

commands = AppGroup("switches", help="Operational switches and the incident banner.")
outbox_commands = AppGroup("outbox", help="Queued work: what waits, what gave up, and another try.")


@commands.command("set")
@click.argument("name", type=click.Choice([switch.value for switch in Switch]))
@click.argument("text", default="")
def set_switch(name: str, text: str) -> None:
    """Turns NAME on with TEXT (the banner's words, or a reason), or off without."""
    with transaction() as session:
        switches.set_value(session, Switch(name), text, now=clock.now())
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
