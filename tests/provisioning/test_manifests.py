"""Manifests as the API server will read them: valid, within the plan, and silent about secrets."""

import base64
import itertools
import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes import client

from portal.catalog.app_templates import AppTemplate, PlanType
from portal.catalog.template_files import load_app_templates
from portal.provisioning.manifests import (
    MANAGED_KINDS,
    ClusterSettings,
    InstanceSpec,
    NamespaceSpec,
    certificate_secret_name,
    generate_secrets,
    instance_manifests,
    instance_selector,
    namespace_manifests,
    shown_credentials,
)
from portal.provisioning.manifests.generated import PASSWORD_ALPHABET

GOLDEN = Path(__file__).parent / "golden"
TEMPLATES = load_app_templates()
CLUSTER = ClusterSettings(
    apps_domain="apps.example.com", issuer="letsencrypt", cluster_cidrs=("203.0.113.0/24",)
)
CUSTOMER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
INSTANCE = UUID("01890a5d-ac96-7ab1-9d5f-4a1b2c3d4e5f")

RFC_1123_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
RFC_1035_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"(|[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
QUANTITY = re.compile(r"\d+(m|Mi|Gi)?")


def counting_bytes(size: int, counter=itertools.count()) -> bytes:
    """Not random, but never the same twice."""
    return b"".join(next(counter).to_bytes(2, "big")[-1:] for _ in range(size))


def spec_for(template: AppTemplate, plan: PlanType = PlanType.BASIC, **changes) -> InstanceSpec:
    sold = template.plan(plan)
    name = f"{template.slug}-abc123"
    spec = InstanceSpec(
        id=INSTANCE,
        customer_id=CUSTOMER,
        customer_email="ayu@example.com",
        service=template.slug,
        name=name,
        namespace=f"user-{CUSTOMER}",
        host=f"{name}.apps.example.com",
        url=f"https://{name}.apps.example.com",
        replicas=1,
        cpu_millicores=sold.cpu_millicores,
        memory_mib=sold.memory_mib,
        storage_gib=sold.storage_gib,
        secrets=generate_secrets(template, lambda size: bytes(range(size))),
    )
    return replace(spec, **changes)


def manifests_for(template: AppTemplate, plan: PlanType = PlanType.BASIC, **changes) -> list[dict]:
    return instance_manifests(spec_for(template, plan, **changes), template, CLUSTER)


def of_kind(manifests: list[dict], kind: str) -> dict:
    [found] = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def pod_of(manifests: list[dict]) -> dict:
    return of_kind(manifests, "Deployment")["spec"]["template"]["spec"]


def containers_of(manifests: list[dict]) -> list[dict]:
    pod = pod_of(manifests)
    return pod.get("initContainers", []) + pod["containers"]


NAMESPACE = NamespaceSpec(
    customer_id=CUSTOMER,
    namespace=f"user-{CUSTOMER}",
    instances=2,
    cpu_millicores=1500,
    memory_mib=2048,
    storage_gib=15,
)

every_app = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
every_sale = pytest.mark.parametrize(
    ("template", "plan"),
    [
        pytest.param(template, plan.type, id=f"{slug}-{plan.type}")
        for slug, template in TEMPLATES.items()
        for plan in template.plans
    ],
)


# Golden files: run with UPDATE_GOLDEN=1 to write them anew, then read the diff.


@pytest.mark.parametrize("name", ["_namespace", *TEMPLATES])
def test_manifests_are_as_they_were(name):
    made = namespace_manifests(NAMESPACE, CLUSTER) if name == "_namespace" else manifests_for(TEMPLATES[name])
    text = yaml.safe_dump_all(made, sort_keys=False, width=110)
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert golden.read_text() == text


def test_no_golden_file_is_left_over():
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == {"_namespace", *TEMPLATES}


# What the official client and the API server demand


MODELS = {
    "Namespace": "V1Namespace",
    "ResourceQuota": "V1ResourceQuota",
    "LimitRange": "V1LimitRange",
    "NetworkPolicy": "V1NetworkPolicy",
    "Secret": "V1Secret",
    "ConfigMap": "V1ConfigMap",
    "PersistentVolumeClaim": "V1PersistentVolumeClaim",
    "Deployment": "V1Deployment",
    "Service": "V1Service",
    "Ingress": "V1Ingress",
}


def check_with_official_client(manifest: dict) -> None:
    """Its models refuse unknown fields and wrong types; nothing may get lost on the way through either."""
    model = getattr(client, MODELS[manifest["kind"]]).from_dict(manifest)
    assert client.ApiClient().sanitize_for_serialization(model) == manifest


@every_app
def test_official_client_accepts_every_manifest(template):
    for manifest in manifests_for(template, env={"EXTRA": "1"}):
        check_with_official_client(manifest)


