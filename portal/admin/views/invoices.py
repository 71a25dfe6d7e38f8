"""Receipts, invoices and credit notes of everybody: find one, mail it again, credit an invoice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField
from wtforms.validators import InputRequired, NumberRange

from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.queries import invoices as queries
from portal.admin.reasons import reason
from portal.admin.spans import SpanForm
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.core.money import rupiah
from portal.invoices import mailing, wording
from portal.invoices import queries as documents
from portal.invoices.models import Document, DocumentStatus
from portal.subscriptions.actions import administering
from portal.web import htmx
from portal.web.forms import PortalForm
from portal.web.guards import administrator

blueprint = Blueprint("admin_invoices", __name__)
HEADING = (
    "id", "number", "series", "status", "created_at", "issued_at", "customer_number", "email", "net", "ppn", "total",
    "credited",
)  # fmt: skip


class Filters(SpanForm):
    series = SelectField(_l("Kind"), default="")
    status = SelectField(
        _l("State"),
        default="",
        choices=[("", _l("Any state")), (DocumentStatus.ISSUED, _l("Issued")), (DocumentStatus.DRAFT, _l("Draft"))],
    )

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.series.choices = [("", _("Any kind")), *((str(one), word) for one, word in wording.TITLES.items())]

    def asked(self) -> list[Any]:
        pairs = ((Document.series, self.wanted("series")), (Document.status, self.wanted("status")))
        chosen = [column == value for column, value in pairs if value]
        return [*chosen, *self.within(Document.created_at), *queries.searched(db.session(), self.text())]


class CreditForm(PortalForm):
    """How much of an invoice, why, and what was credited of it when its page was drawn."""

    amount = IntegerField(_l("Amount"), validators=[InputRequired(), NumberRange(min=1, max=10**12)])
    before = IntegerField(validators=[InputRequired()])
    reason = reason()


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Documents of every series, newest first."""
    form = Filters(request.args)
    return lists.answer(
        queries.listing(form.asked()), folder="invoices", form=form, heading=HEADING, cells=_cells, wording=wording
    )


def _cells(row: Any) -> list[Any]:
    one = row.Document
    return [
        one.id, one.label, one.series, one.status, one.created_at, one.issued_at, row.customer_number, row.email,
        one.net, one.ppn, one.total, row.credited,
    ]  # fmt: skip


@blueprint.get("/<uuid:document_id>")
@administrator
def show(document_id: UUID) -> Response:
    """One document as its customer sees it, with its PDF, its mails and its credit notes."""
    return _page(document_id)


def _page(document_id: UUID, *, status: int = 200, form: CreditForm | None = None) -> Response:
    page = queries.document_page(db.session(), document_id)
    form = form or CreditForm(formdata=None, amount=page.creditable)
    return htmx.render(
        "admin/invoices/show.html", status=status, page=page, document=page.document, wording=wording, form=form,
        may_mail=mailing.may_mail(page.document),
    )  # fmt: skip


@blueprint.get("/<uuid:document_id>.pdf")
@administrator
def pdf(document_id: UUID) -> Response:
    """The PDF that the customer has."""
    found = documents.pdf_file(db.session(), document_id)
    if found is None:
        raise NotFound
    response = Response(found[1], mimetype="application/pdf")
    response.headers.set("Content-Disposition", "attachment", filename=found[0])
    response.headers["Cache-Control"] = "private, no-store"
    return response


@blueprint.post("/<uuid:document_id>/rendering")
@administrator
def render(document_id: UUID) -> Response:
    """Asks for a PDF that is missing."""
    with transaction() as session:
        asked = mailing.render_again(session, document_id, actor=acting(), now=clock.now())
    flash(_("The PDF is being made.") if asked else _("There is a PDF already, or one is being made."), "info")
    return _to(document_id)


@blueprint.post("/<uuid:document_id>/mailing")
@administrator
def mail(document_id: UUID) -> Response:
    """Mails it to its customer once more."""
    with transaction() as session:
        mailed = mailing.mail_again(session, document_id, actor=acting(), now=clock.now())
    flash(_("The mail is on its way.") if mailed else _("This document has no mail of its own."), "info")
    return _to(document_id)


@blueprint.post("/<uuid:document_id>/credit")
@administrator
def credit(document_id: UUID) -> Response:
    """Gives back a part or all of an invoice, by a credit note and to the wallet."""
    form = CreditForm()
    if not form.validate_on_submit():
        return _page(document_id, status=422, form=form)
    with transaction() as session:
        note_id = administering.credit_invoice(
            session, document_id, rupiah(int(form.amount.data or 0)), credited_before=int(form.before.data or 0),
            reason=str(form.reason.data), actor=acting(), now=clock.now(),
        )  # fmt: skip
    flash(_("Credited to the wallet. This is the credit note; its number follows in a moment."), "success")
    return _to(note_id)


def _to(document_id: UUID) -> Response:
    return htmx.leave_for(url_for("admin_invoices.show", document_id=document_id))
