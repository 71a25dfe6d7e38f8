"""What breaks in or before the cluster: the money comes back, the slot too, nothing is left, one mail is sent."""

from __future__ import annotations

import urllib.request
from datetime import timedelta

import pytest
import sqlalchemy as sa

from jobs import instances as jobs
from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db
from portal.notices.models import Mail, Notice
from portal.wallet import queries as wallet
from sandbox.kubernetes import ADMIN_TOKEN
from tests.conftest import NOON
from tests.instances.world import CREDIT, again, only_instance, run_instance_work, timeline

PASSING = [
    {"kind": "error", "status": 500},
    {"kind": "error", "status": 503},
    {"kind": "error", "status": 429},
    {"kind": "error", "status": 500, "after": True},
    {"kind": "reset"},
    {"kind": "reset", "after": True},
    {"kind": "hang", "seconds": 1.5, "after": True},
]


def assert_undone(world, person, instance, code):
    """The books, the slot, the cluster and the mail after a first roll-out that failed."""
    instance = again(instance)
    assert (instance.state, instance.failure_code) == ("ERROR", code)
    assert instance.cleaned_up_at is not None
    assert world.labelled(instance) == []
    session = db.session()
    assert wallet.available(session, person.customer_id).amount == CREDIT
    assert session.get_one(Plan, world.plan_id, populate_existing=True).slots_used == 0
    failures = sa.select(sa.func.count()).where(Mail.code == "instance_failed_refunded")
    assert session.scalar(failures) == 1
    assert session.scalar(sa.select(sa.func.count()).where(Notice.code == "instance_ready")) == 0


@pytest.mark.parametrize(
    "ailment, code, within_s",
    [
        ("image-not-found", "image_not_found", 90),
        ("image-denied", "image_not_found", 90),
        ("image-name-invalid", "image_name_invalid", 30),
        ("crash-loop", "crash_loop", 120),
        ("oom-killed", "out_of_memory", 120),
        ("command-missing", "crash_loop", 120),
        ("config-missing", "config_missing", 90),
        ("unschedulable", "no_capacity", 140),
        ("never-ready", "not_ready_in_time", 310),
    ],
)
def test_an_app_that_cannot_come_up_is_refunded_and_removed(world, ayu, ailment, code, within_s):
    world.cluster.add_fault(ailment, namespace="user-*")
    instance = world.buy(ayu.customer)
    world.play()
    assert again(instance).fenced_at - NOON < timedelta(seconds=within_s)
    assert_undone(world, ayu, instance, code)


@pytest.mark.parametrize("ailment", ["image-not-found", "config-missing", "unschedulable"])
def test_a_trouble_that_heals_in_time_is_only_a_step_on_the_way(world, ayu, ailment):
    world.cluster.add_fault(ailment, namespace="user-*")
    instance = world.buy(ayu.customer)
    world.play(for_at_most=timedelta(seconds=30))
    world.cluster.clear_faults()
    world.play()
    assert again(instance).state == "RUNNING"


def test_an_app_larger_than_any_node_is_refunded(world, ayu):
    with_plan = db.session().get_one(Plan, world.plan_id)
    with_plan.cpu_millicores = 64_000
    with_plan.memory_mib = 1_000_000
    db.session().commit()
    instance = world.buy(ayu.customer)
    world.play()
    assert_undone(world, ayu, instance, "no_capacity")


def test_a_definite_refusal_fails_at_once(world, ayu):
    world.cluster.add_fault("error", method="PATCH", path="/persistentvolumeclaims/", status=403)
    instance = world.buy(ayu.customer)
    world.play()
    assert again(instance).fenced_at - NOON < timedelta(seconds=5)
    assert_undone(world, ayu, instance, "refused")


CALLS = [
    ("PATCH", "/namespaces/user-[0-9]+\\?"),
    ("PATCH", "/resourcequotas/"),
    ("PATCH", "/secrets/"),
    ("PATCH", "/persistentvolumeclaims/"),
    ("PATCH", "/deployments/"),
    ("PATCH", "/ingresses/"),
    ("GET", "/pods"),
    ("GET", "/deployments/"),
]
LOST_ANSWER = {"kind": "reset", "after": True}


@pytest.mark.parametrize(
    "method, path, fault",
    [(*call, LOST_ANSWER) for call in CALLS] + [("PATCH", "/deployments/", fault) for fault in PASSING],
)
def test_one_lost_answer_at_any_call_delays_but_does_not_harm(world, ayu, method, path, fault):
    world.cluster.add_fault(method=method, path=path, remaining=1, **fault)
    instance = world.buy(ayu.customer)
    world.play()
    instance = again(instance)
    assert instance.state == "RUNNING"
    assert timeline(instance).count("ready") == 1
    assert len([one for one in world.labelled(instance) if one.startswith("Pod/")]) == 1


