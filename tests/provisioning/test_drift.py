"""Our manifest against the cluster's object: the server's own spelling is no drift, every changed field of ours is."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.provisioning import drift
from portal.provisioning.drift import Drift
from portal.provisioning.listing import COMPARED_KINDS, Found, key_of
from portal.provisioning.manifests import namespace_manifests
from tests.conftest import NOON
from tests.provisioning.examples import CLUSTER, NAMESPACE, TEMPLATES, every_app, manifests_for, of_kind

RECORDINGS = Path(__file__).parents[1] / "contract" / "kubernetes" / "recordings"
WANTED = [*namespace_manifests(NAMESPACE, CLUSTER), *manifests_for(TEMPLATES["n8n"])]
COMPARED = [one for one in WANTED if one["kind"] != "Secret"]


def applied() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every object that a real server took in an apply, and what it made of it."""
    kinds = {kind.kind for kind in COMPARED_KINDS}
    for path in sorted(RECORDINGS.glob("*.json")):
        for number, step in enumerate(json.loads(path.read_text())["steps"]):
            request, response = step.get("request") or {}, step.get("response") or {}
            sent, got = request.get("body"), response.get("body")
            if request.get("method") != "PATCH" or response.get("status") not in (200, 201):
                continue
            whole = (
                isinstance(sent, dict)
                and "name" in got["metadata"]
                and "resourceVersion" not in sent.get("metadata", {})
            )
            if whole and "apply" in str(request).lower() and sent.get("kind") in kinds:
                yield f"{path.stem}-{number}", sent, got


def live(*bodies: dict[str, Any], leaving: bool = False) -> dict[Any, Found]:
    return {key_of(one): Found(copy.deepcopy(one), "", "", NOON, leaving) for one in bodies}


def changed(kind: str, **places: Any) -> dict[str, Any]:
    """The object of that kind with other values: `spec__replicas=0`; a number is a place in a list."""
    body = copy.deepcopy(of_kind([one for one in COMPARED if one["kind"] == kind][:1], kind))
    for place, value in places.items():
        *path, last = [int(part) if part.isdigit() else part for part in place.split("__")]
        node = body
        for part in path:
            node = node[part]
        if value is None:
            del node[last]
        else:
            node[last] = value
    return body


def found_in(*bodies: dict[str, Any]) -> list[str]:
    others = [one for one in COMPARED if key_of(one) not in {key_of(body) for body in bodies}]
    return [f"{one.kind} {one.key[1]} {one.detail}".strip() for one in drift.compare(WANTED, live(*others, *bodies))]


RECORDED = list(applied())


def test_there_are_recordings_of_every_kind():
    assert {sent["kind"] for _, sent, _ in RECORDED} == {kind.kind for kind in COMPARED_KINDS}


@pytest.mark.parametrize("sent, got", [(sent, got) for _, sent, got in RECORDED], ids=[name for name, *_ in RECORDED])
def test_what_a_real_server_made_of_an_apply_is_no_drift(sent, got):
    assert drift.difference(sent, got) == ""


@every_app
def test_an_app_just_as_wanted_has_no_drift(template):
    wanted = manifests_for(template)
    assert list(drift.compare(wanted, live(*[one for one in wanted if one["kind"] != "Secret"]))) == []


@pytest.mark.parametrize("body", COMPARED, ids=lambda body: key_of(body)[1])
def test_every_kind_is_missed(body):
    others = [one for one in COMPARED if one is not body]
    [missed] = drift.compare(WANTED, live(*others))
    assert (missed.kind, missed.key) == (Drift.MISSING, key_of(body))
    assert missed.at_risk is (body["kind"] in ("PersistentVolumeClaim", "Namespace"))


def test_a_secret_is_never_compared():
    assert found_in() == []


ENFORCED = "metadata__labels__pod-security.kubernetes.io/enforce"
CONTAINER = "spec__template__spec__containers__0"


