"""Telling people, once: an in-app notice for a customer, a mail for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.accounts.models import Membership, MembershipRole, User
from portal.core import outbox
from portal.core.crypto import encrypt
from portal.core.ids import new_id
from portal.notices.models import Mail, MailStatus, Notice

Parameters = Mapping[str, Any]


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
    plain = _plain(parameters)
    values = {
        "id": new_id(),
        "customer_id": customer_id,
        "code": code,
        "parameters": plain,
        "unique_key": unique_key,
        "created_at": now,
    }
    statement = upsert(Notice).values(values).on_conflict_do_nothing(index_elements=["unique_key"])
    if session.scalar(statement.returning(Notice.id)) is None:
        return False
    if mail:
        mail_owners(
            session,
            customer_id=customer_id,
            code=code,
            parameters=plain,
            unique_key=unique_key,
            now=now,
            document_id=document_id,
        )
    return True


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
    for owner in _owners(session, customer_id):
        send_mail(
            session,
            to_address=owner.email,
            language=owner.language,
            code=code,
            parameters={**parameters, "recipient": owner.name},
            unique_key=f"{unique_key}:{owner.id}",
            now=now,
            customer_id=customer_id,
            document_id=document_id,
        )


def _owners(session: Session, customer_id: UUID) -> list[User]:
    owners = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.customer_id == customer_id, Membership.role == MembershipRole.OWNER, User.active)
    )
    return list(session.scalars(owners))


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
    secret_parameters: Mapping[str, str] | None = None,
    document_id: UUID | None = None,
) -> bool:
    """Queues one mail in `language`; a repeat of `unique_key` queues nothing and returns False.

    `secret_parameters` (the token of a one-time link) are kept encrypted and erased once the mail has left.
    """
    values = {
        "id": new_id(),
        "customer_id": customer_id,
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
    statement = upsert(Mail).values(values).on_conflict_do_nothing(index_elements=["unique_key"])
    mail_id = session.scalar(statement.returning(Mail.id))
    if mail_id is None:
        return False
    outbox.enqueue(session, "notices.deliver", mail_id=mail_id)
    return True


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
