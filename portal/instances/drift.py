"""What the database wants of the cluster against what the cluster has: which differences there are, and whose.

The cluster is listed before the database is read, so that whatever is listed was wanted by then. An app that is being
changed is not judged at all: its roll-out writes everything anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from portal.accounts.models import Customer
from portal.core import outbox
from portal.instances import queries, wanted
from portal.instances.apps import app_template
from portal.instances.errors import UnknownApp
from portal.instances.models import Instance, InstanceEvent, InstanceState
from portal.provisioning import drift
from portal.provisioning.drift import Difference, Drift, Manifest
from portal.provisioning.listing import Found, Key, Live, key_of

BATCH = 200
YOUNG = timedelta(minutes=10)
"""What is younger may be in the making, or its maker may not have been seen yet."""

SETTLED_FOR = timedelta(minutes=2)


@dataclass(frozen=True)
class Sighting:
    """A difference and whose it is. `repair`: `apply` what is wanted, `clean_up` what is left, or nothing safe."""

    difference: Difference
    instance_id: UUID | None
    repair: str = ""


@dataclass
class Survey:
    """A whole comparison. Apps and namespaces that were not judged keep what was known of them."""

    sightings: list[Sighting] = field(default_factory=list)
    judged: int = 0
    unjudged: set[UUID] = field(default_factory=set)
    unjudged_namespaces: set[str] = field(default_factory=set)


def survey(session: Session, live: Live, *, listed_at: datetime) -> Survey:
    """Compares every app with the list read at `listed_at`; reads only."""
    found, wanted_keys = Survey(), set[Key]()
    for instance in _unfenced(session):
        manifests = _manifests(session, instance, listed_at=listed_at)
        if manifests is None:
            found.unjudged.add(instance.id)
            found.unjudged_namespaces.add(instance.namespace)
            continue
        fresh = [one for one in manifests if key_of(one) not in wanted_keys]
        found.sightings += _of_app(instance, fresh, live, listed_at=listed_at)
        found.judged += 1
        wanted_keys |= {key_of(one) for one in fresh}
    found.sightings += _orphans(session, live, wanted_keys, found, listed_at=listed_at)
    return found


def _unfenced(session: Session) -> Iterator[Instance]:
    after = UUID(int=0)
    while True:
        statement = select(Instance).where(Instance.fenced_at.is_(None), Instance.id > after)
        batch = session.scalars(
            statement.order_by(Instance.id).limit(BATCH).execution_options(populate_existing=True)
        ).all()
        yield from batch
        if len(batch) < BATCH:
            return
        after = batch[-1].id


def _manifests(session: Session, instance: Instance, *, listed_at: datetime) -> list[Manifest] | None:
    """What it should have; None while it is being changed, in an administrator's hands, or not to be told."""
    if instance.deadline_at is not None or instance.state in (InstanceState.PENDING, InstanceState.MAINTENANCE):
        return None
    if _is_unsettled(session, instance, since=listed_at - SETTLED_FOR):
        return None
    secrets = queries.secrets_of(session, instance.id)
    try:
        if app_template(instance.service_slug).secrets.keys() - secrets.keys():
            return None  # its template gained a secret, which the next roll-out makes
        return wanted.manifests(session, instance, secrets=secrets)
    except UnknownApp:
        return None


def _is_unsettled(session: Session, instance: Instance, *, since: datetime) -> bool:
    """Something happened to it while or since the cluster was listed, or is queued to happen."""
    lately = exists().where(InstanceEvent.instance_id == instance.id, InstanceEvent.happened_at > since)
    queued = outbox.is_queued("instances.", "instance_id", instance.id)
    return bool(session.scalar(select(lately | queued)))


def _of_app(instance: Instance, manifests: list[Manifest], live: Live, *, listed_at: datetime) -> Iterator[Sighting]:
    """With data at risk nothing of the app is repaired: an empty volume in its place would hide the loss."""
    differences = [one for one in drift.compare(manifests, live) if not _is_young(live.get(one.key), listed_at)]
    safe = not any(one.at_risk for one in differences)
    for one in differences:
        yield Sighting(one, instance.id, "apply" if safe else "")


def _orphans(
    session: Session, live: Live, wanted_keys: set[Key], found: Survey, *, listed_at: datetime
) -> Iterator[Sighting]:
    """What carries our labels and nobody wants. Only what a cleaned-up app left is safe to remove."""
    unwanted = {
        key: one
        for key, one in live.items()
        if key not in wanted_keys and not one.leaving and not _is_young(one, listed_at)
    }
    apps = _known_apps(session, [_id(one.instance) for one in unwanted.values()])
    customers = _known_customers(session, [_id(one.customer) for one in unwanted.values()])
    namespaces = {namespace for namespace, _ in wanted_keys}
    for key, one in unwanted.items():
        if one.instance:
            sighting = _left_by_app(key, _id(one.instance), apps, found)
        else:
            sighting = _left_in_namespace(key, one, customers, namespaces - found.unjudged_namespaces)
        if sighting is not None:
            yield sighting


def _left_by_app(key: Key, instance_id: UUID | None, apps: dict[UUID, Instance], found: Survey) -> Sighting | None:
    instance = apps.get(instance_id) if instance_id else None
    if instance is None:
        return Sighting(Difference(Drift.ORPHAN, key, "of an app that the database does not know"), instance_id)
    if instance.cleaned_up_at is not None:
        return Sighting(Difference(Drift.ORPHAN, key, "of an app that is gone"), instance_id, "clean_up")
    if instance.fenced_at is not None or instance.id in found.unjudged:
        return None  # its clean-up or its roll-out is under way
    return Sighting(Difference(Drift.ORPHAN, key, "not part of its app"), instance_id)


def _left_in_namespace(key: Key, one: Found, customers: set[UUID], judged: set[str]) -> Sighting | None:
    """An empty namespace stays when its last app is gone; so do its walls."""
    if _id(one.customer) not in customers:
        return Sighting(Difference(Drift.ORPHAN, key, "of a customer that the database does not know"), None)
    if key[0] in judged:
        return Sighting(Difference(Drift.ORPHAN, key, "not part of its namespace"), None)
    return None


def _known_apps(session: Session, ids: Sequence[UUID | None]) -> dict[UUID, Instance]:
    statement = select(Instance).where(Instance.id.in_({one for one in ids if one}))
    return {one.id: one for one in session.scalars(statement.execution_options(populate_existing=True))}


def _known_customers(session: Session, ids: Sequence[UUID | None]) -> set[UUID]:
    return set(session.scalars(select(Customer.id).where(Customer.id.in_({one for one in ids if one}))))


def _is_young(one: Found | None, listed_at: datetime) -> bool:
    return one is not None and listed_at - one.created_at < YOUNG


def _id(text: str) -> UUID | None:
    """The id on a label; None when somebody wrote something else there."""
    try:
        return UUID(text)
    except ValueError:
        return None
