"""No worker can tell that no worker is left: then the scheduler looks, and delivers what is to be told, by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from flask import has_app_context
from redis import Redis
from sqlalchemy import Text, cast, or_, select

from jobs import alerts, runner
from portal.core import clock, queues
from portal.core.db import db
from portal.core.errors import Unavailable
from portal.core.outbox import OutboxMessage
from portal.notices.models import Mail
from portal.notices.wording.alerts import OPENED

log = structlog.get_logger()

EVERY = timedelta(minutes=1)
GONE_FOR = timedelta(minutes=2)
AT_ONCE_MAX = 20


class Watchdog:
    """Remembers when a worker was last alive."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection
        self._looked_at = self._alive_at = clock.now()

    def look(self) -> bool:
        """Once a minute; returns whether it did a worker's part. The scheduler goes on whatever happens here."""
        now = clock.now()
        if now - self._looked_at < EVERY:
            return False
        self._looked_at = now
        try:
            return self._stand_in(now)
        except Exception as error:  # the edge of a process that must not end
            log.error("watchdog.failed", exc_info=error)
            return False

    def _stand_in(self, now: datetime) -> bool:
        if _is_any_alive(self._connection):
            self._alive_at = now
        if now - self._alive_at < GONE_FOR:
            return False
        log.error("watchdog.no_worker", since=self._alive_at.isoformat())
        if has_app_context():
            _look_and_tell()
        else:
            with runner.application().app_context():
                _look_and_tell()
        return True


def _is_any_alive(connection: Redis) -> bool:
    """While Redis is away nobody knows, and no worker could work."""
    try:
        return queues.workers_alive(connection) > 0
    except Unavailable:
        return False


def _look_and_tell() -> None:
    alerts.evaluate()
    for message_id in _to_be_told():
        runner.perform(str(message_id))


def _to_be_told() -> list[UUID]:
    """Due mails and posts about alerts, and nothing else: the rest waits for a worker."""
    letters = select(cast(Mail.id, Text)).where(Mail.code.startswith(OPENED, autoescape=True), Mail.sent_at.is_(None))
    about_alerts = or_(
        OutboxMessage.name == "alerts.post",
        (OutboxMessage.name == "notices.deliver") & OutboxMessage.arguments["mail_id"].astext.in_(letters),
    )
    due = select(OutboxMessage.id).where(
        OutboxMessage.done_at.is_(None), OutboxMessage.failed_at.is_(None), OutboxMessage.run_at <= clock.now()
    )
    found = list(db.session().scalars(due.where(about_alerts).order_by(OutboxMessage.run_at).limit(AT_ONCE_MAX)))
    db.session.close()
    return found
