"""The control surface under /ctl: JSON for tests, and one plain page for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from . import control_page
from .cluster import Cluster
from .refusals import Refusal, bad_request

Handler = Callable[[Cluster, dict[str, Any]], Any]


def respond(cluster: Cluster, request: Request) -> Response:
    """A page for GET /ctl, JSON for the rest; a posted form is sent back to the page."""
    name = request.path.removeprefix("/ctl").strip("/")
    if not name and request.method == "GET":
        with cluster.store.lock:
            html = control_page.render(cluster, request.script_root)
        return Response(html, mimetype="text/html")
    handler = _HANDLERS.get((request.method, name.split("/")[0]))
    if handler is None:
        raise Refusal(404, "NotFound", f"the control surface has no {request.method} /ctl/{name}")
    result = handler(cluster, _arguments(request) | {"_rest": name.partition("/")[2]})
    if request.form:
        return redirect(f"{request.script_root}/ctl", 303)
    return Response(json.dumps(result, indent=1), mimetype="application/json")


def _arguments(request: Request) -> dict[str, Any]:
    if request.form:
        return {key: value for key, value in request.form.items() if value and key != "go"}
    given = request.args.to_dict()
    if request.get_data():
        given |= json.loads(request.get_data())
    return given


def _list_faults(cluster: Cluster, _: dict[str, Any]) -> Any:
    return cluster.faults.dump()


_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "status": int,
    "remaining": int,
    "seconds": float,
    "after": lambda value: value in (True, "true", "1", "on"),
}


def _add_fault(cluster: Cluster, given: dict[str, Any]) -> Any:
    options = {
        key: _NUMBERS.get(key, str)(value) for key, value in given.items() if key[0] != "_" and value is not None
    }
    if "kind" not in options:
        raise bad_request("a fault needs a kind")
    cluster.add_fault(options.pop("kind"), **options)
    return cluster.faults.dump()[-1]


def _clear_faults(cluster: Cluster, given: dict[str, Any]) -> Any:
    wanted = given["_rest"] or given.get("id")
    return {"cleared": cluster.clear_faults(int(wanted) if wanted else None)}


def _advance(cluster: Cluster, given: dict[str, Any]) -> Any:
    cluster.advance(float(given.get("seconds", 1)))
    return {"now": cluster.clock.stamp()}


def _tick(cluster: Cluster, given: dict[str, Any]) -> Any:
    for _ in range(int(given.get("count", 1))):
        cluster.tick()
    return {"now": cluster.clock.stamp()}


def _settle(cluster: Cluster, _: dict[str, Any]) -> Any:
    cluster.settle()
    return {"now": cluster.clock.stamp()}


def _reset(cluster: Cluster, _: dict[str, Any]) -> Any:
    cluster.reset()
    return {}


def _compact(cluster: Cluster, _: dict[str, Any]) -> Any:
    with cluster.store.lock:
        cluster.store.compact()
    return {}


def _objects(cluster: Cluster, given: dict[str, Any]) -> Any:
    selector, namespace = given.get("labelSelector", ""), given.get("namespace", "")
    return {"items": cluster.objects(label_selector=selector, namespace=namespace)}


def _journal(cluster: Cluster, _: dict[str, Any]) -> Any:
    return {"items": list(cluster.journal)}


def _clear_journal(cluster: Cluster, _: dict[str, Any]) -> Any:
    cluster.journal.clear()
    return {}


def _node(cluster: Cluster, given: dict[str, Any]) -> Any:
    cluster.set_node_ready(given["_rest"] or given["name"], given.get("ready") in (True, "true", "1"))
    return {}


def _log(cluster: Cluster, given: dict[str, Any]) -> Any:
    more = {"container": given.get("container", ""), "previous": given.get("previous")}
    cluster.put_log(given["namespace"], given["pod"], given["text"], **more)
    return {}


def _speed(cluster: Cluster, given: dict[str, Any]) -> Any:
    cluster.start_s = float(given.get("start_s", cluster.start_s))
    cluster.stop_s = float(given.get("stop_s", cluster.stop_s))
    return {"start_s": cluster.start_s, "stop_s": cluster.stop_s}


_HANDLERS: dict[tuple[str, str], Handler] = {
    ("GET", "faults"): _list_faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "clear"): _clear_faults,
    ("POST", "advance"): _advance,
    ("POST", "tick"): _tick,
    ("POST", "settle"): _settle,
    ("POST", "reset"): _reset,
    ("POST", "compact"): _compact,
    ("GET", "objects"): _objects,
    ("GET", "journal"): _journal,
    ("DELETE", "journal"): _clear_journal,
    ("POST", "nodes"): _node,
    ("POST", "logs"): _log,
    ("POST", "speed"): _speed,
}
