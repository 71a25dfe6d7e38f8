"""What differs between two app templates, as far as it matters to apps that run. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from portal.catalog.app_templates import AppTemplate, Container


class Risk(StrEnum):
    """What a changed template does to apps that run."""

    UPDATE = "update"  # other images: offered as an update, nobody gets them unasked
    RESTART = "restart"  # variables, probes, shares …: the next comparison of the cluster brings them, with a restart
    DATA = "data"  # where the data lies, or who owns it: what runs may no longer find its own
    SECRETS = "secrets"  # secrets that the app keeps its data by appear or vanish


@dataclass(frozen=True)
class Change:
    """One difference; `what` is a field or a container's name."""

    risk: Risk
    what: str


def changes(before: AppTemplate, after: AppTemplate) -> list[Change]:
    """Every difference in how the app runs, gravest first; texts and plans are not in it."""
    found = {*_of_containers(before, after), *_of_the_pod(before, after)}
    return sorted(found, key=lambda one: (-list(Risk).index(one.risk), one.what))


def _of_the_pod(before: AppTemplate, after: AppTemplate) -> Iterator[Change]:
    if before.fs_group != after.fs_group:
        yield Change(Risk.DATA, "fs_group")
    for name in before.secrets.keys() ^ after.secrets.keys():
        yield Change(Risk.SECRETS, name)


def _of_containers(before: AppTemplate, after: AppTemplate) -> Iterator[Change]:
    old = {container.name: container for container in before.containers}
    new = {container.name: container for container in after.containers}
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new:
            yield from _of_container(old[name], new[name])
        else:
            yield Change(Risk.DATA, name)


def _of_container(old: Container, new: Container) -> Iterator[Change]:
    if old.image != new.image:
        yield Change(Risk.UPDATE, new.name)
    if old.mounts != new.mounts or old.security != new.security:
        yield Change(Risk.DATA, new.name)
    same = {"image": new.image, "mounts": new.mounts, "security": new.security}
    if old.model_copy(update=same) != new:
        yield Change(Risk.RESTART, new.name)
