"""Alerts: what is not well, what to do about it, and who is on it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import SelectField

from portal.admin import bulk, lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import alerts as queries
from portal.alerts import actions, rules
from portal.alerts.models import Alert
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.notices import wording
from portal.notices.wording.alerts import OPENED
from portal.notices.wording.phrases import Said
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_alerts", __name__)
HEADING = ("id", "code", "key", "title", "opened_at", "last_seen_at", "closed_at", "acknowledged_at", "taken_on_by")
PLACES = {
    "books_differ": "admin_books.overview",
    "reconciliation_differs": "admin_books.overview",
    "gateway_down": "admin_payments.listing",
    "cluster_down": "admin_nodes.listing",
    "apps_silent": "admin_instances.listing",
    "cluster_drift": "admin_instances.listing",
    "queue_old": "admin_jobs.overview",
    "work_failed": "admin_jobs.listing",
    "worker_absent": "admin_jobs.overview",
    "runs_late": "admin_jobs.overview",
    "runs_failed": "admin_jobs.overview",
    "slots_short": "admin_quota.listing",
    "node_offline": "admin_nodes.listing",
}
"""Where to look first, by an alert's code, as far as this build of the portal has the page."""


class Filters(FilterForm):
    state = SelectField(_l("State"), choices=[("", _l("Open and past")), ("OPEN", _l("Open")), ("CLOSED", _l("Over"))])
    code = SelectField(
        _l("About"), choices=[("", _l("Anything"))] + [(code, code) for code in (*rules.CODES, *rules.REPORTED)]
    )


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Open alerts and past ones, newest first."""
    form = Filters(request.args)
    wanted = queries.listing(state=form.wanted("state"), code=form.wanted("code"))
    return lists.answer(
        wanted, folder="alerts", form=form, heading=HEADING, cells=_cells, acts=ACTS, said=_said,
        state_of=queries.state_of,
    )  # fmt: skip


def _cells(row: Any) -> list[Any]:
    alert = row.Alert
    return [
        alert.id, alert.code, alert.key, _said(alert).title, alert.opened_at, alert.last_seen_at, alert.closed_at,
        alert.acknowledged_at, row.taken_on_by or "",
    ]  # fmt: skip


def _said(alert: Alert) -> Said:
    """Its words; of a code that this build does not know, the code."""
    if f"{OPENED}{alert.code}" not in wording.WORDINGS:
        return Said(title=alert.code, sentences=[], path=None, label=None)
    return wording.word(f"{OPENED}{alert.code}", actions.said_with(alert))


@blueprint.get("/<uuid:alert_id>")
@administrator
def show(alert_id: UUID) -> Response:
    """One alert: what was seen, what to do, where to look, who is on it."""
    row = queries.one(db.session(), alert_id)
    if row is None:
        raise NotFound
    place = PLACES.get(row.Alert.code)
    return htmx.render(
        "admin/alerts/show.html", alert=row.Alert, taken_on_by=row.taken_on_by, said=_said(row.Alert),
        state=queries.state_of(row.Alert), place=place if place in current_app.view_functions else None,
    )  # fmt: skip


def _acknowledge(session: Session, alert_id: UUID) -> None:
    actions.acknowledge(session, alert_id, actor=acting(), now=clock.now())


ACTS = {"acknowledge": (_l("I am on it"), _acknowledge)}


@blueprint.post("/<uuid:alert_id>/acknowledge")
@administrator
def acknowledge(alert_id: UUID) -> Response:
    """Says that somebody is on it."""
    with transaction() as session:
        _acknowledge(session, alert_id)
    flash(_("Noted that you are on it."), "success")
    return htmx.leave_for(url_for("admin_alerts.show", alert_id=alert_id))


@blueprint.post("/bulk")
@administrator
def act_on_many() -> Response:
    """Shows what an act would do to the ticked alerts; does it once that is confirmed."""
    return bulk.answer(
        ACTS, back=url_for("admin_alerts.listing"), names=queries.codes_of,
        said=lambda count: ngettext("You are on %(num)d alert.", "You are on %(num)d alerts.", count),
    )  # fmt: skip
