"""Nodes in words and figures. Codes are stored; this is what people read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask_babel import format_decimal, format_timedelta
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.nodes.rules import Overselling

EVENTS: dict[str, Any] = {
    "Starting": _l("Its kubelet started"),
    "NodeReady": _l("It is ready"),
    "NodeNotReady": _l("It stopped answering"),
    "NodeSchedulable": _l("New apps may come again"),
    "NodeNotSchedulable": _l("New apps are kept away"),
    "RegisteredNode": _l("The cluster took it in"),
    "RemovingNode": _l("The cluster let it go"),
    "NodeHasSufficientMemory": _l("It has memory enough"),
    "NodeHasInsufficientMemory": _l("It is short of memory"),
    "NodeHasNoDiskPressure": _l("It has disk enough"),
    "NodeHasDiskPressure": _l("It is short of disk"),
    "NodeHasSufficientPID": _l("It has process numbers enough"),
    "NodeHasInsufficientPID": _l("It is short of process numbers"),
    "NodeAllocatableEnforced": _l("What pods may have was set"),
    "Rebooted": _l("It was restarted"),
    "EvictionThresholdMet": _l("It ends pods because something runs short"),
    "SystemOOM": _l("Something used too much memory and was ended"),
}
"""What Kubernetes notes about a node, by its reason."""

TROUBLES: dict[str, Any] = {
    "CLUSTER_UNAVAILABLE": _l("The cluster does not answer. It goes on by itself."),
    "CLUSTER_FORBIDS": _l("The worker's account may not do this: apply deploy/kubernetes/worker-rbac.yaml again."),
    "REFUSED_BY_CLUSTER": _l("The cluster refuses this. Look at its log."),
}
SHORT: dict[str, Any] = {"cpu": _l("processor"), "memory": _l("memory"), "pods": _l("places for pods")}


def size(count: int) -> str:
    """`1.5 GB`; binary, as plans count."""
    for unit, power in (("TB", 40), ("GB", 30), ("MB", 20)):
        if count >= 2**power:
            return f"{format_decimal(round(count / 2**power, 1))} {unit}"
    return f"{format_decimal(count // 1024)} kB"


def cpu(millicores: int) -> str:
    """`0.5 vCPU`."""
    return f"{format_decimal(round(millicores / 1000, 2))} vCPU"


def about(time: timedelta | None) -> str:
    """How long a move takes an app down, from its last start."""
    if time is None:
        return _("unknown, it has not started here yet")
    return _("about %(time)s", time=format_timedelta(max(time, timedelta(seconds=1)), threshold=1.2))


def trouble(code: str) -> Any:
    """Why a drain does not go on right now."""
    return TROUBLES.get(code, TROUBLES["REFUSED_BY_CLUSTER"])


def count(number: int) -> str:
    """A bare number, as the reader writes it."""
    return str(format_decimal(number))


def short(overselling: Overselling) -> str:
    """Of what there is not enough."""
    return ", ".join(str(SHORT[name]) for name in overselling.short)
