"""What the pages beside an app's main page are given: version, variables, domains."""

from __future__ import annotations

from typing import Any

from config import settings
from portal.instances import rules, wording
from portal.instances.models import Instance
from portal.instances.views import pages


def section(instance: Instance) -> dict[str, Any]:
    """What the head of every such page needs."""
    return {"instance": instance, "can": pages.permissions(instance)}


def version_page(instance: Instance) -> dict[str, Any]:
    """The version that runs, the one offered, and how the last try went. Needs `events` loaded."""
    app, update = pages.template_of(instance), pages.offered_update(instance)
    tries = [event for event in instance.events if event.code == "update_failed"]
    failed = tries[-1] if tries and update and tries[-1].parameters.get("version") == update.version else None
    return {
        **section(instance),
        "app": app,
        "update": update,
        "under_way": rules.is_updating(instance),
        "failed": failed,
        "why": wording.reason(failed.parameters.get("reason")) if failed else "",
        "limit_minutes": max(1, settings().update_timeout_s // 60),
    }
