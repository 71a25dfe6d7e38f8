"""Brings the cluster to what the database wants of an instance, and the customer to what the cluster shows.

`provision` applies the manifests and returns; `check` looks every few seconds until the roll-out is ready, has
failed, or its deadline has passed; `clean_up` repeats until nothing labelled is left. No worker ever waits, and
money never waits for a broken cluster: the deadline counts whether the cluster answers or not.

Every job may run twice or die at any line. A writer whose input became stale while it wrote (a fence, a stop)
finds out when it records, and queues the repair; a writer that died before that is run again by its lease.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from config import settings
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.instances import actions, queries, rules, versions, wanted
from portal.instances.errors import UnknownApp
from portal.instances.models import Instance
from portal.notices import actions as notices
from portal.provisioning import cluster, probe, reconcile
from portal.provisioning.errors import ClusterUnavailable, DataMissing, Refused
from portal.provisioning.reconcile import Outcome, Verdict
from portal.provisioning.turns import turn
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.models import PlanChangeStatus

log = structlog.get_logger()

TURN_PAUSE = timedelta(seconds=2)

Manifests = list[dict[str, Any]]


def provision(instance_id: str) -> None:
    """Applies everything the instance needs, its customer's namespace included, and queues the first look."""
    instance = _read(instance_id)
    if instance is None or instance.fenced_at is not None:
        return None
    with turn(instance.namespace) as mine:
        if not mine:
            return _wait_for_turn()
        try:
            _apply(instance)
        except UnknownApp:
            _record_refusal(instance.id, "app_unknown")
        except DataMissing:
            _record_refusal(instance.id, "data_missing")
        except Refused as error:
            _record_refusal(instance.id, "quota" if error.over_quota else "refused")
        except ClusterUnavailable as error:
            _record_no_answer(instance.id, error)


def _apply(instance: Instance) -> None:
    try:
        manifests = _begin(instance.id)
    except UnknownApp:
        return _stop_without_template(instance)
    if manifests is not None:
        cluster.apply(_without_empty_volume(instance, manifests))
        _record_applied(instance.id, manifests)
    return None


def check(instance_id: str, roll_out: str) -> None:
    """Looks at the roll-out of that key once, and comes again unless it is over or another one began."""
    instance = _read(instance_id)
    if instance is None or not _is_under_way(instance, roll_out):
        return
    seen = queries.events_of_roll_out(db.session(), instance.id, roll_out)
    verdict = _look(instance, seen)
    with transaction() as session:
        _record_verdict(session, instance.id, roll_out, verdict, now=clock.now())


def clean_up(instance_id: str) -> None:
    """Deletes everything labelled with a fenced instance, again until the cluster shows nothing left."""
    instance = _read(instance_id)
    if instance is None or instance.fenced_at is None:
        return None
    with turn(instance.namespace) as mine:
        if not mine:
            return _wait_for_turn()
        left = _delete(instance)
    with transaction() as session:
        _record_clean_up(session, instance, left, now=clock.now())
    return None


def repair() -> str:
    """Every ten minutes: queues work again for what is unfinished and forgotten, its attempts used up."""
    with transaction() as session:
        instances = queries.forgotten(session)
        for instance in instances:
            _resume(session, instance)
    return f"{len(instances)} resumed"


def _resume(session: Session, instance: Instance) -> None:
    if instance.fenced_at is not None:
        outbox.enqueue(session, "instances.clean_up", instance_id=instance.id)
        return
    outbox.enqueue(session, "instances.provision", instance_id=instance.id)
    if instance.deadline_at is not None:  # its chain of looks has ended, and `provision` begins each but once
        key = actions.roll_out_key(instance)
        outbox.enqueue(session, "instances.check", instance_id=instance.id, roll_out=key)


def _read(instance_id: str) -> Instance | None:
    """The instance as it is now, detached: what is decided from it does not change while the network is slow."""
    session = db.session()
    instance = session.get(Instance, UUID(instance_id), populate_existing=True)
    if instance is not None:
        session.expunge(instance)
    session.rollback()
    return instance


