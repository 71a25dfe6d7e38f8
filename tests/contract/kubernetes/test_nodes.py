"""Nodes beyond the recordings: their events, where volumes pin pods, what a kubelet says, the agent's few rights."""

from __future__ import annotations

from sandbox.kubernetes import AGENT_TOKEN, PORTAL_TOKEN, Cluster

from .replay import World
from .scenes import body_of, namespace, without_deadline

CLAIM = {"persistentVolumeClaim": {"claimName": "n8n-abc123-data"}}


def events_of(world: World, name: str) -> list[str]:
    query = {"fieldSelector": f"involvedObject.kind=Node,involvedObject.name={name}"}
    answer = world.send("GET", "/api/v1/namespaces/default/events", query=query)
    return [one["reason"] for one in answer.json()["items"]]


def patch_node(world: World, body: dict) -> None:
    kind = {"content_type": "application/merge-patch+json"}
    assert world.send("PATCH", "/api/v1/nodes/node-1", body, **kind).status_code == 200


def test_cordoning_and_silence_are_noted_as_events_of_the_node(world: World) -> None:
    patch_node(world, {"spec": {"unschedulable": True}})
    world.cluster.advance(1)
    world.cluster.set_node_ready("node-1", False)
    assert events_of(world, "node-1") == ["NodeNotSchedulable", "NodeNotReady"]
    patch_node(world, {"spec": {"unschedulable": None}})
    world.cluster.advance(1)
    assert "NodeSchedulable" in events_of(world, "node-1")
    assert events_of(world, "node-2") == []


def test_pods_are_found_by_their_node(world: World) -> None:
    namespace(world)
    world.run(without_deadline())
    for node, count in (("node-1", 1), ("node-2", 0)):
        answer = world.send("GET", "/api/v1/pods", query={"fieldSelector": f"spec.nodeName={node}"})
        assert len(answer.json()["items"]) == count


def with_local_volume(world: World) -> None:
    namespace(world)
    world.cluster.add_storage_class("local")
    claim = body_of("02-apply-every-kind", 6)
    claim["metadata"]["name"] = "n8n-abc123-data"
    claim["spec"]["storageClassName"] = "local"
    world.apply(claim)
    body = without_deadline()
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "data", **CLAIM}]
    world.run(body)


def test_a_local_volume_keeps_its_pod_on_its_node(world: World) -> None:
    with_local_volume(world)
    volumes = world.send("GET", "/api/v1/persistentvolumes").json()["items"]
    expression = volumes[0]["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]
    assert expression == {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-1"]}
    assert volumes[0]["spec"]["claimRef"]["name"] == "n8n-abc123-data"


def test_volumes_that_follow_their_pod_are_bound_to_no_node(world: World) -> None:
    namespace(world)
    world.apply(body_of("02-apply-every-kind", 6))
    world.cluster.settle()
    [volume] = world.send("GET", "/api/v1/persistentvolumes").json()["items"]
    assert "nodeAffinity" not in volume["spec"]


def test_an_eviction_of_another_pod_of_that_name_is_refused(world: World) -> None:
    namespace(world)
    world.run(without_deadline())
    pod = world.send("GET", "/api/v1/pods").json()["items"][0]["metadata"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod["name"]}}
    body["deleteOptions"] = {"preconditions": {"uid": "another"}}
    path = f"/api/v1/namespaces/user-0001/pods/{pod['name']}/eviction"
    assert world.send("POST", path, body, content_type="application/json").status_code == 409
    body["deleteOptions"] = {"preconditions": {"uid": pod["uid"]}}
    assert world.send("POST", path, body, content_type="application/json").status_code == 201


def test_a_kubelet_tells_the_agent_what_its_node_and_its_volumes_use(world: World) -> None:
    with_local_volume(world)
    world.cluster.advance(60)
    world.tokens["node-agent"] = AGENT_TOKEN
    found = world.send("GET", "/kubelets/node-1/stats/summary", who="node-agent").json()
    assert found["node"]["nodeName"] == "node-1"
    assert 0 < found["node"]["memory"]["workingSetBytes"] < 2**36
    [pod] = found["pods"]
    [volume] = pod["volume"]
    assert volume["pvcRef"] == {"name": "n8n-abc123-data", "namespace": "user-0001"}
    assert 0 < volume["usedBytes"] < volume["capacityBytes"]


def test_the_agents_account_reads_nodes_and_nothing_else(world: World, cluster: Cluster) -> None:
    assert cluster.accounts[PORTAL_TOKEN]
    world.tokens["node-agent"] = AGENT_TOKEN
    assert world.send("GET", "/api/v1/nodes/node-1", who="node-agent").status_code == 200
    for path in ("/api/v1/nodes", "/api/v1/pods", "/api/v1/namespaces", "/api/v1/secrets"):
        assert world.send("GET", path, who="node-agent").status_code == 403
    assert world.send("GET", "/kubelets/node-1/stats/summary").status_code == 403
    assert world.send("GET", "/kubelets/node-9/stats/summary", who="node-agent").status_code == 404
