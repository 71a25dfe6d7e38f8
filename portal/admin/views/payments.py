"""Top-ups: find one, read everything that happened to it, and decide what the gateway's word leaves open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import HiddenField, IntegerField, SelectField
from wtforms.validators import InputRequired, NumberRange

from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.queries import payments as queries
from portal.admin.reasons import reason
from portal.admin.spans import SpanForm
from portal.admin.views.reading import readable
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import parse_id
from portal.core.money import rupiah
from portal.payments import refunding, reviewing, rules
from portal.payments.models import Payment, PaymentStatus
from portal.wallet.wording import ENTRIES
from portal.web import htmx, states
from portal.web.forms import PortalForm
from portal.web.guards import administrator

blueprint = Blueprint("admin_payments", __name__)
HEADING = (
    "id", "order_id", "created_at", "status", "method", "amount", "currency", "settled_at", "customer_number", "email",
)  # fmt: skip


class Filters(SpanForm):
    status = SelectField(_l("State"), default="")
    method = SelectField(_l("Method"), default="")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.status.choices = [
            ("", _("Any state")),
            *((s.value, states.shown(s, "payment").word) for s in PaymentStatus),
        ]
        self.method.choices = [("", _("Any method")), *((m.code, m.label) for m in rules.METHODS.values())]

    def asked(self) -> list[Any]:
        pairs = ((Payment.status, self.wanted("status")), (Payment.method, self.wanted("method")))
        chosen = [column == value for column, value in pairs if value]
        return [*chosen, *self.within(Payment.created_at), *queries.searched(db.session(), self.text())]


class DecisionForm(PortalForm):
    """Which way, about which sum, and why."""

    amount = IntegerField(validators=[InputRequired()])
    reason = reason()


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every top-up, newest first."""
    form = Filters(request.args)
    return lists.answer(queries.listing(form.asked()), folder="payments", form=form, heading=HEADING, cells=_cells)


def _cells(row: Any) -> list[Any]:
    one = row.Payment
    return [
        one.id, row.order_id, one.created_at, one.status, one.method, one.amount, one.currency, one.settled_at,
        row.customer_number, row.email,
    ]  # fmt: skip


@blueprint.get("/<uuid:payment_id>")
@administrator
def show(payment_id: UUID) -> Response:
    """One top-up with its attempts, the gateway's transactions and notifications, and what was booked."""
    return _page(payment_id)


def _page(payment_id: UUID, *, status: int = 200, wrong: PortalForm | None = None) -> Response:
    page = queries.payment_page(db.session(), payment_id)
    return htmx.render(
        "admin/payments/show.html", status=status, page=page, payment=page.payment, methods=rules.METHODS,
        readable=readable, entry_words=ENTRIES, wrong=wrong, refund_key=uuid4().hex,
    )  # fmt: skip


@blueprint.post("/<uuid:payment_id>/check")
@administrator
def check(payment_id: UUID) -> Response:
    """Looks at the gateway again, now."""
    with transaction() as session:
        reviewing.look_again(session, payment_id, actor=acting(), now=clock.now())
    flash(_("The gateway is being asked. Load this page again in a few seconds."), "info")
    return _to(payment_id)


@blueprint.post("/<uuid:payment_id>/transactions/<uuid:transaction_id>/credit")
@administrator
def credit(payment_id: UUID, transaction_id: UUID) -> Response:
    """Credits what really arrived."""

    def decide(session: Session, form: DecisionForm) -> None:
        reviewing.credit_as_paid(
            session, payment_id, transaction_id, amount=rupiah(int(form.amount.data or 0)),
            reason=str(form.reason.data), actor=acting(), now=clock.now(),
        )  # fmt: skip

    return _decided(payment_id, decide, _("Credited. The customer has been told, and the receipt is on its way."))


@blueprint.post("/<uuid:payment_id>/transactions/<uuid:transaction_id>/rejection")
@administrator
def reject(payment_id: UUID, transaction_id: UUID) -> Response:
    """Decides that nothing is credited."""

    def decide(session: Session, form: DecisionForm) -> None:
        reviewing.reject(
            session, payment_id, transaction_id, reason=str(form.reason.data), actor=acting(), now=clock.now()
        )

    return _decided(payment_id, decide, _("Rejected. If money was taken, refund it at the gateway now."))


class RefundForm(PortalForm):
    """How much of a transaction goes back, and why."""

    amount = IntegerField(validators=[InputRequired(), NumberRange(1, 10**12)])
    key = HiddenField()
    reason = reason()


@blueprint.post("/<uuid:payment_id>/transactions/<uuid:transaction_id>/refund")
@administrator
def refund(payment_id: UUID, transaction_id: UUID) -> Response:
    """Has the gateway send money back the way it came."""
    form = RefundForm()
    if not form.validate_on_submit() or parse_id(form.key.data or "") is None:
        return _page(payment_id, status=422, wrong=form)
    with transaction() as session:
        refunding.request(
            session, payment_id, transaction_id, amount=rupiah(form.amount.data or 0), reason=str(form.reason.data),
            key=str(form.key.data), actor=acting(), now=clock.now(),
        )  # fmt: skip
    flash(_("The gateway is being asked. The credit is set aside until it answers."), "info")
    return _to(payment_id)


def _decided(payment_id: UUID, decide: Callable[[Session, DecisionForm], None], said: str) -> Response:
    form = DecisionForm()
    if not form.validate_on_submit():
        return _page(payment_id, status=422, wrong=form)
    with transaction() as session:
        decide(session, form)
    flash(said, "success")
    return _to(payment_id)


def _to(payment_id: UUID) -> Response:
    return htmx.leave_for(url_for("admin_payments.show", payment_id=payment_id))
