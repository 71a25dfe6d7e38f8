"""Wanted state to Kubernetes manifests: pure functions, the same input gives the same bytes.

The manifests are plain dicts for server-side apply with the field manager `minispod` and force. Applying all
of them again is the repair: an unchanged object costs nothing, and a field that is no longer wanted goes
away, because Secrets carry `data` (never `stringData`) and `replicas` always stands there.

Order matters twice: apply in the order given, delete in the reverse order of `MANAGED_KINDS`.
"""

from portal.provisioning.manifests.generated import generate_secrets
from portal.provisioning.manifests.instance import (
    certificate_secret_name,
    claim_name,
    instance_manifests,
    instance_selector,
    shown_credentials,
)
from portal.provisioning.manifests.kinds import MANAGED_KINDS, ManagedKind
from portal.provisioning.manifests.labels import CUSTOMER_LABEL, INSTANCE_LABEL, MANAGED_SELECTOR
from portal.provisioning.manifests.namespace import namespace_manifests
from portal.provisioning.manifests.pod import requests_of
from portal.provisioning.manifests.wanted import ClusterSettings, InstanceSpec, NamespaceSpec

FIELD_MANAGER = "minispod"

__all__ = [
    "CUSTOMER_LABEL",
    "FIELD_MANAGER",
    "INSTANCE_LABEL",
    "MANAGED_KINDS",
    "MANAGED_SELECTOR",
    "ClusterSettings",
    "InstanceSpec",
    "ManagedKind",
    "NamespaceSpec",
    "certificate_secret_name",
    "claim_name",
    "generate_secrets",
    "instance_manifests",
    "instance_selector",
    "namespace_manifests",
    "requests_of",
    "shown_credentials",
]
