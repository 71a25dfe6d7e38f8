"""`flask demo`: accounts to look around with. Development only."""

from __future__ import annotations

from contextlib import suppress

import click
from flask.cli import AppGroup
from sqlalchemy import select

from config import settings
from portal.accounts import actions as accounts
from portal.accounts.models import Role, User
from portal.audit.actions import Actor
from portal.core import clock
from portal.core.db import transaction
from portal.promotions import actions as promotions
from portal.promotions.actions import Terms
from portal.promotions.errors import PromoCodeTaken

commands = AppGroup("demo", help="Accounts to look around with; never in production.")

ACCOUNTS = (
    ("customer", "Ayu Lestari", "ayu@demo.minispod.example", "kebun teh di lereng", Role.USER),
    ("administrator", "Dewi Anggraini", "dewi@demo.minispod.example", "layar perahu pinisi", Role.ADMINISTRATOR),
)
PROMO_CODE, PROMO_AMOUNT = "SELAMAT-DATANG", 10_000


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
    _make_promo_code()


def _make_promo_code() -> None:
    """The administrator's present to try, unless it is there."""
    now, maker = clock.now(), ACCOUNTS[-1][2]
    terms = Terms(note="To try it", starts_at=now, ends_at=None, redemptions_max=1_000, newcomers_only=False)
    with suppress(PromoCodeTaken), transaction() as session:
        actor = Actor(session.scalars(select(User.id).where(User.email == maker)).one())
        promotions.add(session, PROMO_CODE, PROMO_AMOUNT, terms, actor=actor, now=now)
