"""Operational switches in a table: what an operator turns off in an emergency, and the incident banner."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, Text, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.core.db import Base
from portal.core.errors import Unavailable


class Switch(StrEnum):
    """Every switch there is; `value` in the table is text, empty means off."""

    BANNER = "banner"
    NO_TOP_UPS = "no_top_ups"
    NO_PROVISIONING = "no_provisioning"


class OperationalSwitch(Base):
    __tablename__ = "operational_switch"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text, default="")
    changed_at: Mapped[datetime]


def value(session: Session, switch: Switch) -> str:
    """The switch's text; empty when it is off."""
    return session.scalar(select(OperationalSwitch.value).where(OperationalSwitch.name == switch)) or ""


def set_value(session: Session, switch: Switch, text: str, *, now: datetime) -> None:
    """Turns a switch on (any text) or off (empty); a repeat changes nothing."""
    row = {"name": switch, "value": text, "changed_at": now}
    session.execute(
        upsert(OperationalSwitch)
        .values(row)
        .on_conflict_do_update(index_elements=["name"], set_={"value": text, "changed_at": now})
    )


def refuse_when_on(session: Session, switch: Switch) -> None:
    """Raises `Unavailable` while the operator holds this back."""
    if value(session, switch):
        raise Unavailable(switch=switch)