def _begin(instance_id: UUID) -> Manifests | None:
    """The manifests of what is wanted now; None when the instance was fenced meanwhile."""
    with transaction() as session:
        instance = actions.locked(session, instance_id)
        if instance.fenced_at is not None:
            return None
        actions.begin_roll_out(session, instance, now=clock.now())
        return _wanted_now(session, instance)


def _without_empty_volume(instance: Instance, manifests: Manifests) -> Manifests:
    """An empty volume in place of a missing one would hide the loss; only a first roll-out may make one.

    An app may be stopped without its volume, but not started: `DataMissing`.
    """
    if rules.is_first_roll_out(instance) or cluster.observe_claim(instance.namespace, instance.name) is not None:
        return manifests
    if any(one["kind"] == "Deployment" and one["spec"]["replicas"] for one in manifests):
        raise DataMissing
    return [one for one in manifests if one["kind"] != "PersistentVolumeClaim"]


def _stop_without_template(instance: Instance) -> None:
    """An app whose template is gone can still be brought to zero, for which nobody has to know how it is set up.

    Raises `UnknownApp` when it should run.
    """
    if wanted.replicas_of(instance):
        raise UnknownApp(slug=instance.service_slug)
    cluster.scale_to_zero(instance.namespace, instance.name)
    with transaction() as session:
        now, found = clock.now(), actions.locked(session, instance.id)
        if found.fenced_at is not None:
            outbox.enqueue(session, "instances.clean_up", instance_id=found.id)
        elif wanted.replicas_of(found):
            outbox.enqueue(session, "instances.provision", instance_id=found.id)
        elif found.deadline_at is not None:
            _queue_check(session, found, now=now)
        outbox.complete(session, now=now)


def _wanted_now(session: Session, instance: Instance) -> Manifests:
    return wanted.manifests(session, instance, secrets=actions.complete_secrets(session, instance))


def _record_applied(instance_id: UUID, applied: Manifests) -> None:
    """What was wanted may have changed while it was written: then it is written again."""
    with transaction() as session:
        now = clock.now()
        instance = actions.locked(session, instance_id)
        if instance.fenced_at is not None:
            outbox.enqueue(session, "instances.clean_up", instance_id=instance_id)
        elif _wanted_now(session, instance) != applied:
            outbox.enqueue(session, "instances.provision", instance_id=instance_id)
        elif instance.deadline_at is not None:
            actions.mark_step(session, instance, "applied", now=now)
            _queue_check(session, instance, now=now)
        outbox.complete(session, now=now)


def _queue_check(session: Session, instance: Instance, *, now: datetime) -> None:
    """One chain of looks per roll-out, however often its manifests are applied."""
    key = actions.roll_out_key(instance)
    outbox.enqueue(
        session,
        "instances.check",
        run_at=now + timedelta(seconds=settings().provision_check_interval_s),
        unique_key=f"instances.check:{instance.id}:{key}",
        instance_id=instance.id,
        roll_out=key,
    )


def _record_refusal(instance_id: UUID, code: str) -> None:
    """The cluster said a definite no: the first roll-out has failed, a later one is an outage until it is mended."""
    with transaction() as session:
        now = clock.now()
        instance = session.get_one(Instance, instance_id, populate_existing=True)
        if rules.is_settled(instance):  # a repair of what runs: it goes on as it is, and the difference stays noted
            log.error("instances.repair_refused", instance=str(instance_id), code=code)
            return outbox.complete(session, now=now)
        _fail(session, instance, code, {}, now=now)
        if rules.is_first_roll_out(instance):
            return outbox.complete(session, now=now)
        outbox.again(session, now=now, after=rules.OBSERVE_PAUSE_MAX, reason=code)
    return None


