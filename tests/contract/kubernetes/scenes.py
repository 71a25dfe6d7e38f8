"""What happened around the recorded requests: the scene each file starts from, and what was done between its steps."""

from __future__ import annotations

import copy
from typing import Any

from sandbox.kubernetes import service_account
from sandbox.kubernetes.kinds import NODES

from .replay import Scene, World, load

NAMES = [
    "01-namespace-apply", "02-apply-every-kind", "03-apply-conflict", "04-apply-removes-fields", "05-errors",
    "06-quota-and-limitrange", "07-pod-security", "08-rollout-happy-path", "09a-fail-unschedulable",
    "09b-fail-image-not-found", "09c-fail-image-denied", "09d-fail-image-name-invalid", "09e-fail-crash-loop",
    "09f-fail-never-ready", "09g-fail-oom-killed", "09h-fail-config-missing", "09i-fail-command-missing",
    "09j-fail-volume-missing", "09k-fail-forbidden-pod", "09l-fail-liveness", "09m-fail-bad-update-keeps-old",
    "10-scale-to-zero-and-back", "10b-scale-ownership", "11-restart", "12-delete", "12b-namespace-deletion",
    "13-pod-logs", "14-events", "15-rbac", "16-nodes", "17-lists-and-selectors", "17b-expired-continue", "18-dry-run",
    "19-malformed-requests", "20-unauthenticated",
]  # fmt: skip

SKIPPED: dict[tuple[str, int], str] = {
    ("09a-fail-unschedulable", 3): "the recorded Deployment controller was behind its scheduler at that moment",
    ("09j-fail-volume-missing", 4): "as in 09a",
    ("09j-fail-volume-missing", 8): "as in 09a",
    ("19-malformed-requests", 29): "the order of the two errors is that of a Go map",
    ("19-malformed-requests", 21): "the recorded request lost the managedFields it is about",
    ("15-rbac", 0): "setting up the account: the stand-in is born with it",
    ("15-rbac", 1): "ClusterRoles are not kept; the stand-in's own rules are these",
    ("15-rbac", 2): "ClusterRoleBindings are not kept",
    ("15-rbac", 3): "TokenRequest: the kubeconfig's token never ends",
    ("15-rbac", 4): "TokenRequest",
    ("15-rbac", 9): "SelfSubjectRulesReview: nothing reads it",
    ("15-rbac", 20): "Roles are not kept; the account is set up in the scene",
    ("16-nodes", 8): "the list is cut to parts of its items, and their order is that of random names",
    ("16-nodes", 9): "as in step 8",
    ("16-nodes", 23): "as in step 8",
    ("16-nodes", 24): "pods of a node that is away stay Ready here until it is back",
    ("16-nodes", 25): "what a kubelet said at its start is not told here; the two that matter are in test_nodes.py",
    ("16-nodes", 26): "one more event per pod of a dead node: nothing reads it",
    ("17-lists-and-selectors", 31): "Table is what kubectl asks for",
}


def body_of(name: str, step: int) -> dict[str, Any]:
    return load(name)[step]["request"]["body"]


def ordinary(*, replicas: int = 1, name: str = "n8n-abc123", **more: Any) -> dict[str, Any]:
    """The Deployment that most recordings use."""
    body = copy.deepcopy(body_of("09m-fail-bad-update-keeps-old", 8))
    body["spec"] |= {"replicas": replicas} | more
    if name != "n8n-abc123":
        body["metadata"]["name"] = name
        for labels in (body["metadata"]["labels"], body["spec"]["template"]["metadata"]["labels"]):
            labels["app.kubernetes.io/instance"] = name
        body["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] = name
    return body


def without_deadline(**more: Any) -> dict[str, Any]:
    body = ordinary(**more)
    del body["spec"]["progressDeadlineSeconds"]
    return body


def namespace(world: World) -> None:
    body = body_of("01-namespace-apply", 1)
    query = {"fieldManager": "portal", "force": "true"}
    kind = {"content_type": "application/apply-patch+yaml"}
    assert world.send("PATCH", "/api/v1/namespaces/user-0001", body, query=query, **kind).status_code == 201
    world.cluster.advance(0.25)


def settle(world: World) -> None:
    world.cluster.settle()


def ticks(count: int) -> Scene:
    return lambda world: world.cluster.advance(0.25 * count)


def ill(kind: str, **options: Any) -> Scene:
    return lambda world: world.cluster.add_fault(kind, **options) and None


def claim(name: str, size: str, storage_class: str = "standard") -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    meta = {"name": name, "labels": {"app.kubernetes.io/instance": "n8n-abc123"}}
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    return kind | {"metadata": meta, "spec": spec | {"storageClassName": storage_class}}


def _bound_claims(world: World) -> None:
    stopped = copy.deepcopy(body_of("05-errors", 26))
    del stopped["spec"]["selector"]["matchLabels"]["x"]
    del stopped["spec"]["template"]["metadata"]["labels"]["x"]
    world.apply(stopped)
    held = claim("n8n-abc123-data", "2Gi")
    del held["spec"]["storageClassName"]
    for body in (held, claim("growing", "2Gi", "expandable")):
        world.apply(body)
    world.cluster.settle()


def _opaque_secret(world: World) -> None:
    world.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "immut"}, "type": "Opaque"})


