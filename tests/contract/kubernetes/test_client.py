"""The official client, whose models check every answer, against the stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from sandbox.kubernetes import Cluster, write_kubeconfig

from . import scenes

APPLY: dict[str, Any] = {"field_manager": "portal", "force": True, "_content_type": "application/apply-patch+yaml"}
NAMESPACE = "user-0001"
SELECTOR = "app.kubernetes.io/instance=n8n-abc123"


class Api:
    """The typed clients of one connection."""

    def __init__(self, kubeconfig: Path) -> None:
        self.connection = config.new_client_from_config(str(kubeconfig))
        self.core = client.CoreV1Api(self.connection)
        self.apps = client.AppsV1Api(self.connection)
        self.networking = client.NetworkingV1Api(self.connection)
        self.version = client.VersionApi(self.connection)

    def deploy(self, **options: Any) -> Any:
        body = scenes.without_deadline(**options)
        return self.apps.patch_namespaced_deployment("n8n-abc123", NAMESPACE, body, **APPLY)

    def read(self) -> Any:
        return self.apps.read_namespaced_deployment("n8n-abc123", NAMESPACE)


@pytest.fixture
def api(cluster: Cluster, url: str, tmp_path: Path) -> Iterator[Api]:
    api = Api(write_kubeconfig(tmp_path / "kubeconfig", url))
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    api.core.patch_namespace(NAMESPACE, body, **APPLY)
    cluster.advance(0.25)
    yield api
    api.connection.close()


def apply_everything(api: Api) -> None:
    """Each kind of recording 02, through its typed method."""
    calls = [
        api.core.patch_namespaced_secret,
        api.core.patch_namespaced_config_map,
        api.core.patch_namespaced_service_account,
        api.core.patch_namespaced_resource_quota,
        api.core.patch_namespaced_limit_range,
        api.networking.patch_namespaced_network_policy,
        api.core.patch_namespaced_persistent_volume_claim,
        api.core.patch_namespaced_service,
        api.networking.patch_namespaced_ingress,
        api.apps.patch_namespaced_deployment,
    ]
    for step, call in enumerate(calls):
        body = scenes.body_of("02-apply-every-kind", step)
        assert call(body["metadata"]["name"], NAMESPACE, body, **APPLY).metadata.uid


def test_every_kind_is_applied_rolled_out_and_read_back(api: Api, cluster: Cluster) -> None:
    apply_everything(api)
    cluster.settle()
    status = api.read().status
    assert (status.ready_replicas, status.observed_generation) == (1, 1)
    pod = api.core.list_namespaced_pod(NAMESPACE, label_selector=SELECTOR).items[0]
    assert pod.status.container_statuses[0].ready
    assert "ready on port 5678" in api.core.read_namespaced_pod_log(pod.metadata.name, NAMESPACE, tail_lines=1)
    assert api.core.read_namespaced_resource_quota("plan", NAMESPACE).status.used["pods"] == "1"
    assert api.core.read_namespaced_persistent_volume_claim("n8n-abc123-data", NAMESPACE).status.phase == "Bound"


def test_the_answer_to_an_apply_has_an_empty_status(api: Api) -> None:
    assert api.deploy().status.observed_generation is None


def test_events_and_nodes_pass_the_clients_models(api: Api, cluster: Cluster) -> None:
    api.deploy()
    cluster.settle()
    reasons = {event.reason for event in api.core.list_namespaced_event(NAMESPACE).items}
    assert {"Scheduled", "Started", "ScalingReplicaSet", "SuccessfulCreate"} <= reasons
    assert api.core.list_node().items[0].status.allocatable["cpu"] == "16"
    assert api.core.patch_node("node-1", {"spec": {"unschedulable": True}}).spec.unschedulable
    assert api.version.get_code().minor == "36"


def test_a_conflict_without_force_is_an_exception_with_causes(api: Api) -> None:
    api.deploy()
    options = APPLY | {"field_manager": "someone"}
    body = scenes.without_deadline(replicas=3)
    with pytest.raises(ApiException) as raised:
        api.apps.patch_namespaced_deployment("n8n-abc123", NAMESPACE, body, **(options | {"force": False}))
    assert raised.value.status == 409
    assert ".spec.replicas" in raised.value.body


@pytest.mark.parametrize(
    ("rule", "field", "why"),
    [
        ({"ports": [{"port": 26, "endPort": 25}]}, "ports[0].endPort", "greater than or equal to `port`"),
        ({"ports": [{"port": 1, "endPort": 65536}]}, "ports[0].endPort", "between 1 and 65535"),
        ({"ports": [{"port": 0}]}, "ports[0].port", "between 1 and 65535"),
        ({"ports": [{"port": "http", "endPort": 90}]}, "ports[0].endPort", "when `port` is non-numeric"),
        ({"ports": [{"endPort": 90}]}, "ports[0].endPort", "when `port` is not specified"),
        ({"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["fc00::/7"]}}]}, "except[0]", "strict subset"),
        ({"to": [{"ipBlock": {"cidr": "::/0", "except": ["::ffff:0:0/96"]}}]}, "except[0]", "strict subset"),
        ({"to": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}, "ipBlock.cidr", "valid CIDR"),
    ],
)
def test_a_network_policy_of_impossible_ports_or_addresses_is_refused(
    api: Api, rule: Any, field: str, why: str
) -> None:
    """Source: kubernetes/kubernetes, pkg/apis/networking/validation/validation.go"""
    with pytest.raises(ApiException) as raised:
        api.networking.patch_namespaced_network_policy("p", NAMESPACE, policy(rule), **APPLY)
    assert raised.value.status == 422
    [cause] = json.loads(raised.value.body)["details"]["causes"]
    assert cause["field"].startswith("spec.egress[0].")
    assert cause["field"].endswith(field)
    assert why in cause["message"]


def test_a_network_policy_may_open_a_range_of_ports(api: Api) -> None:
    body = policy({"ports": [{"protocol": "TCP", "port": 26, "endPort": 65535}]})
    made = api.networking.patch_namespaced_network_policy("p", NAMESPACE, body, **APPLY)
    assert made.spec.egress[0].ports[0].end_port == 65535


def policy(rule: dict[str, Any]) -> dict[str, Any]:
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": spec}


def test_the_clients_watch_follows_a_rollout(api: Api, cluster: Cluster) -> None:
    api.deploy()
    seen: list[int | None] = []
    stream = watch.Watch().stream(
        api.apps.list_namespaced_deployment, NAMESPACE, label_selector=SELECTOR, timeout_seconds=6
    )
    for event in stream:
        if not seen:
            cluster.advance(8)
        seen.append(event["raw_object"]["status"].get("readyReplicas"))
    assert seen[-1] == 1


def test_a_namespace_empties_and_goes(api: Api, cluster: Cluster) -> None:
    apply_everything(api)
    cluster.settle()
    api.core.delete_namespace(NAMESPACE)
    assert api.core.read_namespace(NAMESPACE).status.phase == "Terminating"
    cluster.settle()
    with pytest.raises(ApiException) as raised:
        api.core.read_namespace(NAMESPACE)
    assert raised.value.status == 404
    assert cluster.objects(label_selector=SELECTOR) == []


def test_scale_and_delete_through_the_typed_methods(api: Api, cluster: Cluster) -> None:
    api.deploy()
    cluster.settle()
    assert api.apps.read_namespaced_deployment_scale("n8n-abc123", NAMESPACE).spec.replicas == 1
    api.deploy(replicas=0)
    cluster.settle()
    assert api.read().status.replicas is None
    api.apps.delete_namespaced_deployment("n8n-abc123", NAMESPACE)
    cluster.settle()
    assert api.core.list_namespaced_pod(NAMESPACE).items == []
