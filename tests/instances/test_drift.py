"""The cluster damaged by hand in every way, found and repaired; what is not safe is told to the operator alone."""

from __future__ import annotations

import copy
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from config import settings
from jobs import drift as job
from jobs import housekeeping
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions, drift
from portal.instances.models import ClusterDrift, InstanceHealthHour, InstanceOutage, InstanceUse
from portal.provisioning import cluster, listing
from portal.provisioning.manifests import MANAGED_KINDS
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.leaks import leaks
from sandbox.kubernetes.kinds import ALL
from tests.instances.rounds import mailed, neighbours
from tests.instances.world import again, next_due, only_instance

RESOURCES = {one.kind: one for one in ALL}
UNKNOWN_ID = "01a1fc5c-0000-7000-8000-000000000000"


@pytest.fixture
def mine(world, ayu):
    instance = world.buy_running(ayu.customer)
    world.pass_time(timedelta(minutes=15))
    align(world)
    return instance


@pytest.fixture
def operator(monkeypatch):
    monkeypatch.setenv("OPERATOR_EMAIL", "operator@example.com")
    settings.cache_clear()


def align(world):
    """The cluster's own clock shows the machine's date: its objects are made as old as the portal's."""
    store = world.cluster.store
    with store.lock:
        for obj in store.objects.values():
            obj["metadata"]["creationTimestamp"] = f"{clock.now() - timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}"


def find(world, instance, kind, name=""):
    """The stored object of a kind; of several the one of that name."""
    items = world.cluster.store.list(RESOURCES[kind], "" if kind == "Namespace" else instance.namespace)
    named = {one["metadata"]["name"]: one for one in items}
    wanted = {"Namespace": instance.namespace, "PersistentVolumeClaim": f"{instance.name}-data"}.get(
        kind, instance.name
    )
    return named[name or wanted]


def damage(world, instance, kind, name="", **places):
    """Another value at places such as `spec__replicas`, written behind the portal's back."""
    with world.cluster.store.lock:
        body = copy.deepcopy(find(world, instance, kind, name))
        for place, value in places.items():
            *path, last = [int(part) if part.isdigit() else part for part in place.split("__")]
            node = body
            for part in path:
                node = node[part]
            node[last] = value
        world.cluster.store.update(RESOURCES[kind], body)


def take_away(world, instance, kind, name=""):
    with world.cluster.store.lock:
        world.cluster.store.remove(RESOURCES[kind], copy.deepcopy(find(world, instance, kind, name)))


def plant(world, instance, kind, name, labels):
    """Somebody's object under our label, in the app's namespace."""
    with world.cluster.store.lock:
        body = {"PersistentVolumeClaim": lambda: copy.deepcopy(find(world, instance, kind))}.get(kind, dict)()
        meta = {"name": name, "namespace": instance.namespace, "uid": name}
        meta["creationTimestamp"] = f"{clock.now() - timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}"
        meta["labels"] = {"app.kubernetes.io/managed-by": "minispod", **labels}
        world.cluster.store.add(RESOURCES[kind], {"spec": {}} | body | {"metadata": meta})


def known(*, resolved=False):
    """`KIND object` of every row, open ones unless asked for the others."""
    db.session.rollback()
    statement = sa.select(ClusterDrift).order_by(ClusterDrift.object)
    rows = db.session().scalars(statement.execution_options(populate_existing=True))
    return [f"{one.kind} {one.object}" for one in rows if (one.resolved_at is not None) is resolved]


def look_again(world, hours=1):
    """An hour passes, and the job runs; the cluster's objects age along."""
    result = {}
    for _ in range(hours):
        world.pass_time(timedelta(hours=1))
        align(world)
        result = job.reconcile()
    return result


DAMAGES = [
    ("ResourceQuota", "plan", {"spec__hard__pods": "99"}),
    ("LimitRange", "defaults", {"spec__limits__0__default__cpu": "3"}),
    ("NetworkPolicy", "default-deny", {"spec__policyTypes": ["Ingress"]}),
    ("ConfigMap", "", {"data__n8n.N8N_PORT": "1"}),
    ("Deployment", "", {"spec__replicas": 0}),
    ("Deployment", "", {"spec__template__spec__containers__0__image": "evil:1"}),
    ("Service", "", {"spec__ports__0__targetPort": 1}),
    ("Ingress", "", {"spec__rules__0__host": "evil.example"}),
    ("Namespace", "", {"metadata__labels__pod-security.kubernetes.io/enforce": "privileged"}),
]


