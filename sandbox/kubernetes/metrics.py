"""What metrics-server would answer: the use of every container that runs, plausible and steady.

The figures are a function of the pod's name and the time, so that two readers see the same: busy for a minute after
the start, then little, with a wave over the day. A pod that does not run, or only just does, is left out.
Source: k8s.io/metrics v1beta1 PodMetrics; metrics-server takes two samples before it speaks of a pod.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

from . import quantities
from .kinds import PODS
from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

WINDOW_S = 15
START_S = 60
DAY_S = 86400
NOISE_S = 300
DEFAULT_LIMITS = {"cpu": "100m", "memory": "128Mi"}


def of_pods(cluster: Cluster, namespace: str) -> list[Object]:
    """One PodMetrics per pod that runs for longer than a window; all namespaces when none is given."""
    found = []
    for pod in cluster.store.list(PODS, namespace):
        life = cluster.runtime.get(pod["metadata"]["uid"], {})
        ran_s = cluster.clock.now_s() - life.get("run_at_s", math.inf)
        if life.get("stage") == "running" and ran_s >= WINDOW_S and "running" in life.get("state", {}):
            found.append(_pod_metrics(cluster, pod, ran_s))
    return found


def _pod_metrics(cluster: Cluster, pod: Object, ran_s: float) -> Object:
    meta, now = pod["metadata"], cluster.clock.stamp()
    kept = {"name": meta["name"], "namespace": meta["namespace"], "labels": meta.get("labels", {})}
    sidecars = [one for one in pod["spec"].get("initContainers", []) if one.get("restartPolicy") == "Always"]
    containers = [
        {"name": one["name"], "usage": _usage(meta["name"], one, ran_s, cluster.clock.now_s())}
        for one in [*pod["spec"]["containers"], *sidecars]
    ]
    metadata = kept | {"creationTimestamp": now}
    return {"metadata": metadata, "timestamp": now, "window": f"{WINDOW_S}s", "containers": containers}


def _usage(pod: str, container: dict[str, Any], ran_s: float, now_s: float) -> dict[str, str]:
    limits = DEFAULT_LIMITS | container.get("resources", {}).get("limits", {})
    wave = 0.5 + 0.5 * math.sin(2 * math.pi * (now_s % DAY_S) / DAY_S)
    noise = _noise(f"{pod}/{container['name']}/{now_s // NOISE_S}")
    busy = 0.6 if ran_s < START_S else 0.03 + 0.12 * wave * noise
    held = 0.35 + 0.15 * min(ran_s / DAY_S, 1) + 0.03 * noise
    return {
        "cpu": f"{int(quantities.parse(limits['cpu']) * 10**9 * round(busy * 1000) / 1000)}n",
        "memory": f"{int(quantities.parse(limits['memory']) * round(held * 1000) / 1000) // 1024}Ki",
    }


def _noise(seed: str) -> float:
    """From 0 to 1, the same for the same seed."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) / 2**32
