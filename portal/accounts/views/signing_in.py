"""Signing in and out."""

from __future__ import annotations

from datetime import datetime

from flask import flash, g, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal.accounts import actions, half_way, queries, rules, sessions
from portal.accounts.errors import SignInRefused
from portal.accounts.forms import SignInForm
from portal.accounts.models import User
from portal.accounts.views import blueprint, letters
from portal.accounts.views.counting import by_account
from portal.core import clock
from portal.core.db import transaction
from portal.web import htmx, limits
from portal.web.guards import anyone, even_when_read_only, visitor
from portal.web.limits import limiter


@blueprint.route("/sign-in", methods=["GET", "POST"])
@visitor
@even_when_read_only
@limiter.limit(limits.SIGN_IN, methods=["POST"])
@limiter.limit(limits.SIGN_IN_FAILED, methods=["POST"], deduct_when=limits.only_failures)
@limiter.limit(
    limits.SIGN_IN_FAILED_PER_ACCOUNT,
    methods=["POST"],
    key_func=by_account,
    deduct_when=limits.only_failures,
)
def sign_in() -> Response:
    """Opens a session and leads back to where the visitor wanted to go, or on to the code of their second factor."""
    form = SignInForm()
    if not form.validate_on_submit():
        return _form(form, status=422 if form.is_submitted() else 200)
    try:
        return _open_session(form)
    except SignInRefused as refusal:
        with transaction() as session:
            actions.note_refused_sign_in(
                session, email=form.email.data or "", now=clock.now(), ip_address=request.remote_addr or ""
            )
        form.form_errors.append(str(refusal))
        return _form(form, status=422)


def _form(form: SignInForm, *, status: int) -> Response:
    return htmx.render("accounts/sign_in.html", form=form, next=request.args.get("next"), status=status)


def _open_session(form: SignInForm) -> Response:
    now, address = clock.now(), request.remote_addr or ""
    remember = bool(form.remember.data)
    with transaction() as session:
        user = actions.authenticate(
            session,
            email=form.email.data or "",
            password=form.password.data or "",
            now=now,
            ip_address=address,
        )
        if user.has_second_factor:
            half = half_way.start(session, user, remember=remember, now=now)
        else:
            token = open_session(session, user, remember=remember, now=now)
    if user.has_second_factor:
        sessions.set_half_way_cookie(half)
        return htmx.leave_for(url_for("accounts.sign_in_code", next=request.args.get("next")))
    sessions.set_cookie(token, remember=remember)
    return htmx.leave_for(rules.return_path(request.args.get("next"), url_for("dashboard.overview")))


def open_session(session: Session, user: User, *, remember: bool, now: datetime) -> str:
    """Opens the session of whoever showed all that is asked of them; tells them when the device is new."""
    address, agent = request.remote_addr or "", request.user_agent.string
    if not queries.knows_device(session, user.id, agent):
        letters.tell_new_device(session, user, user_agent=agent, ip_address=address, now=now)
    return sessions.start(session, user, remember=remember, now=now, ip_address=address, user_agent=agent)


@blueprint.post("/sign-out")
@anyone
@even_when_read_only
def sign_out() -> Response:
    """Ends this session. Signed out already: the same answer."""
    if current_user.is_authenticated:
        with transaction() as session:
            actions.sign_out(session, g.user_session, now=clock.now(), ip_address=request.remote_addr or "")
    sessions.forget_cookie()
    flash(_("You are signed out."), "success")
    return htmx.leave_for(url_for("web.home"))
