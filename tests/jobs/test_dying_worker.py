"""A worker killed anywhere: whoever comes after it brings the story to the very end an undisturbed one has.

Each story is first told undisturbed, which also says where a worker can die: before and after every commit, and
after every call that changes something outside (dying before such a call is dying after the step before it).
Then it is told once per point, with a real process and a real SIGKILL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from portal.catalog import actions as catalog
from portal.core import clock
from portal.core.db import transaction
from portal.core.money import rupiah
from portal.subscriptions import intents
from portal.subscriptions.actions import changing
from portal.wallet import actions as wallet
from tests.books import shop
from tests.conftest import run_due_work
from tests.instances.world import PRICE
from tests.jobs.dying import Point
from tests.jobs.life import Life, open_owner
from tests.payments.counter import Counter
from tests.subscriptions.line import join
from tests.subscriptions.upgrades.stairs import BASIC, CREDIT, PRO, sell_three, subscribe

pytestmark = pytest.mark.slow


def a_settled_top_up_is_told_of(life: Life) -> None:
    counter = Counter(life.outside, open_owner())
    payment = counter.ask(50_000)
    counter.pay(payment)
    counter.receive(life.outside.midtrans.notifications(order_id=counter.order_id(payment))[-1].body)


def credit_comes_for_an_app_that_waits(life: Life) -> None:
    plan, owner = shop.sell(), open_owner()
    with transaction() as session:
        intents.note_intent(session, owner, plan, "MONTHLY", now=clock.now())
    with transaction() as session:
        wallet.adjust(session, owner, rupiah(2 * PRICE), key=uuid4().hex, reason="test", now=clock.now())


def an_app_is_bought_that_the_cluster_refuses(life: Life) -> None:
    life.cluster.add_fault("error", method="PATCH", path="/persistentvolumeclaims/", status=403)
    plan, owner = shop.sell(), open_owner()
    shop.give(owner, 2 * PRICE)
    shop.buy(owner, plan)


def a_plan_is_changed(life: Life) -> None:
    plans, owner = sell_three(), open_owner()
    owned = subscribe(plans[BASIC], owner, credit=CREDIT)
    for _ in range(2):  # it comes up undisturbed
        run_due_work(without=("invoices.render",))
        clock.advance(timedelta(seconds=30))
        life.cluster.advance(30)
    with transaction() as session:
        change = changing.quote(session, owned, owner, plans[PRO], "MONTHLY", now=clock.now())
        changing.confirm(session, change.id, owner, now=clock.now())


def a_plan_is_changed_whose_volume_cannot_grow(life: Life) -> None:
    a_plan_is_changed(life)
    life.cluster.add_fault("error", method="PATCH", path="/persistentvolumeclaims/", status=403)


def slots_come_free_for_those_who_wait(life: Life) -> None:
    """The first starts by itself, the second is asked, the third goes on waiting."""
    plan, payer = shop.sell(slots=1), open_owner()
    with transaction() as session:
        intents.note_intent(session, payer, plan, "MONTHLY", hold=True, now=clock.now())
    shop.give(first := open_owner(), 2 * PRICE)
    for customer in (first, open_owner(), open_owner()):
        join(customer, plan, automatic=customer == first)
        clock.advance(timedelta(milliseconds=1))
    with transaction() as session:
        catalog.set_slots(session, plan, 3)


def credited_once(end: dict[str, Any]) -> None:
    assert _available(end) == ("AVAILABLE", 50_000, 1)
    assert end["entries"] == [("TOP_UP",)]
    assert end["payments"] == [("SETTLED",)]
    assert [document[:2] for document in end["documents"]] == [("RECEIPT", 1)]


def running_once(end: dict[str, Any]) -> None:
    assert _available(end) == ("AVAILABLE", PRICE, 2)
    assert (end["subscriptions"], end["slots"]) == ([("ACTIVE", None)], [(1,)])
    assert end["instances"] == [("RUNNING", None, False)]
    assert [count for kind, count in end["cluster"] if kind == "Pod"] == [1]
    assert end["mails"] == [("instance_ready", "SENT")]


def undone_once(end: dict[str, Any]) -> None:
    assert _available(end) == ("AVAILABLE", 2 * PRICE, 3)
    assert (end["subscriptions"], end["slots"]) == ([("CANCELLED", "provisioning_failed")], [(0,)])
    assert end["instances"] == [("ERROR", "refused", True)]
    assert end["cluster"] == []
    assert end["mails"] == [("instance_failed_refunded", "SENT")]


def changed_once(end: dict[str, Any]) -> None:
    assert _available(end) == ("AVAILABLE", CREDIT - 25_000 - 49_999, 3)  # a minute of the month has gone
    assert end["plan changes"] == [("DONE", None)]
    assert (end["subscriptions"], end["slots"]) == ([("ACTIVE", None)], [(0,), (0,), (1,)])
    assert end["instances"] == [("RUNNING", None, False)]
    assert [count for kind, count in end["cluster"] if kind == "Pod"] == [1]
    assert end["timeline"].count(("volume_grown",)) == 1
    assert end["mails"] == [("instance_ready", "SENT"), ("plan_changed", "SENT")]


def changed_back_once(end: dict[str, Any]) -> None:
    assert _available(end) == ("AVAILABLE", CREDIT - 25_000, 4)
    assert end["plan changes"] == [("ROLLED_BACK", "volume_cannot_grow")]
    assert (end["subscriptions"], end["slots"]) == ([("ACTIVE", None)], [(0,), (0,), (1,)])
    assert end["instances"] == [("RUNNING", None, False)]
    assert [count for kind, count in end["cluster"] if kind == "Pod"] == [1]
    assert end["mails"] == [("instance_ready", "SENT"), ("plan_change_failed", "SENT")]


def served_in_order(end: dict[str, Any]) -> None:
    assert end["queue"] == [("OFFERED", 0), ("SERVED", 0), ("WAITING", 0)]
    assert (end["subscriptions"], end["slots"]) == ([("ACTIVE", None)], [(3,)])
    assert [mail[0] for mail in end["mails"]] == ["instance_ready", "waitlist_offer", "waitlist_served"]


def _available(end: dict[str, Any]) -> tuple[Any, ...]:
    return next(account for account in end["accounts"] if account[0] == "AVAILABLE")


MAILING = ("before mail", "after mail")
Way = tuple[str, ...]
_died_on: set[Way] = set()
"""Ways into a job, up to where a worker has died in a story of this run."""


def worth_dying_at(points: list[Point]) -> list[tuple[int, Point]]:
    """Every point that leaves something behind, and of those that leave only locks (within a transaction) each third.

    A list of manifests is applied one after the other: of those in its middle, which are alike, each fourth. A job that
    went the same way as in a story before leaves the same behind. With `EVERY_POINT=1` in the environment all of them,
    looks at the cluster included.
    """
    numbered = list(enumerate(points))
    if os.environ.get("EVERY_POINT"):
        return numbered
    within = [pair for pair in numbered if _is_within(pair[1])][::3]
    alike = [pair for pair in numbered[1:-1] if all(map(_applied, points[pair[0] - 1 : pair[0] + 2]))]
    left_out = {number for number, point in numbered if _is_within(point) or point.deed.startswith("after GET /api")}
    left_out |= {number for number, _ in set(alike) - set(alike[::4])}
    ways = ways_to(points)
    worth = [pair for pair in numbered if pair in within or pair[0] not in left_out]
    fresh = [pair for pair in worth if ways[pair[0]] not in _died_on]
    _died_on.update(ways[number] for number, _ in fresh)
    return fresh


def ways_to(points: list[Point]) -> list[Way]:
    """For each point the job it belongs to and all that this job has done so far. What is done before a job is at hand
    belongs to the one that is then taken."""
    ways: list[Way] = []
    begun, job = 0, ""
    for number, point in enumerate(points):
        if point.job != job:
            job = point.job
            begun = number if not job else begun
        taken = next((later.job for later in points[number:] if later.job), "")
        ways.append((taken, *(_nameless(one.deed) for one in points[begun : number + 1])))
    return ways


def _nameless(deed: str) -> str:
    return re.sub(r"user-[0-9]+|n8n-[a-z0-9]+|[0-9a-f-]{36}", "…", deed)


def _is_within(point: Point) -> bool:
    return point.deed.startswith("before commit")


def _applied(point: Point) -> bool:
    return point.deed.startswith("after PATCH")


@pytest.mark.parametrize(
    "story, ending",
    [
        (a_settled_top_up_is_told_of, credited_once),
        (credit_comes_for_an_app_that_waits, running_once),
        (an_app_is_bought_that_the_cluster_refuses, undone_once),
        (slots_come_free_for_those_who_wait, served_in_order),
        (a_plan_is_changed, changed_once),
        (a_plan_is_changed_whose_volume_cannot_grow, changed_back_once),
    ],
    ids=lambda function: function.__name__,
)
def test_wherever_the_worker_dies_the_story_ends_the_same(
    life: Life, story: Callable[[Life], None], ending: Callable[[dict[str, Any]], None]
) -> None:
    points, undisturbed = life.tell(story)
    ending(undisturbed)
    assert undisturbed["failed"] == []
    letters = len(life.delivered())
    for number, point in worth_dying_at(points):
        _, end = life.tell(story, die_at=number)
        where = f"died at point {number}: {point.job} {point.deed}"
        assert {key: end[key] for key in end if end[key] != undisturbed[key]} == {}, where
        copies = sorted(life.delivered().values())
        assert len(copies) == letters, where
        # Between the server's "taken" and our own record nobody knows: the mail goes out again, as the same one.
        unknown = point.deed in MAILING or (_is_within(point) and points[number - 1].deed == "after mail")
        assert all(copy == 1 for copy in copies) or (unknown and copies[-1] == 2), where
