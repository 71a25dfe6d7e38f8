"""The profile: name, phone, language."""

from __future__ import annotations

from flask import flash, url_for
from flask_babel import gettext as _
from flask_babel import refresh
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.accounts import actions
from portal.accounts.forms import ProfileForm
from portal.accounts.views import blueprint
from portal.core import clock
from portal.core.db import transaction
from portal.web import htmx
from portal.web.guards import customer


@blueprint.route("/profile", methods=["GET", "POST"])
@customer
def profile() -> Response:
    """Shows and changes what we know of the signed-in person."""
    form = ProfileForm(obj=current_user)
    if not form.validate_on_submit():
        return htmx.render("accounts/profile.html", form=form, status=422 if form.is_submitted() else 200)
    with transaction() as session:
        actions.change_profile(
            session,
            current_user.id,
            name=form.name.data or "",
            phone=form.phone.data,
            language=form.language.data,
            now=clock.now(),
        )
    refresh()
    flash(_("Your profile is saved."), "success")
    return htmx.leave_for(url_for("accounts.profile"))