def _without_deployment(world: World) -> None:
    world.send("DELETE", "/apis/apps/v1/namespaces/user-0001/deployments/n8n-abc123", who="admin")
    world.cluster.settle()
    for name in [name for name in world.bindings if name.startswith(("uid", "rv"))]:
        del world.bindings[name]


def _running(**more: Any) -> Scene:
    return lambda world: world.run(without_deadline(**more))


def _annotated(world: World) -> None:
    world.run(body_of("10-scale-to-zero-and-back", 8))


def _two_running(world: World) -> None:
    world.run(without_deadline())
    world.run(without_deadline(name="wp-def456"))


def _with_claim(world: World) -> None:
    world.cluster.settle()
    for step in (2, 6, 9):
        world.apply(body_of("02-apply-every-kind", step))
    world.cluster.settle()


def _delete_user(world: World) -> None:
    world.send("DELETE", "/apis/apps/v1/namespaces/user-0001/deployments/n8n-abc123", who="admin")


def _pods_with_logs(world: World) -> None:
    world.cluster.add_fault("image-not-found", name="nopull")
    world.cluster.add_fault("initializing", name="init")
    one = {"name": "n8n", "image": "registry.example.com/apps/n8n:1.0"}
    huge = one | {"resources": {"requests": {"cpu": "64"}}}
    secret = [{"name": "s", "secret": {"secretName": "not-there"}}]
    specs: dict[str, dict[str, Any]] = {
        "n8n-abc123-0": {"containers": [one]},
        "two": {"containers": [one, one | {"name": "database"}]},
        "pending": {"containers": [huge]},
        "nopull": {"containers": [one]},
        "bootless": {"containers": [one], "volumes": secret},
        "init": {"containers": [one], "initContainers": [one | {"name": "migrate"}]},
        "once": {"containers": [one]},
        "crash": {"containers": [one]},
    }
    for name, spec in specs.items():
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        path = "/api/v1/namespaces/user-0001/pods"
        answer = world.send("POST", path, body, who="admin", content_type="application/json")
        assert answer.status_code == 201, answer.text
    world.cluster.advance(5)
    lines = "".join(f"line {number}\n" for number in range(1, 9)) + "grüße ✓\nunfinished"
    put = world.cluster.put_log
    put("user-0001", "n8n-abc123-0", lines)
    put("user-0001", "two", "db\n", container="database")
    put("user-0001", "init", "migrating\n", container="migrate")
    put("user-0001", "once", "done\n")
    put("user-0001", "crash", "second try\n", previous="first try\n")


def _eventful(world: World) -> None:
    world.cluster.add_fault("crash-loop", name="n8n-abc123")
    world.apply(ordinary())
    huge = ordinary(name="huge")
    huge["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"memory": "900Gi"}}
    world.apply(huge)
    world.cluster.advance(40)
    world.bindings["uid-2"] = _name_its_pod(world)


def _name_its_pod(world: World) -> str:
    """Learns what the only pod is called; returns its uid."""
    pods = world.cluster.objects(label_selector="app.kubernetes.io/instance=n8n-abc123", namespace="user-0001")
    pod = next(obj for obj in pods if obj["kind"] == "Pod")
    _, pod_hash, suffix = pod["metadata"]["name"].rsplit("-", 2)
    world.bindings |= {"hash-1": pod_hash, "suffix-1": suffix}
    return str(pod["metadata"]["uid"])


def _patch_only(world: World) -> None:
    rules = [("", "configmaps", "patch"), ("apps", "deployments", "patch create")]
    world.cluster.accounts["patch-only"] = service_account("user-0001", "patch-only", rules)
    world.tokens["patch-only"] = "patch-only"


def _existing_map(world: World) -> None:
    world.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}, manager="setup")


