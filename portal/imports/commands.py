"""`flask import`: what the system before had, from CSV files. Rehearsed first; `--commit` does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup
from flask_babel import force_locale
from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.accounts import queries as accounts
from portal.accounts import rules as account_rules
from portal.audit import actions as audit
from portal.core import clock, outbox
from portal.core.db import transaction
from portal.core.errors import PortalError
from portal.core.money import rupiah
from portal.imports import actions, rules
from portal.imports.actions import Options, Outcome, Result
from portal.imports.models import ImportKind
from portal.wallet import openings

commands = AppGroup("import", help="Users, balances, subscriptions and invoices of the system before, from CSV files.")


@dataclass
class Report:
    """What became of the rows so far; sums in rupiah count what is new."""

    rows: Counter[Result] = field(default_factory=Counter)
    total: int = 0

    def add(self, outcome: Outcome) -> None:
        self.rows[outcome.result] += 1
        self.total += outcome.amount

    def counts(self) -> dict[str, int]:
        return {result.name.lower(): self.rows[result] for result in Result}


class _TakenBack(Exception):
    """Ends a rehearsal, or an import with refused rows: everything in it is rolled back."""


def _of_file(command: Callable[..., None]) -> Callable[..., None]:
    """What every file takes."""
    for decorate in (
        click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
        click.option("--commit/--dry-run", default=False, help="Do it. Without: the report alone, nothing is changed."),
        click.option("--skip-refused", is_flag=True, help="With --commit: take the other rows although some refuse."),
        click.option("--day-first", is_flag=True, help="Dates like 03/04/2026 are the third of April."),
        click.option("--by", metavar="EMAIL", help="The administrator who does this, for the audit log."),
    ):
        command = decorate(command)
    return command


@commands.command("users")
@_of_file
@click.option("--link-existing", is_flag=True, help="An address with a confirmed account here is that user.")
def users(file: Path, link_existing: bool, **choices: Any) -> None:
    """Takes over FILE's users, without a password and without a mail."""
    _run(ImportKind.USERS, file, link_existing=link_existing, **choices)


@commands.command("balances")
@_of_file
def balances(file: Path, **choices: Any) -> None:
    """Books FILE's balances as opening entries."""
    _run(ImportKind.BALANCES, file, **choices)


@commands.command("subscriptions")
@_of_file
def subscriptions(file: Path, **choices: Any) -> None:
    """Goes on with FILE's running subscriptions: a slot and an app each, no charge before they renew."""
    _run(ImportKind.SUBSCRIPTIONS, file, **choices)


@commands.command("invoices")
@_of_file
def invoices(file: Path, **choices: Any) -> None:
    """Keeps FILE's old invoices for their customers to read, with the PDF files beside it."""
    _run(ImportKind.INVOICES, file, **choices)


@commands.command("invite")
@click.option("--commit/--dry-run", default=False, help="Send the mails. Without: only says to whom.")
@click.option("--limit", default=500, show_default=True, type=click.IntRange(1, 5000), help="At most so many.")
def invite(commit: bool, limit: int) -> None:
    """Mails imported users how to set a password, each once."""
    invited: list[str] = []
    try:
        with transaction() as session:
            now = clock.now()
            invited += actions.invite(session, limit=limit, now=now)
            audit.note(session, "import.invited", subject_kind="import", subject_id="USERS", now=now,
                       invited=len(invited))  # fmt: skip
            if not commit or not invited:
                raise _TakenBack
    except _TakenBack:
        pass
    for address in invited:
        click.echo(address)
    click.echo(f"{len(invited)} {'invited' if commit else 'would be invited. Say --commit to send the mails.'}")


def _run(
    kind: ImportKind, file: Path, *, commit: bool, skip_refused: bool, day_first: bool, by: str | None,
    link_existing: bool = False,
) -> None:  # fmt: skip
    options = Options(kind, file.parent, rules.shown(file.name, most=190), link_existing, day_first)
    report = Report()
    _refuse_large(file)
    try:
        with force_locale("en"), transaction() as session:
            _take(session, file, options, report, by=by, now=clock.now())
            if not commit:
                raise _TakenBack("Dry run: nothing was changed. Say --commit to do it.")
            if report.rows[Result.REFUSED] and not skip_refused:
                raise _TakenBack("Nothing was changed, for rows are refused. Mend them, or say --skip-refused.")
            _leave_many_to_the_sweeper(session)
    except _TakenBack as end:
        _conclude(report, options, str(end))
    except PortalError as refusal:
        raise click.ClickException(_refused(refusal)) from None
    else:
        _conclude(report, options, "Done.")
    raise SystemExit(1 if report.rows[Result.REFUSED] else 0)


def _refused(refusal: PortalError) -> str:
    with force_locale("en"):
        words = str(refusal)
    return words if "Nothing was" in words else f"{words} Nothing was changed."


def _refuse_large(file: Path) -> None:
    if file.stat().st_size > rules.FILE_MIB_MAX * 1024 * 1024:
        raise click.ClickException(f"The file is larger than {rules.FILE_MIB_MAX} MiB. Split it.")


def _take(session: Session, file: Path, options: Options, report: Report, *, by: str | None, now: datetime) -> None:
    """Every row, said as it comes; then the audit entry, and the books asked whether they agree."""
    actor_id = _administrator(session, by)
    before = openings.opened_sum(session, key_prefix=actions.balance_key())
    with file.open(encoding="utf-8-sig", newline="") as text_file:
        for outcome in actions.take_lines(session, rules.lines_of(text_file, options.kind), options, now=now):
            report.add(outcome)
            _say(outcome)
    session.flush()
    booked = openings.opened_sum(session, key_prefix=actions.balance_key()) - before
    assert options.kind != ImportKind.BALANCES or booked == report.total, "what is reported is what is booked"
    audit.note(
        session, "import.committed", subject_kind="import", subject_id=options.kind, actor_id=actor_id, now=now,
        file=options.file_name, rows=report.counts(), total=report.total,
    )  # fmt: skip
    session.flush()
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))  # a rehearsal meets what a commit would meet


def _administrator(session: Session, by: str | None) -> UUID | None:
    if by is None:
        return None
    user = accounts.user_by_email(session, account_rules.normal_email(by) or "")
    if user is None or not user.is_administrator:
        raise click.ClickException(f"{rules.shown(by)} is no administrator.")
    return user.id


def _leave_many_to_the_sweeper(session: Session) -> None:
    """A thousand apps to set up must not stand in the queue before what a customer has just clicked."""
    if len(session.info.get("unpushed", [])) > outbox.PUSHED_AT_ONCE_MAX:
        session.info.pop("unpushed")


def _say(outcome: Outcome) -> None:
    where = f"column {outcome.column}: " if outcome.column else ""
    amount = str(rupiah(outcome.amount)) if outcome.amount else ""
    line = f"line {outcome.line:<6} {outcome.result:13} {outcome.external_id:24} {where}{outcome.words}{amount}"
    click.echo(line.rstrip(), err=outcome.result is Result.REFUSED)


def _conclude(report: Report, options: Options, end: str) -> None:
    counts = ", ".join(f"{report.rows[result]} {result}" for result in Result)
    click.echo(f"{options.file_name}: {counts}")
    if options.kind != ImportKind.USERS:
        click.echo(f"total of what is new: {rupiah(report.total)}")
    click.echo(end)