def test_an_app_as_wanted_shows_nothing(world, mine):
    assert job.reconcile() == {"judged": 1, "differences": 0, "repairs": 0, "held": 0, "leaks": 0}
    assert known() == []


@pytest.mark.parametrize("kind, name, places", DAMAGES, ids=lambda value: value if isinstance(value, str) else "")
def test_every_kind_changed_is_found_and_repaired(world, mine, kind, name, places):
    damage(world, mine, kind, name, **places)
    assert job.reconcile()["repairs"] == 1
    assert [one.split("/")[0] for one in known()] == [f"CHANGED {kind}"]
    world.play()
    assert look_again(world)["differences"] == 0
    assert known() == []
    assert len(known(resolved=True)) == 1
    assert again(mine).state == "RUNNING"


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, name, _ in DAMAGES if kind not in ("Namespace",)])
def test_every_kind_missing_is_found_and_made_anew(world, mine, kind, name):
    take_away(world, mine, kind, name)
    assert job.reconcile()["repairs"] == 1
    assert [one.split("/")[0] for one in known()] == [f"MISSING {kind}"]
    world.play()
    assert look_again(world)["differences"] == 0


def test_an_app_scaled_up_while_it_is_stopped_is_stopped_again(world, mine):
    with transaction() as session:
        actions.stop(session, mine.id, now=clock.now())
    world.play()
    damage(world, mine, "Deployment", spec__replicas=1)
    look_again(world)
    world.play()
    assert world.deployment(mine)["spec"]["replicas"] == 0


@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "Namespace"])
def test_data_that_is_gone_is_told_and_never_made_anew(world, mine, operator, kind):
    take_away(world, mine, kind)
    take_away(world, mine, "Service")
    result = job.reconcile()
    assert (result["differences"], result["repairs"]) == (2, 0)
    assert next_due() is None
    assert f"MISSING {kind}/" in mailed("alert_cluster_drift")[0].parameters["first"]


def test_no_start_puts_an_empty_volume_in_place_of_a_missing_one(world, mine):
    kept = copy.deepcopy(find(world, mine, "PersistentVolumeClaim"))
    take_away(world, mine, "PersistentVolumeClaim")
    with transaction() as session:
        actions.stop(session, mine.id, now=clock.now())
    world.play()
    assert again(mine).state == "STOPPED"
    with transaction() as session:
        actions.start(session, mine.id, now=clock.now())
    world.play()
    assert (again(mine).state, again(mine).failure_code) == ("ERROR", "data_missing")
    assert "PersistentVolumeClaim" not in {name.split("/")[0] for name in world.labelled(mine)}
    assert len(mailed("app_data_missing")) == 1
    world.cluster.store.add(RESOURCES["PersistentVolumeClaim"], kept)
    world.play()
    assert again(mine).state == "RUNNING"


def test_a_volume_larger_than_sold_is_no_drift(world, mine):
    damage(world, mine, "PersistentVolumeClaim", spec__resources__requests__storage="50Gi")
    assert job.reconcile()["differences"] == 0


def test_an_app_that_rolls_out_is_left_alone_and_what_was_known_stays(world, mine):
    damage(world, mine, "Service", spec__ports__0__targetPort=1)
    job.reconcile()
    with transaction() as session:
        actions.restart(session, mine.id, now=clock.now())
    assert job.reconcile()["judged"] == 0
    assert known() == [f"CHANGED Service/{mine.name}"]


def test_an_app_that_was_changed_while_the_cluster_was_listed_is_not_judged(world, mine):
    listed_at = clock.now()
    live = listing.read_all()
    with transaction() as session:
        actions.stop(session, mine.id, now=clock.now())
    world.play(for_at_most=timedelta(minutes=1))
    assert again(mine).state == "STOPPED"
    with transaction() as session:
        found = drift.survey(session, live, listed_at=listed_at)
    assert (found.judged, found.sightings) == (0, [])


def test_a_young_object_is_not_judged(world, mine):
    damage(world, mine, "Service", spec__ports__0__targetPort=1)
    damage(world, mine, "Service", metadata__creationTimestamp=f"{clock.now():%Y-%m-%dT%H:%M:%SZ}")
    assert job.reconcile()["differences"] == 0


