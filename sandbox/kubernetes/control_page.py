"""The page at /ctl: what is in the cluster, and the switches for trouble. No script, no outside assets."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .faults import AILMENTS, REQUEST_FAULTS
from .kinds import BY_KEY, DEPLOYMENTS, EVENTS, INGRESSES, NAMESPACES, NODES, PODS
from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1f2937}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}td,th{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #e5e7eb;vertical-align:top}h1{margin:0}h2{margin:1.5rem 0 .25rem}small{color:#6b7280}"
    "form{display:inline-block;margin:.25rem .5rem .25rem 0}input,select,button{font:inherit;padding:.25rem .4rem}"
)


def render(cluster: Cluster, root: str) -> str:
    """The whole page. Called under the store's lock."""
    namespaces = [obj for obj in cluster.store.list(NAMESPACES) if not obj["metadata"]["name"].startswith("kube-")]
    parts = [
        "<h1>Sandbox cluster</h1>",
        f"<p><small>{escape(cluster.clock.stamp())} · a stand-in for Kubernetes; no container runs here</small></p>",
        _buttons(root),
        _faults(cluster, root),
        _nodes(cluster, root),
        *(_namespace(cluster, obj) for obj in namespaces),
    ]
    head = f'<meta charset="utf-8"><title>Sandbox cluster</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _form(root: str, action: str, label: str, fields: str = "") -> str:
    button = f'<button name="go" value="1">{escape(label)}</button>'
    return f'<form method="post" action="{escape(root)}/ctl/{action}">{fields}{button}</form>'


def _buttons(root: str) -> str:
    seconds = '<input name="seconds" value="10" size="4" aria-label="seconds">'
    return _form(root, "advance", "Advance the clock (seconds)", seconds) + _form(root, "reset", "Reset everything")


def _faults(cluster: Cluster, root: str) -> str:
    rows = "".join(
        f"<tr><td>{escape(fault.kind)}</td><td>{escape(_scope(fault.__dict__))}</td>"
        f"<td>{_form(root, f'clear/{fault.id}', 'Clear')}</td></tr>"
        for fault in cluster.faults.items
    )
    table = f"<table><tr><th>Kind</th><th>Where</th><th></th></tr>{rows}</table>" if rows else "<p>None.</p>"
    return f"<h2>Faults</h2>{table}{_ailment_form(root)}<br>{_request_form(root)}"


def _scope(fault: dict[str, object]) -> str:
    plain: set[object] = {"", "*", None, False}
    shown = {key: value for key, value in fault.items() if key not in ("kind", "id", "pods") and _is_set(value, plain)}
    return ", ".join(f"{key}={value}" for key, value in shown.items())


def _is_set(value: object, plain: set[object]) -> bool:
    return value not in plain


def _options(table: dict[str, str]) -> str:
    return "".join(f'<option value="{name}">{name}: {escape(text)}</option>' for name, text in table.items())


def _ailment_form(root: str) -> str:
    fields = f'<select name="kind" aria-label="ailment">{_options(AILMENTS)}</select> '
    fields += '<input name="namespace" placeholder="namespace or *"> <input name="name" placeholder="deployment or *"> '
    fields += '<input name="image" placeholder="image or *"> <input name="remaining" placeholder="pods" size="5"> '
    return _form(root, "faults", "Make pods ill", fields)


def _request_form(root: str) -> str:
    fields = f'<select name="kind" aria-label="request fault">{_options(REQUEST_FAULTS)}</select> '
    fields += '<input name="method" placeholder="method" size="7"> <input name="path" placeholder="path (regex)"> '
    fields += (
        '<input name="status" placeholder="status" size="5"> <input name="seconds" placeholder="seconds" size="6"> '
    )
    fields += '<input name="remaining" placeholder="times" size="5"> '
    fields += '<label><input type="checkbox" name="after" value="true"> after the write</label> '
    return _form(root, "faults", "Break answers", fields)


def _nodes(cluster: Cluster, root: str) -> str:
    rows = ""
    for node in cluster.store.list(NODES):
        name = node["metadata"]["name"]
        is_ready = node["status"]["conditions"][-1]["status"] == "True"
        state = "Ready" if is_ready else "NotReady"
        state += ", cordoned" if node["spec"].get("unschedulable") else ""
        label, value = ("Switch off", "false") if is_ready else ("Switch on", "true")
        field = f'<input type="hidden" name="ready" value="{value}">'
        rows += f"<tr><td>{escape(name)}</td><td>{state}</td><td>{_form(root, f'nodes/{name}', label, field)}</td></tr>"
    return f"<h2>Nodes</h2><table><tr><th>Node</th><th>State</th><th></th></tr>{rows}</table>"


def _namespace(cluster: Cluster, namespace: Object) -> str:
    name = namespace["metadata"]["name"]
    rows = "".join(
        _row(BY_KEY[key[0]].kind, key[2], obj)
        for key, obj in sorted(cluster.store.objects.items())
        if key[1] == name and key[0] != EVENTS.key
    )
    head = f"<h2>{escape(name)} <small>{namespace['status']['phase']}</small></h2>"
    return f"{head}<table><tr><th>Kind</th><th>Name</th><th>State</th></tr>{rows}</table>"


def _row(kind: str, name: str, obj: Object) -> str:
    return f"<tr><td>{kind}</td><td>{escape(name)}</td><td>{escape(_summary(kind, obj))}</td></tr>"


def _summary(kind: str, obj: Object) -> str:
    status, leaving = obj.get("status", {}), "leaving, " if obj["metadata"].get("deletionTimestamp") else ""
    if kind == DEPLOYMENTS.kind:
        ready = f"{status.get('readyReplicas', 0)}/{obj['spec']['replicas']} ready"
        reasons = ", ".join(item["reason"] for item in status.get("conditions", []))
        return f"{leaving}{ready}; {reasons}"
    if kind == PODS.kind:
        waiting = [one["state"].get("waiting", {}).get("reason", "") for one in status.get("containerStatuses", [])]
        return f"{leaving}{status.get('phase', '')} {' '.join(filter(None, waiting))}"
    if kind == INGRESSES.kind:
        return ", ".join(rule.get("host", "") for rule in obj["spec"].get("rules") or [])
    return leaving + status.get("phase", "")
