"""A user's page, which tells their whole story, and seeing the portal with their eyes."""

from __future__ import annotations

from uuid import UUID

from flask import flash, g, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.accounts import devices, viewing
from portal.admin import timelines
from portal.admin.acting import acting
from portal.admin.queries import user_story
from portal.admin.views.users import blueprint
from portal.core import clock
from portal.core.db import db, transaction
from portal.notices import wording as notices
from portal.wallet import wording as wallet
from portal.web import htmx
from portal.web.guards import administrator


@blueprint.get("/<uuid:user_id>")
@administrator
def show(user_id: UUID) -> Response:
    """Everything about one user: facts, money, apps, what they were told, what they did."""
    story = user_story.story(db.session(), user_id, now=clock.now())
    return htmx.render(
        "admin/users/show.html", story=story, user=story.user, moments=timelines.timeline(story),
        is_self=story.user.id == current_user.id, devices=devices, wallet=wallet, word=notices.word,
        document_name=timelines.document_name, few=user_story.SHOWN_MAX,
    )  # fmt: skip


@blueprint.get("/customers/<uuid:customer_id>")
@administrator
def show_customer(customer_id: UUID) -> Response:
    """The page of who owns a customer."""
    return htmx.leave_for(url_for("admin_users.show", user_id=user_story.owner_id(db.session(), customer_id)))


@blueprint.post("/<uuid:user_id>/viewing")
@administrator
def view_as(user_id: UUID) -> Response:
    """Begins to see what this customer sees, in this browser alone."""
    with transaction() as session:
        viewing.start(session, g.user_session.id, user_id, actor=acting(), now=clock.now())
    return htmx.leave_for(url_for("dashboard.overview"))


@blueprint.post("/viewing/end")
@administrator
def stop_viewing() -> Response:
    """Ends it, and leads back to whom was looked at."""
    with transaction() as session:
        user_id = viewing.stop(session, g.user_session.id, actor=acting(), now=clock.now())
    flash(_("You no longer view as somebody else. This is your own account."), "success")
    back = url_for("admin_users.show", user_id=user_id) if user_id else url_for("admin_users.listing")
    return htmx.leave_for(back)
