"""Carries a confirmed change of plan out, or back: one step, then it comes again until nothing is left to do.

| the change is | what is done | and then |
|---|---|---|
| RESIZING | `jobs.instances` rolls the apps out in their new size; here that is watched | the volumes' turn |
| RESIZING, volumes' turn | each claim is asked to grow, until it has | DONE |
| either | the cluster refuses, an app does not come up, or the time is up | ROLLING_BACK, refunded |
| ROLLING_BACK | `jobs.instances` rolls them out in the size before; here that is watched | ROLLED_BACK |

Every step may run twice or die at any line: what it did is read from the rows and from the cluster, never remembered.
An answer in doubt is looked at again. A refund is never waited for, and a slot is never freed on hope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import settings
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.instances import actions as instances
from portal.instances import wanted
from portal.instances.models import Instance
from portal.instances.rules import check_pause
from portal.provisioning import cluster, reconcile
from portal.provisioning.errors import ClusterUnavailable, Refused
from portal.provisioning.turns import turn
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.actions import changing
from portal.subscriptions.models import PlanChange, PlanChangeStatus
from portal.subscriptions.rules import changes

AT_ONCE = timedelta(0)
CLAIM = "PersistentVolumeClaim"
ROOM = ("Namespace", "ResourceQuota")


@dataclass(frozen=True)
class Growth:
    """How asking for larger volumes went; `final` is the cluster's definite no, for `code`."""

    done: bool = False
    code: str = "volume_cannot_grow"
    final: bool = False


def carry_out(change_id: str) -> None:
    """Does the step that is due for a change under way; one that has ended is left alone."""
    change = _read(change_id)
    if change is None or not changes.blocks_renewal(change.status):
        return None
    if change.status == PlanChangeStatus.ROLLING_BACK:
        return _watch_way_back(change)
    if change.volumes_at is None:
        return _watch_roll_outs(change)
    return _grow_volumes(change)


def repair() -> str:
    """Every ten minutes: queues work again for changes whose own was used up."""
    with transaction() as session:
        found = subscriptions.forgotten(session)
        for change_id in found:
            outbox.enqueue(session, "plan_changes.carry_out", change_id=change_id)
    return f"{len(found)} resumed"


def _read(change_id: str) -> PlanChange | None:
    """The change as it is now, detached."""
    session = db.session()
    change = session.get(PlanChange, UUID(change_id), populate_existing=True)
    if change is not None:
        session.expunge(change)
    session.rollback()
    return change


def _watch_roll_outs(change: PlanChange) -> None:
    """`jobs.instances` drives each app's roll-out, with its deadline; here they are counted."""
    assert change.confirmed_at is not None
    with transaction() as session:
        now, apps = clock.now(), _apps(session, change)
        code = changes.failure(apps, late=now >= change.confirmed_at + _time_allowed())
        if code is not None:
            changing.roll_back(session, change.id, code=code, now=now)
        elif changes.all_resized(apps):
            changing.begin_volumes(session, change.id, now=now)
        else:
            return outbox.again(session, now=now, after=_pause())
        outbox.again(session, now=now, after=AT_ONCE)
    return None


def _grow_volumes(change: PlanChange) -> None:
    """Asks until every claim has grown. A refusal is final; silence is, when the time is up."""
    assert change.volumes_at is not None
    growth = _ask_for_growth(change)
    with transaction() as session:
        now = clock.now()
        if growth.done:
            changing.record_done(session, change.id, now=now)
            return outbox.complete(session, now=now)
        if growth.final or now >= change.volumes_at + _time_allowed():
            changing.roll_back(session, change.id, code=growth.code, now=now)
            return outbox.again(session, now=now, after=AT_ONCE)
        return outbox.again(session, now=now, after=_pause())


def _ask_for_growth(change: PlanChange) -> Growth:
    try:
        grown = [_grow(app) for app in _growing(change)]
        return Growth(done=all(grown))
    except Refused as refusal:
        return Growth(code="quota" if refusal.over_quota else "volume_cannot_grow", final=True)
    except ClusterUnavailable:
        return Growth(code="cluster_unavailable")


def _growing(change: PlanChange) -> list[Instance]:
    """The apps whose volume is wanted larger than it was, detached."""
    session = db.session()
    apps = [app for app in _apps(session, change) if app.storage_gib > _storage_before(change, app)]
    _let_go(session, apps)
    return apps


def _grow(app: Instance) -> bool:
    """Whether its volume is as large as wanted. Room in the namespace first, then the claim."""
    with turn(app.namespace) as mine:
        if not mine:
            return False
        with transaction() as session:
            present = instances.locked(session, app.id)
            manifests = wanted.manifests(session, present, secrets=instances.complete_secrets(session, present))
        cluster.apply(manifest for manifest in manifests if manifest["kind"] in ROOM)
        return cluster.grow_claim(next(one for one in manifests if one["kind"] == CLAIM)).grown


def _watch_way_back(change: PlanChange) -> None:
    """The new plan's slot is free once nothing of its size runs any more, whether the apps are well or not."""
    session = db.session()
    apps = list(_apps(session, change))
    _let_go(session, apps)
    try:
        back = all(_is_back(app) for app in apps)
        volumes_gib = {app.id: _volume_gib(app) for app in apps} if back else {}
    except (ClusterUnavailable, Refused):
        back, volumes_gib = False, {}
    with transaction() as recording:
        now = clock.now()
        if not back:
            return outbox.again(recording, now=now, after=_slower(apps, now))
        changing.record_back(recording, change.id, volumes_gib, now=now)
        return outbox.complete(recording, now=now)


def _is_back(app: Instance) -> bool:
    restarted_at = app.restarted_at.isoformat() if app.restarted_at else ""
    wish = reconcile.Wanted(replicas=wanted.replicas_of(app), restarted_at=restarted_at)
    return reconcile.is_replaced(cluster.observe(app.namespace, app.name, app.id), wish)


def _volume_gib(app: Instance) -> int:
    claim = cluster.observe_claim(app.namespace, app.name)
    return claim.asked_gib if claim is not None else app.storage_gib


def _apps(session: Session, change: PlanChange) -> Sequence[Instance]:
    """The apps that the change is about, as they are now."""
    mine = (Instance.subscription_id == change.subscription_id, Instance.fenced_at.is_(None))
    statement = select(Instance).where(*mine).order_by(Instance.id)
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def _let_go(session: Session, apps: Sequence[Instance]) -> None:
    """What is decided from them does not change while the network is slow."""
    for app in apps:
        session.expunge(app)
    session.rollback()


def _storage_before(change: PlanChange, app: Instance) -> int:
    return change.before["apps"].get(str(app.id), {}).get("storage_gib", app.storage_gib)


def _time_allowed() -> timedelta:
    return timedelta(seconds=settings().resize_timeout_s)


def _pause() -> timedelta:
    return timedelta(seconds=settings().provision_check_interval_s)


def _slower(apps: Sequence[Instance], now: datetime) -> timedelta:
    """An outage is watched, not hammered."""
    deadline_at = max((app.deadline_at for app in apps if app.deadline_at is not None), default=now)
    return check_pause(interval=_pause(), deadline_at=deadline_at, now=now)
