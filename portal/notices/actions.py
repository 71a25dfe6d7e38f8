"""Telling people, once: an in-app notice for a customer, a mail for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.accounts.models import Membership, MembershipRole, User
from portal.core import outbox
from portal.core.crypto import encrypt
from portal.core.errors import NotFound
from portal.core.ids import new_id
from portal.core.outbox import Work
from portal.core.rows import insert_all
from portal.notices.models import Mail, MailPreference, MailStatus, Notice
from portal.notices.wording.categories import OPTIONAL, Category, category_of

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Telling:
    """Something a customer is to be told, once per unique key: the arguments of `tell`."""

    customer_id: UUID
    code: str
    parameters: Parameters
    unique_key: str
    mail: bool = True
    document_id: UUID | None = None


def tell(
    session: Session,
    *,
    customer_id: UUID,
    code: str,
    parameters: Parameters,
    unique_key: str,
    now: datetime,
    mail: bool = True,
    document_id: UUID | None = None,
) -> bool:
    """Tells a customer something: a notice in the portal and, with `mail`, a mail to each of its owners.

    `code` is a key of `wording.WORDINGS`, `parameters` plain figures and strings (amounts as whole rupiah,
    ids and instants as text), worded when somebody reads them. `document_id` attaches that document's PDF.
    A repeat of `unique_key` tells nobody and returns False, under concurrency too.
    """
    telling = Telling(customer_id, code, parameters, unique_key, mail=mail, document_id=document_id)
    return tell_all(session, [telling], now=now) == 1


def tell_all(session: Session, tellings: Sequence[Telling], *, now: datetime) -> int:
    """`tell` for many at once; returns how many are new."""
    rows = [
        {
            "id": new_id(),
            "customer_id": telling.customer_id,
            "code": telling.code,
            "parameters": _plain(telling.parameters),
            "unique_key": telling.unique_key,
            "created_at": now,
            "read_at": None,
        }
        for telling in tellings
    ]
    new = insert_all(session, Notice, rows, once_by="unique_key")
    told = [telling for row, telling in zip(rows, tellings, strict=True) if row["id"] in new]
    mail_all(session, [telling for telling in told if telling.mail], now=now)
    return len(told)


def mail_owners(
    session: Session,
    *,
    customer_id: UUID,
    code: str,
    parameters: Parameters,
    unique_key: str,
    now: datetime,
    document_id: UUID | None = None,
) -> None:
    """Mails each owner of a customer in their language, without a notice in the portal; a repeat mails nobody."""
    mail_all(session, [Telling(customer_id, code, parameters, unique_key, document_id=document_id)], now=now)


def mail_all(session: Session, tellings: Sequence[Telling], *, now: datetime) -> None:
    """`mail_owners` for many at once. Whoever declined a kind of mail gets none of it."""
    owners = _owners(session, {telling.customer_id for telling in tellings})
    declined = _declined(session, {category_of(telling.code) for telling in tellings}, owners)
    letters = [
        _mail_row(
            to_address=owner.email,
            language=owner.language,
            code=telling.code,
            parameters={**telling.parameters, "recipient": owner.name},
            unique_key=f"{telling.unique_key}:{owner.id}",
            now=now,
            customer_id=telling.customer_id,
            user_id=owner.id,
            document_id=telling.document_id,
        )
        for telling in tellings
        for owner in owners.get(telling.customer_id, ())
        if (owner.id, category_of(telling.code)) not in declined
    ]
    _queue(session, letters)


def _owners(session: Session, customer_ids: set[UUID]) -> dict[UUID, list[User]]:
    """The active owners of each customer."""
    found: dict[UUID, list[User]] = {}
    if customer_ids:
        statement = (
            select(Membership.customer_id, User)
            .join(Membership, Membership.user_id == User.id)
            .where(Membership.customer_id.in_(customer_ids), Membership.role == MembershipRole.OWNER, User.active)
        )
        for customer_id, owner in session.execute(statement):
            found.setdefault(customer_id, []).append(owner)
    return found


def _declined(
    session: Session, categories: set[Category], owners: Mapping[UUID, list[User]]
) -> set[tuple[UUID, Category]]:
    """Which owners do not want which of these kinds; asked only where there is a choice."""
    if not categories & set(OPTIONAL):
        return set()
    people = {owner.id for some in owners.values() for owner in some}
    statement = select(MailPreference.user_id, MailPreference.category).where(MailPreference.user_id.in_(people))
    return {(user_id, Category(category)) for user_id, category in session.execute(statement)} - {
        (person, category) for person in people for category in Category if category not in OPTIONAL
    }


def send_mail(
    session: Session,
    *,
    to_address: str,
    language: str,
    code: str,
    parameters: Parameters,
    unique_key: str,
    now: datetime,
    customer_id: UUID | None = None,
    user_id: UUID | None = None,
    secret_parameters: Mapping[str, str] | None = None,
    document_id: UUID | None = None,
) -> bool:
    """Queues one mail in `language`; a repeat of `unique_key` queues nothing and returns False.

    `secret_parameters` (the token of a one-time link) are kept encrypted and erased once the mail has left.
    """
    letter = _mail_row(
        to_address=to_address,
        language=language,
        code=code,
        parameters=parameters,
        unique_key=unique_key,
        now=now,
        customer_id=customer_id,
        user_id=user_id,
        secret_parameters=secret_parameters,
        document_id=document_id,
    )
    return _queue(session, [letter]) == 1


def _mail_row(
    *,
    to_address: str,
    language: str,
    code: str,
    parameters: Parameters,
    unique_key: str,
    now: datetime,
    customer_id: UUID | None,
    document_id: UUID | None,
    user_id: UUID | None = None,
    secret_parameters: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "customer_id": customer_id,
        "user_id": user_id,
        "to_address": to_address,
        "language": language,
        "code": code,
        "parameters": _plain(parameters),
        "secret_parameters": encrypt(json.dumps(dict(secret_parameters))) if secret_parameters else None,
        "document_id": document_id,
        "unique_key": unique_key,
        "status": MailStatus.QUEUED,
        "attempts": 0,
        "created_at": now,
    }


def _queue(session: Session, letters: Sequence[dict[str, Any]]) -> int:
    """Stores mails and queues their delivery; a repeat of a unique key is left out. Returns how many are new."""
    new = insert_all(session, Mail, letters, once_by="unique_key")
    outbox.enqueue_all(session, [Work("notices.deliver", {"mail_id": mail_id}) for mail_id in sorted(new)])
    return len(new)


def _plain(parameters: Parameters) -> dict[str, Any]:
    """What JSON can hold: ids, instants and lazy texts become strings."""
    return {
        key: value if value is None or isinstance(value, int | str) else str(value) for key, value in parameters.items()
    }


def read_all(session: Session, *, customer_id: UUID, now: datetime) -> int:
    """Marks every unread notice of the customer as read; returns how many."""
    statement = (
        update(Notice)
        .where(Notice.customer_id == customer_id, Notice.read_at.is_(None))
        .values(read_at=now)
        .execution_options(synchronize_session=False)
    )
    return session.execute(statement).rowcount  # type: ignore[attr-defined]


def read(session: Session, notice_id: UUID, *, customer_id: UUID, now: datetime) -> Notice:
    """Marks one notice of the customer as read; a repeat changes nothing. Raises `NotFound`."""
    notice = session.get(Notice, notice_id, populate_existing=True)
    if notice is None or notice.customer_id != customer_id:
        raise NotFound
    notice.read_at = notice.read_at or now
    return notice


def choose_mails(session: Session, user_id: UUID, wanted: set[Category], *, now: datetime) -> None:
    """Sets which kinds of mail a person gets, among those that may be declined."""
    again = delete(MailPreference).where(MailPreference.user_id == user_id, MailPreference.category.in_(wanted))
    session.execute(again.execution_options(synchronize_session=False))
    for category in OPTIONAL:
        if category not in wanted:
            decline_mails(session, user_id, category, now=now)


def decline_mails(session: Session, user_id: UUID, category: Category, *, now: datetime) -> None:
    """No more mails of this kind for this person; notices in the portal stay. A repeat changes nothing."""
    assert category in OPTIONAL, category
    if session.get(User, user_id) is None:
        raise NotFound
    row = {"user_id": user_id, "category": category, "declined_at": now}
    session.execute(upsert(MailPreference).values(row).on_conflict_do_nothing())


def resend(session: Session, mail_id: UUID, *, user_id: UUID, now: datetime) -> None:
    """Another round of tries for a failed mail, to the address its reader has now. One on its way is left alone.

    Raises `NotFound` for what was not mailed to this person.
    """
    mail = session.get(Mail, mail_id, with_for_update=True, populate_existing=True)
    if mail is None or mail.user_id != user_id:
        raise NotFound
    if mail.status == MailStatus.FAILED:
        mail.to_address = session.get_one(User, user_id).email
        mail.status, mail.attempts, mail.last_error = MailStatus.QUEUED, 0, None
        outbox.enqueue(session, "notices.deliver", mail_id=mail.id)


def record_attempt(session: Session, mail_id: UUID) -> Mail | None:
    """The mail to deliver now, its attempt counted; None when it was sent or given up already."""
    mail = session.get_one(Mail, mail_id, with_for_update=True, populate_existing=True)
    if mail.status != MailStatus.QUEUED:
        return None
    mail.attempts += 1
    return mail


def record_sent(session: Session, mail_id: UUID, *, now: datetime) -> None:
    """The mail server took the mail: one-time links in it are erased here."""
    mail = session.get_one(Mail, mail_id, with_for_update=True, populate_existing=True)
    mail.status, mail.sent_at, mail.last_error, mail.secret_parameters = MailStatus.SENT, now, None, None


def record_put_off(session: Session, mail_id: UUID, *, error: str) -> None:
    """The mail could not be handed over this time."""
    session.get_one(Mail, mail_id, with_for_update=True, populate_existing=True).last_error = error[:300]


def record_failed(session: Session, mail_id: UUID, *, error: str) -> None:
    """The mail is given up: refused for good, or not handed over for too long."""
    mail = session.get_one(Mail, mail_id, with_for_update=True, populate_existing=True)
    mail.status, mail.last_error, mail.secret_parameters = MailStatus.FAILED, error[:300], None
