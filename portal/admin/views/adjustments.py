"""Adjustments of wallets: asked for with a reason, booked at once up to a limit, above it by a second administrator."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import Length, NumberRange, Optional, ValidationError

from config import settings
from portal.accounts.models import Customer
from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import adjustments as queries
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.core.ids import parse_id
from portal.core.money import Money, rupiah
from portal.wallet import adjusting
from portal.wallet.adjusting import Preview
from portal.wallet.models import AdjustmentStatus
from portal.web import htmx
from portal.web.forms import PortalForm
from portal.web.guards import administrator

blueprint = Blueprint("admin_adjustments", __name__)
HEADING = ("id", "asked_at", "customer_number", "customer", "amount", "reason", "status", "asked_by", "decided_by",
           "decided_at", "entry_id")  # fmt: skip
UP, DOWN = "up", "down"


class Filters(FilterForm):
    customer = IntegerField(_l("Customer number"), [Optional(), NumberRange(min=1, max=2**62)])
    status = SelectField(
        _l("State"),
        choices=[
            ("", _l("Any state")), (AdjustmentStatus.WAITING, _l("Waiting")), (AdjustmentStatus.BOOKED, _l("Booked")),
            (AdjustmentStatus.REJECTED, _l("Rejected")),
        ],
    )  # fmt: skip


class Whole:
    """Whole rupiah, as people write them: `50.000`."""

    def __call__(self, form: Any, field: Any) -> None:
        if _digits(field.data) is None:
            raise ValidationError(_("Enter whole rupiah, like 50.000."))


def _digits(text: str | None) -> int | None:
    bare = (text or "").strip().removeprefix("Rp").strip().replace(".", "").replace(" ", "")
    return int(bare) if bare.isascii() and bare.isdigit() and len(bare) <= 12 and int(bare) > 0 else None


class AdjustmentForm(PortalForm):
    customer = HiddenField()
    key = HiddenField()
    direction = SelectField(_l("What to do"), choices=[(UP, _l("Add credit")), (DOWN, _l("Take credit away"))])
    amount = StringField(_l("Amount"), [Whole()])
    reason = StringField(
        _l("Reason"), [Length(min=adjusting.REASON_LENGTH_MIN, max=adjusting.REASON_LENGTH_MAX)]
    )  # fmt: skip

    @property
    def money(self) -> Money:
        amount = _digits(self.amount.data) or 0
        return rupiah(-amount if self.direction.data == DOWN else amount)


@blueprint.get("/")
@administrator
def listing() -> Response:
    """What waits for a second administrator, then everything that was asked."""
    form = Filters(request.args)
    found = queries.listing(customer_number=form.wanted("customer"), status=form.wanted("status"))
    return lists.answer(
        found, folder="adjustments", form=form, heading=HEADING, cells=_cells,
        waiting=queries.waiting(db.session()) if not htmx.asked() else [], limit=rupiah(settings().adjustment_limit),
    )  # fmt: skip


def _cells(row: Any) -> list[Any]:
    asked = row.AdjustmentRequest
    return [
        asked.id, asked.asked_at, row.number, row.name, asked.amount, asked.reason, asked.status, row.asker,
        row.decider, asked.decided_at, asked.entry_id,
    ]  # fmt: skip


@blueprint.get("/new")
@administrator
def new() -> Response:
    """The form, for the customer named in the address."""
    customer = queries.customer(db.session(), parse_id(request.args.get("customer", "")))
    return _form_page(AdjustmentForm(formdata=None, customer=str(customer.id), key=uuid4().hex), customer)


@blueprint.post("/")
@administrator
def create() -> Response:
    """Shows the balance before and after; once that is confirmed it is booked, or waits for another administrator."""
    form = AdjustmentForm()
    customer = queries.customer(db.session(), parse_id(form.customer.data or ""))
    if not form.validate_on_submit() or parse_id(form.key.data or "") is None:
        return _form_page(form, customer, status=422)
    try:
        return _book(form, customer) if "confirmed" in request.form else _preview(form, customer)
    except PortalError as refusal:
        form.form_errors.append(str(refusal))
        return _form_page(form, customer, status=refusal.status)


def _form_page(form: AdjustmentForm, customer: Customer, *, status: int = 200) -> Response:
    limit = rupiah(settings().adjustment_limit)
    return htmx.render("admin/adjustments/new.html", form=form, customer=customer, limit=limit, status=status)


def _preview(form: AdjustmentForm, customer: Customer) -> Response:
    effect = _rehearsed(form, customer.id)
    return htmx.render("admin/adjustments/preview.html", form=form, customer=customer, effect=effect)


def _rehearsed(form: AdjustmentForm, customer_id: UUID) -> Preview:
    with transaction() as session:
        effect = adjusting.preview(session, customer_id, form.money, actor=acting(), now=clock.now())
        session.rollback()
    return effect


def _book(form: AdjustmentForm, customer: Customer) -> Response:
    with transaction() as session:
        asked = adjusting.request(
            session, customer.id, form.money, reason=form.reason.data or "", key=form.key.data or "",
            actor=acting(), now=clock.now(),
        )  # fmt: skip
    if asked.waiting:
        flash(_("This needs another administrator. It waits for their decision; nothing is booked yet."), "info")
    else:
        flash(_("Booked: %(amount)s for %(name)s.", amount=str(asked.money), name=customer.name), "success")
    return htmx.leave_for(url_for("admin_adjustments.show", request_id=asked.id))


@blueprint.get("/<uuid:request_id>")
@administrator
def show(request_id: UUID) -> Response:
    """One adjustment: what, why, who, and what it did or would do."""
    session = db.session()
    row = queries.one(session, request_id)
    asked = row.AdjustmentRequest
    may_decide = adjusting.may_decide(session, asked, acting())
    return htmx.render("admin/adjustments/show.html", row=row, asked=asked, may_decide=may_decide)


@blueprint.post("/<uuid:request_id>/approval")
@administrator
def approve(request_id: UUID) -> Response:
    """A second administrator books it."""
    with transaction() as session:
        asked = adjusting.approve(session, request_id, actor=acting(), now=clock.now())
    flash(_("Approved and booked: %(amount)s.", amount=str(asked.money)), "success")
    return htmx.leave_for(url_for("admin_adjustments.show", request_id=request_id))


@blueprint.post("/<uuid:request_id>/rejection")
@administrator
def reject(request_id: UUID) -> Response:
    """A second administrator says no."""
    with transaction() as session:
        adjusting.reject(session, request_id, actor=acting(), now=clock.now())
    flash(_("Rejected. Nothing was booked."), "success")
    return htmx.leave_for(url_for("admin_adjustments.show", request_id=request_id))
