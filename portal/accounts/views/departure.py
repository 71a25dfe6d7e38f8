"""Closing one's account: nothing may run any more, and the rest of the credit needs an explicit word."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal.accounts import actions, rules, sessions
from portal.accounts.errors import DepartureRefused, WrongPassword
from portal.accounts.forms import DeactivationForm
from portal.accounts.models import User
from portal.accounts.rules import Departure
from portal.accounts.sessions import current_customer
from portal.accounts.views import blueprint, letters
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import Money
from portal.payments import queries as payments
from portal.subscriptions import queries as subscriptions
from portal.subscriptions.actions import waiting
from portal.wallet import actions as wallet_actions
from portal.wallet import queries as wallet
from portal.web import htmx, limits
from portal.web.guards import customer
from portal.web.limits import limiter


@blueprint.route("/profile/deactivation", methods=["GET", "POST"])
@customer
@limiter.limit(limits.PASSWORD_FAILED, methods=["POST"], key_func=limits.by_user, deduct_when=limits.only_failures)
def deactivate() -> Response:
    """Closes the account, or says what stands in the way."""
    form = DeactivationForm()
    if not form.validate_on_submit():
        return _page(form, status=422 if form.is_submitted() else 200)
    try:
        return _ask_for_payout(form) if form.choice.data == Departure.PAYOUT else _leave(form)
    except WrongPassword as refusal:
        form.current.errors = [str(refusal)]
        return _page(form, status=422)
    except DepartureRefused as refusal:
        form.form_errors.append(str(refusal))
        return _page(form, status=409)


@dataclass(frozen=True)
class Holdings:
    """What a customer still has with us."""

    live_subscriptions: int
    open_top_ups: int
    credit: Money


def _holdings(session: Session) -> Holdings:
    customer_id = current_customer().id
    return Holdings(
        live_subscriptions=subscriptions.live_count(session, customer_id),
        open_top_ups=len(payments.open_payments(session, customer_id)),
        credit=wallet.own_credit(session, customer_id),
    )


def _page(form: DeactivationForm, *, status: int) -> Response:
    return htmx.render("accounts/deactivation.html", form=form, holdings=_holdings(db.session()), status=status)


def _leave(form: DeactivationForm) -> Response:
    now = clock.now()
    with transaction() as session:
        user = _held(session, form)
        waiting.stop_waiting(session, current_customer().id, now=now)
        holdings = _holdings(session)
        credit = holdings.credit.amount
        actions.deactivate(
            session,
            user,
            live_subscriptions=holdings.live_subscriptions,
            open_top_ups=holdings.open_top_ups,
            credit=credit,
            choice=form.departure(credit=credit),
            confirmed=rules.normal_email(form.confirmation.data or "") == user.email,
            now=now,
            ip_address=request.remote_addr or "",
        )
        wallet_actions.forfeit(session, current_customer().id, now=now)
        letters.tell_deactivated(session, user, now=now)
    sessions.forget_cookie()
    flash(_("Your account is closed, and you are signed out everywhere."), "success")
    return htmx.leave_for(url_for("web.home"))


def _ask_for_payout(form: DeactivationForm) -> Response:
    with transaction() as session:
        user = _held(session, form)
        credit = _holdings(session).credit.amount
        actions.ask_for_payout(session, user, credit=credit, now=clock.now(), ip_address=request.remote_addr or "")
    current_app.logger.warning("payout.requested user=%s credit=%s", user.id, credit)
    flash(
        _("We noted your wish. We write to %(address)s about the payout.", address=user.email),
        "success",
    )
    return htmx.leave_for(url_for("accounts.profile"))


def _held(session: Session, form: DeactivationForm) -> User:
    customer_id = current_customer().id
    return actions.lock_for_departure(session, current_user.id, customer_id, password=form.current.data or "")
