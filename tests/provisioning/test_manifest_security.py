"""What must not get out, and what must not get in: secrets, rights, network, and the worker's own role."""

import base64
import ipaddress
import itertools
import json
import os
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from portal.provisioning.manifests import (
    MANAGED_KINDS,
    generate_secrets,
    instance_manifests,
    namespace_manifests,
    shown_credentials,
)
from portal.provisioning.manifests.generated import PASSWORD_ALPHABET
from tests.provisioning.examples import (
    CLUSTER,
    NAMESPACE,
    TEMPLATES,
    containers_of,
    every_app,
    manifests_for,
    of_kind,
    pod_of,
    spec_for,
)

WORKER_ROLE = Path(__file__).parents[2] / "deploy" / "kubernetes" / "worker-rbac.yaml"


def counting_bytes(size: int, counter=itertools.count()) -> bytes:
    """Not random, but never the same twice."""
    return b"".join(next(counter).to_bytes(2, "big")[-1:] for _ in range(size))


# Secrets


@every_app
def test_no_secret_stands_outside_of_the_secret(template):
    spec = spec_for(template, env={"API_KEY": "the-customers-own-secret"})
    text = json.dumps([m for m in instance_manifests(spec, template, CLUSTER) if m["kind"] != "Secret"])
    for value in (*spec.secrets.values(), "the-customers-own-secret"):
        assert value not in text
        assert base64.b64encode(value.encode()).decode() not in text


@every_app
def test_no_placeholder_is_left(template):
    manifests = manifests_for(template)
    decoded = [base64.b64decode(value).decode() for value in of_kind(manifests, "Secret")["data"].values()]
    assert "{{" not in json.dumps([manifests, decoded])
    assert all("{{" not in value for _, value in shown_credentials(spec_for(template), template))


@every_app
def test_secrets_and_variables_stay_out_of_the_representation(template):
    spec = spec_for(template, env={"API_KEY": "the-customers-own-secret"})
    for value in (*spec.secrets.values(), "the-customers-own-secret"):
        assert value not in repr(spec)


def test_a_customers_variable_wins_and_is_kept_secret():
    manifests = manifests_for(TEMPLATES["n8n"], env={"TZ": "Asia/Makassar"})
    assert base64.b64decode(of_kind(manifests, "Secret")["data"]["n8n.TZ"]) == b"Asia/Makassar"
    assert "n8n.TZ" not in of_kind(manifests, "ConfigMap")["data"]
    [variable] = [v for v in containers_of(manifests)[0]["env"] if v["name"] == "TZ"]
    assert "secretKeyRef" in variable["valueFrom"]


def test_a_customers_variable_does_not_reach_the_database():
    pod = pod_of(manifests_for(TEMPLATES["wordpress"], env={"WP_DEBUG": "1"}))
    assert "WP_DEBUG" in {v["name"] for v in pod["containers"][0]["env"]}
    assert "WP_DEBUG" not in {v["name"] for v in pod["initContainers"][0]["env"]}


# Security


@every_app
def test_pods_pass_baseline_and_restricted_unless_root_is_explained(template):
    pod = pod_of(manifests_for(template))
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    explained = {container.name for container in template.containers if container.security.root}
    for container in pod.get("initContainers", []) + pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"]["drop"] == ["ALL"]
        if container["name"] not in explained:
            assert context["runAsNonRoot"] is True
            assert context["runAsUser"] > 0
            assert "add" not in context["capabilities"]


