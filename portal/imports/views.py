"""Pages of the invoices of the time before: the customer's list, and the files that came with them."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, request

from portal.accounts.sessions import current_customer
from portal.core.db import db
from portal.imports import queries
from portal.web import htmx
from portal.web.guards import customer

blueprint = Blueprint("imports", __name__)
PAGE_MAX = 100_000


@blueprint.get("/")
@customer
def listing() -> Response:
    """The customer's old invoices, newest first."""
    number = min(max(request.args.get("page", 1, type=int), 1), PAGE_MAX)
    before = queries.invoice_page(db.session(), current_customer().id, number=number)
    return htmx.render("imports/listing.html", partial="imports/_invoices.html", before=before)


@blueprint.get("/<uuid:invoice_id>.pdf")
@customer
def pdf(invoice_id: UUID) -> Response:
    """The file as it was imported, as a download and never shown in place."""
    filename, content = queries.invoice_pdf(db.session(), invoice_id, customer_id=current_customer().id)
    response = Response(content, mimetype="application/pdf")
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response
