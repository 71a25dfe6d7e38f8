"""What an app template makes of an app: its manifests, and what would differ from those in effect. Reads only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from uuid import UUID

import yaml

from portal.catalog.app_templates import AppTemplate, Plan
from portal.instances.wanted import cluster_settings, host_of
from portal.provisioning.manifests import InstanceSpec, generate_secrets, instance_manifests

NOBODY = UUID(int=0)


def manifests(template: AppTemplate, plan: Plan) -> str:
    """The objects of an imagined app in a plan, as YAML. Its secrets are made of zeros, and are nobody's."""
    name = f"{template.slug}-abc123"
    spec = InstanceSpec(
        id=NOBODY,
        customer_id=NOBODY,
        customer_email="customer@example.com",
        service=template.slug,
        name=name,
        namespace=f"user-{NOBODY}",
        host=host_of(name),
        url=f"https://{host_of(name)}",
        replicas=1,
        cpu_millicores=plan.cpu_millicores,
        memory_mib=plan.memory_mib,
        storage_gib=plan.storage_gib,
        secrets=generate_secrets(template, bytes),
    )
    made = instance_manifests(spec, template, cluster_settings())
    return yaml.safe_dump_all(made, sort_keys=False, allow_unicode=True, width=110)


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """What differs, line by line with three lines around: the kind (`add`, `take`, `place`, `keep`) and the line."""
    lines: Iterable[str] = difflib.unified_diff(before.splitlines(), after.splitlines(), n=3, lineterm="")
    return [(KINDS.get(line[:1], "keep"), line) for line in list(lines)[2:]]


KINDS = {"+": "add", "-": "take", "@": "place"}
