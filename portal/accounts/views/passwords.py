"""Forgotten passwords."""

from __future__ import annotations

from flask import flash, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.accounts import actions, queries, rules, sessions
from portal.accounts.errors import LinkSpent
from portal.accounts.forms import ForgotPasswordForm, NewPasswordForm
from portal.accounts.models import LinkPurpose, User
from portal.accounts.views import blueprint, letters
from portal.accounts.views.counting import by_account
from portal.core import clock
from portal.core.db import db, transaction
from portal.web import htmx, limits
from portal.web.guards import anyone
from portal.web.limits import limiter


@blueprint.route("/forgot", methods=["GET", "POST"])
@anyone
@limiter.limit(limits.RESET, methods=["POST"])
@limiter.limit(limits.RESET_PER_ACCOUNT, methods=["POST"], key_func=by_account)
def forgot_password() -> Response:
    """Mails a link; the answer is the same whether the address has an account or not."""
    form = ForgotPasswordForm()
    if not form.validate_on_submit():
        return htmx.render("accounts/forgot_password.html", form=form, status=422 if form.is_submitted() else 200)
    now = clock.now()
    with transaction() as session:
        address = rules.normal_email(form.email.data or "") or ""
        actions.note_reset_asked(session, email=address, now=now, ip_address=request.remote_addr or "")
        user = queries.user_by_email(session, address)
        if user is not None and user.active:
            letters.send_password_reset(session, user, now=now)
    return htmx.render("accounts/reset_sent.html", address=address)


@blueprint.route("/reset/<token>", methods=["GET", "POST"])
@anyone
@limiter.limit(limits.LINKS, methods=["POST"])
def reset_password(token: str) -> Response:
    """Sets a new password by a mailed link. Opening the link does not spend it."""
    owner = _owner(token)
    if owner is None:
        return _spent()
    form = NewPasswordForm(email=owner.email, name=owner.name)
    if not form.validate_on_submit():
        status = 422 if form.is_submitted() else 200
        return htmx.render("accounts/reset_password.html", form=form, email=owner.email, status=status)
    try:
        _set_password(token, form)
    except LinkSpent:
        return _spent()
    sessions.forget_cookie()
    flash(_("Your new password is set. Sign in with it."), "success")
    return htmx.leave_for(url_for("accounts.sign_in"))


def _set_password(token: str, form: NewPasswordForm) -> None:
    now, password = clock.now(), form.password.data or ""
    with transaction() as session:
        user = actions.reset_password(session, token, password=password, now=now, ip_address=request.remote_addr or "")
        letters.tell_password_changed(session, user, now=now)


def _spent() -> Response:
    return htmx.render("accounts/link_spent.html", purpose="reset", status=410)


def _owner(token: str) -> User | None:
    session = db.session()
    if not queries.link_is_live(session, token, LinkPurpose.RESET_PASSWORD, now=clock.now()):
        return None
    return queries.link_owner(session, token, LinkPurpose.RESET_PASSWORD)
