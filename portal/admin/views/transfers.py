"""Bank transfers to decide about: the queue, a proof beside its facts, credit, rejection, taking back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from wtforms import DateField, HiddenField, SelectField, StringField, ValidationError
from wtforms.validators import InputRequired, Length, Regexp

from config import settings
from portal.accounts import queries as accounts
from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import transfers as queries
from portal.admin.queries.transfers import Wanted
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import Money
from portal.payments.forms import parse_rupiah
from portal.transfers import actions, rules
from portal.transfers import queries as transfers
from portal.transfers.errors import OwnTransfer
from portal.transfers.rules import Received, TransferState
from portal.web import htmx, security
from portal.web.forms import PortalForm
from portal.web.guards import administrator
from portal.web.states import TRANSFERS

blueprint = Blueprint("admin_transfers", __name__)
HEADING = (
    "id", "reference", "asked_at", "state", "amount", "received_amount", "received_on", "bank_reference",
    "customer_number", "customer_name", "decided_at",
)  # fmt: skip
REQUIRED = _l("Fill this in.")
EVERYTHING = "ALL"


class Filters(FilterForm):
    """Without a word about the state the list is the queue."""

    search = StringField(_l("Search"))
    state = SelectField(
        _l("State"), choices=[(EVERYTHING, _l("All"))] + [(state, TRANSFERS[state].word) for state in TransferState]
    )

    def asked(self) -> Wanted:
        state = self.wanted("state")
        return Wanted(self.wanted("search"), TransferState(state) if state and state != EVERYTHING else None)


class AmountField(StringField):
    """Whole rupiah, in what people type."""

    def pre_validate(self, form: Any) -> None:
        if parse_rupiah(self.data or "") is None:
            raise ValidationError(_("Write the amount in whole rupiah, such as 50.000."))

    @property
    def amount(self) -> int:
        found = parse_rupiah(self.data or "")
        assert isinstance(found, Money), "asked after validation"
        return found.amount


class ApprovalForm(PortalForm):
    """A line of our bank account."""

    amount = AmountField(_l("Amount that arrived"))
    bank_reference = StringField(
        _l("The bank's own reference"), [InputRequired(REQUIRED), Length(max=rules.BANK_REFERENCE_LENGTH_MAX)]
    )
    received_on = DateField(_l("Day it arrived"), [InputRequired(REQUIRED)])

    def validate_received_on(self, field: DateField) -> None:
        if field.data and field.data > clock.today():
            raise ValidationError(_("This day has not come yet."))

    @property
    def received(self) -> Received:
        return Received(self.amount.amount, rules.plain(self.bank_reference.data or ""), self.received_on.data)


class RejectionForm(PortalForm):
    reason = StringField(_l("Reason, for the customer"), [InputRequired(REQUIRED), Length(max=rules.REASON_LENGTH_MAX)])


class TakeBackForm(PortalForm):
    amount = AmountField(_l("Amount to take back"))
    reason = StringField(_l("Reason, for the customer"), [InputRequired(REQUIRED), Length(max=rules.REASON_LENGTH_MAX)])
    so_far = HiddenField(validators=[Regexp(r"^[0-9]{1,12}$")])


@blueprint.get("/")
@administrator
def listing() -> Response:
    """What waits for a decision; with `state` everything else."""
    asked = request.args.copy()
    asked.setdefault("state", TransferState.IN_REVIEW)
    form = Filters(asked)
    return lists.answer(  # type: ignore[return-value]
        queries.listing(form.asked()), folder="transfers", form=form, heading=HEADING, cells=_cells,
        state_of=rules.state_of, everything=EVERYTHING,
    )  # fmt: skip


def _cells(row: Any) -> list[Any]:
    payment, transfer = row.Payment, row.BankTransfer
    return [
        payment.id, transfer.reference, payment.created_at, rules.state_of(payment.status), payment.amount,
        transfer.received_amount, transfer.received_on, transfer.bank_reference, row.number, row.customer_name,
        transfer.decided_at,
    ]  # fmt: skip


@blueprint.get("/<uuid:payment_id>")
@administrator
def show(payment_id: UUID) -> Response:
    """The proof beside what there is to decide."""
    return _page(payment_id)


@blueprint.get("/<uuid:payment_id>/proofs/<uuid:proof_id>")
@administrator
def proof(payment_id: UUID, proof_id: UUID) -> Response:
    """A customer's proof, as we keep it."""
    found = transfers.proof_file(db.session(), payment_id, proof_id)
    return security.seal(Response(found.content, mimetype=found.content_type), filename=found.name)


