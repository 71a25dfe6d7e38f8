"""A customer's own domain: asked for, proved by the DNS, published, and taken back when its records are gone.

Anybody may ask for a host; only who proves it has it. Of two who ask, the one whose token stands in the DNS wins;
stand both there, the first one keeps it. A domain's instance is locked first, then all rows of the host by id.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import settings
from portal.core import outbox
from portal.core.ids import new_id
from portal.instances import hosts, rules
from portal.instances.actions.running import locked, record_event
from portal.instances.errors import BadHost, CannotConfigure, DomainNotFound, DomainThere, TooManyDomains
from portal.instances.hosts import Finding, Records
from portal.instances.models import DomainStatus, Instance, InstanceDomain
from portal.instances.wanted import host_of
from portal.notices import actions as notices


def add_domain(session: Session, instance_id: UUID, text: str, *, domains_max: int, now: datetime) -> InstanceDomain:
    """Asks for a host, written as people write it; the DNS must prove it before anything changes.

    Raises `BadHost`, `DomainThere`, `TooManyDomains` past the plan's `domains_max`, or `CannotConfigure`.
    """
    instance = locked(session, instance_id)
    if not rules.can_configure(instance):
        raise CannotConfigure
    host = hosts.normalised(text)
    problem = hosts.problem(
        host, apps_domain=settings().apps_domain, portal_host=urlsplit(settings().public_url).hostname or ""
    )
    if problem:
        raise BadHost(problem=problem)
    there = set(session.scalars(select(InstanceDomain.host).where(InstanceDomain.instance_id == instance_id)))
    if host in there:
        raise DomainThere
    if len(there) >= domains_max:
        raise TooManyDomains
    return _ask_for(session, instance, host, now=now)


def remove_domain(session: Session, instance_id: UUID, domain_id: UUID, *, now: datetime) -> str:
    """Takes it back and returns its host; the Ingress and the certificate follow. Others may prove it at once."""
    instance = locked(session, instance_id)
    domain = session.get(InstanceDomain, domain_id, populate_existing=True)
    if domain is None or domain.instance_id != instance_id or instance.fenced_at is not None:
        raise DomainNotFound
    host = domain.host
    session.delete(domain)
    session.flush()
    _note(session, domain, "domain_removed", now=now)
    outbox.enqueue(session, "domains.withdraw", instance_id=instance_id, host=host)
    return host


def record_check(session: Session, domain_id: UUID, records: Records, *, now: datetime) -> Finding | None:
    """What one look at the DNS means for the domain; None when it is gone. A repeat changes nothing but times."""
    domain = _locked_with_rivals(session, domain_id)
    if domain is None:
        return None
    instance = session.get_one(Instance, domain.instance_id)
    finding = _finding(domain, instance, records)
    if finding.code != "no_answer":
        domain.checked_at = now
    if not finding.code:
        finding = _record_proof(session, domain, instance, records, now=now)
    elif domain.status == DomainStatus.VERIFIED and finding.code != "no_answer":
        _record_missing(session, domain, instance, finding, now=now)
    if domain.status != DomainStatus.VERIFIED or domain.missing_since:
        domain.failure_code, domain.failure_parameters = finding.code or None, finding.parameters
    domain.next_check_at = hosts.next_check(domain, now=now)
    if domain.status == DomainStatus.PENDING and domain.next_check_at is None:
        domain.status = DomainStatus.FAILED
    return finding


def claim_due(session: Session, *, now: datetime, limit: int) -> Sequence[UUID]:
    """Domains whose next look is due; each is planned again, so that none is looked at twice at once."""
    due = select(InstanceDomain).where(InstanceDomain.next_check_at <= now).order_by(InstanceDomain.next_check_at)
    claimed = session.scalars(due.limit(limit).with_for_update(skip_locked=True)).all()
    for domain in claimed:
        domain.next_check_at = now + hosts.EAGER
    return [domain.id for domain in claimed]


def _ask_for(session: Session, instance: Instance, host: str, *, now: datetime) -> InstanceDomain:
    domain = InstanceDomain(
        id=new_id(), instance_id=instance.id, host=host, token=secrets.token_hex(16), status=DomainStatus.PENDING,
        created_at=now, failure_parameters={},
    )  # fmt: skip
    domain.next_check_at = hosts.next_check(domain, now=now)
    session.add(domain)
    session.flush()
    _note(session, domain, "domain_added", now=now)
    return domain


def _locked_with_rivals(session: Session, domain_id: UUID) -> InstanceDomain | None:
    """The domain, its instance locked and every row of its host; None when it or its app is gone."""
    domain = session.get(InstanceDomain, domain_id)
    if domain is None or locked(session, domain.instance_id).fenced_at is not None:
        return None
    rows = select(InstanceDomain).where(InstanceDomain.host == domain.host).order_by(InstanceDomain.id)
    found = session.scalars(rows.with_for_update().execution_options(populate_existing=True)).all()
    return next((one for one in found if one.id == domain_id), None)


def _finding(domain: InstanceDomain, instance: Instance, records: Records) -> Finding:
    addresses = frozenset(part.strip() for part in settings().domains_addresses.split(",") if part.strip())
    return hosts.found(records, token=domain.token, app_host=host_of(instance.name), addresses=addresses)


def _record_proof(
    session: Session, domain: InstanceDomain, instance: Instance, records: Records, *, now: datetime
) -> Finding:
    domain.missing_since = domain.failure_code = None
    domain.failure_parameters = {}
    if domain.status == DomainStatus.VERIFIED:
        return Finding()
    rival = _holder(session, domain.host)
    if rival is not None and rival.token in records.proofs:
        return Finding("in_use")
    if rival is not None:
        _lose(session, rival, "taken_over", now=now)
    domain.status, domain.verified_at = DomainStatus.VERIFIED, now
    session.flush()
    _note(session, domain, "domain_verified", now=now)
    _tell(session, instance, domain, "domain_verified", now=now)
    outbox.enqueue(session, "domains.publish", instance_id=instance.id)
    return Finding()


def _holder(session: Session, host: str) -> InstanceDomain | None:
    proved = (InstanceDomain.host == host, InstanceDomain.status == DomainStatus.VERIFIED)
    return session.scalar(select(InstanceDomain).where(*proved))


def _record_missing(
    session: Session, domain: InstanceDomain, instance: Instance, finding: Finding, *, now: datetime
) -> None:
    """Told after an hour, so that a name server's hiccup frightens nobody; taken back after the days of grace."""
    domain.missing_since = domain.missing_since or now
    grace = timedelta(days=settings().domain_grace_days)
    if now - domain.missing_since >= grace:
        _lose(session, domain, finding.code, now=now)
    elif now - domain.missing_since >= hosts.TOLD_AFTER:
        ends_at = (domain.missing_since + grace).isoformat()
        _tell(session, instance, domain, "domain_missing", now=now, ends_at=ends_at)


