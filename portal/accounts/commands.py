"""`flask accounts`: who may sign in, from the operator's shell."""

from __future__ import annotations

import os

import click
from flask.cli import AppGroup

from portal.accounts import actions, lost_factors, queries, rules
from portal.accounts.views import letters
from portal.core import clock
from portal.core.db import transaction
from portal.core.errors import PortalError

commands = AppGroup("accounts", help="Users and administrators.")


@commands.command("create-administrator")
@click.argument("email")
@click.option("--name", default="Administrator", show_default=True)
@click.option("--password-env", metavar="NAME", help="Environment variable that holds the password.")
@click.option("--promote", is_flag=True, help="Give an existing account the role; its password stays.")
def create_administrator(email: str, name: str, password_env: str | None, promote: bool) -> None:
    """Creates an administrator, asking for the password."""
    password = "" if promote else _password(password_env)
    try:
        with transaction() as session:
            now = clock.now()
            known = queries.user_by_email(session, rules.normal_email(email) or "") if promote else None
            if promote and known is None:
                raise click.ClickException(f"{email} has no account to promote.")
            user = known or actions.register(
                session, name=name, email=email, password=password, phone=None, language="en", now=now
            )
            actions.make_administrator(session, user, now=now)
    except PortalError as refusal:
        raise click.ClickException(f"{refusal.code}: {refusal}") from None
    click.echo(f"{user.email} is an administrator.")


@commands.command("reset-second-factor")
@click.argument("email")
@click.option("--reason", default="lost", show_default=True, help="Written to the audit log.")
def reset_second_factor(email: str, reason: str) -> None:
    """Takes the second factor off somebody who lost it; they are signed out everywhere and told by mail."""
    try:
        with transaction() as session:
            now = clock.now()
            known = queries.user_by_email(session, rules.normal_email(email) or "")
            if known is None:
                raise click.ClickException(f"{email} has no account.")
            user = lost_factors.reset_second_factor(session, known.id, reason=reason, now=now)
            letters.tell_second_factor_cleared(session, user, now=now)
    except PortalError as refusal:
        raise click.ClickException(f"{refusal.code}: {refusal}") from None
    click.echo(f"{user.email} signs in with the password alone until they set up a new one.")


def _password(variable: str | None) -> str:
    if variable is None:
        return click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not os.environ.get(variable):
        raise click.ClickException(f"The environment variable {variable} is empty.")
    return os.environ[variable]


@commands.command("list")
def list_users() -> None:
    """Shows every user: address, role, whether active and verified."""
    with transaction() as session:
        for user in queries.all_users(session):
            active = "active" if user.active else "closed"
            verified = "verified" if user.email_verified_at else "unverified"
            click.echo(f"{user.email:40} {user.role:14} {active:7} {verified:11} {user.name}")


@commands.command("payout-requests")
def list_payout_requests() -> None:
    """Shows who asked for their credit back before leaving and still has an account."""
    with transaction() as session:
        for entry, user in queries.payout_requests(session):
            credit = entry.facts.get("credit", 0)
            click.echo(f"{entry.happened_at:%Y-%m-%d %H:%M} UTC  {user.email:40} Rp{credit}")
