"""`flask books`: proving the books, and taking the chains' heads out of the database."""

from __future__ import annotations

import click
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.books.audit import CHECKS, differences
from portal.core.db import db
from portal.wallet.models import LedgerAccount

commands = AppGroup("books", help="The ledger and its proofs.")


@commands.command("audit")
def audit() -> None:
    """Proves every promise of the books; names each broken row and exits 1. Changes nothing."""
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        found = list(differences(Session(connection)))
    for difference in found:
        click.echo(str(difference), err=True)
    click.echo(f"{len(CHECKS)} checks, {len(found)} differences")
    raise SystemExit(1 if found else 0)


@commands.command("heads")
def heads() -> None:
    """Prints each wallet chain's head: kept elsewhere, it shows a ledger whose end was cut off."""
    statement = select(LedgerAccount.id, LedgerAccount.sequence, LedgerAccount.chain_hash)
    for account_id, sequence, head in db.session().execute(
        statement.where(LedgerAccount.sequence > 0).order_by(LedgerAccount.id)
    ):
        click.echo(f"{account_id} {sequence} {head}")
