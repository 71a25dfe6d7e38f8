"""Quota and waitlists: how many slots a plan has, what holds them, who waits, and what more of them would bring."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, NumberRange

from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import quota as queries
from portal.admin.queries.quota import LINE_MAX, Wanted
from portal.catalog import actions as catalog
from portal.catalog.errors import SlotsInUse
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.core.words import sound
from portal.nodes import queries as nodes
from portal.nodes import wording as words
from portal.subscriptions import rules
from portal.subscriptions.actions import waiting
from portal.subscriptions.models import WaitlistStatus
from portal.web import htmx
from portal.web.forms import PortalForm
from portal.web.guards import administrator

blueprint = Blueprint("admin_quota", __name__)
HEADING = (
    "service", "plan", "sold", "slots_total", "slots_used", "free", "subscriptions", "upgrades", "offers", "holds",
    "waiting",
)  # fmt: skip
SLOTS_MAX = 1_000_000
REASON_LENGTH_MAX = 300


class Filters(FilterForm):
    search = StringField(_l("Search"), filters=[sound])
    state = SelectField(
        _l("Slots"),
        default="",
        choices=[("", _l("Every plan")), ("full", _l("Sold out")), ("waited", _l("Somebody waits"))],
    )


class SlotsForm(PortalForm):
    total = IntegerField(_l("Slots"), [InputRequired(_l("Fill this in.")), NumberRange(0, SLOTS_MAX)])


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every plan with its slots."""
    form = Filters(request.args)
    wanted = Wanted(form.wanted("search"), form.wanted("state"))
    return lists.answer(
        queries.listing(wanted), folder="quota", form=form, heading=HEADING, cells=_cells, words=words,
        overselling=nodes.overselling(db.session(), now=clock.now()),
    )  # fmt: skip


def _cells(row: Any) -> list[Any]:
    plan = row.Plan
    return [
        row.slug, plan.plan_type, plan.active, plan.slots_total, plan.slots_used, row.free, row.subscriptions,
        row.upgrades, row.offers, row.holds, row.waiting,
    ]  # fmt: skip


@blueprint.get("/<uuid:plan_id>")
@administrator
def show(plan_id: UUID) -> Response:
    """A plan's slots and its queue."""
    return _page(plan_id, SlotsForm())


def _page(plan_id: UUID, form: SlotsForm, *, status: int = 200) -> Response:
    row = queries.plan(db.session(), plan_id)
    if form.total.data is None and not form.is_submitted():
        form.total.data = row.Plan.slots_total
    return htmx.render(
        "admin/quota/show.html", row=row, form=form, line=queries.line(db.session(), plan_id), line_max=LINE_MAX,
        reason_length_max=REASON_LENGTH_MAX, status=status,
    )  # fmt: skip


@blueprint.post("/<uuid:plan_id>/slots")
@administrator
def change_slots(plan_id: UUID) -> Response:
    """Says what another number of slots would bring; sets it once that is confirmed."""
    form = SlotsForm()
    if not form.validate_on_submit() or form.total.data is None:
        return _page(plan_id, form, status=422)
    if "confirmed" not in request.form:
        return _preview(plan_id, form, form.total.data)
    try:
        with transaction() as session:
            plan = catalog.change_slots(session, plan_id, form.total.data, actor=acting(), now=clock.now())
    except SlotsInUse as refusal:
        return _in_use(plan_id, form, refusal.details["used"])
    flash(_("%(plan)s has %(total)s slots now.", plan=plan.name, total=plan.slots_total), "success")
    return htmx.leave_for(url_for("admin_quota.show", plan_id=plan_id))


def _preview(plan_id: UUID, form: SlotsForm, total: int) -> Response:
    row = queries.plan(db.session(), plan_id)
    if total < row.Plan.slots_used:
        return _in_use(plan_id, form, row.Plan.slots_used)
    offered = rules.offered_with(total, used=row.Plan.slots_used, waiting=row.waiting)
    return htmx.render("admin/quota/preview.html", row=row, total=total, offered=offered)


def _in_use(plan_id: UUID, form: SlotsForm, used: int) -> Response:
    said = ngettext(
        "%(num)d slot is in use: it cannot be fewer. Nothing was changed.",
        "%(num)d slots are in use: it cannot be fewer. Nothing was changed.", used,
    )  # fmt: skip
    form.total.errors = [said]
    return _page(plan_id, form, status=409)


@blueprint.post("/<uuid:plan_id>/offer")
@administrator
def offer(plan_id: UUID) -> Response:
    """Gives a free slot to the first in line now, instead of within minutes."""
    with transaction() as session:
        entry = waiting.offer_now(session, plan_id, actor=acting(), now=clock.now())
    said = {
        WaitlistStatus.OFFERED: _("A slot is held for the first in line, and they are told."),
        WaitlistStatus.SERVED: _("The first in line has got their slot, and is told."),
    }
    outcome = said.get(WaitlistStatus(entry.status), _("The first in line could not be served any more, and is told."))
    flash(outcome, "success")
    return htmx.leave_for(url_for("admin_quota.show", plan_id=plan_id))


@blueprint.post("/<uuid:plan_id>/entries/<uuid:entry_id>/removal")
@administrator
def remove(plan_id: UUID, entry_id: UUID) -> Response:
    """Takes somebody out of the queue, with a reason that they read."""
    reason = " ".join(sound(request.form.get("reason")).split())[:REASON_LENGTH_MAX]
    if not reason:
        raise Conflict(_("Write the reason first: the customer reads it. Nothing was changed."))
    with transaction() as session:
        waiting.remove(session, entry_id, reason=reason, actor=acting(), now=clock.now())
    flash(_("They no longer wait, and are told why."), "success")
    return htmx.leave_for(url_for("admin_quota.show", plan_id=plan_id))
