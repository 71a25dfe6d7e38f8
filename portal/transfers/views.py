"""A bank transfer's page: where to pay, the proof, what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from config import settings
from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db, transaction
from portal.subscriptions import intents
from portal.transfers import actions, files, queries, rules
from portal.transfers.errors import ProofRefused
from portal.transfers.forms import ACCEPTED, ProofForm
from portal.web import htmx, limits, security
from portal.web.guards import customer

blueprint = Blueprint("transfers", __name__)
REQUEST_BYTES_MAX = files.BYTES_MAX + 64 * 1024
"""The file and the form around it. Every other address takes less: `MAX_CONTENT_LENGTH`."""


@blueprint.url_value_preprocessor
def take_files(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Widens the limit for uploads; it runs before anything reads the form, the check of its token included."""
    if endpoint == "transfers.add_proof":
        request.max_content_length = REQUEST_BYTES_MAX


@blueprint.get("/<uuid:payment_id>")
@customer
def show(payment_id: UUID) -> Response:
    """One page that always tells the truth about a transfer."""
    return _page(payment_id, ProofForm(formdata=None))


@blueprint.post("/<uuid:payment_id>/proofs")
@customer
@limits.limiter.limit(limits.PROOF, key_func=limits.by_user)
def add_proof(payment_id: UUID) -> Response:
    """Takes in a proof, or another one in its place."""
    queries.transfer_page(db.session(), payment_id, customer_id=current_customer().id)  # a stranger's file is not read
    form = ProofForm()
    if not form.validate_on_submit():
        return _page(payment_id, form, status=422)
    try:
        upload = files.read(form.file.data.read(files.BYTES_MAX + 1))
    except ProofRefused as refusal:
        form.file.errors = [str(refusal)]
        return _page(payment_id, form, status=422)
    with transaction() as session:
        actions.add_proof(
            session, payment_id, current_customer().id, upload, uploaded_by=current_user.id, now=clock.now()
        )
    flash(_("We have your proof. A person compares it with our bank account."), "success")
    return _to(payment_id)


@blueprint.get("/<uuid:payment_id>/proofs/<uuid:proof_id>")
@customer
def proof(payment_id: UUID, proof_id: UUID) -> Response:
    """One's own proof, as we keep it."""
    found = queries.proof_file(db.session(), payment_id, proof_id, customer_id=current_customer().id)
    return security.seal(Response(found.content, mimetype=found.content_type), filename=found.name)


@blueprint.post("/<uuid:payment_id>/cancellation")
@customer
def cancel(payment_id: UUID) -> Response:
    """Withdraws a transfer nobody decided about yet."""
    with transaction() as session:
        actions.cancel(session, payment_id, current_customer().id, now=clock.now())
    flash(_("The transfer is cancelled. If you did pay, write to us: the money is yours."), "info")
    return _to(payment_id)


def _page(payment_id: UUID, form: ProofForm, *, status: int = 200) -> Response:
    session = db.session()
    page = queries.transfer_page(session, payment_id, customer_id=current_customer().id)
    return htmx.render(
        "transfers/show.html", status=status, page=page, form=form, accepted=ACCEPTED,
        accounts=rules.accounts(settings().bank_accounts), intent=intents.of_payment(session, payment_id),
    )  # fmt: skip


def _to(payment_id: UUID) -> Response:
    return htmx.leave_for(url_for("transfers.show", payment_id=payment_id))
