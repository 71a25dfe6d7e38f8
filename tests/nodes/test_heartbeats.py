"""Heartbeats: signed, fresh, small, read strictly; a new node is made; never a 5xx on bad input."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from config import settings
from portal.core import clock
from portal.core.db import db, transaction
from portal.nodes import actions
from portal.nodes.models import Node, NodeApp, NodeStatus, VolumeUse
from portal.nodes.rules import status_of

TOKEN = "a-token-of-the-agents-of-this-installation"
URL = "/nodes/heartbeat"


@pytest.fixture
def agents(portal, monkeypatch):
    monkeypatch.setenv("NODE_AGENT_TOKEN", TOKEN)
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def browser(portal, agents):
    portal.config["WTF_CSRF_ENABLED"] = True
    return portal.test_client()


def beat(**more):
    used = {"cpu_millicores": 400, "memory_bytes": 2**30, "storage_bytes": 2**31, "pods": 3}
    return {"node": "node-9", "agent_version": "1", "kubelet_version": "v1.36.2", "used": used} | more


def signed(body, *, token=TOKEN, age_s=0):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    timestamp = str(int(clock.now().timestamp()) - age_s)
    digest = hmac.new(token.encode(), f"{timestamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return {"data": raw, "headers": {"X-Timestamp": timestamp, "X-Signature": f"sha256={digest}"}}


def nodes():
    db.session.rollback()
    return list(db.session().scalars(sa.select(Node).execution_options(populate_existing=True)))


def test_an_unknown_node_appears_as_pending(browser):
    answer = browser.post(URL, **signed(beat()))
    assert (answer.status_code, answer.json) == (200, {"status": "noted"})
    [node] = nodes()
    assert node.used.memory_bytes == 2**30
    assert node.kubelet_version == "v1.36.2"
    assert node.last_heartbeat_at == clock.now()
    assert status_of(node, now=clock.now()) is NodeStatus.PENDING


def test_the_same_report_twice_is_noted_once_and_an_older_one_never(browser):
    once = signed(beat())
    assert browser.post(URL, **once).json == {"status": "noted"}
    assert browser.post(URL, **once).json == {"status": "ignored"}
    assert browser.post(URL, **signed(beat(), age_s=30)).json == {"status": "ignored"}
    clock.advance(timedelta(seconds=30))
    assert browser.post(URL, **signed(beat())).json == {"status": "noted"}
    assert len(nodes()) == 1


@pytest.mark.parametrize("age_s, status", [(59, 200), (61, 403), (-59, 200), (-61, 403)])
def test_the_window_is_a_minute_either_way(browser, age_s, status):
    assert browser.post(URL, **signed(beat(), age_s=age_s)).status_code == status


def test_a_forged_one_is_refused_and_leaves_nothing(browser):
    good = signed(beat())
    attempts = [
        signed(beat(), token="another"),
        good | {"data": good["data"] + b" "},
        good | {"headers": good["headers"] | {"X-Timestamp": "1"}},
        {"data": good["data"]},
        good | {"headers": good["headers"] | {"X-Signature": "sha256=ä"}},
        good | {"headers": {"X-Timestamp": good["headers"]["X-Timestamp"]}},
    ]
    assert [browser.post(URL, **one).status_code for one in attempts] == [403] * len(attempts)
    assert nodes() == []


def test_forgeries_are_counted_and_good_ones_are_not(browser):
    for _ in range(30):
        assert browser.post(URL, **signed(beat(), token="no")).status_code == 403
    assert browser.post(URL, **signed(beat(), token="no")).status_code == 429
    assert browser.post(URL, **signed(beat())).status_code == 200
    for second in range(40):
        answer = browser.post(URL, **signed(beat(node=f"node-{second}")))
        assert answer.status_code == 200


def test_without_a_token_nobody_is_heard(portal):
    settings.cache_clear()
    answer = portal.test_client().post(URL, **signed(beat(), token=""))
    assert answer.status_code == 403
    assert nodes() == []


HOSTILE = [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 30_000, b'{"node": "' + b"a" * 300 + b'"}',
    json.dumps(beat(node="Node")).encode(), json.dumps(beat(node="a\u0000b")).encode(),
    json.dumps(beat(node="a\n")).encode(), json.dumps(beat(node=7)).encode(),
    json.dumps(beat(kubelet_version="\u0000")).encode(), json.dumps(beat(agent_version="x" * 41)).encode(),
    json.dumps(beat(used={"cpu_millicores": -1})).encode(), json.dumps(beat(used={"cpu_millicores": 2**61})).encode(),
    json.dumps(beat(used={"cpu_millicores": "1"})).encode(), json.dumps(beat(used={"cpu_millicores": 1.5})).encode(),
    json.dumps(beat(used=[])).encode(), json.dumps(beat(volumes={})).encode(), json.dumps(beat(volumes=[1])).encode(),
    b'{"node": "node-1", "used": {"cpu_millicores": 1e400}}', b'{"node": "node-1", "used": {"pods": NaN}}',
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_heartbeat_is_400_even_when_signed(browser, body):
    assert browser.post(URL, **signed(body)).status_code == 400
    assert nodes() == []


def test_a_large_body_is_refused_unread(browser):
    assert browser.post(URL, **signed(b"x" * (64 * 1024 + 1))).status_code == 413


def test_a_timestamp_that_is_none_is_refused_even_when_signed(browser):
    for timestamp in ("", "-1", "1e9", "99999999999999999999", "²"):
        raw = json.dumps(beat()).encode()
        digest = hmac.new(TOKEN.encode(), f"{timestamp}.".encode() + raw, hashlib.sha256).hexdigest()
        headers = {"X-Timestamp": timestamp.encode().decode("latin-1"), "X-Signature": f"sha256={digest}"}
        assert browser.post(URL, data=raw, headers=headers).status_code in (400, 403)


def test_made_up_nodes_end_somewhere(browser, monkeypatch):
    monkeypatch.setattr(actions, "UNKNOWN_MAX", 2)
    verdicts = [browser.post(URL, **signed(beat(node=f"made-up-{n}"))).json["status"] for n in range(4)]
    assert verdicts == ["noted", "noted", "ignored", "ignored"]


def test_volumes_count_for_apps_that_the_cluster_says_are_there(browser):
    mine, other = uuid4(), uuid4()
    with transaction() as session:
        for instance_id, node, name in ((mine, "node-9", "mine"), (other, "node-1", "other")):
            session.add(
                NodeApp(namespace="user-1", pod=name, instance_id=instance_id, node_name=node, claim=f"{name}-data",
                        seen_at=clock.now())
            )  # fmt: skip
    volumes = [
        {"namespace": "user-1", "claim": f"{name}-data", "used_bytes": 5, "capacity_bytes": 10}
        for name in ("mine", "other", "unknown")
    ]
    browser.post(URL, **signed(beat(volumes=volumes)))
    clock.advance(timedelta(seconds=30))
    browser.post(URL, **signed(beat(volumes=[volumes[0] | {"used_bytes": 6}])))
    rows = db.session().scalars(sa.select(VolumeUse)).all()
    assert [(row.instance_id, row.used_bytes, row.capacity_bytes) for row in rows] == [(mine, 6, 10)]
