"""The version of an app, and the one it may be brought to."""

from __future__ import annotations

from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.core import clock
from portal.core.db import transaction
from portal.instances import actions
from portal.instances.views import sections
from portal.instances.views.blueprint import blueprint, own
from portal.web import htmx
from portal.web.guards import customer


@blueprint.get("/<uuid:instance_id>/version")
@customer
def versions(instance_id: UUID) -> Response:
    """What runs, what is newer, and exactly what an update does."""
    return htmx.render("instances/version.html", **sections.version_page(own(instance_id)))


@blueprint.post("/<uuid:instance_id>/version")
@customer
def update(instance_id: UUID) -> Response:
    """Begins the update to the version that the page showed; the app's own page tells how it goes."""
    name = own(instance_id).service_name
    with transaction() as session:
        actions.update(session, instance_id, version=request.form.get("version", ""), now=clock.now())
    flash(_("%(app)s is being updated. We tell you when it is done.", app=name), "success")
    return htmx.leave_for(url_for("instances.show", instance_id=instance_id))