def _record_no_answer(instance_id: UUID, error: ClusterUnavailable) -> None:
    """The cluster did not answer, or in doubt: again in a moment, but not past the deadline."""
    with transaction() as session:
        now = clock.now()
        instance = session.get_one(Instance, instance_id, populate_existing=True)
        if instance.fenced_at is not None:
            return outbox.complete(session, now=now)
        if instance.deadline_at is not None and now >= instance.deadline_at:
            _fail(session, instance, "cluster_unavailable", {}, now=now)
            if rules.is_first_roll_out(instance):
                return outbox.complete(session, now=now)
        since, interval = outbox.queued_at(), timedelta(seconds=settings().provision_check_interval_s)
        pause = rules.no_answer_pause(interval=interval, since=since, deadline_at=instance.deadline_at, now=now)
        outbox.again(session, now=now, after=pause, reason=f"{error.code} {error.details}")
    return None


def _look(instance: Instance, seen: Mapping[str, datetime]) -> Verdict:
    assert instance.deadline_at is not None
    wish = reconcile.Wanted(
        replicas=wanted.replicas_of(instance),
        restarted_at=instance.restarted_at.isoformat() if instance.restarted_at else "",
    )
    try:
        snapshot = cluster.observe(instance.namespace, instance.name, instance.id)
    except (ClusterUnavailable, Refused):
        late = clock.now() >= instance.deadline_at and wish.replicas > 0
        return Verdict(Outcome.FAILED if late else Outcome.PROGRESSING, code="cluster_unavailable")
    verdict = reconcile.judge(snapshot, wish, now=clock.now(), deadline=instance.deadline_at, seen=seen)
    if verdict.outcome is Outcome.READY and wish.replicas > 0:
        return _look_from_outside(instance, verdict)
    return verdict


def _look_from_outside(instance: Instance, verdict: Verdict) -> Verdict:
    """Ready means that the public address answers, not that the cluster says so."""
    if probe.answers(wanted.address_of(instance.name)):
        return verdict
    assert instance.deadline_at is not None
    late = clock.now() >= instance.deadline_at
    return Verdict(Outcome.FAILED if late else Outcome.PROGRESSING, verdict.steps, "address_silent" if late else "")


def _record_verdict(session: Session, instance_id: UUID, roll_out: str, verdict: Verdict, *, now: datetime) -> None:
    instance = session.get_one(Instance, instance_id, populate_existing=True)
    if not _is_under_way(instance, roll_out):
        return outbox.complete(session, now=now)
    if verdict.outcome is Outcome.READY:
        _record_ready(session, instance_id, roll_out, verdict, now=now)
        return outbox.complete(session, now=now)
    if verdict.outcome is Outcome.FAILED:
        _fail(session, instance, verdict.code, verdict.parameters, now=now)
        if rules.is_first_roll_out(instance):
            return outbox.complete(session, now=now)
    else:
        _record_progress(session, instance_id, roll_out, verdict, now=now)
    outbox.again(session, now=now, after=_pause(instance, now))
    return None


def _record_progress(session: Session, instance_id: UUID, roll_out: str, verdict: Verdict, *, now: datetime) -> None:
    instance = actions.locked(session, instance_id)
    if _is_under_way(instance, roll_out):
        _record_steps(session, instance, verdict, now=now)


def _record_ready(session: Session, instance_id: UUID, roll_out: str, verdict: Verdict, *, now: datetime) -> None:
    instance = actions.locked(session, instance_id)
    if not _is_under_way(instance, roll_out):
        return None  # another wish while we waited for the lock: what was seen says nothing of it
    if wanted.replicas_of(instance) == 0:
        return actions.mark_stopped(session, instance, now=now)
    _record_steps(session, instance, verdict, now=now)
    if actions.mark_ready(session, instance, now=now):
        address = wanted.address_of(instance.name)
        _tell(session, instance, "instance_ready", f"instance_ready:{instance.id}", now=now, address=address)
    if actions.finish_update(session, instance, now=now):
        key = f"instance_updated:{instance.id}:{now.timestamp():.6f}"
        _tell(session, instance, "instance_updated", key, now=now, version=instance.version)
    return None


