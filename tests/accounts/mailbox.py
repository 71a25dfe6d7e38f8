"""What was mailed, read from the mails waiting to leave."""

from __future__ import annotations

import json

from sqlalchemy import select

from portal.core.crypto import decrypt
from portal.core.db import db
from portal.notices.models import Mail


def codes(address: str) -> list[str]:
    """Codes of the mails to an address, oldest first."""
    db.session.rollback()
    return list(db.session().scalars(select(Mail.code).where(Mail.to_address == address).order_by(Mail.id)))


def token(address: str, code: str) -> str:
    """The one-time token of the newest mail of that code."""
    db.session.rollback()
    statement = select(Mail.secret_parameters).where(Mail.to_address == address, Mail.code == code)
    secret = db.session().scalars(statement.order_by(Mail.id.desc()).limit(1)).one()
    assert secret is not None, "the mail holds no one-time link"
    return json.loads(decrypt(secret))["token"]