# --- what nobody wants --------------------------------------------------------------------------------------


def test_what_a_gone_app_left_behind_is_removed(world, mine):
    with transaction() as session:
        subscriptions.delete_instance(session, mine.id, now=clock.now())
    world.play()
    assert again(mine).cleaned_up_at is not None
    labels = {"minispod.io/instance": str(mine.id), "minispod.io/customer": str(mine.customer_id)}
    plant(world, mine, "ConfigMap", "left-behind", labels)
    assert job.reconcile()["repairs"] == 1
    world.play()
    assert world.labelled(mine) == []
    assert look_again(world)["differences"] == 0


@pytest.mark.parametrize(
    "kind, labels",
    [
        ("PersistentVolumeClaim", {"minispod.io/instance": UNKNOWN_ID}),
        ("Service", {"minispod.io/instance": "not-an-id"}),
        ("NetworkPolicy", {"minispod.io/customer": UNKNOWN_ID}),
    ],
)
def test_what_belongs_to_nobody_we_know_is_told_and_never_deleted(world, mine, operator, kind, labels):
    plant(world, mine, kind, "stray", labels)
    for _ in range(3):
        result = look_again(world)
    assert (result["differences"], result["repairs"]) == (1, 0)
    assert find(world, mine, kind, "stray")
    assert known() == [f"ORPHAN {kind}/stray"]
    assert len(mailed("alert_cluster_drift")) == 1
    assert f"ORPHAN {kind}/stray" in mailed("alert_cluster_drift")[0].parameters["first"]


def test_a_stray_object_of_a_living_app_is_told_and_kept(world, mine):
    plant(world, mine, "Ingress", "second-door", {"minispod.io/instance": str(mine.id)})
    assert job.reconcile()["repairs"] == 0
    assert known() == ["ORPHAN Ingress/second-door"]


def test_an_empty_namespace_with_its_walls_is_nobodys_business(world, mine):
    with transaction() as session:
        subscriptions.delete_instance(session, mine.id, now=clock.now())
    world.play()
    assert look_again(world)["differences"] == 0


# --- no verdict, and too much at once -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "hang", "seconds": 1.5},
        {"kind": "error", "status": 500},
        {"kind": "error", "status": 403},
        {"kind": "error", "status": 410, "path": "/ingresses"},
        {"kind": "absent", "path": "networking.k8s.io"},
    ],
)
def test_half_a_list_is_no_verdict(world, mine, fault):
    damage(world, mine, "Service", spec__ports__0__targetPort=1)
    job.reconcile()
    world.play()
    world.cluster.add_fault(**{"path": "/configmaps"} | fault)
    take_away(world, mine, "Deployment")
    assert job.reconcile() == "no verdict: the cluster did not answer"
    assert known() == [f"CHANGED Service/{mine.name}"]


def test_lists_are_read_in_pages(world, mine, monkeypatch):
    neighbours(world, 2)
    monkeypatch.setattr(listing, "PAGE_SIZE", 1)
    whole = listing.read_all()
    monkeypatch.setattr(listing, "PAGE_SIZE", 500)
    assert whole.keys() == listing.read_all().keys()
    assert {name.split("/")[0] for _, name in whole} == {one.kind for one in listing.COMPARED_KINDS}
    assert "Secret" in {kind.kind for kind in MANAGED_KINDS if not kind.listable}


def test_two_runs_at_once_note_and_repair_once(world, mine, app):
    damage(world, mine, "Service", spec__ports__0__targetPort=1)
    live, listed_at, moment = listing.read_all(), clock.now(), clock.now()
    barrier, queued = threading.Barrier(2), []

    def run():
        with app.app_context():
            with transaction() as session:
                found = drift.survey(session, live, listed_at=listed_at)
                barrier.wait()
                actions.record_drift(session, found, now=moment)
                queued.extend(actions.repair_drift(session, found, now=moment).queued)
            db.session.remove()

    db.session.rollback()
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queued == [mine.id]
    assert known() == [f"CHANGED Service/{mine.name}"]


