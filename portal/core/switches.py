"""Operational switches in a table: what an operator turns off in an emergency, and the incident banner."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from flask_babel import lazy_gettext as _l
from sqlalchemy import String, Text, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.core.db import Base
from portal.core.errors import Unavailable


class Switch(StrEnum):
    """Every switch there is; `value` in the table is text (why it is on, or the banner's words), empty means off."""

    BANNER = "banner"
    NO_TOP_UPS = "no_top_ups"
    NO_PROVISIONING = "no_provisioning"
    READ_ONLY = "read_only"


class Stamp(StrEnum):
    """What every process keeps a copy of, and reads anew when its stamp, a row of the same table, is another."""

    APP_TEMPLATES = "stamp:app_templates"


WORDS = {
    Switch.NO_TOP_UPS: _l("Top-ups are paused for the moment. Your credit and your apps are not touched. Try later."),
    Switch.NO_PROVISIONING: _l(
        "New apps, upgrades and resuming are paused for the moment. Nothing was charged, and what runs goes on. "
        "Try later."
    ),
    Switch.READ_ONLY: _l(
        "We are looking after the portal: for the moment you can look at everything and change nothing. "
        "Nothing was changed or charged, your apps go on, and a payment that you have made is booked. Try later."
    ),
}
"""What a customer reads whom a switch holds back."""


class HeldBack(Unavailable):
    """The operator holds this back; `details["switch"]` says by which switch."""

    code = "HELD_BACK"

    def __init__(self, switch: Switch) -> None:
        super().__init__(WORDS.get(switch), switch=switch)


class OperationalSwitch(Base):
    __tablename__ = "operational_switch"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text, default="")
    changed_at: Mapped[datetime]


def value(session: Session, switch: Switch) -> str:
    """The switch's text; empty when it is off."""
    return session.scalar(select(OperationalSwitch.value).where(OperationalSwitch.name == switch)) or ""


def values(session: Session) -> Mapping[str, str]:
    """Text by name of every switch that is on, and of every stamp; one read per database transaction."""
    seen, found = session.info.get(_SEEN, (None, {}))
    if seen is None or seen is not session.get_transaction():
        rows = session.execute(select(OperationalSwitch.name, OperationalSwitch.value))
        found = {name: text for name, text in rows.tuples() if text}
        session.info[_SEEN] = session.get_transaction(), found
    return found


_SEEN = "switches_seen"


def set_value(session: Session, switch: Switch | Stamp, text: str, *, now: datetime) -> None:
    """Turns a switch on (any text) or off (empty); a repeat changes nothing, not even since when it is."""
    values = {"value": text, "changed_at": now}
    statement = upsert(OperationalSwitch).values(name=switch, **values)
    differs = OperationalSwitch.value != text
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values, where=differs))
    session.info.pop(_SEEN, None)


def refuse_when_on(session: Session, switch: Switch) -> None:
    """Raises `HeldBack` while the operator holds this back."""
    if switch in values(session):
        raise HeldBack(switch)