@pytest.mark.parametrize(
    "kind, places, detail",
    [
        ("Namespace", {ENFORCED: "privileged"}, "privileged instead of baseline"),
        ("ResourceQuota", {"spec__hard__limits.cpu": "64"}, "spec.hard.limits.cpu: 64 instead of 1700m"),
        ("LimitRange", {"spec__limits__0__default__memory": "1Gi"}, ".default.memory: 1Gi instead of 64Mi"),
        ("NetworkPolicy", {"spec__policyTypes": ["Ingress"]}, "spec.policyTypes: 1 entries instead of 2"),
        ("ConfigMap", {"data": {}}, "data.n8n."),
        ("Deployment", {"spec__replicas": 0}, "spec.replicas: 0 instead of 1"),
        ("Deployment", {f"{CONTAINER}__image": "evil:1"}, "].image: evil:1 instead of"),
        ("Deployment", {f"{CONTAINER}__resources__limits__cpu": "4"}, "resources.limits.cpu: 4 instead of 500m"),
        ("Deployment", {f"{CONTAINER}__env__0": None}, ": nothing instead of"),
        ("Deployment", {f"{CONTAINER}__securityContext__allowPrivilegeEscalation": True}, "True instead of False"),
        ("Service", {"spec__ports__0__targetPort": 8080}, "spec.ports[80].targetPort: 8080 instead of http"),
        ("Service", {"spec__selector__minispod.io/instance": "other"}, "spec.selector.minispod.io/instance"),
        ("Ingress", {"spec__rules__0__host": "evil.example"}, "spec.rules[0].host: evil.example instead of"),
        ("Ingress", {"spec__tls": None}, "spec.tls: nothing instead of"),
        ("PersistentVolumeClaim", {"spec__resources__requests__storage": "1Gi"}, "1Gi instead of 5Gi"),
    ],
)  # fmt: skip
def test_a_changed_field_is_named(kind, places, detail):
    [one] = found_in(changed(kind, **places))
    assert one.startswith(f"CHANGED {kind}/")
    assert detail in one


@pytest.mark.parametrize(
    "kind, places",
    [
        ("PersistentVolumeClaim", {"spec__resources__requests__storage": "50Gi"}),  # grown, then the change taken back
        ("PersistentVolumeClaim", {"spec__resources__requests__storage": "5120Mi"}),
        ("PersistentVolumeClaim", {"spec__storageClassName": "older"}),
        ("ResourceQuota", {"spec__hard__limits.cpu": "1.7"}),
        ("Deployment", {"metadata__annotations": {"deployment.kubernetes.io/revision": "3"}}),
        ("Deployment", {"spec__template__spec__dnsPolicy": "ClusterFirst"}),
        ("Deployment", {f"{CONTAINER}__resources__limits__cpu": "0.5"}),
        ("Service", {"spec__clusterIP": "10.0.0.1", "spec__sessionAffinity": "None"}),
        ("Ingress", {"metadata__annotations__somebody.example/note": "theirs"}),
    ],
)
def test_the_servers_spelling_and_the_fields_of_others_are_no_drift(kind, places):
    assert found_in(changed(kind, **places)) == []


def test_a_rule_added_to_a_wall_is_seen_and_a_port_added_to_a_service_is_somebody_elses():
    walls = [one for one in COMPARED if one["kind"] == "NetworkPolicy" and "ingress" in one["spec"]]
    opened = copy.deepcopy(walls[0])
    opened["spec"]["ingress"].append({})
    assert found_in(opened) == ["CHANGED NetworkPolicy/allow-ingress-controller spec.ingress: 2 entries instead of 1"]
    opened = copy.deepcopy(walls[0])
    opened["spec"]["ingress"][0]["ports"].append({"protocol": "TCP", "port": 5432})
    assert "ports: 2 entries instead of 1" in found_in(opened)[0]
    service = changed("Service")
    service["spec"]["ports"].append({"port": 81, "protocol": "TCP", "targetPort": 81})
    assert found_in(service) == []


def test_what_an_app_is_configured_with_is_not_told():
    config = changed("ConfigMap")
    name = next(iter(config["data"]))
    config["data"][name] = "a-private-word"
    assert found_in(config) == [f"CHANGED ConfigMap/n8n-abc123 data.{name}: another value instead of another value"]


def test_data_that_is_being_deleted_is_told_before_it_is_gone():
    claim = changed("PersistentVolumeClaim")
    others = live(*[one for one in COMPARED if one["kind"] != "PersistentVolumeClaim"])
    [one] = drift.compare(WANTED, others | live(claim, leaving=True))
    assert (one.kind, one.detail, one.at_risk) == (Drift.CHANGED, "is being deleted", True)


def test_a_deployment_that_is_being_deleted_waits_for_its_end():
    deployment = changed("Deployment", spec__replicas=0)
    others = live(*[one for one in COMPARED if one["kind"] != "Deployment"])
    assert list(drift.compare(WANTED, others | live(deployment, leaving=True))) == []
