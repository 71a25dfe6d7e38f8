"""`flask switches`: what an operator turns off in an emergency."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from portal.core import clock, switches
from portal.core.db import transaction
from portal.core.switches import Switch

commands = AppGroup("switches", help="Operational switches and the incident banner.")


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
