"""`flask books`: proving the books, comparing them with the gateway, taking the chains' heads out of the database; and
`flask backup`, whose restore is only done when the books are proved."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import click
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.books import queries
from portal.books.audit import CHECKS, differences
from portal.books.models import BooksDifference, Reconciliation
from portal.core import backup, clock, outbox
from portal.core.backup import BackupRefused, Note
from portal.core.db import db
from portal.notices.wording.reports import ADVICE
from portal.wallet.models import LedgerAccount

commands = AppGroup("books", help="The ledger and its proofs.")
backup_commands = AppGroup("backup", help="The database in one file, and back, with proof.")
FILE = click.Path(dir_okay=False, path_type=Path)


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


@commands.command("reconcile")
@click.argument("day", type=click.DateTime(["%Y-%m-%d"]), required=False)
def reconcile(day: datetime | None) -> None:
    """Compares DAY (yesterday) with the gateway and the ledger, now; changes nothing. Exits 1 when anything differs,
    2 when the gateway does not answer: what was not asked is not judged, and is asked later by a worker."""
    compared = day.date() if day else clock.today() - timedelta(days=1)
    outbox.resolve("books.compare_whole_day")(compared.isoformat())
    row = queries.reconciliation(db.session(), compared)
    assert row is not None
    for line in _sides(row):
        click.echo(line)
    opened = queries.open_differences(db.session())
    _show(opened)
    raise SystemExit(2 if row.ended_at is None else 1 if opened else 0)


@commands.command("differences")
@click.option("--resolved", is_flag=True, help="Also those of the last 30 days that are gone.")
def show_differences(resolved: bool) -> None:
    """Shows what differs and what to do about it; exits 1 when anything is open."""
    opened = queries.open_differences(db.session())
    _show(opened)
    if resolved:
        _show(queries.resolved_differences(db.session(), since=clock.now() - timedelta(days=30)))
    raise SystemExit(1 if opened else 0)


def _sides(row: Reconciliation) -> list[str]:
    figures = row.figures
    lines = [f"{row.day}: asked about {figures['asked']} orders, {figures['not_opened']} were never opened"]
    if row.ended_at is None:
        return [*lines, f"not finished: {figures['why'] or 'somebody else is at it'}"]
    sides = {"our rows": "ours", "the gateway": "gateway", "the ledger": "ledger"}
    lines += [f"{name:12} {figures[side]['count']} top-ups, {figures[side]['sum']}" for name, side in sides.items()]
    return [*lines, f"handed to the payment job: {figures['handed_over']}"]


def _show(found: list[BooksDifference]) -> None:
    for each in found:
        until = f", gone {_day(each.resolved_at)}" if each.resolved_at else ""
        click.echo(f"{each.check}: {each.reference}: {each.found}  (since {_day(each.found_at)}{until})")
        if each.resolved_at is None:
            click.echo(f"    {ADVICE.get(each.check, '')}")
    click.echo(f"{len(found)} differences")


def _day(instant: datetime) -> date:
    return clock.today(instant)


@backup_commands.command("create")
@click.argument("file", type=FILE)
def create_backup(file: Path) -> None:
    """Writes the database into FILE, and FILE.json with what must be in it. Work may go on meanwhile."""
    try:
        note = backup.create(db.engine, file, now=clock.now())
    except BackupRefused as refusal:
        raise click.ClickException(str(refusal)) from None
    click.echo(f"{file}: {file.stat().st_size:,} bytes, {sum(note.rows.values()):,} rows of {len(note.rows)} tables")
    click.echo("Keep both files on another machine, and ENCRYPTION_KEYS apart from them.")


@backup_commands.command("restore")
@click.argument("file", type=FILE)
def restore_backup(file: Path) -> None:
    """Fills the empty database of DATABASE_URL from FILE, then proves it; exits 1 when anything is not as it was."""
    try:
        note = backup.restore(db.engine, file)
    except BackupRefused as refusal:
        raise click.ClickException(str(refusal)) from None
    wrong = _prove(note)
    for line in wrong:
        click.echo(line, err=True)
    click.echo(f"restored, {len(wrong)} differences" + ("" if note else "; without its .json rows were not compared"))
    raise SystemExit(1 if wrong else 0)


def _prove(note: Note | None) -> list[str]:
    """What is not as the note says, and what the books do not prove."""
    with db.engine.connect() as connection:
        wrong = backup.differences(connection, note) if note else []
    for key in backup.missing_keys(note) if note else []:
        wrong.append(f"ENCRYPTION_KEYS lacks the key {key}: apps' passwords and phone numbers cannot be read")
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        return wrong + [str(difference) for difference in differences(Session(connection))]