def _recorded_node(world: World) -> None:
    """The machine of the recording, as far as its figures go; no metrics-server."""
    world.run(without_deadline())
    _name_its_pod(world)
    node = copy.deepcopy(world.cluster.store.objects[("nodes", "", "node-1")])
    recorded = load("16-nodes")[0]["response"]["body"]["items"][0]["status"]
    node["status"] |= {name: value for name, value in recorded.items() if name != "conditions"}
    world.cluster.store.update(NODES, node)
    world.cluster.add_fault("absent", path="metrics.k8s.io")


def _budget(world: World) -> None:
    world.cluster.add_fault("disruption-budget")


def _without_faults(world: World) -> None:
    world.cluster.clear_faults()
    world.cluster.add_fault("absent", path="metrics.k8s.io")


def _without_node(world: World) -> None:
    world.cluster.advance(2)
    world.cluster.set_node_ready("node-1", False)


def _many_objects(world: World) -> None:
    for number in range(1, 7):
        meta: dict[str, Any] = {"name": f"app-{number}"}
        world.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        labels = {"example.com/plan": "basic" if number % 2 else "pro"}
        labels |= {"tier": f"t{number}"} if number <= 3 else {}
        meta = {"name": f"c-{number}", "labels": labels}
        world.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})


def _maps(world: World, data: dict[str, str] | None = None) -> None:
    for number in range(1, 6):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{number}", "labels": {"x": "y"}}}
        world.apply(body | ({"data": data} if data else {}))


def _expire(world: World) -> None:
    world.bindings["continue-3"] = world.bindings["continue-1"]
    world.cluster.store.compact()
    world.bindings["rv-1"] = "1"
    for name in ("rv-6", "rv-7"):
        world.bindings.pop(name, None)


def _stopped(world: World) -> None:
    body = copy.deepcopy(body_of("18-dry-run", 0))
    body["spec"]["replicas"] = 0
    world.apply(body)
    world.cluster.advance(0.25)


def _full_quota(world: World) -> None:
    spec = {"hard": {"persistentvolumeclaims": "0"}}
    world.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "plan"}, "spec": spec})


def _map(world: World) -> None:
    world.apply(body_of("19-malformed-requests", 13))


def _map_without_metrics(world: World) -> None:
    """The recorded server had no metrics-server."""
    _map(world)
    world.cluster.add_fault("absent", path="metrics.k8s.io")


def _wrong_token(world: World) -> None:
    world.tokens["nobody"] = "wrong"


def _no_token(world: World) -> None:
    world.tokens["nobody"] = ""


def _broken_update(world: World) -> None:
    world.run(ordinary())
    world.cluster.add_fault("image-not-found", image="*:9.9")


BEFORE: dict[str, dict[int, Scene]] = {
    "02-apply-every-kind": {11: settle},
    "05-errors": {26: _bound_claims, 37: _opaque_secret},
    "06-quota-and-limitrange": {8: _without_deployment, 27: ticks(1)},
    "09b-fail-image-not-found": {0: ill("image-not-found", image="*:9.9")},
    "09c-fail-image-denied": {0: ill("image-denied", image="*/private/*")},
    "09e-fail-crash-loop": {0: ill("crash-loop")},
    "09f-fail-never-ready": {0: ill("never-ready")},
    "09g-fail-oom-killed": {0: ill("oom-killed")},
    "09i-fail-command-missing": {0: ill("command-missing")},
    "09l-fail-liveness": {0: ill("liveness")},
    "09m-fail-bad-update-keeps-old": {0: _broken_update},
    "10-scale-to-zero-and-back": {0: _annotated, 10: settle, 11: ticks(3), 12: settle, 14: ticks(1)},
    "11-restart": {0: _running(), 11: ticks(1)},
    "12-delete": {0: _running(), 6: _running(), 10: _running(), 15: lambda world: world.apply(without_deadline()),
                  19: _two_running, 21: _with_claim, 24: _delete_user},
    "12b-namespace-deletion": {0: _with_claim},
    "13-pod-logs": {0: _pods_with_logs},
    "14-events": {0: _eventful},
    "15-rbac": {0: _patch_only, 22: _existing_map},
    "16-nodes": {0: _recorded_node, 5: _budget, 6: _without_faults, 21: _without_node},
    "17-lists-and-selectors": {0: _many_objects},
    "17b-expired-continue": {0: _maps, 1: lambda world: _maps(world, {"a": "b"}), 2: _expire},
    "18-dry-run": {4: _stopped, 9: _full_quota},
    "19-malformed-requests": {0: _map_without_metrics},
    "20-unauthenticated": {1: _wrong_token, 3: _no_token},
}  # fmt: skip
