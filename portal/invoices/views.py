"""Pages of invoices: the customer's receipts, invoices and credit notes, on screen, on paper and as PDF."""

from __future__ import annotations

import re
from uuid import UUID

from flask import Blueprint, Response, flash, request, url_for

from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db, transaction
from portal.imports import queries as imports
from portal.invoices import actions, queries, wording
from portal.invoices.errors import PdfNotReady, PdfUnavailable
from portal.invoices.models import Document, Series
from portal.web import htmx
from portal.web.guards import customer

blueprint = Blueprint("invoices", __name__)
PAGE_MAX = 100_000


@blueprint.get("/")
@customer
def listing() -> Response:
    """The customer's documents, newest first, filtered by `series` and `year`."""
    series, year = _series(request.args.get("series", "")), _year(request.args.get("year", ""))
    number = min(max(request.args.get("page", 1, type=int), 1), PAGE_MAX)
    listed = queries.document_page(db.session(), current_customer().id, series=series, year=year, number=number)
    filters = {name: value for name, value in (("series", series), ("year", year)) if value}
    return htmx.render(
        "invoices/listing.html",
        partial="invoices/_list.html",
        listed=listed,
        filters=filters,
        wording=wording,
        before=imports.invoice_page(db.session(), current_customer().id),
    )


def _series(text: str) -> Series | None:
    return Series(text) if text in Series.__members__ else None


def _year(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{4}", text) else None


@blueprint.get("/<uuid:document_id>")
@customer
def show(document_id: UUID) -> Response:
    """One document, printable as it stands; its PDF's region refreshes itself until the PDF is there."""
    document = _own(document_id)
    return htmx.render("invoices/show.html", partial="invoices/_pdf.html", document=document, wording=wording)


@blueprint.get("/<uuid:document_id>.pdf")
@customer
def pdf(document_id: UUID) -> Response:
    """The PDF as a download; while there is none, asks for it and goes back to the document's page."""
    document = _own(document_id)
    found = queries.pdf_file(db.session(), document.id)
    if found is None:
        return _ask_for_pdf(document)
    filename, content = found
    response = Response(content, mimetype="application/pdf")
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _ask_for_pdf(document: Document) -> Response:
    """A reading address that queues work: the work only fills what is missing, at most once a minute."""
    with transaction() as session:
        asked = actions.ask_for_pdf(session, document.id, now=clock.now())
    waiting = asked or not document.pdf_error
    flash(str(PdfNotReady.message if waiting else PdfUnavailable.message), "info" if waiting else "warning")
    return htmx.leave_for(url_for("invoices.show", document_id=document.id))


def _own(document_id: UUID) -> Document:
    return queries.document(db.session(), document_id, customer_id=current_customer().id)