def _record_steps(session: Session, instance: Instance, verdict: Verdict, *, now: datetime) -> None:
    for step in verdict.steps:
        actions.mark_step(session, instance, step, now=now)
    if verdict.code:
        actions.mark_step(session, instance, verdict.code, now=now, **verdict.parameters)


def _fail(session: Session, instance: Instance, code: str, parameters: dict[str, Any], *, now: datetime) -> None:
    """`instance` is read, not locked: a refund locks subscription and wallet first, the instance last."""
    if rules.is_first_roll_out(instance):
        subscriptions.fail_provisioning(session, instance.id, code=code, parameters=parameters, now=now)
        return
    key = actions.roll_out_key(instance)
    instance = actions.locked(session, instance.id)
    if instance.fenced_at is not None or actions.roll_out_key(instance) != key:
        return  # another wish meanwhile: its own looks tell how that goes
    if wanted.replicas_of(instance) == 0:
        return  # a stop or a suspension that the cluster delays is no outage
    if instance.update_from_version is not None and versions.is_to_blame(code):
        _roll_back(session, instance, code, parameters, now=now)
    elif _is_news(session, instance, actions.mark_outage(session, instance, code=code, parameters=parameters, now=now)):
        told = "app_data_missing" if code == "data_missing" else "instance_outage"
        _tell(session, instance, told, f"instance_outage:{instance.id}:{key}", now=now, reason=code)


def _is_news(session: Session, instance: Instance, fresh: bool) -> bool:
    """A change of plan that does not come up is undone, and the customer is told of that alone."""
    change = subscriptions.change_under_way(session, instance.subscription_id) if fresh else None
    return fresh and (change is None or change.status != PlanChangeStatus.RESIZING)


def _roll_back(session: Session, instance: Instance, code: str, parameters: dict[str, Any], *, now: datetime) -> None:
    failed, key = instance.version, f"instance_update_failed:{instance.id}:{actions.roll_out_key(instance)}"
    actions.roll_back_update(session, instance, code=code, parameters=parameters, now=now)
    facts = {"version": failed, "former_version": instance.version, "reason": code}
    _tell(session, instance, "instance_update_failed", key, now=now, **facts)


def _tell(
    session: Session, instance: Instance, code: str, unique_key: str, *, now: datetime, **parameters: str
) -> None:
    facts = {"service": instance.service_name, "name": instance.name, "instance_id": str(instance.id)}
    notices.tell(
        session,
        customer_id=instance.customer_id,
        code=code,
        parameters=facts | parameters,
        unique_key=unique_key,
        now=now,
    )


def _delete(instance: Instance) -> list[str]:
    """What is left after one more try; a cluster that does not answer leaves everything."""
    try:
        domains = queries.hosts_claimed(db.session(), instance.id)
        db.session.rollback()
        cluster.delete_instance(instance.namespace, instance.name, instance.id, domains=domains)
        return cluster.leftovers(instance.namespace, instance.name, instance.id, domains=domains)
    except (ClusterUnavailable, Refused) as error:
        return [f"{error.code} {error.details}"]


def _record_clean_up(session: Session, instance: Instance, left: list[str], *, now: datetime) -> None:
    assert instance.fenced_at is not None
    if left:
        pause = rules.clean_up_pause(fenced_at=instance.fenced_at, now=now)
        return outbox.again(session, now=now, after=pause, reason=", ".join(left)[:500])
    subscriptions.confirm_clean_up(session, instance.id, now=now)
    return outbox.complete(session, now=now)


def _wait_for_turn() -> None:
    with transaction() as session:
        outbox.again(session, now=clock.now(), after=TURN_PAUSE, reason="another worker is in this namespace")


def _is_under_way(instance: Instance, roll_out: str) -> bool:
    unfinished = instance.fenced_at is None and instance.deadline_at is not None
    return unfinished and actions.roll_out_key(instance) == roll_out


def _pause(instance: Instance, now: datetime) -> timedelta:
    interval = timedelta(seconds=settings().provision_check_interval_s)
    return rules.check_pause(interval=interval, deadline_at=instance.deadline_at or now, now=now)
