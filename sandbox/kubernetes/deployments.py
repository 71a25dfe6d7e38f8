"""The Deployment controller, after the real one: ReplicaSets, rolling updates, conditions, the progress deadline.

One pass per tick and Deployment. The order of conditions and the counters that are absent at zero follow from doing
the same steps in the same order as the original.
"""

from __future__ import annotations

import hashlib
import json
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import events
from .cloning import clone
from .kinds import DEPLOYMENTS, REPLICA_SETS
from .store import Object, new_uid

if TYPE_CHECKING:
    from .cluster import Cluster

_REVISION = "deployment.kubernetes.io/revision"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MAXIMUM = "deployment.kubernetes.io/max-replicas"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def tick(cluster: Cluster) -> None:
    for deployment in cluster.rest.awake(DEPLOYMENTS):
        _Pass(cluster, deployment).run()


def template_hash(template: dict[str, Any]) -> str:
    """Ten letters that change with the template, in the server's alphabet."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


class _Pass:
    """One look at one Deployment."""

    def __init__(self, cluster: Cluster, deployment: Object) -> None:
        self.cluster = cluster
        self.deployment = clone(deployment)
        self.spec = self.deployment["spec"]
        self.wanted: int = self.spec["replicas"]
        self.hash = template_hash(self.spec["template"])
        self._adopt_orphans()
        listed = cluster.store.list(REPLICA_SETS, self._namespace)
        self.sets = [clone(item) for item in listed if self._owns(item)]

    @property
    def _namespace(self) -> str:
        return self.deployment["metadata"]["namespace"]

    def run(self) -> None:
        if self.deployment["metadata"].get("deletionTimestamp"):
            self._write_status(self._counted_status())
        elif self._is_scaling():
            self._sync_revision()
            status = self._counted_status()  # from before the scaling, as the original does
            self._scale_proportionally()
            self._write_status(status)
        elif self.spec["strategy"]["type"] == "Recreate":
            self._recreate()
        else:
            self._roll()

    # which ReplicaSets are ours

    def _adopt_orphans(self) -> None:
        wanted = self.spec["selector"].get("matchLabels", {})
        for item in self.cluster.store.list(REPLICA_SETS, self._namespace):
            is_match = wanted.items() <= item["metadata"].get("labels", {}).items()
            if is_match and _controller(item) is None and not self.deployment["metadata"].get("deletionTimestamp"):
                adopted = clone(item)
                adopted["metadata"]["ownerReferences"] = [self._owner_reference()]
                self.cluster.store.update(REPLICA_SETS, adopted)

    def _owns(self, item: Object) -> bool:
        return (_controller(item) or {}).get("uid") == self.deployment["metadata"]["uid"]

    def _owner_reference(self) -> dict[str, Any]:
        meta = self.deployment["metadata"]
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"]}
        return reference | {"controller": True, "blockOwnerDeletion": True}

    @property
    def new_set(self) -> Object | None:
        return next((item for item in self.sets if item["metadata"]["labels"]["pod-template-hash"] == self.hash), None)

    @property
    def old_sets(self) -> list[Object]:
        return [item for item in self.sets if item is not self.new_set]

    # the strategies

    def _roll(self) -> None:
        if self._sync_revision(create=True):
            return
        if not self._grow_new():
            self._shrink_old()
        self._sync_progress()

    def _recreate(self) -> None:
        for item in self.old_sets:
            self._scale(item, 0)
        if _sum(self.old_sets, "replicas") or _sum(self.old_sets, "terminatingReplicas"):
            self._sync_progress()
        elif not self._sync_revision(create=True):
            self._scale(self.new_set, self.wanted)
            self._sync_progress()

    def _sync_revision(self, *, create: bool = False) -> bool:
        """Numbers the new ReplicaSet, makes it when asked; True when this pass ends with that."""
        highest = max([_revision(item) for item in self.old_sets], default=0)
        if self.new_set is not None:
            revision = max(_revision(self.new_set), highest + 1)
            self._annotate(self.new_set, revision)
            self.deployment["metadata"].setdefault("annotations", {})[_REVISION] = str(revision)
            return False
        if create:
            self._create_set(highest + 1)
        return create

    def _create_set(self, revision: int) -> None:
        meta, template = self.deployment["metadata"], clone(self.spec["template"])
        name = f"{meta['name']}-{self.hash}"
        labels = dict(template["metadata"].get("labels", {})) | {"pod-template-hash": self.hash}
        template["metadata"]["labels"] = labels
        selector = clone(self.spec["selector"])
        selector.setdefault("matchLabels", {})["pod-template-hash"] = self.hash
        replicas = self._first_size()
        made = self.cluster.store.add(REPLICA_SETS, {
            "metadata": {
                "name": name, "namespace": meta["namespace"], "uid": new_uid(), "generation": 1,
                "creationTimestamp": self.cluster.clock.stamp(), "labels": labels,
                "annotations": self._set_annotations(revision), "ownerReferences": [self._owner_reference()],
            },
            "spec": {"replicas": replicas, "selector": selector, "template": template},
            "status": {"replicas": 0},
        })  # fmt: skip
        if self.spec.get("minReadySeconds"):
            made["spec"]["minReadySeconds"] = self.spec["minReadySeconds"]
        self._tell_scaling(name, 0, replicas)
        meta.setdefault("annotations", {})[_REVISION] = str(revision)
        status = clone(self.deployment["status"])
        self._set_condition(status, "Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
        self._write_status(status)

    def _first_size(self) -> int:
        if self.spec["strategy"]["type"] == "Recreate":
            return self.wanted
        room = self.wanted + self._surge() - self._total()
        return max(0, min(room, self.wanted))

    def _grow_new(self) -> bool:
        new = self.new_set
        assert new is not None
        size = new["spec"]["replicas"]
        if size >= self.wanted:
            return self._scale(new, self.wanted)
        room = self.wanted + self._surge() - self._total()
        return self._scale(new, size + max(0, min(room, self.wanted - size)))

    def _shrink_old(self) -> None:
        new = self.new_set
        assert new is not None
        unavailable_new = new["spec"]["replicas"] - new["status"].get("availableReplicas", 0)
        spare = self._total() - (self.wanted - self._unavailable_max()) - unavailable_new
        if spare <= 0:
            return
        for item in sorted(self.old_sets, key=_created):  # unhealthy ones first: they serve nobody
            unhealthy = item["spec"]["replicas"] - item["status"].get("availableReplicas", 0)
            cut = min(spare, unhealthy)
            self._scale(item, item["spec"]["replicas"] - max(0, cut))
            spare -= max(0, cut)
        available = sum(item["status"].get("availableReplicas", 0) for item in self.sets)
        room = available - (self.wanted - self._unavailable_max())
        for item in sorted(self.old_sets, key=_created):
            cut = max(0, min(room, item["spec"]["replicas"]))
            self._scale(item, item["spec"]["replicas"] - cut)
            room -= cut

    def _is_scaling(self) -> bool:
        return any(
            item["spec"]["replicas"] > 0
            and item["metadata"].get("annotations", {}).get(_DESIRED, str(self.wanted)) != str(self.wanted)
            for item in self.sets
        )

    def _scale_proportionally(self) -> None:
        """Simplified: the newest ReplicaSet takes the change, old ones go when the newest is complete."""
        active = [item for item in self.sets if item["spec"]["replicas"] > 0]
        target = self.new_set if self.new_set in active or len(active) != 1 else active[0]
        for item in active:
            self._annotate(item, _revision(item))
        if target is not None:
            self._scale(target, self.wanted)
        if self.wanted == 0:
            for item in active:
                self._scale(item, 0)

    # writing ReplicaSets

    def _scale(self, item: Object | None, size: int) -> bool:
        if item is None or item["spec"]["replicas"] == size:
            return False
        before = item["spec"]["replicas"]
        item["spec"]["replicas"] = size
        item["metadata"]["generation"] += 1
        item["metadata"]["annotations"] |= self._set_annotations(_revision(item))
        self.cluster.store.update(REPLICA_SETS, item)
        self._tell_scaling(item["metadata"]["name"], before, size)
        return True

    def _annotate(self, item: Object, revision: int) -> None:
        item["metadata"].setdefault("annotations", {}).update(self._set_annotations(revision))
        self.cluster.store.update(REPLICA_SETS, item)

    def _set_annotations(self, revision: int) -> dict[str, str]:
        return {
            _DESIRED: str(self.wanted),
            _MAXIMUM: str(self.wanted + self._surge()),
            _REVISION: str(revision),
        }

    def _tell_scaling(self, name: str, before: int, after: int) -> None:
        if before != after:
            word = "up" if after > before else "down"
            message = f"Scaled {word} replica set {name} from {before} to {after}"
            about = (DEPLOYMENTS, self.deployment)
            events.record(self.cluster, about, "ScalingReplicaSet", message, component="deployment-controller")

    # numbers

    def _total(self) -> int:
        return sum(item["spec"]["replicas"] for item in self.sets)

    def _surge(self) -> int:
        rolling = self.spec["strategy"].get("rollingUpdate")
        return _share(rolling["maxSurge"], self.wanted, math.ceil) if rolling else 0

    def _unavailable_max(self) -> int:
        rolling = self.spec["strategy"].get("rollingUpdate")
        if not rolling or self.wanted == 0:
            return 0
        allowed = _share(rolling["maxUnavailable"], self.wanted, math.floor)
        return min(self.wanted, 1 if allowed == 0 and self._surge() == 0 else allowed)

    # status

    def _counted_status(self) -> dict[str, Any]:
        """Counters as the sets stand now, conditions as they were, Available renewed."""
        sums = {name: _sum(self.sets, name) for name in ("replicas", "readyReplicas", "availableReplicas")}
        sums["updatedReplicas"] = _sum([self.new_set] if self.new_set else [], "replicas")
        sums["unavailableReplicas"] = max(0, self._total() - sums["availableReplicas"])
        order = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")
        status = {"observedGeneration": self.deployment["metadata"]["generation"]}
        status |= {name: sums[name] for name in order if sums[name]}
        status["terminatingReplicas"] = _sum(self.sets, "terminatingReplicas")
        status["conditions"] = clone(self.deployment["status"].get("conditions", []))
        if sums["availableReplicas"] >= self.wanted - self._unavailable_max():
            why = ("MinimumReplicasAvailable", "Deployment has minimum availability.")
            self._set_condition(status, "Available", "True", *why)
        else:
            why = ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
            self._set_condition(status, "Available", "False", *why)
        return status

    def _sync_progress(self) -> None:
        status, old = self._counted_status(), self.deployment["status"]
        current = _condition(old, "Progressing")
        is_settled = status.get("replicas") == status.get("updatedReplicas") and (current or {}).get("reason") == (
            "NewReplicaSetAvailable"
        )
        if not is_settled:
            self._judge_progress(status, old, current)
        failure = next((item for one in [self.new_set, *self.old_sets] if one for item in _failures(one)), None)
        if failure is not None:
            self._set_condition(status, "ReplicaFailure", "True", failure["reason"], failure["message"])
        else:
            status["conditions"] = [item for item in status["conditions"] if item["type"] != "ReplicaFailure"]
        self._write_status(status)

    def _judge_progress(self, status: dict[str, Any], old: dict[str, Any], current: dict[str, Any] | None) -> None:
        subject = f'ReplicaSet "{self.new_set["metadata"]["name"]}"' if self.new_set else "Deployment"
        if self._is_complete(status):
            reason, message = "NewReplicaSetAvailable", f"{subject} has successfully progressed."
            self._set_condition(status, "Progressing", "True", reason, message)
        elif _has_moved(status, old):
            kept = current["lastTransitionTime"] if current and current["status"] == "True" else ""
            status["conditions"] = [item for item in status["conditions"] if item["type"] != "Progressing"]
            message = f"{subject} is progressing."
            self._set_condition(status, "Progressing", "True", "ReplicaSetUpdated", message, kept)
        elif self._is_late(current):
            message = f"{subject} has timed out progressing."
            self._set_condition(status, "Progressing", "False", "ProgressDeadlineExceeded", message)

    def _is_complete(self, status: dict[str, Any]) -> bool:
        counters = ("replicas", "updatedReplicas", "availableReplicas")
        return all(status.get(name, 0) == self.wanted for name in counters)

    def _is_late(self, current: dict[str, Any] | None) -> bool:
        if current is None or current["reason"] == "NewReplicaSetAvailable":
            return False
        if current["reason"] == "ProgressDeadlineExceeded":
            return True
        updated_s = datetime.fromisoformat(current["lastUpdateTime"]).timestamp()
        return self.cluster.clock.now_s() - updated_s > self.spec["progressDeadlineSeconds"]

    def _set_condition(
        self, status: dict[str, Any], kind: str, value: str, reason: str, message: str, since: str = ""
    ) -> None:
        """As the original: the same status and reason change nothing, anything else moves to the end."""
        current, now = _condition(status, kind), self.cluster.clock.stamp()
        if current and current["status"] == value and current["reason"] == reason:
            return
        if current and current["status"] == value:
            since = current["lastTransitionTime"]
        made = {"type": kind, "status": value, "lastUpdateTime": now, "lastTransitionTime": since or now}
        kept = [item for item in status.get("conditions", []) if item["type"] != kind]
        status["conditions"] = [*kept, made | {"reason": reason, "message": message}]

    def _write_status(self, status: dict[str, Any]) -> None:
        self.deployment["status"] = status
        self.cluster.store.update(DEPLOYMENTS, self.deployment)


def _controller(item: Object) -> dict[str, Any] | None:
    return next((ref for ref in item["metadata"].get("ownerReferences", []) if ref.get("controller")), None)


def _revision(item: Object) -> int:
    return int(item["metadata"].get("annotations", {}).get(_REVISION, 0))


def _created(item: Object) -> str:
    return item["metadata"]["creationTimestamp"]


def _share(value: int | str, whole: int, rounding: Any) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return rounding(whole * int(value[:-1]) / 100)
    return int(value)


def _sum(sets: list[Object], name: str) -> int:
    return sum(item["status"].get(name, 0) for item in sets)


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any] | None:
    return next((item for item in status.get("conditions", []) if item["type"] == kind), None)


def _failures(item: Object) -> list[dict[str, Any]]:
    return [one for one in item["status"].get("conditions", []) if one["type"] == "ReplicaFailure"]


def _has_moved(status: dict[str, Any], old: dict[str, Any]) -> bool:
    def count(one: dict[str, Any], name: str) -> int:
        return one.get(name, 0)

    stale, stale_before = (count(one, "replicas") - count(one, "updatedReplicas") for one in (status, old))
    names = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return stale < stale_before or any(count(status, name) > count(old, name) for name in names)
