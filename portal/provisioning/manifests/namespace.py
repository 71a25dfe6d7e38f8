"""A customer's namespace and the walls around it: Pod Security, quota, defaults, network."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from portal.provisioning.manifests.labels import CUSTOMER_LABEL, MANAGED_LABEL, MANAGER
from portal.provisioning.manifests.wanted import ClusterSettings, NamespaceSpec

Manifest = dict[str, Any]

#: cert-manager answers an ACME challenge with a pod beside the app, one per Ingress. The quota leaves room
#: for it; without, no certificate would ever be issued to a customer who uses the whole plan.
#: Source: https://cert-manager.io/docs/configuration/acme/http01/ (default limits of the solver pod)
SOLVER_CPU_MILLICORES = 100
SOLVER_MEMORY_MIB = 64

#: Addresses that are nobody's on the internet, that lead back to such addresses, or a cloud's own services on every
#: machine: never for customers. IPv4-mapped IPv6 is missing: it is never on the wire, and the API server refuses it.
#: Source: RFC 6890 with the registries it keeps, RFC 6052 and 8215 (NAT64), RFC 3056 (6to4),
#: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
FORBIDDEN_CIDRS = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::1/128",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
)

#: Everything but port 25: mail sent straight to others' servers is spam, and gets the cluster's addresses block-listed.
#: Apps hand their mail to a provider at 465 or 587. A policy can only allow, hence two ranges.
INTERNET_PORTS = (
    {"protocol": "TCP", "port": 1, "endPort": 24},
    {"protocol": "TCP", "port": 26, "endPort": 65535},
    {"protocol": "UDP", "port": 1, "endPort": 65535},
)


def namespace_manifests(spec: NamespaceSpec, settings: ClusterSettings) -> list[Manifest]:
    """Namespace, ResourceQuota, LimitRange and NetworkPolicies, in apply order. All names are fixed."""
    return [
        _namespace(spec),
        _quota(spec),
        _limit_range(spec),
        _policy(spec, "default-deny", {"policyTypes": ["Ingress", "Egress"]}),
        _policy(spec, "allow-ingress-controller", _from_ingress_controller(settings)),
        _policy(spec, "allow-dns", _to_dns(settings)),
        _policy(spec, "allow-internet", _to_internet(settings)),
    ]


def _namespace(spec: NamespaceSpec) -> Manifest:
    """Baseline is enforced; what falls short of restricted is allowed but warned about and audited."""
    levels = {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "restricted",
        "pod-security.kubernetes.io/audit": "restricted",
    }
    metadata = {"name": spec.namespace, "labels": _labels(spec) | levels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _quota(spec: NamespaceSpec) -> Manifest:
    """A second wall behind the plans' own limits: exactly what was sold, and a solver for each instance."""
    cpu_millicores = spec.cpu_millicores + spec.instances * SOLVER_CPU_MILLICORES
    memory_mib = spec.memory_mib + spec.instances * SOLVER_MEMORY_MIB
    hard = {
        "requests.cpu": f"{cpu_millicores}m",
        "limits.cpu": f"{cpu_millicores}m",
        "requests.memory": f"{memory_mib}Mi",
        "limits.memory": f"{memory_mib}Mi",
        "requests.storage": f"{spec.storage_gib}Gi",
        "persistentvolumeclaims": str(spec.instances),
        "pods": str(2 * spec.instances),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    return _namespaced(spec, "v1", "ResourceQuota", "plan", {"hard": hard})


def _limit_range(spec: NamespaceSpec) -> Manifest:
    """For pods that we did not write: with a quota in place, one without resources is never created."""
    defaults = {
        "type": "Container",
        "default": {"cpu": f"{SOLVER_CPU_MILLICORES}m", "memory": f"{SOLVER_MEMORY_MIB}Mi"},
        "defaultRequest": {"cpu": "10m", "memory": f"{SOLVER_MEMORY_MIB}Mi"},
    }
    return _namespaced(spec, "v1", "LimitRange", "defaults", {"limits": [defaults]})


def _from_ingress_controller(settings: ClusterSettings) -> Manifest:
    """Only the port named `http`, which is also what a solver pod calls its own: never a database's."""
    source = {"namespaceSelector": _named_namespace(settings.ingress_namespace)}
    rule = {"from": [source], "ports": [{"protocol": "TCP", "port": "http"}]}
    return {"policyTypes": ["Ingress"], "ingress": [rule]}


def _to_dns(settings: ClusterSettings) -> Manifest:
    servers: list[Manifest] = [{"namespaceSelector": _named_namespace(settings.dns_namespace)}]
    servers += [{"ipBlock": {"cidr": cidr}} for cidr in settings.dns_cidrs]
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return {"policyTypes": ["Egress"], "egress": [{"to": servers, "ports": ports}]}


def _to_internet(settings: ClusterSettings) -> Manifest:
    forbidden = (*FORBIDDEN_CIDRS, *settings.cluster_cidrs)
    blocks = [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": _of_version(4, forbidden)}},
        {"ipBlock": {"cidr": "::/0", "except": _of_version(6, forbidden)}},
    ]
    ports = [dict(ports) for ports in INTERNET_PORTS]
    return {"policyTypes": ["Egress"], "egress": [{"to": blocks, "ports": ports}]}


def _of_version(version: int, cidrs: Iterable[str]) -> list[str]:
    """Each once, in the canonical form and order; an exception must be of the same family as its block."""
    networks = {ipaddress.ip_network(cidr, strict=False) for cidr in cidrs}
    return [str(network) for network in sorted(n for n in networks if n.version == version)]


def _named_namespace(name: str) -> Manifest:
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}


def _policy(spec: NamespaceSpec, name: str, rules: Manifest) -> Manifest:
    return _namespaced(spec, "networking.k8s.io/v1", "NetworkPolicy", name, {"podSelector": {}} | rules)


def _namespaced(spec: NamespaceSpec, api_version: str, kind: str, name: str, body: Manifest) -> Manifest:
    metadata = {"name": name, "namespace": spec.namespace, "labels": _labels(spec)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": body}


def _labels(spec: NamespaceSpec) -> dict[str, str]:
    return {MANAGED_LABEL: MANAGER, CUSTOMER_LABEL: str(spec.customer_id)}
