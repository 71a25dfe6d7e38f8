"""Telling the operator: always in the log, and by mail where an address is set."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from config import settings
from portal.core import clock
from portal.core.db import transaction
from portal.notices import actions as notices
from portal.notices.models import Mail

log = structlog.get_logger()

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def alert(code: str, parameters: Mapping[str, Any], *, pause: timedelta, about: str = "") -> None:
    """Something a person must look at: not mailed again within `pause`, unless it is `about` something else."""
    log.error("operator.alert", code=code, **parameters)
    tell(code, parameters, pause=pause, about=about)


def tell(code: str, parameters: Mapping[str, Any], *, pause: timedelta, about: str = "") -> None:
    """A mail alone."""
    address, now = settings().operator_email, clock.now()
    if not address:
        return
    with transaction() as session:
        key = f"{code}:{about}:" if about else f"{code}:"
        if not _told_lately(session, code, key, since=now - pause):
            notices.send_mail(
                session, to_address=address, language=settings().operator_language, code=code, parameters=parameters,
                unique_key=f"{key}{now:%Y-%m-%dT%H:%M}", now=now,
            )  # fmt: skip


def _told_lately(session: Session, code: str, key: str, *, since: datetime) -> bool:
    mails = exists().where(Mail.code == code, Mail.created_at > since, Mail.unique_key.startswith(key, autoescape=True))
    return bool(session.scalar(select(mails)))
