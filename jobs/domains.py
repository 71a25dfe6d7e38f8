"""Domains of customers: looks at the DNS when they are due, and brings the Ingress to what was proved.

Only the Ingress is written here: no app restarts because of its domain, and a cluster that refuses one breaks nothing
else. Every job may run twice or die at any line.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.instances import actions, gateway, wanted
from portal.instances.models import DomainStatus, Instance, InstanceDomain
from portal.provisioning import cluster
from portal.provisioning.errors import ClusterUnavailable, Refused
from portal.provisioning.turns import turn

log = structlog.get_logger()

Manifests = list[dict[str, Any]]

BATCH = 500
AGAIN_AFTER, REFUSED_AFTER = timedelta(seconds=10), timedelta(minutes=1)


def check_due() -> str:
    """Every ten minutes: queues a look at each domain that is due."""
    with transaction() as session:
        due = actions.claim_due(session, now=clock.now(), limit=BATCH)
        for domain_id in due:
            outbox.enqueue(session, "domains.check", queue="slow", domain_id=domain_id)
    return f"{len(due)} queued"


def check(domain_id: str) -> None:
    """One look at the DNS, and what follows from it."""
    session = db.session()
    domain = session.get(InstanceDomain, UUID(domain_id))
    instance = session.get(Instance, domain.instance_id) if domain else None
    if domain is None or instance is None:
        return
    host, app_host = domain.host, wanted.host_of(instance.name)
    session.rollback()
    records = gateway.look_up(host, app_host=app_host)
    with transaction() as recording:
        actions.record_check(recording, UUID(domain_id), records, now=clock.now())
        outbox.complete(recording, now=clock.now())


def publish(instance_id: str) -> None:
    """Writes the app's Ingress with every host that is proved to be its customer's."""
    _bring_ingress(UUID(instance_id))


def withdraw(instance_id: str, host: str) -> None:
    """Writes the Ingress without the host, then deletes the host's certificate."""
    _bring_ingress(UUID(instance_id), without=host)


def _bring_ingress(instance_id: UUID, *, without: str = "") -> None:
    instance = db.session().get_one(Instance, instance_id)
    namespace, name = instance.namespace, instance.name
    db.session.rollback()
    with turn(namespace) as mine:
        if not mine:
            return _again(AGAIN_AFTER, "another worker is in this namespace")
        try:
            manifests = _ingress_of(instance_id)
            cluster.apply(manifests)
            if without and not _is_proved(instance_id, without):
                cluster.delete_certificate(namespace, name, without)
        except Refused as error:
            log.error("domains.refused", instance_id=str(instance_id), error=str(error.details)[:500])
            return _again(REFUSED_AFTER, error.code)
        except ClusterUnavailable as error:
            return _again(AGAIN_AFTER, error.code)
    _complete(instance_id, manifests)
    return None


def _ingress_of(instance_id: UUID) -> Manifests:
    """The Ingress alone; nothing when the app is ending, for its clean-up takes everything."""
    with transaction() as session:
        instance = actions.locked(session, instance_id)
        if instance.fenced_at is not None:
            return []
        manifests = wanted.manifests(session, instance, secrets=actions.complete_secrets(session, instance))
    return [one for one in manifests if one["kind"] == "Ingress"]


def _is_proved(instance_id: UUID, host: str) -> bool:
    with transaction() as session:
        domains = session.query(InstanceDomain).filter_by(instance_id=instance_id, host=host)
        return any(domain.status == DomainStatus.VERIFIED for domain in domains)


def _complete(instance_id: UUID, written: Manifests) -> None:
    """What was proved may have changed while it was written: then it is written again."""
    if _ingress_of(instance_id) != written:
        return _again(timedelta(0), "changed meanwhile")
    with transaction() as session:
        outbox.complete(session, now=clock.now())
    return None


def _again(after: timedelta, reason: str) -> None:
    with transaction() as session:
        outbox.again(session, now=clock.now(), after=after, reason=reason)