def test_many_apps_at_once_wait_for_a_persons_word(world, mine, operator, monkeypatch):
    monkeypatch.setattr("portal.instances.actions.drifting.WIDE_MIN", 1)
    others = neighbours(world, 1)
    world.pass_time(timedelta(minutes=15))
    align(world)
    for instance in (mine, *others):
        damage(world, instance, "Service", spec__ports__0__targetPort=1)
    result = job.reconcile()
    assert (result["held"], result["repairs"]) == (2, 0)
    assert mailed("alert_cluster_drift")[0].parameters["held"] == 2
    answer = world_cli("instances", "drift", "--repair")
    assert answer.exit_code == 1
    assert "2 repairs queued" in answer.output
    world.play()
    assert look_again(world)["differences"] == 0


def test_a_repair_that_the_cluster_refuses_leaves_the_app_running(world, mine, operator):
    damage(world, mine, "Service", spec__ports__0__targetPort=1)
    world.cluster.add_fault("error", method="PATCH", path="/services/", status=422)
    job.reconcile()
    world.play()
    assert again(mine).state == "RUNNING"
    assert again(mine).failure_code is None
    assert known() == [f"CHANGED Service/{mine.name}"]
    look_again(world, hours=4)
    assert "CHANGED Service/" in mailed("alert_cluster_drift")[0].parameters["first"]


# --- by hand, leaks, and what is kept -------------------------------------------------------------------------


def world_cli(*arguments):
    from flask import current_app

    return current_app.test_cli_runner().invoke(args=arguments)


def test_the_command_names_differences_and_changes_nothing(world, mine):
    take_away(world, mine, "Ingress")
    answer = world_cli("instances", "drift")
    assert answer.exit_code == 1
    assert f"Ingress/{mine.name}" in answer.output
    assert (known(), next_due()) == ([], None)


def test_the_command_says_when_all_is_well_and_when_nobody_answers(world, mine):
    answer = world_cli("instances", "drift")
    assert (answer.exit_code, answer.output) == (0, "1 apps, 0 differences, 0 repairs queued\n")
    world.cluster.add_fault("error", path="/ingresses", status=503)
    assert "no verdict" in world_cli("instances", "drift").output


def test_a_slot_that_a_broken_clean_up_holds_is_told(world, mine, operator):
    world.cluster.add_fault("error", method="DELETE", status=500)
    with transaction() as session:
        subscriptions.delete_instance(session, mine.id, now=clock.now())
    assert list(leaks(db.session(), now=clock.now())) == []
    world.pass_time(timedelta(days=1, minutes=1))
    assert job.reconcile()["leaks"] == 1
    assert "is not cleaned up" in mailed("alert_cluster_drift")[0].parameters["first"]


def test_a_subscription_without_an_app_and_an_app_without_one_are_told(world, ayu):
    instance = world.buy_running(ayu.customer)
    with transaction() as session:
        actions.fence(session, instance.id, now=clock.now())
    clock.advance(timedelta(hours=2))
    assert [line.split()[0] for line in leaks(db.session(), now=clock.now())] == ["subscription"]
    other = neighbours(world, 1)[0]
    with transaction() as session:
        session.execute(
            sa.text("UPDATE subscription SET status = 'CANCELLED', ended_at = now(), due_at = NULL WHERE id = :id"),
            {"id": other.subscription_id},
        )
    assert f"app {other.name} runs although its subscription has ended" in list(leaks(db.session(), now=clock.now()))


def test_old_history_goes_and_outages_stay(world, mine):
    now = clock.now()
    with transaction() as session:
        for days in (399, 401):
            hour = now - timedelta(days=days)
            session.add(InstanceHealthHour(instance_id=mine.id, hour=hour, asked=1, answered=1))
        for days in (7, 9):
            when = now - timedelta(days=days)
            session.add(InstanceUse(instance_id=mine.id, measured_at=when, cpu_millicores=1, memory_mib=1))
        session.add(InstanceOutage(instance_id=mine.id, began_at=now - timedelta(days=2000), ended_at=now))
        for days in (89, 91):
            row = {"found_at": now - timedelta(days=days), "seen_at": now, "resolved_at": now - timedelta(days=days)}
            session.add(ClusterDrift(kind="MISSING", namespace="user-1", object=f"Service/{days}", **row))
    housekeeping.clean_up()
    kept = [db.session().scalar(sa.select(sa.func.count()).select_from(table))
            for table in (InstanceHealthHour, InstanceUse, InstanceOutage, ClusterDrift)]  # fmt: skip
    assert kept == [1, 1, 1, 1]
    assert only_instance(mine.customer_id).id == mine.id
    assert cluster.leftovers(mine.namespace, mine.name, mine.id) != []
