"""Another version of the app: new images by a roll-out, and the old ones back when they do not come up.

While `update_from_version` stands the update is under way, whatever else happens meanwhile: a stop, a suspension, a
worker that dies. The next roll-out that succeeds completes it, the next that fails takes it back, once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from config import settings
from portal.instances import rules, versions
from portal.instances.actions.running import locked, record_event, want
from portal.instances.apps import app_template
from portal.instances.errors import CannotUpdate, UpdateChanged, UpdateNeedsHelp
from portal.instances.models import Instance, WantedState


def update(session: Session, instance_id: UUID, *, version: str, now: datetime) -> Instance:
    """Wants the images of its template as it is now and queues the roll-out; data and variables stay.

    `version` is what the customer agreed to. Raises `UpdateChanged` when that is no longer the one offered,
    `UpdateNeedsHelp` when a click cannot do it, `CannotUpdate` when the app does not run or is being changed.
    """
    instance = locked(session, instance_id)
    if not rules.can_update(instance):
        raise CannotUpdate
    offered = versions.next_update(instance, app_template(instance.service_slug))
    if offered is None or offered.version != version:
        raise UpdateChanged
    if offered.obstacle:
        raise UpdateNeedsHelp
    instance.update_from_version, instance.update_from_images = instance.version, instance.images
    _run(instance, offered.version, dict(offered.images), now=now)
    within = timedelta(seconds=settings().update_timeout_s)
    return want(session, instance, WantedState.RUNNING, "update_requested", now=now, within=within)


def finish_update(session: Session, instance: Instance, *, now: datetime) -> bool:
    """The app answers with its new images. True once per update; False when none was under way."""
    if instance.update_from_version is None:
        return False
    key = f"updated:{now.timestamp():.6f}"
    record_event(
        session, instance.id, "updated", unique_key=key, now=now,
        version=instance.version, from_version=instance.update_from_version,
    )  # fmt: skip
    instance.update_from_version = instance.update_from_images = None
    return True


def roll_back_update(
    session: Session, instance: Instance, *, code: str, parameters: dict[str, Any], now: datetime
) -> None:
    """The update under way did not come up: wants the old images again and queues that.

    From here it is a roll-out as any other: should the old images fail as well, that is an outage.
    """
    assert instance.update_from_version is not None
    assert instance.update_from_images is not None
    key = f"update_failed:{now.timestamp():.6f}"
    facts = {**parameters, "reason": code, "version": instance.version}
    record_event(session, instance.id, "update_failed", unique_key=key, now=now, **facts)
    _run(instance, instance.update_from_version, instance.update_from_images, now=now)
    instance.update_from_version = instance.update_from_images = None
    want(session, instance, WantedState.RUNNING, "roll_back_started", now=now)


def _run(instance: Instance, version: str, images: dict[str, str], *, now: datetime) -> None:
    """`restarted_at` tells the pods of this roll-out from those of the one before."""
    instance.version, instance.images, instance.restarted_at = version, images, now
