"""An app whose template is gone is still stopped, suspended and deleted: for that nobody has to know how it runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.db import transaction
from portal.instances import actions
from portal.instances.models import Instance
from tests.instances.world import again
from tests.subscriptions.shop import templates


@pytest.fixture
def lost(world, ayu, monkeypatch) -> Instance:
    """A running n8n; then the files that describe n8n are gone."""
    instance = world.buy_running(ayu.customer)
    assert world.deployment(instance)["spec"]["replicas"] == 1
    rest = {slug: one for slug, one in templates().items() if slug != "n8n"}
    monkeypatch.setattr("portal.catalog.templates.of_files", lambda: rest)
    monkeypatch.setattr("portal.catalog.templates._kept", None)
    return instance


def do(verb, instance, **facts):
    with transaction() as session:
        verb(session, instance.id, now=clock.now(), **facts)


@pytest.mark.parametrize(("verb", "state"), [(actions.stop, "STOPPED"), (actions.suspend, "SUSPENDED")])
def test_it_goes_to_zero_and_keeps_its_volume(world, lost, verb, state):
    do(verb, lost)
    world.play()
    assert world.deployment(lost)["spec"]["replicas"] == 0
    assert again(lost).state == state
    assert any(one.startswith("PersistentVolumeClaim/") for one in world.labelled(lost))
    assert not any(one.startswith("Pod/") for one in world.labelled(lost))


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 500, "after": True}])
def test_a_stop_that_the_cluster_does_not_answer_is_tried_again(world, lost, fault):
    world.cluster.add_fault("error", method="PATCH", path="/deployments/", remaining=1, **fault)
    do(actions.stop, lost)
    world.play()
    assert again(lost).state == "STOPPED"
    assert world.deployment(lost)["spec"]["replicas"] == 0


def test_started_again_it_says_what_is_wrong(world, lost):
    do(actions.stop, lost)
    world.play()
    do(actions.start, lost)
    world.play(for_at_most=timedelta(minutes=10))
    assert (again(lost).state, again(lost).failure_code) == ("ERROR", "app_unknown")


def test_deleted_it_leaves_nothing(world, lost):
    with transaction() as session:
        actions.fence(session, lost.id, now=clock.now())
    world.play()
    assert world.labelled(lost) == []
    assert again(lost).cleaned_up_at is not None
