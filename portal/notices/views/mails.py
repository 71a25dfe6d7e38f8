"""What became of the mails we sent to the reader, and another try for one that failed."""

from __future__ import annotations

from uuid import UUID

from flask import Response, flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from portal.core import clock
from portal.core.db import db, transaction
from portal.notices import actions, queries, wording
from portal.notices.views import blueprint
from portal.notices.views.listing import PAGE_MAX
from portal.web import htmx, limits
from portal.web.guards import customer


@blueprint.get("/mails")
@customer
def mails() -> Response:
    """Mails to the signed-in person, newest first: on the way, handed over or failed, and why."""
    number = min(max(request.args.get("page", 1, type=int), 1), PAGE_MAX)
    sent = queries.mail_page(db.session(), current_user.id, number=number)
    titles = {mail.id: wording.word(mail.code, mail.parameters).title for mail in sent.mails}
    return htmx.render("notices/mails.html", partial="notices/_mails.html", sent=sent, titles=titles)


@blueprint.post("/mails/<uuid:mail_id>/resending")
@customer
@limits.limiter.limit(limits.RESEND, key_func=limits.by_user)
def resend(mail_id: UUID) -> Response:
    """Sends a failed mail once more, to the address the person has now."""
    with transaction() as session:
        actions.resend(session, mail_id, user_id=current_user.id, now=clock.now())
    flash(_("The mail is on its way again."), "success")
    return htmx.leave_for(url_for("notices.mails"))
