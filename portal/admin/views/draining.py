"""Emptying a node: what would move, where to, for how long it would be down; then the order itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from portal.admin.acting import acting
from portal.admin.queries import nodes as queries
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import parse_id
from portal.nodes import drains, rules, wording
from portal.nodes import queries as reads
from portal.nodes.errors import NotInThisState
from portal.nodes.models import Node
from portal.provisioning import nodes as cluster
from portal.provisioning.cluster import PAGE_TIMEOUT_S
from portal.provisioning.errors import ClusterUnavailable, Refused
from portal.provisioning.nodes import PodFound
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_nodes", __name__)
"""Of the whole section: `views.nodes` hangs its routes on it too."""

NOBODY = UUID(int=0)
"""Stands for the app of a pod that is none of ours."""


@blueprint.get("/<uuid:node_id>/drain")
@administrator
def drain_preview(node_id: UUID) -> Response:
    """What would move, read from the cluster now. Nothing is done yet."""
    node = reads.node(db.session(), node_id)
    if not rules.can_drain(node, draining=False):
        raise NotInThisState
    try:
        pods = list(cluster.read_pods(node.name, timeout_s=PAGE_TIMEOUT_S))
        pins = cluster.read_pins(timeout_s=PAGE_TIMEOUT_S)
    except Refused as refusal:
        raise ClusterUnavailable from refusal
    return htmx.render("admin/nodes/drain.html", node=node, words=wording, **_planned(node, pods, pins))


def _planned(node: Node, pods: list[PodFound], pins: dict[tuple[str, str], frozenset[str]]) -> dict[str, Any]:
    """A line per pod that moves, and how many stay."""
    session = db.session()
    moving = drains.movable(pods)
    goes_to = rules.plan(moving, reads.places(session, but=node.id, now=clock.now()), pins)
    ids = {pod.uid: parse_id(pod.instance) or NOBODY for pod in moving}
    apps, times = queries.apps(session, ids.values()), queries.start_times(session, ids.values())
    lines = [
        {
            "pod": pod, "app": apps.get(ids[pod.uid]), "to": goes_to[pod.uid], "pinned": rules.is_pinned(pod, pins),
            "down": wording.about(times.get(ids[pod.uid])) if ids[pod.uid] in apps else "",
        }
        for pod in moving
    ]  # fmt: skip
    stays = [pod for pod in pods if pod.stays and not pod.leaving]
    homeless = sum(not line["to"] for line in lines)
    return {"lines": lines, "stays": stays, "homeless": homeless}


@blueprint.post("/<uuid:node_id>/drain")
@administrator
def drain_start(node_id: UUID) -> Response:
    """Begins it: from here the worker goes on by itself."""
    name = reads.node(db.session(), node_id).name
    try:
        pods = list(cluster.read_pods(name, timeout_s=PAGE_TIMEOUT_S))
    except Refused as refusal:
        raise ClusterUnavailable from refusal
    with transaction() as session:
        drain = drains.start(session, node_id, pods, actor=acting(), now=clock.now())
        count = len(drains.movable(pods))
        assert drain.ended_at is None
    flash(ngettext("%(num)d pod is being moved.", "%(num)d pods are being moved.", count), "success")
    return htmx.leave_for(url_for("admin_nodes.show", reference=name))


@blueprint.post("/<uuid:node_id>/drain/cancel")
@administrator
def drain_cancel(node_id: UUID) -> Response:
    """Moves nothing more; the node stays cordoned."""
    with transaction() as session:
        drains.cancel(session, node_id, actor=acting(), now=clock.now())
        name = reads.node(session, node_id).name
    flash(_("Nothing more is moved. New apps are still kept away from it."), "success")
    return htmx.leave_for(url_for("admin_nodes.show", reference=name))
