"""The nightly audit, and the chains' heads that leave the database with it."""

from __future__ import annotations

import hashlib

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from config import settings
from portal.books.audit import differences
from portal.core import clock
from portal.core.db import db, transaction
from portal.notices import actions as notices
from portal.wallet.models import LedgerAccount

log = structlog.get_logger()
NAMED_MAX = 20


def audit() -> str:
    """Proves the books; differences are logged and mailed to the operator, never mended."""
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        found = [str(difference) for difference in differences(Session(connection))]
        heads = _heads(Session(connection))
    log.info("books.heads", **heads)
    if found:
        log.error("books.differ", count=len(found), differences=found[:NAMED_MAX])
    _mail(found, heads)
    return f"{len(found)} differences"


def _heads(session: Session) -> dict[str, str | int]:
    """One hash over every wallet chain's head: noted outside, it shows a ledger whose end was cut off."""
    statement = select(LedgerAccount.id, LedgerAccount.sequence, LedgerAccount.chain_hash)
    rows = session.execute(statement.where(LedgerAccount.sequence > 0).order_by(LedgerAccount.id))
    digest, accounts, postings = hashlib.sha256(), 0, 0
    for account_id, sequence, head in rows:
        digest.update(f"{account_id} {sequence} {head}\n".encode())
        accounts, postings = accounts + 1, postings + sequence
    return {"accounts": accounts, "postings": postings, "heads": digest.hexdigest()}


def _mail(found: list[str], heads: dict[str, str | int]) -> None:
    address = settings().operator_email
    if not address:
        return
    today = clock.today()
    with transaction() as session:
        notices.send_mail(
            session,
            to_address=address,
            language="en",
            code="books_audited",
            parameters={**heads, "differences": len(found), "first": "; ".join(found[:NAMED_MAX])},
            unique_key=f"books_audited:{today.isoformat()}",
            now=clock.now(),
        )