@blueprint.post("/<uuid:payment_id>/approval")
@administrator
def approve(payment_id: UUID) -> Response:
    """Credits what arrived; above the limit, notes that one administrator would."""
    form = ApprovalForm()
    if not form.validate_on_submit():
        return _page(payment_id, approval=form, status=422)
    with transaction() as session:
        payment = actions.approve(session, payment_id, form.received, actor=acting(), now=clock.now())
    if rules.state_of(payment.status) in rules.CREDITED:
        flash(_("%(amount)s was credited.", amount=Money(form.received.amount)), "success")
    else:
        flash(_("Noted. Above %(limit)s another administrator has to approve the same facts.",
                limit=Money(settings().transfer_approval_limit)), "info")  # fmt: skip
    return _to(payment_id)


@blueprint.post("/<uuid:payment_id>/rejection")
@administrator
def reject(payment_id: UUID) -> Response:
    """Closes a transfer that is not on our account."""
    form = RejectionForm()
    if not form.validate_on_submit():
        return _page(payment_id, rejection=form, status=422)
    with transaction() as session:
        actions.reject(session, payment_id, reason=form.reason.data or "", actor=acting(), now=clock.now())
    flash(_("The transfer is rejected, and the customer is told why."), "success")
    return _to(payment_id)


@blueprint.post("/<uuid:payment_id>/take-back")
@administrator
def take_back(payment_id: UUID) -> Response:
    """Undoes a wrong approval, wholly or in part."""
    form = TakeBackForm()
    if not form.validate_on_submit():
        return _page(payment_id, taking_back=form, status=422)
    with transaction() as session:
        actions.take_back(
            session, payment_id, amount=form.amount.amount, so_far=int(form.so_far.data or 0),
            reason=form.reason.data or "", actor=acting(), now=clock.now(),
        )  # fmt: skip
    flash(_("%(amount)s was taken back.", amount=Money(form.amount.amount)), "success")
    return _to(payment_id)


def _page(payment_id: UUID, *, status: int = 200, **forms: PortalForm) -> Response:
    session = db.session()
    page = transfers.transfer_page(session, payment_id)
    around = queries.surroundings(session, page.payment, page.transfer, page.proofs)
    own = rules.refusal_to_decide(is_member=accounts.is_member(session, current_user.id, page.payment.customer_id))
    return htmx.render(
        "admin/transfers/show.html", status=status, page=page, around=around, rules=rules,
        own=OwnTransfer.message if own else "", limit=settings().transfer_approval_limit, today=clock.today(),
        mine=page.transfer.proposed_by == current_user.id, **_forms(page, around.left, around.taken_back) | forms,
    )  # fmt: skip


def _forms(page: transfers.TransferPage, left: int, taken_back: int) -> dict[str, PortalForm]:
    """Filled with what there is: a proposal as it was made, so that the second pair of eyes compares it."""
    transfer = page.transfer
    approval = ApprovalForm(formdata=None)
    approval.amount.data = f"{transfer.received_amount or page.payment.amount:,}".replace(",", ".")
    approval.bank_reference.data, approval.received_on.data = transfer.bank_reference, transfer.received_on
    taking_back = TakeBackForm(formdata=None)
    taking_back.amount.data, taking_back.so_far.data = f"{left:,}".replace(",", "."), str(taken_back)
    return {"approval": approval, "rejection": RejectionForm(formdata=None), "taking_back": taking_back}


def _to(payment_id: UUID) -> Response:
    return htmx.leave_for(url_for("admin_transfers.show", payment_id=payment_id))
