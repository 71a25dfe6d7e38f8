"""Subscriptions of everybody: their lives, and the customer's own verbs in an administrator's hand."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.queries import subscriptions as queries
from portal.admin.reasons import reason
from portal.admin.spans import SpanForm
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import parse_id
from portal.subscriptions.actions import administering
from portal.subscriptions.errors import RefundChanged
from portal.subscriptions.models import Subscription, SubscriptionStatus
from portal.subscriptions.rules.refunds import Agreed
from portal.web import htmx, states
from portal.web.forms import PortalForm
from portal.web.guards import administrator

blueprint = Blueprint("admin_subscriptions", __name__)
HEADING = (
    "id", "service", "plan", "status", "interval", "price", "period", "period_ends_at", "auto_renew", "created_at",
    "ended_at", "end_reason", "customer_number", "email",
)  # fmt: skip


class Filters(SpanForm):
    status = SelectField(_l("State"), default="")
    service = SelectField(_l("App"), default="")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        words = ((one.value, states.shown(one, "subscription").word) for one in SubscriptionStatus)
        self.status.choices = [("", _("Any state")), *words]
        self.service.choices = [("", _("Any app")), *queries.services(db.session())]

    def asked(self) -> list[Any]:
        status, service = self.wanted("status"), parse_id(self.wanted("service") or "")
        pairs = ((Subscription.status, status), (Subscription.service_id, service))
        chosen = [column == value for column, value in pairs if value]
        return [*chosen, *self.within(Subscription.created_at), *queries.searched(db.session(), self.text())]


class ReasonForm(PortalForm):
    """Why, for the audit log; `agreed` carries the refund that was shown."""

    reason = reason()
    agreed = StringField()


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every subscription, newest first."""
    form = Filters(request.args)
    return lists.answer(queries.listing(form.asked()), folder="subscriptions", form=form, heading=HEADING, cells=_cells)


def _cells(row: Any) -> list[Any]:
    one = row.Subscription
    return [
        one.id, row.service, row.plan, one.status, one.interval, one.price, one.period_number, one.period_ends_at,
        one.auto_renew, one.created_at, one.ended_at, one.end_reason, row.customer_number, row.email,
    ]  # fmt: skip


@blueprint.get("/<uuid:subscription_id>")
@administrator
def show(subscription_id: UUID) -> Response:
    """One subscription: its life, charges, tries, changes of plan and apps."""
    return _page(subscription_id)


def _page(subscription_id: UUID, *, status: int = 200, form: ReasonForm | None = None) -> Response:
    page = queries.subscription_page(db.session(), subscription_id, now=clock.now())
    form = form or ReasonForm(formdata=None)
    return htmx.render("admin/subscriptions/show.html", status=status, page=page, one=page.subscription, form=form)


@blueprint.post("/<uuid:subscription_id>/cancellation")
@administrator
def cancel(subscription_id: UUID) -> Response:
    """Ends it with its period, or now for the refund that was shown."""
    form = ReasonForm()
    if not form.validate_on_submit():
        return _page(subscription_id, status=422, form=form)
    why, agreed = str(form.reason.data), Agreed.read(str(form.agreed.data or ""))
    with transaction() as session:
        if request.form.get("when") == "now":
            if agreed is None:
                raise RefundChanged
            administering.cancel_now(
                session, subscription_id, agreed=agreed, reason=why, actor=acting(), now=clock.now()
            )
        else:
            administering.cancel_at_end(session, subscription_id, reason=why, actor=acting(), now=clock.now())
    flash(_("Cancelled. The customer has been told."), "success")
    return _to(subscription_id)


@blueprint.post("/<uuid:subscription_id>/cancellation/withdrawal")
@administrator
def undo(subscription_id: UUID) -> Response:
    """Takes a cancellation back while it has not taken effect."""
    with transaction() as session:
        administering.undo_cancellation(session, subscription_id, actor=acting(), now=clock.now())
    flash(_("It goes on as before."), "success")
    return _to(subscription_id)


@blueprint.post("/<uuid:subscription_id>/charge")
@administrator
def charge(subscription_id: UUID) -> Response:
    """Tries now what the clock would try later."""
    with transaction() as session:
        administering.charge_now(session, subscription_id, actor=acting(), now=clock.now())
    flash(_("It was tried. The tries below say what came of it."), "info")
    return _to(subscription_id)


def _to(subscription_id: UUID) -> Response:
    return htmx.leave_for(url_for("admin_subscriptions.show", subscription_id=subscription_id))
