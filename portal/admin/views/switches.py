"""Operational switches: what is held back right now, since when, by whom; and turning them."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from portal.admin.acting import acting
from portal.admin.queries import switches as queries
from portal.audit import switching
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.core.switches import Switch
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_switches", __name__)
TEXT_LENGTH_MAX = 300


class About(NamedTuple):
    """What a switch is called, what it does, and what its text is for."""

    name: Any
    does: Any
    asks: Any


ABOUT = {
    Switch.BANNER: About(
        _l("Incident banner"),
        _l("Shows your words above every page, in the language you write them in. It holds nothing back."),
        _l("What customers read"),
    ),
    Switch.NO_TOP_UPS: About(
        _l("No top-ups"),
        _l("Nobody can begin a top-up. Those that were begun can be paid, and every payment is booked."),
        _l("Reason, for the audit log"),
    ),
    Switch.NO_PROVISIONING: About(
        _l("No new apps"),
        _l("No purchases, upgrades or resuming; waitlists stand still. What runs goes on, and renewals are charged."),
        _l("Reason, for the audit log"),
    ),
    Switch.READ_ONLY: About(
        _l("Read-only"),
        _l(
            "Customers look at everything and change nothing; they may sign in and out. Payment notifications, jobs "
            "and administrators go on, so renewals are charged and payments booked."
        ),
        _l("Reason, for the audit log"),
    ),
}  # fmt: skip


@blueprint.get("/")
@administrator
def show() -> Response:
    """Every switch, what it does and how it stands."""
    return htmx.render(
        "admin/switches/show.html", standings=queries.standings(db.session()), about=ABOUT,
        text_length_max=TEXT_LENGTH_MAX,
    )  # fmt: skip


@blueprint.post("/<name>")
@administrator
def turn(name: str) -> Response:
    """Turns a switch on, with words, or off. A repeat changes nothing."""
    if name not in set(Switch):
        raise NotFound
    switch, off = Switch(name), "off" in request.form
    text = "" if off else _sound(request.form.get("text", ""))
    if not off and not text:
        flash(_("Write a few words first: a switch is not turned on without them."), "danger")
        return htmx.leave_for(url_for("admin_switches.show"))
    with transaction() as session:
        switching.turn(session, switch, text, actor=acting(), now=clock.now())
    said = _("%(name)s is on.") if text else _("%(name)s is off.")
    flash(said % {"name": ABOUT[switch].name}, "success")
    return htmx.leave_for(url_for("admin_switches.show"))


def _sound(text: str) -> str:
    """Printable and trimmed: PostgreSQL takes neither NUL nor half a surrogate pair."""
    encodable = text[:TEXT_LENGTH_MAX].encode("utf-8", "ignore").decode()
    return " ".join("".join(one if one.isprintable() else " " for one in encodable).split())
