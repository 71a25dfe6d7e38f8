"""May an app be brought to what its template now describes? Pure: the page and the action ask the same.

Images are pinned to the instance, so a template that changed is only an offer. What keeps an offer from being
carried out by a click is an obstacle: a database of another major version needs a hand, and some apps refuse to skip
a version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from portal.catalog.app_templates import AppTemplate, major_version
from portal.instances.models import Instance

NOT_THE_UPDATES_FAULT = frozenset({"cluster_unavailable", "app_unknown", "data_missing"})
"""Whether the update works is not known then: it is looked at again, not rolled back."""


@dataclass(frozen=True)
class Update:
    """What an update would run. `obstacle` is empty, `database` or `step`."""

    version: str
    images: Mapping[str, str]
    obstacle: str = ""


def next_update(instance: Instance, template: AppTemplate) -> Update | None:
    """The update the instance is offered: a newer version, or fresh images of the same one; else None."""
    images = {container.name: container.image for container in template.containers}
    known = {name: image for name, image in images.items() if name in instance.images}
    if known == instance.images or _parts(template.version) < _parts(instance.version):
        return None
    return Update(template.version, images, _obstacle(instance, template))


def is_to_blame(code: str) -> bool:
    """Whether an update that ends with this trouble is taken back."""
    return code not in NOT_THE_UPDATES_FAULT


def _obstacle(instance: Instance, template: AppTemplate) -> str:
    for container in template.containers:
        before = instance.images.get(container.name)
        if container.sidecar and before and not _keeps_its_data(before, container.image):
            return "database"
    if template.updates_from and not any(_begins(instance.version, prefix) for prefix in template.updates_from):
        return "step"
    return ""


def _keeps_its_data(before: str, after: str) -> bool:
    """The same program in the same major version reads what it wrote."""
    return before.partition(":")[0] == after.partition(":")[0] and major_version(before) == major_version(after)


def _begins(version: str, prefix: str) -> bool:
    return _parts(version)[: len(_parts(prefix))] == _parts(prefix)


def _parts(version: str) -> list[int]:
    """`v1.12.3-beta` is later than `v1.9`: numbers, not letters, decide."""
    return [int(number) for number in re.findall(r"\d+", version)]
