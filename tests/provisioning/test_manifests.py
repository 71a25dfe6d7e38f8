"""Manifests as the API server will read them: valid, within the plan, found by their labels."""

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes import client

from portal.catalog.app_templates import AppTemplate
from portal.provisioning.manifests import (
    MANAGED_KINDS,
    InstanceSpec,
    certificate_secret_name,
    instance_manifests,
    instance_selector,
    namespace_manifests,
)
from tests.provisioning.examples import (
    CLUSTER,
    CUSTOMER,
    INSTANCE,
    NAMESPACE,
    TEMPLATES,
    containers_of,
    every_app,
    every_sale,
    manifests_for,
    of_kind,
    pod_of,
    spec_for,
)

GOLDEN = Path(__file__).parent / "golden"

RFC_1123_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
RFC_1035_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"(|[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
QUANTITY = re.compile(r"\d+(m|Mi|Gi)?")


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


# Changes that must or must not start pods anew


def annotations(manifests: list[dict]) -> dict:
    return of_kind(manifests, "Deployment")["spec"]["template"]["metadata"]["annotations"]


def test_the_same_wanted_state_gives_the_same_manifests():
    assert manifests_for(TEMPLATES["ghost"]) == manifests_for(TEMPLATES["ghost"])


@pytest.mark.parametrize("change", [{"secrets": {"encryption_key": "other"}}, {"env": {"A": "1"}}, {"url": "http://x"}])
def test_a_changed_variable_rolls_the_pod(change):
    before, after = manifests_for(TEMPLATES["n8n"]), manifests_for(TEMPLATES["n8n"], **change)
    assert annotations(before) != annotations(after)


def test_a_restart_is_kept_as_wanted_state():
    when = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert annotations(manifests_for(TEMPLATES["n8n"], restarted_at=when))["minispod.io/restarted-at"] == (
        "2026-01-31T12:00:00+00:00"
    )
    assert "minispod.io/restarted-at" not in annotations(manifests_for(TEMPLATES["n8n"]))


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
            env=draw(st.dictionaries(st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,9}\Z"), st.text(max_size=20), max_size=3)),
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


# What belongs to one instance alone


def test_a_pinned_image_outlives_a_change_of_its_template():
    pinned = {"mariadb": "mariadb:11.8.1", "wordpress": "wordpress:7.0.0-apache"}
    made = {one["name"]: one["image"] for one in containers_of(manifests_for(TEMPLATES["wordpress"], images=pinned))}
    assert made == pinned


def test_a_container_the_instance_does_not_know_runs_the_templates_image():
    template = TEMPLATES["wordpress"]
    made = containers_of(manifests_for(template, images={"wordpress": "wordpress:7.0.0-apache"}))
    assert made[0]["image"] == template.containers[0].image


def test_a_variable_reaches_the_app_alone_and_stands_in_its_secret():
    manifests = manifests_for(TEMPLATES["wordpress"], env={"DEBUG": "nothing to see"})
    sidecar, app = containers_of(manifests)
    reference = {"name": "DEBUG", "valueFrom": {"secretKeyRef": {"name": "wordpress-abc123", "key": "wordpress.DEBUG"}}}
    assert reference in app["env"]
    assert "DEBUG" not in [one["name"] for one in sidecar["env"]]
    assert "nothing to see" not in yaml.safe_dump_all(manifests), "encoded in the Secret, and nowhere else"


def test_each_domain_has_a_rule_and_a_certificate_of_its_own():
    ingress = of_kind(manifests_for(TEMPLATES["n8n"], domains=("b.example.org", "a.example.org")), "Ingress")["spec"]
    hosts = ["n8n-abc123.apps.example.com", "a.example.org", "b.example.org"]
    assert [rule["host"] for rule in ingress["rules"]] == hosts
    assert [entry["hosts"] for entry in ingress["tls"]] == [[host] for host in hosts]
    secrets = [entry["secretName"] for entry in ingress["tls"]]
    assert secrets == [certificate_secret_name("n8n-abc123", domain) for domain in ("", *hosts[1:])]
    assert len(set(secrets)) == 3
    assert max(map(len, secrets)) <= 63


def test_a_domain_does_not_start_pods_anew():
    plain, own = manifests_for(TEMPLATES["n8n"]), manifests_for(TEMPLATES["n8n"], domains=("a.example.org",))
    assert of_kind(plain, "Deployment") == of_kind(own, "Deployment")
