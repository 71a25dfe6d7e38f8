"""One app for an operator's eyes: what the database wants of it against what the cluster has.

Nothing here shows a value of a customer's: Secrets are neither read nor compared, and a ConfigMap's difference names
the key alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from portal.instances import queries, wanted
from portal.instances.apps import app_template
from portal.instances.errors import UnknownApp
from portal.instances.models import Instance
from portal.provisioning import drift
from portal.provisioning.listing import Live, key_of

OF_THE_NAMESPACE = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """An object: `state` is SAME, MISSING, CHANGED, ORPHAN, or UNSEEN for what cannot be read."""

    object: str
    state: str
    detail: str = ""


def own_manifests(session: Session, instance: Instance) -> list[Manifest] | None:
    """What its own objects should be, those of its namespace left out; None when its app is known no more."""
    if instance.fenced_at is not None:
        return []
    try:
        kept = queries.secrets_of(session, instance.id)
        if app_template(instance.service_slug).secrets.keys() - kept.keys():
            return None  # its template gained a secret, which the next roll-out makes
        all_of_them = wanted.manifests(session, instance, secrets=kept)
    except UnknownApp:
        return None
    return [one for one in all_of_them if one["kind"] not in OF_THE_NAMESPACE]


def compare(manifests: Sequence[Manifest], live: Live) -> list[Line]:
    """A line per object, wanted or found. Pure."""
    differing = {one.key: one for one in drift.compare(list(manifests), live)}
    lines = [_line(one, differing) for one in manifests]
    wanted_keys = {key_of(one) for one in manifests}
    return lines + [Line(key[1], "ORPHAN") for key in live if key not in wanted_keys]


def _line(manifest: Manifest, differing: dict[Any, drift.Difference]) -> Line:
    key = key_of(manifest)
    if manifest["kind"] == "Secret":
        return Line(key[1], "UNSEEN")
    found = differing.get(key)
    return Line(key[1], found.kind, found.detail) if found else Line(key[1], "SAME")


def main_container(instance: Instance) -> str:
    """Whose log is the app's own; empty when its app is known no more."""
    try:
        return app_template(instance.service_slug).main.name
    except UnknownApp:
        return ""
