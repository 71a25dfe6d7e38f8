"""The objects of one instance: Secret, ConfigMap, PersistentVolumeClaim, Deployment, Service, Ingress."""

import base64
import hashlib
import json
from typing import Any

from portal.catalog.app_templates import AppTemplate, Credential
from portal.catalog.placeholders import resolve
from portal.provisioning.manifests.labels import CUSTOMER_LABEL, INSTANCE_LABEL, MANAGED_LABEL, MANAGER
from portal.provisioning.manifests.pod import HTTP, config_key, is_secret, pod_spec
from portal.provisioning.manifests.wanted import ClusterSettings, InstanceSpec

Manifest = dict[str, Any]

#: After this the Deployment itself reports a failed roll-out. The same five minutes that the portal waits.
PROGRESS_DEADLINE_S = 300


def instance_manifests(spec: InstanceSpec, template: AppTemplate, settings: ClusterSettings) -> list[Manifest]:
    """All objects of the instance, in apply order (`MANAGED_KINDS`).

    The instance keeps the size it was sold in: the resources come from `spec`, not from the template's plans.
    """
    assert spec.service == template.slug, (spec.service, template.slug)
    secret, config = _secret(spec, template), _config_map(spec, template)
    return [
        secret,
        config,
        _claim(spec, settings),
        _deployment(spec, template, checksum=_checksum(secret, config)),
        _service(spec),
        _ingress(spec, settings),
    ]


def instance_selector(instance_id: object) -> str:
    """The label selector that finds everything of an instance, pods included."""
    return f"{INSTANCE_LABEL}={instance_id}"


def certificate_secret_name(instance_name: str, domain: str = "") -> str:
    """The Secret that cert-manager fills, one for the app's own host and one for each domain of the customer's.

    It carries none of our labels and outlives the Ingress, so a clean-up deletes it by this name.
    """
    if not domain:
        return f"{instance_name}-tls"
    return f"{instance_name}-tls-{hashlib.sha256(domain.encode()).hexdigest()[:10]}"


def claim_name(instance_name: str) -> str:
    """What its PersistentVolumeClaim is called."""
    return f"{instance_name}-data"


def shown_credentials(spec: InstanceSpec, template: AppTemplate) -> list[tuple[Credential, str]]:
    """Each credential of the template with its value for this instance, for the instance page alone."""
    values = spec.placeholder_values()
    return [(credential, resolve(credential.value, values)) for credential in template.credentials]


def _secret(spec: InstanceSpec, template: AppTemplate) -> Manifest:
    """`data`, not `stringData`: a key that is left out of the latter would stay on the server for ever."""
    plain = _variables(spec, template, secret=True)
    plain |= {config_key(template.main, name): value for name, value in spec.env.items()}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in sorted(plain.items())}
    return _object(spec, "v1", "Secret", spec.name) | {"type": "Opaque", "data": data}


def _config_map(spec: InstanceSpec, template: AppTemplate) -> Manifest:
    data = _variables(spec, template, secret=False)
    overridden = {config_key(template.main, name) for name in spec.env}
    kept = {key: value for key, value in sorted(data.items()) if key not in overridden}
    return _object(spec, "v1", "ConfigMap", spec.name) | {"data": kept}


def _variables(spec: InstanceSpec, template: AppTemplate, *, secret: bool) -> dict[str, str]:
    values = spec.placeholder_values()
    return {
        config_key(container, name): resolve(text, values)
        for container in template.containers
        for name, text in container.env.items()
        if is_secret(text) is secret
    }


def _checksum(secret: Manifest, config: Manifest) -> str:
    """Pods read their variables once, at the start; a new checksum makes a new roll-out."""
    content = json.dumps([secret["data"], config["data"]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _claim(spec: InstanceSpec, settings: ClusterSettings) -> Manifest:
    claim: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{spec.storage_gib}Gi"}},
    }
    if settings.storage_class:
        claim["storageClassName"] = settings.storage_class
    return _object(spec, "v1", "PersistentVolumeClaim", claim_name(spec.name)) | {"spec": claim}


def _deployment(spec: InstanceSpec, template: AppTemplate, *, checksum: str) -> Manifest:
    """Recreate, because the volume can be held by one pod only."""
    annotations = {"minispod.io/config-checksum": checksum}
    if spec.restarted_at:
        annotations["minispod.io/restarted-at"] = spec.restarted_at.isoformat()
    deployment = {
        "replicas": spec.replicas,
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": PROGRESS_DEADLINE_S,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": _identity(spec)},
        "template": {
            "metadata": {"labels": _labels(spec), "annotations": annotations},
            "spec": pod_spec(spec, template, claim_name=claim_name(spec.name)),
        },
    }
    return _object(spec, "apps/v1", "Deployment", spec.name) | {"spec": deployment}


def _service(spec: InstanceSpec) -> Manifest:
    port = {"name": HTTP, "port": 80, "targetPort": HTTP, "protocol": "TCP"}
    service = {"type": "ClusterIP", "selector": _identity(spec), "ports": [port]}
    return _object(spec, "v1", "Service", spec.name) | {"spec": service}


def _ingress(spec: InstanceSpec, settings: ClusterSettings) -> Manifest:
    manifest = _object(spec, "networking.k8s.io/v1", "Ingress", spec.name)
    backend = {"service": {"name": spec.name, "port": {"name": HTTP}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    hosts = {spec.host: certificate_secret_name(spec.name)}
    hosts |= {domain: certificate_secret_name(spec.name, domain) for domain in sorted(spec.domains)}
    ingress: Manifest = {
        "ingressClassName": settings.ingress_class,
        "rules": [{"host": host, "http": {"paths": [path]}} for host in hosts],
    }
    if settings.tls:  # a certificate per host: one that cannot be issued leaves the others alone
        ingress["tls"] = [{"hosts": [host], "secretName": secret} for host, secret in hosts.items()]
    manifest["metadata"]["annotations"] = _ingress_annotations(settings)
    return manifest | {"spec": ingress}


def _ingress_annotations(settings: ClusterSettings) -> dict[str, str]:
    annotations = dict(settings.ingress_annotations)
    if settings.tls and settings.issuer:
        annotations["cert-manager.io/cluster-issuer"] = settings.issuer
    return annotations


def _object(spec: InstanceSpec, api_version: str, kind: str, name: str) -> Manifest:
    metadata = {"name": name, "namespace": spec.namespace, "labels": _labels(spec)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _labels(spec: InstanceSpec) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": spec.service,
        "app.kubernetes.io/instance": spec.name,
        MANAGED_LABEL: MANAGER,
        CUSTOMER_LABEL: str(spec.customer_id),
        **_identity(spec),
    }


def _identity(spec: InstanceSpec) -> dict[str, str]:
    """What selects the pods. Immutable on a Deployment, hence the id and nothing that could ever change."""
    return {INSTANCE_LABEL: str(spec.id)}
