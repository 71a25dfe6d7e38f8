"""A roll-out from order to running, and what may go wrong in the cluster on the way."""

from __future__ import annotations

from tests.instances.world import again, timeline


def test_an_ordered_app_comes_up_and_its_address_answers(world, ayu):
    instance = world.buy(ayu.customer)
    assert instance.state == "PENDING"
    world.play()
    instance = again(instance)
    assert instance.state == "RUNNING"
    assert instance.deadline_at is None
    assert timeline(instance) == [
        "ordered", "provisioning_started", "applied", "scheduled", "started", "healthy", "ready",
    ]  # fmt: skip
