"""Which mails a person wants: a page of choices, and the one click that stands in the mails themselves."""

from __future__ import annotations

from flask import Response, flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from portal import csrf
from portal.core import clock
from portal.core.crypto import digest
from portal.core.db import db, transaction
from portal.notices import actions, queries, unsubscribing
from portal.notices.forms import PreferencesForm
from portal.notices.views import blueprint
from portal.notices.wording.categories import WORDS, Category
from portal.web import htmx, limits
from portal.web.guards import anyone, customer, gateway


@blueprint.route("/preferences", methods=["GET", "POST"])
@customer
def preferences() -> Response:
    """Shows and changes which kinds of mail the signed-in person gets. What must be mailed is not in question."""
    form = PreferencesForm(wanted=queries.wanted_mails(db.session(), current_user.id))
    if not form.validate_on_submit():
        status = 422 if form.is_submitted() else 200
        return htmx.render("notices/preferences.html", form=form, always=WORDS[Category.ACCOUNT], status=status)
    with transaction() as session:
        actions.choose_mails(session, current_user.id, form.chosen, now=clock.now())
    flash(_("Your choice of mails is saved."), "success")
    return htmx.leave_for(url_for("notices.preferences"))


@blueprint.get("/unsubscribe/<token>")
@anyone
def unsubscribe(token: str) -> Response:
    """Asks for one press: scanners and previews follow links, and must not decide."""
    return _page(token, done=False)


@blueprint.post("/unsubscribe/<token>")
@csrf.exempt
@gateway
@limits.limiter.limit(limits.UNSUBSCRIBE, key_func=lambda: digest(str(request.view_args)))
def unsubscribe_now(token: str) -> Response:
    """Stops one kind of mail; the token in the address proves who asks. A repeat changes nothing.

    Mail programs call this by themselves when their reader presses *unsubscribe*. Source: RFC 8058, section 3.2.
    """
    wish = unsubscribing.read(token)
    with transaction() as session:
        actions.decline_mails(session, wish.user_id, wish.category, now=clock.now())
    return _page(token, done=True)


def _page(token: str, *, done: bool) -> Response:
    wish = unsubscribing.read(token)
    return htmx.render("notices/unsubscribe.html", token=token, words=WORDS[wish.category], done=done)
