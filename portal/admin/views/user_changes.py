"""What an administrator changes about one user."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import EmailField, SelectField, StringField, TelField
from wtforms.validators import Length

from portal.accounts import administration, lost_factors
from portal.accounts.errors import EmailTaken
from portal.accounts.forms import EMAIL_LENGTH_MAX, Email, Name, Phone
from portal.accounts.models import Role
from portal.accounts.views import letters
from portal.admin.acting import acting
from portal.admin.queries import user_story
from portal.admin.views.users import blueprint
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound, PortalError
from portal.core.ids import parse_id
from portal.web import htmx
from portal.web.forms import PortalForm
from portal.web.guards import administrator
from portal.web.languages import LANGUAGES


class UserForm(PortalForm):
    name = StringField(_l("Name"), [Name()])
    email = EmailField(_l("E-mail address"), [Length(max=EMAIL_LENGTH_MAX), Email()])
    phone = TelField(_l("Phone"), [Length(max=30), Phone()])
    language = SelectField(_l("Language"), choices=list(LANGUAGES.items()))

    def details(self) -> dict[str, Any]:
        return {"name": self.name.data or "", "phone": self.phone.data, "language": self.language.data}


@blueprint.route("/new", methods=["GET", "POST"])
@administrator
def create() -> Response:
    """Opens an account for somebody and mails them a link to set their password."""
    form = UserForm(language=str(get_locale()))
    if not form.validate_on_submit():
        return htmx.render("admin/users/new.html", form=form, status=422 if form.is_submitted() else 200)
    try:
        user_id = _invite(form)
    except EmailTaken:
        form.email.errors = [_("This address has an account already.")]
        return htmx.render("admin/users/new.html", form=form, status=409)
    flash(_("The account is open. A link to set the password is on its way to %(a)s.", a=form.email.data), "success")
    return htmx.leave_for(url_for("admin_users.show", user_id=user_id))


def _invite(form: UserForm) -> UUID:
    now = clock.now()
    with transaction() as session:
        user = administration.invite(
            session, email=form.email.data or "", **form.details(), actor=acting(), now=now
        )  # fmt: skip
        letters.send_invitation(session, user, now=now)
        return user.id


@blueprint.route("/<uuid:user_id>/edit", methods=["GET", "POST"])
@administrator
def edit(user_id: UUID) -> Response:
    """Name, phone, language and address. A new address has to be confirmed, and the old one is told."""
    user = user_story.user(db.session(), user_id)
    form = UserForm(obj=user)
    if not form.validate_on_submit():
        return _edit_page(form, user, status=422 if form.is_submitted() else 200)
    try:
        with transaction() as session:
            _change(session, user_id, form)
    except EmailTaken:
        form.email.errors = [_("This address has an account already.")]
        return _edit_page(form, user, status=409)
    flash(_("Saved."), "success")
    return _back_to(user_id)


def _edit_page(form: UserForm, user: Any, *, status: int) -> Response:
    return htmx.render("admin/users/edit.html", form=form, user=user, status=status)


def _change(session: Session, user_id: UUID, form: UserForm) -> None:
    now, actor = clock.now(), acting()
    user = administration.change_details(session, user_id, **form.details(), actor=actor, now=now)
    old = administration.change_email(session, user_id, form.email.data or "", actor=actor, now=now)
    if old is not None:
        letters.send_verification(session, user, now=now)
        letters.tell_email_changed(session, user, old_address=old, now=now)


@blueprint.post("/<uuid:user_id>/role")
@administrator
def change_role(user_id: UUID) -> Response:
    """Makes somebody an administrator, or a customer again; they sign in anew."""
    try:
        role = Role(request.form.get("role", ""))
    except ValueError:
        raise NotFound from None
    with transaction() as session:
        administration.set_role(session, user_id, role, actor=acting(), now=clock.now())
    flash(_("The role is changed. They have to sign in again."), "success")
    return _back_to(user_id)


@blueprint.post("/<uuid:user_id>/closing")
@administrator
def close(user_id: UUID) -> Response:
    """Closes the account: signed out at once, apps and money stay."""
    with transaction() as session:
        administration.set_active(session, user_id, active=False, actor=acting(), now=clock.now())
    flash(_("The account is closed."), "success")
    return _back_to(user_id)


@blueprint.post("/<uuid:user_id>/opening")
@administrator
def open_again(user_id: UUID) -> Response:
    """Opens a closed account again."""
    with transaction() as session:
        administration.set_active(session, user_id, active=True, actor=acting(), now=clock.now())
    flash(_("The account is open."), "success")
    return _back_to(user_id)


@blueprint.post("/<uuid:user_id>/confirmation")
@administrator
def confirm_email(user_id: UUID) -> Response:
    """Takes the address as confirmed."""
    with transaction() as session:
        administration.confirm_email(session, user_id, actor=acting(), now=clock.now())
    flash(_("The address counts as confirmed."), "success")
    return _back_to(user_id)


@blueprint.post("/<uuid:user_id>/password-link")
@administrator
def send_password_link(user_id: UUID) -> Response:
    """Mails a link to set a password: the invitation again to who never signed in, else the usual one."""
    now = clock.now()
    with transaction() as session:
        user = administration.note_link_sent(session, user_id, actor=acting(), now=now)
        known = administration.was_here(session, user_id)
        (letters.send_password_reset if known else letters.send_invitation)(session, user, now=now)
    flash(_("A link to set the password is on its way to %(a)s.", a=user.email), "success")
    return _back_to(user_id)


@blueprint.post("/<uuid:user_id>/sessions/revocation")
@administrator
def end_sessions(user_id: UUID) -> Response:
    """Ends one session, named in the form, or all."""
    session_id = parse_id(request.form.get("session_id", ""))
    if "session_id" in request.form and session_id is None:
        raise PortalError
    with transaction() as session:
        ended = administration.end_sessions(session, user_id, session_id=session_id, actor=acting(), now=clock.now())
    flash(ngettext("%(num)d session ended.", "%(num)d sessions ended.", ended), "success")
    return _back_to(user_id)


@blueprint.post("/<uuid:user_id>/second-factor/clearing")
@administrator
def clear_second_factor(user_id: UUID) -> Response:
    """Takes off a second factor that its owner lost; the reason stands in the audit log, and they are told."""
    reason, now = request.form.get("reason", "").strip()[:200], clock.now()
    with transaction() as session:
        user = lost_factors.clear_second_factor(session, user_id, actor=acting(), reason=reason, now=now)
        letters.tell_second_factor_cleared(session, user, now=now)
    flash(_("The second factor is off. They have to sign in again, and were told by mail."), "success")
    return _back_to(user_id)


def _back_to(user_id: UUID) -> Response:
    return htmx.leave_for(url_for("admin_users.show", user_id=user_id))
