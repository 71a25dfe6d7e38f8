"""Taking over, row by row: each once under its external_id, and refused with words where it does not fit.

Nothing here commits: the command decides, once it has seen every row, whether all of it stands or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.accounts import arriving
from portal.accounts import queries as accounts
from portal.accounts.models import Customer
from portal.catalog.models import Interval
from portal.core.clock import JAKARTA, today
from portal.core.errors import PortalError
from portal.core.ids import new_id
from portal.core.money import Money
from portal.imports import queries, rules
from portal.imports.errors import (
    AccountClosed,
    AccountTaken,
    AccountUnverified,
    AnotherImport,
    FileMissing,
    NumberTaken,
    RowChanged,
    UnknownPlan,
    UnknownUser,
)
from portal.imports.models import HistoricalInvoice, ImportKind, ImportRecord
from portal.imports.rules import BalanceRow, ImportRow, InvoiceRow, Line, SubscriptionRow, UserRow
from portal.notices import actions as notices
from portal.subscriptions import actions as subscriptions
from portal.wallet import openings


class Result(StrEnum):
    """What becomes of a row."""

    CREATED = "created"
    LINKED = "linked"  # a user whose address has an account already
    THERE = "already there"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """What became, or would become, of one row; `amount` in rupiah is what it adds to the total."""

    line: int
    external_id: str
    result: Result
    amount: int = 0
    column: str = ""
    words: str = ""


@dataclass(frozen=True)
class Options:
    """How the operator wants a file to be taken; `folder` is where the CSV and its PDF files are."""

    kind: ImportKind
    folder: Path
    file_name: str
    link_existing: bool = False
    day_first: bool = False


def take_lines(session: Session, lines: Iterable[Line], options: Options, *, now: datetime) -> Iterator[Outcome]:
    """Takes each row in a savepoint of its own, so that a refusal leaves no trace; one outcome per row, as they come.

    Raises `AnotherImport`, and `FileRefused` where the file ends being a CSV.
    """
    if not queries.begin_alone(session):
        raise AnotherImport
    for line in lines:
        yield _take_line(session, line, options, now=now)


def _take_line(session: Session, line: Line, options: Options, *, now: datetime) -> Outcome:
    external_id = rules.shown(line.cells.get("external_id", ""))
    try:
        row = rules.parse(options.kind, line, day_first=options.day_first)
        with session.begin_nested():
            result = _take_row(session, row, options, now=now)
    except PortalError as refusal:
        column = getattr(refusal, "column", "")
        return Outcome(line.number, external_id, Result.REFUSED, column=column, words=str(refusal))
    amount = 0 if result is Result.THERE else _amount_of(row)
    return Outcome(line.number, external_id, result, amount=amount)


def _amount_of(row: ImportRow) -> int:
    match row:
        case BalanceRow():
            return row.amount
        case SubscriptionRow():
            return row.price
        case InvoiceRow():
            return row.total
    return 0


def _take_row(session: Session, row: ImportRow, options: Options, *, now: datetime) -> Result:
    attachment = _attachment(row, options.folder)
    digest = rules.digest_of(row, attachment)
    known = queries.record(session, options.kind, row.external_id)
    if known is not None:
        if known.digest != digest:
            raise RowChanged(today(known.imported_at).isoformat())
        return Result.THERE
    subject_id, result = _VERBS[options.kind](session, row, attachment, options, now)
    session.add(
        ImportRecord(
            kind=options.kind,
            external_id=row.external_id,
            subject_id=subject_id,
            digest=digest,
            file_name=options.file_name[-200:],
            imported_at=now,
            invite=options.kind == ImportKind.USERS and result is Result.CREATED,
        )
    )
    session.flush()
    return result


def _attachment(row: ImportRow, folder: Path) -> bytes:
    """The PDF beside the CSV that an invoice names; empty without one. A link that leads elsewhere is not followed."""
    if not isinstance(row, InvoiceRow) or not row.pdf:
        return b""
    path = folder / row.pdf
    if path.is_symlink() or not path.is_file():
        raise FileMissing
    with path.open("rb") as file:
        content = file.read(rules.PDF_KIB_MAX * 1024 + 1)
    rules.refuse_pdf_unless_fit(content)
    return content


def _take_user(
    session: Session, row: UserRow, _attachment: bytes, options: Options, now: datetime
) -> tuple[UUID, Result]:
    known = accounts.user_by_email(session, row.email)
    if known is None:
        user = arriving.take_in(
            session, name=row.name, email=row.email, phone=row.phone, language=row.language, verified=row.verified,
            now=now,
        )  # fmt: skip
        return user.id, Result.CREATED
    if not options.link_existing:
        raise AccountTaken
    if not known.active:
        raise AccountClosed("email")
    # Anybody can register with another's address: only who proved it is theirs may get what belongs to it.
    if known.email_verified_at is None:
        raise AccountUnverified
    return known.id, Result.LINKED


def _take_balance(
    session: Session, row: BalanceRow, _attachment: bytes, _options: Options, now: datetime
) -> tuple[UUID, Result]:
    customer = _customer(session, row.user)
    openings.open_balance(session, customer.id, Money(row.amount), key=balance_key(row.external_id), now=now)
    return customer.id, Result.CREATED


def balance_key(external_id: str = "") -> str:
    """What makes a balance be booked once; without an id, how all these keys begin."""
    return f"import:balance:{external_id}"


def _take_subscription(
    session: Session, row: SubscriptionRow, _attachment: bytes, _options: Options, now: datetime
) -> tuple[UUID, Result]:
    since = rules.running_since(row, today=today(now))
    customer = _customer(session, row.user)
    plan_id = queries.plan_of(session, row.service, row.plan)
    if plan_id is None:
        raise UnknownPlan
    running = subscriptions.Running(
        plan_id=plan_id,
        interval=Interval(row.interval),
        price=Money(row.price),
        anchor_day=rules.anchor_day(row.started_on, row.paid_until),
        started_at=_midnight(row.started_on),
        period_started_at=_midnight(since),
        period_ends_at=_midnight(row.paid_until),
        auto_renew=row.auto_renew,
        key=f"import:{row.external_id}",
    )
    return subscriptions.take_over(session, customer.id, running, now=now).id, Result.CREATED


def _take_invoice(
    session: Session, row: InvoiceRow, attachment: bytes, _options: Options, now: datetime
) -> tuple[UUID, Result]:
    customer = _customer(session, row.user)
    if queries.has_invoice(session, customer.id, row.number):
        raise NumberTaken
    invoice = HistoricalInvoice(
        id=new_id(),
        customer_id=customer.id,
        number=row.number,
        issued_on=row.issued_on,
        description=row.description,
        total=row.total,
        currency=row.currency,
        status=row.status,
        has_pdf=bool(attachment),
        pdf=attachment or None,
        imported_at=now,
    )
    session.add(invoice)
    session.flush()
    return invoice.id, Result.CREATED


_VERBS: dict[ImportKind, Callable[[Session, Any, bytes, Options, datetime], tuple[UUID, Result]]] = {
    ImportKind.USERS: _take_user,
    ImportKind.BALANCES: _take_balance,
    ImportKind.SUBSCRIPTIONS: _take_subscription,
    ImportKind.INVOICES: _take_invoice,
}


def _customer(session: Session, external_id: str) -> Customer:
    user = queries.user_of(session, external_id)
    if user is None:
        raise UnknownUser
    if not user.active:
        raise AccountClosed("user")
    return queries.customer_for(session, user)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), JAKARTA)


def invite(session: Session, *, limit: int, now: datetime) -> list[str]:
    """Mails up to `limit` people whose account was made by an import how to set a password, each once; to whom."""
    found = queries.uninvited(session, limit=limit)
    for record, user in found:
        record.invited_at = now
        notices.send_mail(
            session,
            to_address=user.email,
            language=user.language,
            code="account_moved",
            parameters={"name": user.name},
            unique_key=f"invitation:{user.id}",
            now=now,
            customer_id=queries.customer_for(session, user).id,
        )
    return [user.email for _, user in found]
