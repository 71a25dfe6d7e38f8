"""What an app writes, followed while it is looked at, and what the cluster noted about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response as FlaskResponse
from flask import request
from werkzeug.wrappers import Response

from portal.instances import rules, wording
from portal.instances.models import Instance
from portal.instances.views import sections
from portal.instances.views.blueprint import blueprint, own
from portal.instances.views.pages import template_of
from portal.provisioning import cluster
from portal.provisioning.errors import ClusterUnavailable, Refused
from portal.web import htmx, limits
from portal.web.guards import customer

LENGTHS = (100, 200, 500)
"""How many last lines a page may show; the second one unless asked."""

FILE_LINES, FILE_BYTES = 5_000, 2 * 1024 * 1024


@blueprint.get("/<uuid:instance_id>/logs")
@customer
@limits.limiter.limit(limits.LIVE_LOOK, key_func=limits.by_user)
def logs(instance_id: UUID) -> Response:
    """The last lines, read live from the cluster; whoever follows them asks for the lines alone."""
    page = _page(own(instance_id))
    following = htmx.asked()
    page |= _read_lines(page)
    if not following:
        page |= _read_noted(page)
    return htmx.render("instances/logs.html", partial="instances/_log_lines.html", **page)


@blueprint.get("/<uuid:instance_id>/logs.txt")
@customer
@limits.limiter.limit(limits.LIVE_LOOK, key_func=limits.by_user)
def logs_file(instance_id: UUID) -> Response:
    """More of the same as a file: 5,000 lines or 2 MiB at most."""
    page = _page(own(instance_id))
    try:
        text = _lines(page, lines=FILE_LINES, bytes_max=FILE_BYTES) if page["readable"] else ""
    except Refused as refusal:
        raise ClusterUnavailable from refusal
    file = FlaskResponse(text, mimetype="text/plain")
    file.headers["Content-Disposition"] = f'attachment; filename="{page["name"]}-{page["container"]}.log"'
    file.headers["Cache-Control"] = "no-store"
    return file


def _page(instance: Instance) -> dict[str, Any]:
    """Which log to read; an unknown container means the app's own. Plain values: the cluster is asked next."""
    app = template_of(instance)
    containers = [one.name for one in app.containers] if app else []
    main = app.main.name if app else ""
    container, length = request.args.get("container", ""), request.args.get("lines", type=int)
    return {
        **sections.section(instance),
        "instance_id": instance.id,
        "namespace": instance.namespace,
        "name": instance.name,
        "containers": containers,
        "container": container if container in containers else main,
        "lengths": LENGTHS,
        "length": length if length in LENGTHS else LENGTHS[1],
        "readable": rules.can_read_logs(instance) and bool(main),
    }


def _read_lines(page: dict[str, Any]) -> dict[str, Any]:
    """Asks the cluster, outside any transaction; its silence is shown as such, not as an error page."""
    if not page["readable"]:
        return {"lines": "", "away": False}
    try:
        return {"lines": _lines(page, lines=page["length"]), "away": False}
    except (ClusterUnavailable, Refused):
        return {"lines": "", "away": True}


def _lines(page: dict[str, Any], *, lines: int, bytes_max: int = cluster.LOG_BYTES_MAX) -> str:
    where = (page["namespace"], page["instance_id"])
    return cluster.read_log(*where, container=page["container"], lines=lines, bytes_max=bytes_max)


def _read_noted(page: dict[str, Any]) -> dict[str, Any]:
    """What the cluster noted, in words; nothing while it does not answer."""
    if page["away"] or not page["readable"]:
        return {"noted": []}
    try:
        events = cluster.read_events(page["namespace"], page["name"])
    except (ClusterUnavailable, Refused):
        return {"noted": []}
    return {"noted": [(wording.CLUSTER_EVENTS.get(event.reason, event.reason), event) for event in events]}
