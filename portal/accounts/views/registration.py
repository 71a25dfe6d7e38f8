"""Registering, and confirming the address.

A new customer is signed in at once and may top up before the address is confirmed; a banner reminds them. So the form
cannot hide that an address has an account: it says, in words that also fit other refusals, what its owner should do
next, while the limit per caller keeps anyone from trying a list of addresses, and the owner is told by mail.
"""

from __future__ import annotations

from flask import flash, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.accounts import actions, queries, rules, sessions
from portal.accounts.errors import EmailTaken, LinkSpent
from portal.accounts.forms import RegisterForm
from portal.accounts.models import LinkPurpose
from portal.accounts.views import blueprint, letters
from portal.core import clock
from portal.core.db import db, transaction
from portal.web import htmx, limits
from portal.web.guards import anyone, customer, visitor
from portal.web.limits import limiter


@blueprint.route("/register", methods=["GET", "POST"])
@visitor
@limiter.limit(limits.REGISTER, methods=["POST"])
def register() -> Response:
    """Opens an account."""
    form = RegisterForm()
    if not form.validate_on_submit():
        return _form(form, status=422 if form.is_submitted() else 200)
    try:
        return _open_account(form)
    except EmailTaken as refusal:
        _tell_owner(form.email.data or "")
        form.form_errors.append(str(refusal))
        return _form(form, status=422)


def _form(form: RegisterForm, *, status: int) -> Response:
    return htmx.render("accounts/register.html", form=form, next=request.args.get("next"), status=status)


def _open_account(form: RegisterForm) -> Response:
    now, address = clock.now(), request.remote_addr or ""
    with transaction() as session:
        user = actions.register(
            session,
            name=form.name.data or "",
            email=form.email.data or "",
            password=form.password.data or "",
            phone=form.phone.data,
            language=str(get_locale()),
            now=now,
            ip_address=address,
        )
        letters.send_verification(session, user, now=now)
        token = sessions.start(
            session,
            user,
            remember=False,
            now=now,
            ip_address=address,
            user_agent=request.user_agent.string,
        )
    sessions.set_cookie(token, remember=False)
    flash(_("Welcome, %(name)s. Your account is open.", name=user.name), "success")
    return htmx.leave_for(rules.return_path(request.args.get("next"), url_for("dashboard.overview")))


def _tell_owner(email: str) -> None:
    with transaction() as session:
        owner = queries.user_by_email(session, rules.normal_email(email) or "")
        if owner is not None and owner.active:
            letters.tell_registration_attempt(session, owner, now=clock.now())


@blueprint.route("/verify/<token>", methods=["GET", "POST"])
@anyone
@limiter.limit(limits.LINKS, methods=["POST"])
def verify_email(token: str) -> Response:
    """Confirms an address, signed in or not. Opening the link changes nothing, since mail scanners open links."""
    if request.method == "POST":
        return _confirm(token)
    owner = queries.link_owner(db.session(), token, LinkPurpose.VERIFY_EMAIL)
    if owner is not None and owner.email_verified_at is not None:
        return htmx.render("accounts/verify_email.html", done=True)
    if not queries.link_is_live(db.session(), token, LinkPurpose.VERIFY_EMAIL, now=clock.now()):
        return htmx.render("accounts/link_spent.html", purpose="verify", status=410)
    return htmx.render("accounts/verify_email.html", done=False)


def _confirm(token: str) -> Response:
    try:
        with transaction() as session:
            actions.verify_email(session, token, now=clock.now())
    except LinkSpent:
        return htmx.render("accounts/link_spent.html", purpose="verify", status=410)
    flash(_("Thank you: your e-mail address is confirmed."), "success")
    endpoint = "dashboard.overview" if current_user.is_authenticated else "accounts.sign_in"
    return htmx.leave_for(url_for(endpoint))


@blueprint.post("/verify")
@customer
@limiter.limit(limits.VERIFY_AGAIN, key_func=limits.by_user)
def resend_verification() -> Response:
    """Sends the link again; links sent before stay good until they end."""
    now = clock.now()
    if current_user.email_verified_at is None:
        with transaction() as session:
            letters.send_verification(session, current_user, now=now)
        flash(_("We sent the link again to %(address)s.", address=current_user.email), "success")
    return htmx.leave_for(sessions.page_before() or url_for("dashboard.overview"))
