"""The eviction subresource: a pod is asked to leave, unless it is another one or a disruption budget forbids it."""

from __future__ import annotations

from . import deletion
from .refusals import over_budget
from .store import Object
from .verbs import Answer, Call, check_preconditions


def evict(call: Call, body: Object) -> Answer:
    """201; the pod goes with its grace period."""
    pod = call.find()
    check_preconditions(call, pod, (body.get("deleteOptions") or {}).get("preconditions") or {})
    if call.cluster.faults.of_pod(pod, "disruption-budget"):
        raise over_budget()
    if not call.is_dry:
        deletion.delete(call.cluster, call.resource, pod)
    return 201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
