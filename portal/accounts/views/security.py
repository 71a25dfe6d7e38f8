"""Security: the password, the second factor, and where one is signed in."""

from __future__ import annotations

from uuid import UUID

from flask import flash, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.accounts import actions, devices, queries
from portal.accounts.errors import WrongPassword
from portal.accounts.forms import ChangePasswordForm
from portal.accounts.views import blueprint, letters
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.web import htmx, limits
from portal.web.guards import customer
from portal.web.limits import limiter


@blueprint.route("/security", methods=["GET", "POST"])
@customer
@limiter.limit(limits.PASSWORD_FAILED, methods=["POST"], key_func=limits.by_user, deduct_when=limits.only_failures)
def security() -> Response:
    """Shows sessions; takes a new password, which ends all sessions but this one."""
    form = ChangePasswordForm(email=current_user.email, name=current_user.name)
    if not form.validate_on_submit():
        return _page(form, status=422 if form.is_submitted() else 200)
    try:
        _change_password(form)
    except WrongPassword as refusal:
        form.current.errors = [str(refusal)]
        return _page(form, status=422)
    flash(_("Your password is changed. Everywhere else you are signed out."), "success")
    return htmx.leave_for(url_for("accounts.security"))


def _page(form: ChangePasswordForm, *, status: int) -> Response:
    found = queries.live_sessions(db.session(), current_user.id, now=clock.now())
    left = queries.recovery_codes_left(db.session(), current_user.id) if current_user.has_second_factor else 0
    return htmx.render(
        "accounts/security.html",
        form=form,
        sessions=found,
        this_session=g.user_session,
        devices=devices,
        recovery_codes_left=left,
        status=status,
    )


def _change_password(form: ChangePasswordForm) -> None:
    now = clock.now()
    with transaction() as session:
        user = actions.change_password(
            session,
            current_user.id,
            current=form.current.data or "",
            password=form.password.data or "",
            keep_session=g.user_session.id,
            now=now,
            ip_address=_address(),
        )
        letters.tell_password_changed(session, user, now=now)


@blueprint.post("/security/sessions/<uuid:session_id>/revocation")
@customer
def revoke_session(session_id: UUID) -> Response:
    """Signs one of the user's own browsers out; one that ended already is gone either way."""
    with transaction() as session:
        if not queries.owns_session(session, current_user.id, session_id):
            raise NotFound
        actions.revoke_sessions(session, current_user.id, session_id=session_id, now=clock.now(), ip_address=_address())
    flash(_("That device is signed out."), "success")
    return htmx.leave_for(url_for("accounts.security"))


@blueprint.post("/security/sessions/revocation")
@customer
def revoke_other_sessions() -> Response:
    """Signs the user out everywhere but here."""
    with transaction() as session:
        ended = actions.revoke_sessions(
            session, current_user.id, keep=g.user_session.id, now=clock.now(), ip_address=_address()
        )
    flash(
        ngettext("%(num)d other device is signed out.", "%(num)d other devices are signed out.", ended),
        "success",
    )
    return htmx.leave_for(url_for("accounts.security"))


def _address() -> str:
    return request.remote_addr or ""
