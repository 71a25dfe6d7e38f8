"""Turning operational switches, each turn written down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core import switches
from portal.core.switches import Switch


def turn(session: Session, switch: Switch, text: str, *, actor: Actor | None, now: datetime) -> bool:
    """Turns a switch on (`text` says why, or is the banner) or off (empty); False when it stood so already.

    `actor` is None at the operator's console. Two at once: the later one stands, and both are written down.
    """
    text = " ".join(text.split())
    before = switches.value(session, switch)
    if before == text:
        return False
    switches.set_value(session, switch, text, now=now)
    audit.changed(
        session, actor, "switch.turned", subject_kind="switch", subject_id=switch.value, now=now,
        before={"text": before}, after={"text": text},
    )  # fmt: skip
    return True