def test_an_ordinary_user_may_open_port_80():
    pod = pod_of(manifests_for(TEMPLATES["wordpress"]))
    assert {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"} in pod["securityContext"]["sysctls"]
    assert "sysctls" not in pod_of(manifests_for(TEMPLATES["n8n"]))["securityContext"]


def test_a_database_starts_first_and_listens_to_nobody_else():
    for template in TEMPLATES.values():
        for sidecar in pod_of(manifests_for(template)).get("initContainers", []):
            assert sidecar["restartPolicy"] == "Always"
            assert "startupProbe" in sidecar
            assert "127.0.0.1" in " ".join(sidecar["args"])


@every_app
def test_no_app_can_fill_the_disk_of_its_node(template):
    for container in containers_of(manifests_for(template)):
        resources = container["resources"]
        assert resources["limits"]["ephemeral-storage"] == "4Gi"
        assert resources["requests"]["ephemeral-storage"] == "64Mi", "else the limit itself would be reserved"


def test_the_namespace_is_walled():
    policies = {
        m["metadata"]["name"]: m["spec"] for m in namespace_manifests(NAMESPACE, CLUSTER) if "Policy" in m["kind"]
    }
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    [internet] = policies["allow-internet"]["egress"]
    four, six = (block["ipBlock"] for block in internet["to"])
    assert {"10.0.0.0/8", "169.254.0.0/16", "203.0.113.0/24"} <= set(four["except"])
    assert all(":" not in cidr for cidr in four["except"])
    assert all(":" in cidr for cidr in six["except"])
    assert {"64:ff9b::/96", "fc00::/7"} <= set(six["except"])
    [rule] = policies["allow-ingress-controller"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]


def internet() -> dict[str, Any]:
    [policy] = [m for m in namespace_manifests(NAMESPACE, CLUSTER) if m["metadata"]["name"] == "allow-internet"]
    [rule] = policy["spec"]["egress"]
    return rule


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "0.0.0.0", "255.255.255.255", "224.0.0.1",
        "::1", "fd00:ec2::254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:a9fe:a9fe::1", "ff02::1",
    ],
)  # fmt: skip
def test_no_app_reaches_a_clouds_own_services_by_any_way_round(address):
    there = ipaddress.ip_address(address)
    for block in (peer["ipBlock"] for peer in internet()["to"]):
        inside = there in ipaddress.ip_network(block["cidr"])
        assert not inside or any(there in ipaddress.ip_network(cidr) for cidr in block["except"])


@pytest.mark.parametrize(
    ("protocol", "port", "is_open"),
    [
        ("TCP", 25, False), ("TCP", 24, True), ("TCP", 26, True), ("TCP", 443, True), ("TCP", 587, True),
        ("TCP", 65535, True), ("UDP", 443, True), ("UDP", 123, True),
    ],
)  # fmt: skip
def test_an_app_reaches_every_port_but_that_of_mail_servers(protocol, port, is_open):
    ranges = internet()["ports"]
    reached = [r for r in ranges if r["protocol"] == protocol and r["port"] <= port <= r["endPort"]]
    assert bool(reached) == is_open


# Generated secrets


@every_app
def test_generated_secrets_are_of_their_kind_and_kept_on_repeat(template):
    made = generate_secrets(template, counting_bytes)
    assert set(made) == set(template.secrets)
    assert generate_secrets(template, counting_bytes, existing=made) == made
    for name, wanted in template.secrets.items():
        if wanted.kind == "password":
            assert len(made[name]) == wanted.length
            assert set(made[name]) <= set(PASSWORD_ALPHABET)
        if wanted.kind == "base64":
            assert len(base64.b64decode(made[name])) == wanted.length
        if wanted.kind == "hex":
            assert re.fullmatch(rf"[0-9a-f]{{{wanted.length}}}", made[name])
        if wanted.kind == "uuid":
            assert UUID(made[name]).version == 4


def test_two_instances_get_different_secrets():
    template = TEMPLATES["nextcloud"]
    first, second = generate_secrets(template, os.urandom), generate_secrets(template, os.urandom)
    assert set(first.values()).isdisjoint(second.values())


# The worker's role


def granted() -> dict[tuple[str, str], set[str]]:
    """The verbs by API group and resource."""
    [role] = [d for d in yaml.safe_load_all(WORKER_ROLE.read_text()) if d["kind"] == "ClusterRole"]
    return {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


@pytest.mark.parametrize("kind", MANAGED_KINDS, ids=lambda kind: kind.kind)
def test_worker_may_apply_and_clean_up_what_belongs_to_an_instance(kind):
    verbs = granted()[(kind.group, kind.plural)]
    assert {"create", "patch", "delete"} <= verbs
    assert ("list" in verbs) is kind.listable


@pytest.mark.parametrize("manifest", namespace_manifests(NAMESPACE, CLUSTER), ids=lambda m: m["metadata"]["name"])
def test_worker_may_apply_a_namespace_and_its_walls_but_not_delete_them(manifest):
    plurals = {"NetworkPolicy": "networkpolicies"}
    plural = plurals.get(manifest["kind"], manifest["kind"].lower() + "s")
    verbs = granted()[(manifest["apiVersion"].rpartition("/")[0], plural)]
    assert {"create", "patch"} <= verbs
    assert "delete" not in verbs


def test_worker_cannot_read_secrets_run_commands_or_raise_its_rights():
    rights = granted()
    assert rights[("", "secrets")] == {"create", "patch", "delete"}
    assert not {resource for _, resource in rights} & {"pods/exec", "pods/attach", "serviceaccounts/token"}
    assert not any("rbac" in group for group, _ in rights)
    assert not any("*" in {group, resource, *verbs} for (group, resource), verbs in rights.items())
