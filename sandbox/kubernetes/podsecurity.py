"""Pod Security Standards: what `baseline` and `restricted` object to in a pod's spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PodSpec = dict[str, Any]
_BASELINE_CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}  # fmt: skip
_RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip


def violations(spec: PodSpec, level: str) -> str:
    """The server's own sentence about what is wrong, or nothing. `level`: privileged, baseline, restricted."""
    if level not in ("baseline", "restricted"):
        return ""
    found = [text for check in _BASELINE if (text := check(spec))]
    if level == "restricted":
        found += [text for check in _RESTRICTED if (text := check(spec))]
    return f'"{level}:latest": ' + ", ".join(found) if found else ""


def _containers(spec: PodSpec, is_bad: Callable[[dict[str, Any]], bool]) -> str:
    """The names of the containers at fault, worded as the server words them."""
    every = [*spec.get("initContainers", []), *spec.get("containers", [])]
    names = [f'"{item["name"]}"' for item in every if is_bad(item.get("securityContext") or {})]
    if not names:
        return ""
    return ("container " if len(names) == 1 else "containers ") + ", ".join(names)


def _host_namespaces(spec: PodSpec) -> str:
    found = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return f"host namespaces ({', '.join(found)})" if found else ""


def _host_path(spec: PodSpec) -> str:
    found = [f'"{volume["name"]}"' for volume in spec.get("volumes", []) if "hostPath" in volume]
    return f"hostPath volumes (volume{'s' if len(found) > 1 else ''} {', '.join(found)})" if found else ""


def _privileged(spec: PodSpec) -> str:
    who = _containers(spec, lambda context: bool(context.get("privileged")))
    return f"privileged ({who} must not set securityContext.privileged=true)" if who else ""


def _added_capabilities(spec: PodSpec) -> str:
    def is_bad(context: dict[str, Any]) -> bool:
        return bool(set((context.get("capabilities") or {}).get("add", [])) - _BASELINE_CAPABILITIES)

    who = _containers(spec, is_bad)
    return f"non-default capabilities ({who} must not include them in securityContext.capabilities.add)" if who else ""


def _escalation(spec: PodSpec) -> str:
    who = _containers(spec, lambda context: context.get("allowPrivilegeEscalation") is not False)
    if not who:
        return ""
    return f"allowPrivilegeEscalation != false ({who} must set securityContext.allowPrivilegeEscalation=false)"


def _dropped_capabilities(spec: PodSpec) -> str:
    who = _containers(spec, lambda context: "ALL" not in (context.get("capabilities") or {}).get("drop", []))
    return f'unrestricted capabilities ({who} must set securityContext.capabilities.drop=["ALL"])' if who else ""


def _volume_types(spec: PodSpec) -> str:
    bad = [item["name"] for item in spec.get("volumes", []) if not _RESTRICTED_VOLUMES & set(item) and len(item) > 1]
    return f"restricted volume types (volumes {', '.join(bad)} use restricted volume types)" if bad else ""


def _non_root(spec: PodSpec) -> str:
    pod_says = (spec.get("securityContext") or {}).get("runAsNonRoot") is True

    def is_bad(context: dict[str, Any]) -> bool:
        own = context.get("runAsNonRoot")
        return own is False or (own is None and not pod_says)

    who = _containers(spec, is_bad)
    return f"runAsNonRoot != true (pod or {who} must set securityContext.runAsNonRoot=true)" if who else ""


def _root_user(spec: PodSpec) -> str:
    who = _containers(spec, lambda context: context.get("runAsUser") == 0)
    if (spec.get("securityContext") or {}).get("runAsUser") == 0:
        who = f"pod{' and ' + who if who else ''}"
    return f"runAsUser=0 ({who} must not set runAsUser=0)" if who else ""


def _seccomp(spec: PodSpec) -> str:
    good = ("RuntimeDefault", "Localhost")
    pod_type = ((spec.get("securityContext") or {}).get("seccompProfile") or {}).get("type")

    def is_bad(context: dict[str, Any]) -> bool:
        return ((context.get("seccompProfile") or {}).get("type") or pod_type) not in good

    who = _containers(spec, is_bad)
    wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return f"seccompProfile (pod or {who} {wanted})" if who else ""


_BASELINE = [_host_namespaces, _host_path, _privileged, _added_capabilities]
_RESTRICTED = [_escalation, _dropped_capabilities, _volume_types, _non_root, _root_user, _seccomp]
