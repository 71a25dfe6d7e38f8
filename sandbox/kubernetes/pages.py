"""What a browser sees at an app's address: a friendly placeholder once a pod is ready."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .kinds import INGRESSES, PODS, SERVICES
from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:12vh auto;padding:0 1rem;color:#1f2937}"
    "h1{font-size:2rem;margin:0 0 .5rem}dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem}"
    "dt{color:#6b7280}code{background:#f3f4f6;padding:.1rem .3rem;border-radius:.25rem}"
)


def find_ingress(cluster: Cluster, host: str) -> Object | None:
    """The first Ingress with a rule for the host."""
    name = host.rsplit(":", 1)[0].lower()
    for ingress in cluster.store.list(INGRESSES):
        if any(rule.get("host") == name for rule in ingress["spec"].get("rules") or []) and name:
            return ingress
    return None


def app_page(cluster: Cluster, host: str) -> tuple[str, str]:
    """Status line and HTML: 404 for an unknown host, 503 while nothing is ready, else the app's stand-in."""
    ingress = find_ingress(cluster, host)
    if ingress is None:
        return "404 Not Found", _document("No such app", "<p>No Ingress of the sandbox cluster has this host.</p>")
    pod = _ready_pod(cluster, ingress, host)
    if pod is None:
        text = "<p>The app is not running, or not ready yet.</p>"
        return "503 Service Unavailable", _document("Not available", text)
    title = ingress["metadata"].get("labels", {}).get("app.kubernetes.io/name", ingress["metadata"]["name"])
    rows = {"Address": host, "Image": pod["spec"]["containers"][0]["image"], "Pod": pod["metadata"]["name"]}
    listed = "".join(f"<dt>{key}</dt><dd><code>{escape(value)}</code></dd>" for key, value in rows.items())
    text = f"<p>This is the sandbox. On a real cluster, {escape(title)} would answer here.</p><dl>{listed}</dl>"
    return "200 OK", _document(title, text)


def _ready_pod(cluster: Cluster, ingress: Object, host: str) -> Object | None:
    namespace, name = ingress["metadata"]["namespace"], _backend(ingress, host)
    service = cluster.store.get(SERVICES, namespace, name)
    selector = (service or {}).get("spec", {}).get("selector") or {}
    if not selector:
        return None
    for pod in cluster.store.list(PODS, namespace):
        is_chosen = selector.items() <= pod["metadata"].get("labels", {}).items()
        conditions = pod["status"].get("conditions", [])
        is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        if is_chosen and is_ready and not pod["metadata"].get("deletionTimestamp"):
            return pod
    return None


def _backend(ingress: Object, host: str) -> str:
    name = host.rsplit(":", 1)[0].lower()
    for rule in ingress["spec"].get("rules") or []:
        for path in rule.get("http", {}).get("paths", []) if rule.get("host") == name else []:
            return path["backend"]["service"]["name"]
    return ""


def _document(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>{body}</body></html>'
