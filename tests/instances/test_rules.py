"""The state table and what a customer may ask for, every combination."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from portal.instances import rules
from portal.instances.models import Instance, InstanceState, WantedState

NOW = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
ALLOWED = {
    "PENDING": "PROVISIONING ERROR TERMINATED",
    "PROVISIONING": "RUNNING STOPPED SUSPENDED ERROR TERMINATED MAINTENANCE",
    "RUNNING": "PROVISIONING STOPPED SUSPENDED ERROR TERMINATED MAINTENANCE",
    "STOPPED": "PROVISIONING SUSPENDED ERROR TERMINATED MAINTENANCE",
    "SUSPENDED": "PROVISIONING STOPPED ERROR TERMINATED MAINTENANCE",
    "ERROR": "PROVISIONING RUNNING STOPPED SUSPENDED TERMINATED MAINTENANCE",
    "MAINTENANCE": "PROVISIONING RUNNING STOPPED SUSPENDED ERROR TERMINATED",
    "TERMINATED": "",
}


def instance(
    state="RUNNING", *, wanted="RUNNING", ready=True, fenced=False, under_way=False, cleaned=False
) -> Instance:
    return Instance(
        state=state, wanted=wanted, ready_at=NOW if ready else None, fenced_at=NOW if fenced else None,
        deadline_at=NOW if under_way else None, cleaned_up_at=NOW if cleaned else None,
    )  # fmt: skip


@pytest.mark.parametrize("origin, target", list(product(InstanceState, InstanceState)))
def test_every_move_is_allowed_or_refused_as_the_table_says(origin, target):
    assert rules.can_move(instance(origin), target) is (target in ALLOWED[origin].split())


@pytest.mark.parametrize("origin, target", list(product(InstanceState, InstanceState)))
def test_a_fenced_instance_only_ends(origin, target):
    if rules.can_move(instance(origin, fenced=True), target):
        assert target in (InstanceState.ERROR, InstanceState.TERMINATED)


EVERYTHING = list(product(InstanceState, WantedState, (True, False), (True, False)))


@pytest.mark.parametrize("state, wanted, ready, fenced", EVERYTHING)
def test_who_may_start_stop_restart_and_delete(state, wanted, ready, fenced):
    one = instance(state, wanted=wanted, ready=ready, fenced=fenced)
    mine = not fenced and state not in ("SUSPENDED", "TERMINATED", "MAINTENANCE")
    assert rules.can_start(one) is (mine and wanted == "STOPPED")
    assert rules.can_stop(one) is (mine and ready and wanted == "RUNNING")
    assert rules.can_restart(one) is (mine and ready and wanted == "RUNNING" and state in ("RUNNING", "ERROR"))
    assert rules.can_delete(one) is (not fenced and ready)
    assert rules.can_see_credentials(one) is (not fenced and ready)


@pytest.mark.parametrize("state, wanted, ready, fenced", EVERYTHING)
def test_what_a_customer_may_ask_the_state_table_allows(state, wanted, ready, fenced):
    one = instance(state, wanted=wanted, ready=ready, fenced=fenced)
    if (state, wanted) == ("STOPPED", "RUNNING") or (state == "PENDING" and ready):
        return  # no action leads here
    if (rules.can_start(one) or rules.can_restart(one)) and state != "PROVISIONING":
        assert rules.can_move(one, InstanceState.PROVISIONING)
    if rules.can_stop(one):
        assert rules.can_move(one, InstanceState.STOPPED)
    if rules.can_delete(one) and state != "TERMINATED":
        assert rules.can_move(one, InstanceState.TERMINATED)


@pytest.mark.parametrize(
    "one, unfinished",
    [
        (instance("PENDING", ready=False), True),
        (instance("PROVISIONING", ready=False, under_way=True), True),
        (instance("RUNNING"), False),
        (instance("RUNNING", wanted="STOPPED", under_way=True), True),
        (instance("STOPPED", wanted="STOPPED"), False),
        (instance("ERROR", under_way=True), True),
        (instance("ERROR", fenced=True), True),
        (instance("ERROR", fenced=True, cleaned=True), False),
        (instance("TERMINATED", fenced=True, cleaned=True), False),
    ],
)
def test_a_page_polls_only_while_something_is_under_way(one, unfinished):
    assert rules.is_unfinished(one) is unfinished


@pytest.mark.parametrize("after_s, pause_s", [(0, 3), (30, 3), (60, 6), (600, 60), (6_000, 600), (10**6, 600)])
def test_the_clean_up_comes_again_slower_and_slower_but_for_ever(after_s, pause_s):
    pause = rules.clean_up_pause(fenced_at=NOW, now=NOW + timedelta(seconds=after_s))
    assert pause == timedelta(seconds=pause_s)


@pytest.mark.parametrize("late_s, pause_s", [(-200, 3), (0, 3), (20, 3), (100, 10), (10**6, 600)])
def test_an_outage_is_watched_slower_and_slower_after_its_deadline(late_s, pause_s):
    pause = rules.check_pause(interval=timedelta(seconds=3), deadline_at=NOW, now=NOW + timedelta(seconds=late_s))
    assert pause == timedelta(seconds=pause_s)


@pytest.mark.parametrize("waited_s, pause_s", [(0, 3), (8, 3), (40, 10), (240, 60), (10**6, 600)])
def test_a_cluster_that_does_not_answer_is_asked_less_and_less(waited_s, pause_s):
    asked = {"interval": timedelta(seconds=3), "since": NOW, "now": NOW + timedelta(seconds=waited_s)}
    assert rules.no_answer_pause(deadline_at=None, **asked) == timedelta(seconds=pause_s)
    assert rules.no_answer_pause(deadline_at=NOW, **asked) == timedelta(seconds=pause_s)


@pytest.mark.parametrize("left_s, pause_s", [(100, 10), (7, 7), (1, 3)])
def test_it_is_asked_once_more_when_the_deadline_comes(left_s, pause_s):
    now = NOW + timedelta(seconds=40)
    asked = {"interval": timedelta(seconds=3), "since": NOW, "now": now}
    pause = rules.no_answer_pause(deadline_at=now + timedelta(seconds=left_s), **asked)
    assert pause == timedelta(seconds=pause_s)
