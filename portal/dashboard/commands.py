"""`flask demo`: accounts to look around with. Development only."""

from __future__ import annotations

import click
from flask.cli import AppGroup
from sqlalchemy import select

from config import settings
from portal.accounts import actions as accounts
from portal.accounts.models import Role, User
from portal.core import clock
from portal.core.db import transaction

commands = AppGroup("demo", help="Accounts to look around with; never in production.")

ACCOUNTS = (
    ("customer", "Ayu Lestari", "ayu@demo.minispod.example", "kebun teh di lereng", Role.USER),
    ("administrator", "Dewi Anggraini", "dewi@demo.minispod.example", "layar perahu pinisi", Role.ADMINISTRATOR),
)


@commands.command("seed")
def seed() -> None:
    """Makes the demo accounts unless they are there, and prints them: role, e-mail, password."""
    if settings().production:
        raise click.ClickException("there are no demo accounts in production")
    for role, name, email, password, rights in ACCOUNTS:
        with transaction() as session:
            if session.scalar(select(User.id).where(User.email == email)) is None:
                now = clock.now()
                user = accounts.register(
                    session, name=name, email=email, password=password, phone=None, language="id", now=now
                )
                user.role, user.email_verified_at = rights, now
        click.echo(f"{role}  {email}  {password}")
