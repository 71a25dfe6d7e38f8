"""How an app is doing: its health and its use over time."""

from __future__ import annotations

from uuid import UUID

from flask import request
from werkzeug.wrappers import Response

from portal.core import clock
from portal.core.db import db
from portal.instances.views import wellbeing
from portal.instances.views.blueprint import blueprint, own
from portal.web import htmx
from portal.web.guards import customer


@blueprint.get("/<uuid:instance_id>/use")
@customer
def use(instance_id: UUID) -> Response:
    """Health and use of the last 24 hours, or of `?period=week`; the app's page loads the region from here."""
    span = wellbeing.span_of(request.args.get("period", ""))
    page = wellbeing.use_page(db.session(), own(instance_id), span, now=clock.now())
    return htmx.render("instances/use.html", partial="instances/_use.html", **page)
