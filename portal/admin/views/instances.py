"""Apps that run: wanted against actual, one app's whole story, acts. No page here shows a customer's secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import instances as queries
from portal.admin.queries.instances import Wanted
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.instances import actions, inspection, rules, wording
from portal.instances import queries as reads
from portal.instances.models import Instance, InstanceState
from portal.instances.views.pages import shown_state
from portal.instances.wanted import address_of, replicas_of
from portal.nodes import wording as figures
from portal.provisioning import cluster, nodes
from portal.provisioning.errors import ClusterUnavailable, Refused
from portal.provisioning.listing import read_of_instance
from portal.subscriptions.leaks import leaks
from portal.web import htmx, limits
from portal.web.guards import administrator
from portal.web.states import INSTANCES

blueprint = Blueprint("admin_instances", __name__)
HEADING = (
    "id", "name", "service", "state", "wanted", "node", "pod_ready", "restarts", "customer", "plan", "version",
    "differences", "created_at",
)  # fmt: skip
LOG_LINES = 200


class Filters(FilterForm):
    search = StringField(_l("Search"))
    state = SelectField(
        _l("State"),
        default="",
        choices=[("", _l("Any state")), *((one.value, INSTANCES[one].word) for one in InstanceState)],
    )
    differs = SelectField(
        _l("Cluster"),
        default="",
        choices=[("", _l("As wanted or not")), ("yes", _l("Differs")), ("no", _l("As wanted"))],
    )
    node = StringField(_l("Node"))

    def asked(self) -> Wanted:
        differs, state = self.wanted("differs"), self.wanted("state")
        return Wanted(
            self.wanted("search"), state, self.wanted("node"), None if differs is None else differs == "yes",
            gone=state == InstanceState.TERMINATED,
        )  # fmt: skip


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every app that is not gone, newest first, and what is in the cluster without an owner."""
    form, session = Filters(request.args), db.session()
    context: dict[str, Any] = {"orphans": [], "leaking": []}
    if not htmx.asked() and request.args.get("format") != "csv":
        context = {"orphans": queries.orphans(session), "leaking": list(leaks(session, now=clock.now()))}
    return lists.answer(
        queries.listing(form.asked()), folder="instances", form=form, heading=HEADING, cells=_cells,
        shown_state=shown_state, **context,
    )  # fmt: skip


def _cells(row: Any) -> list[Any]:
    one: Instance = row.Instance
    return [
        one.id, one.name, one.service_slug, one.state, one.wanted, row.node_name, row.ready, row.restarts, row.customer,
        row.plan, one.version, row.differences, one.created_at,
    ]  # fmt: skip


@blueprint.get("/<uuid:instance_id>")
@administrator
def show(instance_id: UUID) -> Response:
    """One app: state, place, timeline, what may be done."""
    session = db.session()
    instance = reads.of_anybody(session, instance_id)
    return htmx.render(
        "admin/instances/show.html", instance=instance, address=address_of(instance.name), figures=figures,
        shown_state=shown_state, history=wording.history(instance), replicas=replicas_of(instance),
        reason=wording.reason(instance.failure_code) if instance.failure_code else "",
        can=_permissions(instance), **queries.surroundings(session, instance),
    )  # fmt: skip


def _permissions(instance: Instance) -> dict[str, bool]:
    """Which buttons to draw: the very rules that the actions enforce."""
    return {
        "reconcile": rules.can_reconcile(instance),
        "restart": rules.can_restart(instance),
        "begin_maintenance": rules.can_begin_maintenance(instance),
        "end_maintenance": rules.can_end_maintenance(instance),
        "logs": rules.can_read_logs(instance),
    }


@blueprint.get("/<uuid:instance_id>/cluster")
@administrator
@limits.limiter.limit(limits.LIVE_LOOK, key_func=limits.by_user)
def compared(instance_id: UUID) -> Response:
    """What the cluster has of it now, object by object, and what it noted."""
    session = db.session()
    instance = reads.of_anybody(session, instance_id)
    manifests = inspection.own_manifests(session, instance)
    page: dict[str, Any] = {"instance": instance, "known": manifests is not None, "away": False, "figures": figures}
    try:
        live = read_of_instance(instance.namespace, instance.id)
        page["lines"] = inspection.compare(manifests or [], live)
        page["pods"] = nodes.read_pods_of_instance(instance.id)
        noted = cluster.read_events(instance.namespace, instance.name)
        page["noted"] = [(wording.CLUSTER_EVENTS.get(one.reason, one.reason), one) for one in noted]
    except (ClusterUnavailable, Refused):
        page |= {"away": True, "lines": [], "pods": [], "noted": []}
    return htmx.render("admin/instances/compared.html", partial="admin/instances/_compared.html", **page)


@blueprint.post("/<uuid:instance_id>/log")
@administrator
@limits.limiter.limit(limits.LIVE_LOOK, key_func=limits.by_user)
def log(instance_id: UUID) -> Response:
    """The last lines it wrote. A POST, and written down: an app may log what is its customer's business."""
    instance = reads.of_anybody(db.session(), instance_id)
    container = inspection.main_container(instance)
    if not rules.can_read_logs(instance) or not container:
        raise NotFound
    with transaction() as session:
        actions.note_log_read(session, instance, actor=acting(), now=clock.now())
    where = (instance.namespace, instance.id)
    try:
        lines, away = cluster.read_log(*where, container=container, lines=LOG_LINES), False
    except (ClusterUnavailable, Refused):
        lines, away = "", True
    return htmx.render("admin/instances/log.html", instance=instance, lines=lines, away=away)


ACTS: dict[str, tuple[Callable[..., Instance], Any]] = {
    "reconcile": (actions.reconcile, _l("Everything that is wanted of it is being applied again.")),
    "restart-now": (actions.restart_for_operator, _l("It is restarting.")),
    "begin-maintenance": (actions.begin_maintenance, _l("It is in your hands now: nothing watches or repairs it.")),
    "end-maintenance": (actions.end_maintenance, _l("It is being brought back to what is wanted of it.")),
}


@blueprint.post("/<uuid:instance_id>/<act>")
@administrator
def change(instance_id: UUID, act: str) -> Response:
    if act not in ACTS:
        raise NotFound
    verb, said = ACTS[act]
    with transaction() as session:
        verb(session, instance_id, actor=acting(), now=clock.now())
    flash(str(said), "success")
    return htmx.leave_for(url_for("admin_instances.show", instance_id=instance_id))
