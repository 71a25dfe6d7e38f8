"""How a node stands, whether what is for sale fits, where pods could go: rules alone."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from portal.core.db import db, transaction
from portal.core.ids import new_id
from portal.nodes import queries, rules
from portal.nodes.models import Node, NodeStatus
from portal.nodes.rules import Offer, Place
from portal.provisioning.nodes import Amounts, PodFound

NOW = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GIB = 2**30


def a_node(**more) -> Node:
    facts = {"ready": True, "unschedulable": False, "synced_at": NOW - 60 * SECOND, "labels": {}, "taints": []}
    return Node(**({"id": new_id(), "name": f"n-{new_id()}", "first_seen_at": NOW} | facts | more))


@pytest.mark.parametrize(
    "facts, status",
    [
        ({}, NodeStatus.ACTIVE),
        ({"ready": False}, NodeStatus.NOT_READY),
        ({"unschedulable": True}, NodeStatus.INACTIVE),
        ({"gone_at": NOW}, NodeStatus.INACTIVE),
        ({"synced_at": None}, NodeStatus.PENDING),
        ({"maintenance_since": NOW, "ready": False}, NodeStatus.MAINTENANCE),
        ({"last_heartbeat_at": NOW - 89 * SECOND}, NodeStatus.ACTIVE),
        ({"last_heartbeat_at": NOW - 91 * SECOND}, NodeStatus.NOT_READY),
        ({"last_heartbeat_at": NOW - 151 * SECOND}, NodeStatus.ACTIVE),  # the cluster vouched for it since
        ({"last_heartbeat_at": NOW - 91 * SECOND, "maintenance_since": NOW}, NodeStatus.MAINTENANCE),
    ],
)
def test_how_a_node_stands(facts, status):
    assert rules.status_of(a_node(**facts), now=NOW) is status


@pytest.mark.parametrize("age_s, online", [(0, True), (89, True), (90, False), (3600, False)])
def test_ninety_seconds_of_silence_is_offline(age_s, online):
    assert rules.is_online(NOW - age_s * SECOND, now=NOW) is online
    assert not rules.is_online(None, now=NOW)


def test_sql_says_of_every_node_what_the_rule_says(portal):
    ages = (None, 0, 89, 90, 91, 150, 151, 3600)
    nodes = []
    for ready, cordoned, maintenance, gone, synced, heard in itertools.product(
        (True, False), (True, False), (None, 0), (None, 0), (None, 0, 60, 300), ages
    ):
        nodes.append(
            a_node(
                ready=ready,
                unschedulable=cordoned,
                maintenance_since=_ago(maintenance),
                gone_at=_ago(gone),
                synced_at=_ago(synced),
                last_heartbeat_at=_ago(heard),
            )
        )
    expected = {
        node.id: (rules.status_of(node, now=NOW), rules.is_online(node.last_heartbeat_at, now=NOW)) for node in nodes
    }
    with transaction() as session:
        session.add_all(nodes)
    rows = db.session().execute(sa.select(Node.id, queries.status(NOW), queries.online(NOW)))
    assert {row[0]: (row[1], row[2]) for row in rows} == expected


def _ago(seconds):
    return None if seconds is None else NOW - seconds * SECOND


# --- room


def offer(unsold, *, cpu=100, memory=GIB, name="n8n Basic"):
    return Offer(name, Amounts(cpu, memory, 0, 1), unsold)


def room(cpu=1000, memory=8 * GIB, pods=110):
    return Amounts(cpu, memory, 0, pods)


def test_what_fits_is_not_oversold():
    found = rules.overselling([offer(8)], [room(), room()])
    assert not found.is_oversold
    assert found.offers[0].fits == 16


@pytest.mark.parametrize(
    "rooms, short",
    [
        ([room(cpu=700)], ["cpu"]),
        ([room(memory=7 * GIB)], ["memory"]),
        ([room(pods=7)], ["pods"]),
        ([], ["cpu", "memory", "pods"]),
        ([room(memory=-GIB)], ["memory"]),
    ],
)
def test_what_is_short_is_named(rooms, short):
    found = rules.overselling([offer(8)], rooms)
    assert found.short == short
    assert found.is_oversold


def test_room_in_pieces_too_small_is_no_room():
    large = offer(1, memory=6 * GIB)
    found = rules.overselling([large], [room(memory=4 * GIB), room(memory=4 * GIB)])
    assert found.short == []
    assert found.offers[0].short == 1
    assert found.is_oversold


def test_plans_without_free_slots_ask_for_nothing():
    assert not rules.overselling([offer(0)], []).is_oversold


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 4000), st.integers(1, 2**34))), st.integers(0, 5))
def test_adding_a_node_never_makes_it_worse(plans, count):
    offers = [
        Offer(str(index), Amounts(cpu, memory, 0, 1), unsold) for index, (unsold, cpu, memory) in enumerate(plans)
    ]
    rooms = [room()] * count
    before, after = rules.overselling(offers, rooms), rules.overselling(offers, [*rooms, room()])
    assert set(after.short) <= set(before.short)
    assert sum(one.short for one in after.offers) <= sum(one.short for one in before.offers)


# --- where pods could go


def pod(uid, memory=GIB, claims=()):
    return PodFound(
        "user-1", f"pod-{uid}", uid, claims=claims, requests=Amounts(100, memory, 0, 1), controller="ReplicaSet"
    )


def test_each_pod_goes_to_the_emptiest_place_and_takes_its_room():
    places = [Place("a", room(memory=3 * GIB), "a"), Place("b", room(memory=2 * GIB), "b")]
    found = rules.plan([pod("1", 2 * GIB), pod("2", 2 * GIB), pod("3", 2 * GIB)], places, {})
    assert found == {"1": "a", "2": "b", "3": ""}


def test_a_pod_goes_where_its_volume_can_be_reached():
    places = [Place("a", room(), "host-a"), Place("b", room(memory=9 * GIB), "host-b")]
    bound = pod("1", claims=("data",))
    assert rules.plan([bound], places, {}) == {"1": "b"}
    assert rules.plan([bound], places, {("user-1", "data"): frozenset({"host-a"})}) == {"1": "a"}
    assert rules.plan([bound], places, {("user-1", "data"): frozenset({"host-c"})}) == {"1": ""}
