"""The shipped agent: what it says is taken, its role is enough, and a silent kubelet keeps it from nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from config import settings
from jobs import nodes as job
from portal.core import clock
from portal.core.db import db
from portal.nodes import heartbeats
from portal.nodes.models import Node, VolumeUse
from sandbox.agents import load_program
from sandbox.kubernetes import AGENT_TOKEN, service_account
from tests.nodes.test_heartbeats import TOKEN, URL

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "agent"
agent = load_program()


def documents():
    return {one["kind"]: one for one in yaml.safe_load_all((FOLDER / "daemonset.yaml").read_text())}


def shipped_rights():
    rules = documents()["ClusterRole"]["rules"]
    return [(group, " ".join(one["resources"]), " ".join(one["verbs"])) for one in rules for group in one["apiGroups"]]


@pytest.fixture
def given(world, tmp_path, monkeypatch):
    """Its settings on the stand-in, with the shipped role and no other rights."""
    monkeypatch.setenv("NODE_AGENT_TOKEN", TOKEN)
    settings.cache_clear()
    world.cluster.accounts[AGENT_TOKEN] = service_account("minispod-system", "minispod-agent", shipped_rights())
    (tmp_path / "token").write_text(AGENT_TOKEN + "\n")
    api = f"http://{world.dial}"
    yield {
        "PORTAL_URL": "http://127.0.0.1:9", "NODE_AGENT_TOKEN": TOKEN, "NODE_NAME": "node-1", "API_URL": api,
        "KUBELET_URL": f"{api}/kubelets/node-1", "ACCOUNT_DIR": str(tmp_path),
    }  # fmt: skip
    settings.cache_clear()


def deliver(portal, monkeypatch, options, body):
    """What it would post, handed to the portal."""
    sent = {}

    def post(request, timeout):
        sent.update(data=request.data, headers=dict(request.header_items()))
        raise OSError("caught")

    monkeypatch.setattr(agent.urllib.request, "urlopen", post)
    with pytest.raises(OSError, match="caught"):
        agent.send(options, body, now_s=clock.now().timestamp())
    monkeypatch.undo()
    monkeypatch.setenv("NODE_AGENT_TOKEN", TOKEN)
    settings.cache_clear()
    return portal.test_client().post(URL, data=sent["data"], headers=sent["headers"])


def test_its_report_of_a_node_with_an_app_is_noted(portal, world, ayu, given, monkeypatch):
    instance = world.buy_running(ayu.customer)
    world.cluster.advance(60)
    job.sync()
    home = next(one for one in ("node-1", "node-2", "node-3") if _holds(world, instance, one))
    options = agent.Settings.read(given | {"NODE_NAME": home, "KUBELET_URL": given["KUBELET_URL"][:-1] + home[-1]})
    body = agent.report(options)
    assert deliver(portal, monkeypatch, options, body).json == {"status": "noted"}
    node = db.session().scalar(sa.select(Node).where(Node.name == home))
    assert 0 < node.used.memory_bytes < node.capacity.memory_bytes
    assert node.used.pods == 1
    [volume] = db.session().scalars(sa.select(VolumeUse)).all()
    assert volume.instance_id == instance.id
    assert 0 < volume.used_bytes < volume.capacity_bytes == 5 * 2**30


def _holds(world, instance, name):
    pods = [one for one in world.cluster.objects(namespace=instance.namespace) if one["kind"] == "Pod"]
    return any(pod["spec"].get("nodeName") == name for pod in pods)


def test_a_silent_kubelet_leaves_figures_out_and_nothing_else(world, given, capsys):
    options = agent.Settings.read(given | {"KUBELET_URL": "http://127.0.0.1:9"})
    body = agent.report(options)
    assert heartbeats.parse(json.dumps(body).encode()).kubelet_version == "v1.36.2"
    assert "used" not in body
    assert "no answer" in capsys.readouterr().err


def test_a_full_node_stays_below_the_portals_limit():
    name = "a" * 63
    pods = [
        {"volume": [{"pvcRef": {"namespace": name, "name": name}, "usedBytes": 2**50, "capacityBytes": 2**50}]}
        for _ in range(500)
    ]
    raw = json.dumps({"node": "a" * 253} | agent._used({"pods": pods}), separators=(",", ":")).encode()
    assert len(raw) < heartbeats.BODY_BYTES_MAX
    assert len(heartbeats.parse(raw).volumes) == agent.VOLUMES_MAX


@pytest.mark.parametrize(
    "text, number", [("4", 4), ("3920m", 3.92), ("24684100Ki", 24684100 * 1024), ("110", 110), ("2G", 2e9), (7, 7)]
)
def test_quantities_are_read(text, number):
    assert agent._quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("missing", ["PORTAL_URL", "NODE_AGENT_TOKEN", "NODE_NAME"])
def test_it_names_what_is_not_set(missing):
    whole = {"PORTAL_URL": "https://portal.example.com", "NODE_AGENT_TOKEN": "x", "NODE_NAME": "node-1"}
    assert agent.Settings.read(whole).kubelet_url == "https://127.0.0.1:10250"
    with pytest.raises(SystemExit, match=missing):
        agent.Settings.read(whole | {missing: ""})


def test_it_speaks_to_a_portal_far_away_over_https_alone():
    with pytest.raises(SystemExit, match="https"):
        agent.Settings.read({"PORTAL_URL": "http://portal.example.com", "NODE_AGENT_TOKEN": "x", "NODE_NAME": "n"})


def test_its_pod_can_do_little():
    pod = documents()["DaemonSet"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert shipped_rights() == [("", "nodes", "get"), ("", "nodes/stats", "get")]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["resources"].keys() == {"requests", "limits"}
    assert not any(key in pod for key in ("hostNetwork", "hostPID", "hostIPC"))
    assert all("hostPath" not in volume for volume in pod["volumes"])