@pytest.mark.parametrize("path", ["/deployments", "/persistentvolumeclaims", "/secrets/", "/pods", "/ingresses"])
@pytest.mark.parametrize("fault", [{"kind": "error", "status": 500}, {"kind": "reset", "after": True}])
def test_a_lost_answer_in_the_clean_up_leaves_nothing_behind(world, ayu, path, fault):
    world.cluster.add_fault("image-name-invalid", namespace="user-*")
    world.cluster.add_fault(method="DELETE|GET", path=f"{path}.*", remaining=3, **fault)
    instance = world.buy(ayu.customer)
    world.play()
    assert_undone(world, ayu, instance, "image_name_invalid")


@pytest.mark.parametrize("method", ["PATCH", "GET", ".*"])
def test_a_cluster_that_is_down_past_the_deadline_does_not_keep_the_money(world, ayu, method):
    fault = world.cluster.add_fault("reset", method=method)
    instance = world.buy(ayu.customer)
    world.play(for_at_most=timedelta(minutes=8))
    instance = again(instance)
    assert instance.failure_code == "cluster_unavailable"
    assert timedelta(seconds=300) <= instance.fenced_at - NOON < timedelta(seconds=320)
    assert wallet.available(db.session(), ayu.customer_id).amount == CREDIT
    if method != "PATCH":
        assert instance.cleaned_up_at is None, "an unreachable cluster confirms nothing"
    world.cluster.clear_faults(fault.id)
    world.play(for_at_most=timedelta(hours=3))
    assert_undone(world, ayu, instance, "cluster_unavailable")


def test_a_right_that_is_missing_waits_for_the_operator_until_the_deadline(world, ayu):
    world.cluster.accounts.clear()
    instance = world.buy(ayu.customer)
    world.play(for_at_most=timedelta(minutes=8))
    assert again(instance).failure_code == "cluster_unavailable"


def test_a_namespace_on_its_way_out_is_waited_for(world, ayu):
    world.cluster.create_namespace(ayu.customer.namespace)
    world.cluster.advance(2)
    delete_namespace(world, ayu.customer.namespace)
    instance = world.buy(ayu.customer)
    world.play()
    assert again(instance).state == "RUNNING"


def test_an_app_that_answers_5xx_from_outside_is_not_ready(world, ayu, monkeypatch):
    monkeypatch.setattr(world.cluster, "serve_app", unavailable)
    instance = world.buy(ayu.customer)
    world.play()
    assert "healthy" in timeline(instance)
    assert_undone(world, ayu, instance, "address_silent")


def test_a_second_customer_is_not_disturbed_by_the_first_ones_failure(world, ayu, budi):
    world.cluster.add_fault("crash-loop", namespace=ayu.customer.namespace)
    failing, healthy = world.buy(ayu.customer), world.buy(budi.customer)
    world.play()
    assert again(healthy).state == "RUNNING"
    assert len(world.labelled(healthy)) == 8
    assert again(failing).failure_code == "crash_loop"
    assert world.labelled(failing) == []


def test_after_a_failure_the_customer_can_buy_again(world, ayu):
    fault = world.cluster.add_fault("image-name-invalid", namespace="user-*")
    failed = world.buy(ayu.customer)
    world.play()
    world.cluster.clear_faults(fault.id)
    assert world.buy_running(ayu.customer).id != failed.id
    assert only_instance(ayu.customer_id).state == "RUNNING"


def delete_namespace(world, name):
    """As an administrator would, past the portal."""
    request = urllib.request.Request(
        f"http://{world.dial}/api/v1/namespaces/{name}",
        method="DELETE",
        headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
    )
    urllib.request.urlopen(request, timeout=5).close()


def unavailable(environ, start_response):
    start_response("503 Service Unavailable", [("Content-Length", "0")])
    return [b""]


def test_nothing_happens_twice_when_every_message_runs_twice(world, ayu):
    instance = world.buy(ayu.customer)
    run_instance_work()
    for _ in range(2):
        jobs.provision(str(instance.id))
    world.play()
    for _ in range(2):
        jobs.provision(str(instance.id))
    world.play()
    assert timeline(instance).count("ready") == 1
    assert again(instance).state == "RUNNING"
    assert clock.now() > NOON
