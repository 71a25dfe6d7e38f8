"""Delivers mail: prepare, hand over outside any transaction, record.

At least once: when the worker dies between the server's "taken" and our record, the mail is sent again with the
same Message-ID. The one-time parts of a mail are erased in the transaction that records it as sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.invoices import queries as invoices
from portal.notices import actions, gateway, letters, rules
from portal.notices.errors import MailRefused, MailServerAway
from portal.notices.letters import Attachment
from portal.notices.models import Mail

log = structlog.get_logger()

PDF_PAUSE = timedelta(seconds=5)
PDF_PATIENCE = timedelta(minutes=5)


def deliver(mail_id: str) -> None:
    """Sends one mail unless it was sent or given up; puts it off while the mail server is away."""
    with transaction() as session:
        if _waits_for_pdf(session, UUID(mail_id), now=clock.now()):
            return outbox.again(session, now=clock.now(), after=PDF_PAUSE, reason="its PDF is being made")
        mail = actions.record_attempt(session, UUID(mail_id))
        if mail is None:
            return outbox.complete(session, now=clock.now())
    try:
        gateway.send(letters.compose(mail, _attachment(mail)))
    except MailRefused as error:
        return _give_up(mail, str(error.details.get("reason", error.code)))
    except MailServerAway as error:
        return _put_off(mail, str(error.details.get("reason", error.code)), now=clock.now())
    with transaction() as session:
        actions.record_sent(session, mail.id, now=clock.now())
        outbox.complete(session, now=clock.now())
    return None


def _waits_for_pdf(session: Session, mail_id: UUID, *, now: datetime) -> bool:
    """A PDF under way is waited for, a few minutes at most."""
    mail = session.get_one(Mail, mail_id)
    if mail.document_id is None or now - mail.created_at > PDF_PATIENCE:
        return False
    return invoices.pdf_under_way(session, mail.document_id)


def _attachment(mail: Mail) -> Attachment | None:
    """The document's PDF as it is now; a mail does not wait for one that could not be made."""
    if mail.document_id is None:
        return None
    found = invoices.pdf_file(db.session(), mail.document_id)
    return Attachment(*found) if found else None


def _put_off(mail: Mail, reason: str, *, now: datetime) -> None:
    pause = rules.pause_before_next(mail.attempts, age=now - mail.created_at)
    if pause is None:
        return _give_up(mail, reason)
    log.warning("mail.put_off", mail_id=str(mail.id), attempts=mail.attempts, reason=reason)
    with transaction() as session:
        actions.record_put_off(session, mail.id, error=reason)
        outbox.again(session, now=now, after=pause, reason=reason)
    return None


def _give_up(mail: Mail, reason: str) -> None:
    log.error("mail.failed", mail_id=str(mail.id), code=mail.code, attempts=mail.attempts, reason=reason)
    with transaction() as session:
        actions.record_failed(session, mail.id, error=reason)
        outbox.complete(session, now=clock.now())
