"""Billing details: who stands on invoices and receipts."""

from __future__ import annotations

from flask import flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.accounts import billing as details
from portal.accounts.forms import BillingForm
from portal.accounts.sessions import current_customer
from portal.accounts.views import blueprint
from portal.audit.actions import Actor
from portal.core import clock
from portal.core.db import transaction
from portal.web import htmx
from portal.web.guards import customer


@blueprint.route("/profile/billing", methods=["GET", "POST"])
@customer
def billing() -> Response:
    """Shows and changes what documents made from now on say of the buyer."""
    form = BillingForm(obj=details.of(current_customer()))
    if not form.validate_on_submit():
        return htmx.render("accounts/billing.html", form=form, status=422 if form.is_submitted() else 200)
    actor = Actor(current_user.id, request.remote_addr or "")
    with transaction() as session:
        details.change_billing(session, current_customer().id, form.wanted(), actor=actor, now=clock.now())
    flash(_("Your billing details are saved. Documents made from now on carry them."), "success")
    return htmx.leave_for(url_for("accounts.billing"))
