"""The periodic look at every running app's public address."""

from __future__ import annotations

from jobs import health
from portal.provisioning import cluster
from tests.instances.world import again


def test_an_app_that_answers_is_noted_as_well(world, ayu):
    instance = world.buy_running(ayu.customer)
    assert health.check_apps() == "1 asked, 0 silent"
    assert again(instance).health == "ANSWERS"
    assert again(instance).health_checked_at is not None


def test_a_silent_app_is_noted_and_left_running(world, ayu):
    instance = world.buy_running(ayu.customer)
    cluster.delete_instance(instance.namespace, instance.name, instance.id)
    assert health.check_apps() == "1 asked, 1 silent"
    assert again(instance).health == "SILENT"
    assert again(instance).state == "RUNNING"


def test_an_app_on_its_way_is_not_asked(world, ayu):
    world.buy(ayu.customer)
    assert health.check_apps() == "0 asked, 0 silent"
