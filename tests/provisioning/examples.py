"""Instances of every shipped app, as the tests of this folder build them."""

from dataclasses import replace
from uuid import UUID

import pytest

from portal.catalog.app_templates import AppTemplate, PlanType
from portal.catalog.template_files import load_app_templates
from portal.provisioning.manifests import (
    ClusterSettings,
    InstanceSpec,
    NamespaceSpec,
    generate_secrets,
    instance_manifests,
)

TEMPLATES = load_app_templates()
CLUSTER = ClusterSettings(apps_domain="apps.example.com", issuer="letsencrypt", cluster_cidrs=("203.0.113.0/24",))
CUSTOMER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
INSTANCE = UUID("01890a5d-ac96-7ab1-9d5f-4a1b2c3d4e5f")


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