def test_official_client_accepts_the_namespace():
    for manifest in namespace_manifests(NAMESPACE, CLUSTER):
        check_with_official_client(manifest)


@every_app
def test_names_labels_and_quantities_are_valid(template):
    manifests = manifests_for(template) + namespace_manifests(NAMESPACE, CLUSTER)
    for manifest in manifests:
        check_names_and_labels(manifest)
    for quantity in quantities_in(manifests):
        assert QUANTITY.fullmatch(quantity), quantity
    for container in containers_of(manifests):
        assert RFC_1035_LABEL.fullmatch(container["name"])
        for port in container.get("ports", []):
            assert re.fullmatch(r"[a-z0-9-]{1,15}", port["name"])
            assert re.search(r"[a-z]", port["name"])


def check_names_and_labels(manifest: dict) -> None:
    name = manifest["metadata"]["name"]
    assert RFC_1123_NAME.fullmatch(name)
    assert len(name) <= 63
    if manifest["kind"] == "Service":
        assert RFC_1035_LABEL.fullmatch(name)
    for value in manifest["metadata"]["labels"].values():
        assert LABEL_VALUE.fullmatch(value), value


def quantities_in(manifests: list[dict]):
    for container in containers_of(manifests):
        for amounts in container["resources"].values():
            yield from amounts.values()
    yield of_kind(manifests, "PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"]
    yield from of_kind(manifests, "ResourceQuota")["spec"]["hard"].values()
    for limit in of_kind(manifests, "LimitRange")["spec"]["limits"]:
        yield from (*limit["default"].values(), *limit["defaultRequest"].values())


