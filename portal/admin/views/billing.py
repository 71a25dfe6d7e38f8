"""A customer's billing details, for the operator: seen, and corrected when the customer asks for it."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.accounts import billing
from portal.accounts.forms import BillingForm
from portal.accounts.models import Customer
from portal.admin.acting import acting
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_billing", __name__)


@blueprint.route("/<uuid:customer_id>/billing", methods=["GET", "POST"])
@administrator
def edit(customer_id: UUID) -> Response:
    """Shows and changes who stands on a customer's documents made from now on."""
    customer = db.session().get(Customer, customer_id)
    if customer is None:
        raise NotFound
    form = BillingForm(obj=billing.of(customer))
    if not form.validate_on_submit():
        status = 422 if form.is_submitted() else 200
        return htmx.render("admin/billing/edit.html", form=form, customer=customer, status=status)
    with transaction() as session:
        billing.change_billing(session, customer_id, form.wanted(), actor=acting(), now=clock.now())
    flash(_("The billing details are saved. Documents made from now on carry them."), "success")
    return htmx.leave_for(url_for("admin_billing.edit", customer_id=customer_id))
