"""The pod of an instance: its containers, their shares of the plan, their probes and their rights."""

from collections.abc import Iterable, Mapping
from typing import Any

from portal.catalog.app_templates import AppTemplate, Container, Probe
from portal.catalog.placeholders import resolve, secrets_in
from portal.provisioning.manifests.wanted import InstanceSpec

Manifest = dict[str, Any]

#: The port's name, which the Service, the probes and the NetworkPolicy use.
HTTP = "http"
VOLUME = "data"

#: Memory is reserved whole, so that a full node never ends a paying customer's pod. The processor is shared:
#: idle apps lend it out, and a quarter is there for certain.
CPU_RESERVED_PERCENT = 25

#: The node's own disk: what a container writes beside its volume, its log included. Without an end one app could
#: fill the node, and Kubernetes would evict the neighbours. Room enough for an upload on its way to the volume.
NODE_DISK_RESERVED = "64Mi"
NODE_DISK_MAX = "4Gi"


def pod_spec(spec: InstanceSpec, template: AppTemplate, *, claim_name: str) -> Manifest:
    """Sidecars are init containers that keep running (Kubernetes 1.29 and later): they are up before the app
    starts and outlive it, so an app neither crashes while its database is made nor loses it at its end."""
    resources = split_resources(spec, template.containers)
    build = {c.name: _container(c, spec, resources[c.name]) for c in template.containers}
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": _pod_security(template),
        "containers": [build[c.name] for c in template.containers if not c.sidecar],
        "volumes": _volumes(template, claim_name),
    }
    sidecars = [build[c.name] | {"restartPolicy": "Always"} for c in template.containers if c.sidecar]
    return pod | ({"initContainers": sidecars} if sidecars else {})


def split_resources(spec: InstanceSpec, containers: Iterable[Container]) -> dict[str, Manifest]:
    """Requests and limits by container name. The limits add up to the plan exactly: the app's own container
    gets what rounding leaves over."""
    containers = list(containers)
    cpu = _split(spec.cpu_millicores, {c.name: c.share.cpu for c in containers}, _main_name(containers))
    memory = _split(spec.memory_mib, {c.name: c.share.memory for c in containers}, _main_name(containers))
    return {c.name: _resources(cpu[c.name], memory[c.name]) for c in containers}