@every_app
def test_every_object_and_pod_carries_the_labels_that_find_it(template):
    wanted = {
        "app.kubernetes.io/name": template.slug,
        "app.kubernetes.io/instance": f"{template.slug}-abc123",
        "app.kubernetes.io/managed-by": "minispod",
        "minispod.io/instance": str(INSTANCE),
        "minispod.io/customer": str(CUSTOMER),
    }
    manifests = manifests_for(template)
    for manifest in manifests:
        assert manifest["metadata"]["labels"] == wanted
    assert of_kind(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"] == wanted
    assert instance_selector(INSTANCE) == f"minispod.io/instance={INSTANCE}"


@every_app
def test_manifests_come_in_the_order_of_the_managed_kinds(template):
    made = [(manifest["apiVersion"], manifest["kind"]) for manifest in manifests_for(template)]
    assert made == [(kind.api_version, kind.kind) for kind in MANAGED_KINDS]


@every_app
def test_all_references_inside_an_instance_lead_somewhere(template):
    manifests = manifests_for(template)
    keys = {kind: set(of_kind(manifests, kind)["data"]) for kind in ("Secret", "ConfigMap")}
    used: dict[str, set] = {"Secret": set(), "ConfigMap": set()}
    volumes = {volume["name"] for volume in pod_of(manifests)["volumes"]}
    for container in containers_of(manifests):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        for variable in container["env"]:
            [(source, reference)] = variable["valueFrom"].items()
            used["Secret" if source == "secretKeyRef" else "ConfigMap"].add(reference["key"])
    assert used == keys


# The plan


@every_sale
def test_container_limits_add_up_to_the_plan_exactly(template, plan):
    sold = template.plan(plan)
    limits = [container["resources"]["limits"] for container in containers_of(manifests_for(template, plan))]
    assert sum(int(limit["cpu"].removesuffix("m")) for limit in limits) == sold.cpu_millicores
    assert sum(int(limit["memory"].removesuffix("Mi")) for limit in limits) == sold.memory_mib
    claim = of_kind(manifests_for(template, plan), "PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == f"{sold.storage_gib}Gi"


@every_app
def test_a_quota_of_one_instance_admits_its_pod_and_a_certificate_solver(template):
    spec = spec_for(template)
    alone = replace(
        NAMESPACE,
        instances=1,
        cpu_millicores=spec.cpu_millicores,
        memory_mib=spec.memory_mib,
        storage_gib=spec.storage_gib,
    )
    hard = of_kind(namespace_manifests(alone, CLUSTER), "ResourceQuota")["spec"]["hard"]
    assert hard["limits.cpu"] == f"{spec.cpu_millicores + 100}m"
    assert hard["limits.memory"] == f"{spec.memory_mib + 64}Mi"
    assert (hard["pods"], hard["persistentvolumeclaims"]) == ("2", "1")


def test_a_stopped_instance_has_no_replica_and_everything_else():
    running, stopped = manifests_for(TEMPLATES["n8n"]), manifests_for(TEMPLATES["n8n"], replicas=0)
    assert of_kind(stopped, "Deployment")["spec"].pop("replicas") == 0
    assert of_kind(running, "Deployment")["spec"].pop("replicas") == 1
    assert running == stopped


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


# Changes that must or must not start pods anew


def annotations(manifests: list[dict]) -> dict:
    return of_kind(manifests, "Deployment")["spec"]["template"]["metadata"]["annotations"]


def test_the_same_wanted_state_gives_the_same_manifests():
    assert manifests_for(TEMPLATES["ghost"]) == manifests_for(TEMPLATES["ghost"])


@pytest.mark.parametrize(
    "change", [{"secrets": {"encryption_key": "other"}}, {"env": {"A": "1"}}, {"url": "http://x"}]
)
def test_a_changed_variable_rolls_the_pod(change):
    before, after = manifests_for(TEMPLATES["n8n"]), manifests_for(TEMPLATES["n8n"], **change)
    assert annotations(before) != annotations(after)


def test_a_restart_is_kept_as_wanted_state():
    when = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert annotations(manifests_for(TEMPLATES["n8n"], restarted_at=when))["minispod.io/restarted-at"] == (
        "2026-01-31T12:00:00+00:00"
    )
    assert "minispod.io/restarted-at" not in annotations(manifests_for(TEMPLATES["n8n"]))


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


def test_the_namespace_is_walled():
    policies = {
        m["metadata"]["name"]: m["spec"]
        for m in namespace_manifests(NAMESPACE, CLUSTER)
        if "Policy" in m["kind"]
    }
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    [internet] = policies["allow-internet"]["egress"]
    four, six = (block["ipBlock"] for block in internet["to"])
    assert {"10.0.0.0/8", "169.254.0.0/16", "203.0.113.0/24"} <= set(four["except"])
    assert all(":" not in cidr for cidr in four["except"])
    assert all(":" in cidr for cidr in six["except"])
    [rule] = policies["allow-ingress-controller"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]


# The cluster's settings


def test_without_tls_there_is_no_certificate_and_no_issuer():
    spec, template = spec_for(TEMPLATES["n8n"]), TEMPLATES["n8n"]
    ingress = of_kind(instance_manifests(spec, template, replace(CLUSTER, tls=False)), "Ingress")
    assert "tls" not in ingress["spec"]
    assert "cert-manager.io/cluster-issuer" not in ingress["metadata"]["annotations"]


def test_the_certificate_has_a_name_that_clean_up_knows():
    ingress = of_kind(manifests_for(TEMPLATES["n8n"]), "Ingress")
    assert ingress["spec"]["tls"][0]["secretName"] == certificate_secret_name("n8n-abc123")
    assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"


def test_a_named_storage_class_is_used():
    spec, template = spec_for(TEMPLATES["n8n"]), TEMPLATES["n8n"]
    manifests = instance_manifests(spec, template, replace(CLUSTER, storage_class="fast"))
    assert of_kind(manifests, "PersistentVolumeClaim")["spec"]["storageClassName"] == "fast"


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


# Any name, any size


@st.composite
def sized_instances(draw) -> tuple[InstanceSpec, AppTemplate]:
    template = draw(st.sampled_from(list(TEMPLATES.values())))
    name = draw(st.from_regex(r"\A[a-z]([a-z0-9-]{0,38}[a-z0-9])?\Z"))
    least = template.minimum
    return (
        spec_for(
            template,
            name=name,
            host=f"{name}.apps.example.com",
            url=f"https://{name}.apps.example.com",
            cpu_millicores=draw(st.integers(least.cpu_millicores, 64_000)),
            memory_mib=draw(st.integers(least.memory_mib, 262_144)),
            storage_gib=draw(st.integers(least.storage_gib, 4_096)),
            replicas=draw(st.integers(0, 1)),
            env=draw(
                st.dictionaries(st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,9}\Z"), st.text(max_size=20), max_size=3)
            ),
        ),
        template,
    )


@settings(max_examples=60, deadline=None)
@given(sized_instances())
def test_any_size_and_name_gives_valid_manifests_within_the_plan(case):
    spec, template = case
    manifests = instance_manifests(spec, template, CLUSTER)
    for manifest in manifests:
        check_names_and_labels(manifest)
        check_with_official_client(manifest)
    resources = [container["resources"] for container in containers_of(manifests)]
    assert sum(int(r["limits"]["cpu"].removesuffix("m")) for r in resources) == spec.cpu_millicores
    assert sum(int(r["limits"]["memory"].removesuffix("Mi")) for r in resources) == spec.memory_mib
    for r in resources:
        assert 0 < int(r["requests"]["cpu"].removesuffix("m")) <= int(r["limits"]["cpu"].removesuffix("m"))
        assert int(r["requests"]["memory"].removesuffix("Mi")) > 0


@pytest.mark.parametrize("name", ["1abc", "Abc", "a" * 41, "a_b", "abc-", ""])
def test_a_name_that_the_cluster_would_refuse_is_refused_here(name):
    with pytest.raises(AssertionError):
        spec_for(TEMPLATES["n8n"], name=name)
