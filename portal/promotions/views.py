"""Redeeming a promo code: its credit is in the wallet at once."""

from __future__ import annotations

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.accounts.sessions import current_customer
from portal.catalog.models import Interval
from portal.core import clock
from portal.core.db import transaction
from portal.core.ids import parse_id
from portal.core.money import rupiah
from portal.promotions import actions
from portal.promotions.errors import CodeRefused
from portal.promotions.forms import RedeemForm
from portal.web import htmx, limits
from portal.web.guards import customer

blueprint = Blueprint("promotions", __name__)


@blueprint.get("/")
@customer
def new() -> Response:
    """The form. From a purchase it leads back to it."""
    asked = {name: request.args.get(name, "") for name in ("plan", "interval", "code")}
    return _page(RedeemForm(formdata=None, data=asked))


@blueprint.post("/")
@customer
@limits.limiter.limit(limits.PROMO_CODE, key_func=limits.by_user, deduct_when=limits.only_failures)
@limits.limiter.limit(limits.PROMO_CODE_PER_ADDRESS, deduct_when=limits.only_failures)
def redeem() -> Response:
    """Gives the credit, or says beside the field why not."""
    form = RedeemForm()
    if not form.validate_on_submit():
        return _page(form, status=422)
    try:
        with transaction() as session:
            given = actions.redeem(session, current_customer().id, form.code.data or "", now=clock.now()).amount
    except CodeRefused as refusal:
        form.code.errors = [str(refusal)]
        return _page(form, status=refusal.status)
    flash(_("%(amount)s of credit are yours: they are in your wallet.", amount=str(rupiah(given))), "success")
    return htmx.leave_for(_back(form))


def _page(form: RedeemForm, *, status: int = 200) -> Response:
    return htmx.render("promotions/new.html", form=form, back=_back(form), status=status)


def _back(form: RedeemForm) -> str:
    """The purchase it was opened from, or the wallet."""
    plan_id, interval = parse_id(form.plan.data or ""), form.interval.data
    if plan_id is None or interval not in set(Interval):
        return url_for("wallet.overview")
    return url_for("subscriptions.new", plan=plan_id, interval=interval)