def _lose(session: Session, domain: InstanceDomain, code: str, *, now: datetime) -> None:
    """It leads to the app no more; flushed at once, for only one row may hold the host."""
    domain.status, domain.failure_code, domain.failure_parameters = DomainStatus.FAILED, code, {}
    domain.next_check_at = domain.missing_since = None
    session.flush()
    _note(session, domain, "domain_lost", now=now)
    instance = session.get_one(Instance, domain.instance_id)
    taken = code == "taken_over"
    _tell(session, instance, domain, "domain_taken_over" if taken else "domain_lost", now=now)
    outbox.enqueue(session, "domains.withdraw", instance_id=domain.instance_id, host=domain.host)


def _note(session: Session, domain: InstanceDomain, code: str, *, now: datetime) -> None:
    key = f"{code}:{now.timestamp():.6f}:{domain.id}"
    record_event(session, domain.instance_id, code, unique_key=key, now=now, host=domain.host)


def _tell(
    session: Session, instance: Instance, domain: InstanceDomain, code: str, *, now: datetime, **facts: str
) -> None:
    since = domain.missing_since or domain.verified_at or now
    notices.tell(
        session,
        customer_id=instance.customer_id,
        code=code,
        parameters={
            "service": instance.service_name, "name": instance.name, "instance_id": str(instance.id),
            "host": domain.host, **facts,
        },
        unique_key=f"{code}:{domain.id}:{since.isoformat()}",
        now=now,
    )  # fmt: skip
