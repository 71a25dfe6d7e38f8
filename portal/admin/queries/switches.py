"""How the operational switches stand, since when, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.core.switches import OperationalSwitch, Switch


@dataclass(frozen=True)
class Standing:
    """`text` is empty while it is off; `since` is None when it was never turned, `by` empty from the console."""

    switch: Switch
    text: str = ""
    since: datetime | None = None
    by: str = ""


def standings(session: Session) -> list[Standing]:
    """Every switch, in one query."""
    last = (
        sa.select(AuditEntry.subject_id, AuditEntry.actor_id)
        .where(AuditEntry.subject_kind == "switch", AuditEntry.action == "switch.turned")
        .distinct(AuditEntry.subject_id)
        .order_by(AuditEntry.subject_id, AuditEntry.happened_at.desc(), AuditEntry.id.desc())
        .subquery()
    )
    statement = (
        sa.select(OperationalSwitch, User.name)
        .outerjoin(last, last.c.subject_id == OperationalSwitch.name)
        .outerjoin(User, User.id == last.c.actor_id)
        .execution_options(populate_existing=True)
    )
    found = {row.name: (row, by) for row, by in session.execute(statement).tuples()}
    return [_standing(switch, *found.get(switch, (None, None))) for switch in Switch]


def _standing(switch: Switch, row: OperationalSwitch | None, by: str | None) -> Standing:
    return Standing(switch) if row is None else Standing(switch, row.value, row.changed_at, by or "")
