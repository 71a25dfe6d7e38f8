"""The wanted state that manifests are made of, as the database knows it. Units are in the names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

#: Leaves room for `-<template hash>-<suffix>` in a pod's name, which is a DNS label of 63 characters at most,
#: and starts with a letter, which the name of a Service must.
INSTANCE_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
NAMESPACE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

#: Upload size and patience of ingress-nginx; another controller gets its own through the settings.
NGINX_ANNOTATIONS: Mapping[str, str] = {
    "nginx.ingress.kubernetes.io/proxy-body-size": "512m",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "300",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "300",
}


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """What the operator's cluster is like.

    `issuer` is a cert-manager ClusterIssuer, None when certificates come from elsewhere. `cluster_cidrs` are
    the pod, service and node networks that customers must not reach; private ranges are refused anyway.
    `dns_cidrs` is for a node-local DNS cache, whose address is not a pod's. An empty `storage_class` means
    the cluster's default.
    """

    apps_domain: str
    ingress_class: str = "nginx"
    ingress_namespace: str = "ingress-nginx"
    ingress_annotations: Mapping[str, str] = field(default_factory=lambda: dict(NGINX_ANNOTATIONS))
    issuer: str | None = None
    tls: bool = True
    storage_class: str = ""
    cluster_cidrs: tuple[str, ...] = ()
    dns_namespace: str = "kube-system"
    dns_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NamespaceSpec:
    """A customer's namespace with the sums over every instance that may still hold resources.

    The sums must include instances that are stopped, suspended or being cleaned up, or a new purchase would
    be refused by the quota while the old pod still leaves.
    """

    customer_id: UUID | str
    namespace: str
    instances: int
    cpu_millicores: int
    memory_mib: int
    storage_gib: int

    def __post_init__(self) -> None:
        assert NAMESPACE_NAME.fullmatch(self.namespace), self.namespace
        assert min(self.instances, self.cpu_millicores, self.memory_mib, self.storage_gib) >= 0, self


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """One instance as it should be. `replicas` is 0 when stopped or suspended, else 1.

    `secrets` are decrypted and stay out of `repr`. `env` is what the customer set; it goes to the app's own
    container, wins over the template, and is kept as secret as a password, for it may be one. `images` are pinned
    per container: a template that changed since never changes what runs. `domains` are the customer's own hosts,
    proved to be theirs.
    """

    id: UUID | str
    customer_id: UUID | str
    customer_email: str
    service: str
    name: str
    namespace: str
    host: str
    url: str
    replicas: int
    cpu_millicores: int
    memory_mib: int
    storage_gib: int
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    images: Mapping[str, str] = field(default_factory=dict)
    domains: tuple[str, ...] = ()
    restarted_at: datetime | None = None

    def __post_init__(self) -> None:
        assert INSTANCE_NAME.fullmatch(self.name), self.name
        assert NAMESPACE_NAME.fullmatch(self.namespace), self.namespace
        assert self.replicas in (0, 1), "one volume, so never two pods"
        assert min(self.cpu_millicores, self.memory_mib, self.storage_gib) > 0, self

    def placeholder_values(self) -> dict[str, str]:
        """Everything an app template may refer to, by the name it uses."""
        values = {
            "url": self.url,
            "host": self.host,
            "scheme": self.url.partition("://")[0],
            "name": self.name,
            "customer.email": self.customer_email,
        }
        return values | {f"secret.{name}": value for name, value in self.secrets.items()}