def requests_of(*, cpu_millicores: int, memory_mib: int) -> tuple[int, int]:
    """What an app of that size asks of a node: millicores and MiB. Its containers' rounding is left out."""
    return max(1, cpu_millicores * CPU_RESERVED_PERCENT // 100), memory_mib


def config_key(container: Container, variable: str) -> str:
    """Where a variable stands in the instance's Secret or ConfigMap; two containers may use the same name."""
    return f"{container.name}.{variable}"


def is_secret(value: str) -> bool:
    """Whether a template's value belongs into the Secret."""
    return bool(secrets_in(value))


def _split(total: int, percents: Mapping[str, int], main: str) -> dict[str, int]:
    parts = {name: max(1, total * percent // 100) for name, percent in percents.items() if name != main}
    return parts | {main: total - sum(parts.values())}


def _main_name(containers: Iterable[Container]) -> str:
    return next(container.name for container in containers if not container.sidecar)


def _resources(cpu_millicores: int, memory_mib: int) -> Manifest:
    reserved = max(1, cpu_millicores * CPU_RESERVED_PERCENT // 100)
    return {
        "requests": {"cpu": f"{reserved}m", "memory": f"{memory_mib}Mi", "ephemeral-storage": NODE_DISK_RESERVED},
        "limits": {"cpu": f"{cpu_millicores}m", "memory": f"{memory_mib}Mi", "ephemeral-storage": NODE_DISK_MAX},
    }


def _container(container: Container, spec: InstanceSpec, resources: Manifest) -> Manifest:
    values = spec.placeholder_values()
    built: Manifest = {
        "name": container.name,
        "image": spec.images.get(container.name, container.image),
        "imagePullPolicy": "IfNotPresent",
        "env": _env(container, spec),
        "resources": resources,
        "securityContext": _container_security(container),
        "volumeMounts": _mounts(container),
        "startupProbe": _startup_probe(container, values),
        "readinessProbe": _probe(container.readiness, container, values),
    }
    if container.liveness:
        built["livenessProbe"] = _probe(container.liveness, container, values)
    if container.port:
        built["ports"] = [_port(container)]
    for field in ("command", "args"):
        if texts := getattr(container, field):
            built[field] = [resolve(text, values) for text in texts]
    return built


def _port(container: Container) -> Manifest:
    """Only the app's own port is called http, so only that one is let in by the network policy."""
    name = container.name[:15].rstrip("-") if container.sidecar else HTTP
    return {"name": name, "containerPort": container.port, "protocol": "TCP"}


def _env(container: Container, spec: InstanceSpec) -> list[Manifest]:
    """References only: no value stands in the Deployment, which many may read."""
    own = {name: is_secret(value) for name, value in container.env.items()}
    overridden = {} if container.sidecar else dict.fromkeys(spec.env, True)
    return [_env_reference(container, name, spec, secret) for name, secret in sorted((own | overridden).items())]


def _env_reference(container: Container, name: str, spec: InstanceSpec, secret: bool) -> Manifest:
    source = "secretKeyRef" if secret else "configMapKeyRef"
    return {"name": name, "valueFrom": {source: {"name": spec.name, "key": config_key(container, name)}}}


def _mounts(container: Container) -> list[Manifest]:
    mounts = [{"name": VOLUME, "mountPath": m.path, "subPath": m.sub_path} for m in container.mounts]
    return mounts + [{"name": _scratch_name(container, path), "mountPath": path} for path in container.scratch]


def _volumes(template: AppTemplate, claim_name: str) -> list[Manifest]:
    volumes: list[Manifest] = [{"name": VOLUME, "persistentVolumeClaim": {"claimName": claim_name}}]
    for container in template.containers:
        volumes += [{"name": _scratch_name(container, path), "emptyDir": {}} for path in container.scratch]
    return volumes


def _scratch_name(container: Container, path: str) -> str:
    return f"{container.name}-scratch-{container.scratch.index(path)}"


def _startup_probe(container: Container, values: Mapping[str, str]) -> Manifest:
    """The readiness question, asked often and patiently: the liveness probe stays quiet until the first yes,
    and a sidecar holds the app back until then."""
    period_s = 5
    question = _question(container.readiness, container, values)
    failures = -(-container.startup_s // period_s)
    timing = {
        "periodSeconds": period_s,
        "timeoutSeconds": container.readiness.timeout_s,
        "failureThreshold": failures,
    }
    return question | timing


def _probe(probe: Probe, container: Container, values: Mapping[str, str]) -> Manifest:
    timing = {
        "periodSeconds": probe.period_s,
        "timeoutSeconds": probe.timeout_s,
        "failureThreshold": probe.failures,
    }
    return _question(probe, container, values) | timing


def _question(probe: Probe, container: Container, values: Mapping[str, str]) -> Manifest:
    if probe.command:
        return {"exec": {"command": [resolve(text, values) for text in probe.command]}}
    port = container.port if container.sidecar else HTTP
    if probe.tcp:
        return {"tcpSocket": {"port": port}}
    assert probe.http is not None
    question: Manifest = {"path": probe.http.path, "port": port}
    headers = probe.http.headers.items()
    if headers:
        question["httpHeaders"] = [{"name": name, "value": resolve(value, values)} for name, value in headers]
    return {"httpGet": question}


def _pod_security(template: AppTemplate) -> Manifest:
    """OnRootMismatch: handing a large volume to the group again at every start could outlast the deadline."""
    context: Manifest = {
        "fsGroup": template.fs_group,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if not any(container.security.root for container in template.containers):
        context["runAsNonRoot"] = True
    if any(_low_port_without_root(container) for container in template.containers):
        # A safe sysctl, allowed by both Pod Security levels: lets an ordinary user open port 80.
        context["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    return context


def _low_port_without_root(container: Container) -> bool:
    return container.port is not None and container.port < 1024 and not container.security.root


def _container_security(container: Container) -> Manifest:
    """As little as the image permits; even root gains nothing new and keeps only what it names."""
    rights = container.security
    context: Manifest = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    if rights.root:
        if rights.root.capabilities:
            context["capabilities"]["add"] = sorted(rights.root.capabilities)
        return context | {"runAsUser": 0, "runAsNonRoot": False}
    return context | {
        "runAsNonRoot": True,
        "runAsUser": rights.run_as_user,
        "runAsGroup": rights.run_as_group,
    }
