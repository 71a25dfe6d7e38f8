"""Nodes: how they stand, what they hold, keeping apps away, maintenance, emptying one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import nodes as queries
from portal.admin.queries.nodes import Wanted
from portal.admin.views.draining import blueprint
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.nodes import actions, rules, wording
from portal.nodes import queries as reads
from portal.nodes.models import Node, NodeStatus
from portal.provisioning import nodes as cluster
from portal.provisioning.errors import ClusterUnavailable, Refused
from portal.web import htmx
from portal.web.guards import administrator
from portal.web.states import NODES

HEADING = (
    "name", "status", "online", "apps", "cpu_millicores_allocatable", "cpu_millicores_requested", "cpu_millicores_used",
    "memory_bytes_allocatable", "memory_bytes_requested", "memory_bytes_used", "kubelet_version", "last_heartbeat_at",
)  # fmt: skip


class Filters(FilterForm):
    search = StringField(_l("Search"))
    status = SelectField(
        _l("Status"),
        default="",
        choices=[("", _l("Any status")), *((one.value, NODES[one].word) for one in NodeStatus)],
    )
    online = SelectField(
        _l("Agent"), default="", choices=[("", _l("Online and offline")), ("yes", _l("Online")), ("no", _l("Offline"))]
    )

    def asked(self) -> Wanted:
        online = self.wanted("online")
        return Wanted(self.wanted("search"), self.wanted("status"), None if online is None else online == "yes")


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every node, by name, and whether they can run what is for sale."""
    form, now = Filters(request.args), clock.now()
    return lists.answer(
        queries.listing(form.asked(), now=now), folder="nodes", form=form, heading=HEADING, cells=_cells,
        words=wording, rules=rules, overselling=reads.overselling(db.session(), now=now),
    )  # fmt: skip


def _cells(row: Any) -> list[Any]:
    node: Node = row.Node
    pairs = [(one.cpu_millicores, one.memory_bytes) for one in (node.allocatable, node.requested, node.used)]
    cpu, memory = zip(*pairs, strict=True)
    return [
        node.name, row.status, row.online, row.apps, *cpu, *memory, node.kubelet_version, node.last_heartbeat_at,
    ]  # fmt: skip


@blueprint.post("/look")
@administrator
def look() -> Response:
    """Asks the cluster now instead of within five minutes."""
    with transaction() as session:
        outbox.enqueue(session, "nodes.sync", queue="urgent")
    flash(_("The cluster is being asked. Load this page again in a moment."), "info")
    return htmx.leave_for(url_for("admin_nodes.listing"))


@blueprint.get("/<reference>")
@administrator
def show(reference: str) -> Response:
    """A node, by its id or its name. While it is being emptied that region asks again."""
    session, now = db.session(), clock.now()
    node = reads.node(session, reference)
    here = reads.apps_on(session, node.name)
    drain = reads.drain_of(session, node.id)
    ids = {one.instance_id for one in here} | {
        one.instance_id for one in (drain.moves if drain else ()) if one.instance_id
    }
    context: dict[str, Any] = {
        "node": node, "standing": rules.status_of(node, now=now), "here": here, "drain": drain, "words": wording,
        "online": rules.is_online(node.last_heartbeat_at, now=now), "apps": queries.apps(session, ids),
        "rules": rules, "can": _permissions(node, draining=drain is not None and drain.ended_at is None),
    }  # fmt: skip
    return htmx.render("admin/nodes/show.html", partial="admin/nodes/_drain.html", **context)


def _permissions(node: Node, *, draining: bool) -> dict[str, bool]:
    """Which buttons to draw: the very rules that the actions enforce."""
    return {
        "cordon": rules.can_cordon(node),
        "uncordon": rules.can_uncordon(node, draining=draining),
        "begin_maintenance": rules.can_begin_maintenance(node),
        "end_maintenance": rules.can_end_maintenance(node, draining=draining),
        "drain": rules.can_drain(node, draining=draining),
        "cancel": draining,
    }


@blueprint.get("/<uuid:node_id>/events")
@administrator
def events(node_id: UUID) -> Response:
    """What Kubernetes noted about it, asked for while one looks."""
    name = reads.node(db.session(), node_id).name
    try:
        noted, away = cluster.read_events(name), False
    except (ClusterUnavailable, Refused):
        noted, away = [], True
    context: dict[str, Any] = {"noted": noted, "away": away, "words": wording, "node_id": node_id, "name": name}
    return htmx.render("admin/nodes/events.html", partial="admin/nodes/_events.html", **context)


ACTS = {  # the verb that writes it down, what the cluster is told, what the operator reads
    "cordon": (actions.ask_cordon, False, _l("New apps are kept away from it.")),
    "uncordon": (actions.ask_uncordon, True, _l("New apps may come to it again.")),
    "begin-maintenance": (actions.begin_maintenance, False, _l("It is in maintenance, and new apps are kept away.")),
    "end-maintenance": (actions.end_maintenance, True, _l("It is back in service.")),
}


@blueprint.post("/<uuid:node_id>/<act>")
@administrator
def change(node_id: UUID, act: str) -> Response:
    """Written down first, then told to the cluster, then recorded as the cluster's state."""
    if act not in ACTS:
        raise NotFound
    verb, schedulable, said = ACTS[act]
    with transaction() as session:
        node = verb(session, node_id, actor=acting(), now=clock.now())
        name, known = node.name, rules.is_known(node)
    if known and not _tell(name, schedulable):
        return htmx.leave_for(url_for("admin_nodes.show", reference=name))
    with transaction() as session:
        actions.record_schedulable(session, node_id, schedulable)
    flash(str(said), "success")
    return htmx.leave_for(url_for("admin_nodes.show", reference=name))


def _tell(name: str, schedulable: bool) -> bool:
    try:
        cluster.set_schedulable(name, schedulable)
    except (ClusterUnavailable, Refused) as error:
        flash(_("The cluster was not told: %(reason)s", reason=str(error)), "danger")
        return False
    return True


__all__ = ["blueprint"]
