"""Pages of a customer's apps: what runs, how it comes up, how to get in, and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.accounts.sessions import current_customer
from portal.audit import actions as audit
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions, queries, rules
from portal.instances.errors import InstanceNotFound
from portal.instances.models import Instance
from portal.instances.views import deletion, domains, logs, pages, updates, use, variables
from portal.instances.views.blueprint import blueprint
from portal.instances.views.blueprint import own as _own
from portal.web import htmx
from portal.web.guards import customer

__all__ = ["blueprint", "deletion", "domains", "logs", "updates", "use", "variables"]


@blueprint.get("/")
@customer
def listing() -> Response:
    """All apps of the customer; the list refreshes itself while any of them is changing."""
    instances = queries.listing(db.session(), current_customer().id)
    return htmx.render("instances/listing.html", partial="instances/_listing.html", **pages.listing_page(instances))


@blueprint.get("/<uuid:instance_id>")
@customer
def show(instance_id: UUID) -> Response:
    """One app. Its live region asks here every 3 s; at the end of a first roll-out it asks for the whole page."""
    page = pages.instance_page(db.session(), _own(instance_id), current_customer(), now=clock.now())
    if htmx.asked() and request.args.get("first") and not page["unfinished"]:
        return htmx.leave_for(url_for("instances.show", instance_id=instance_id))
    return _shown(page)


@blueprint.post("/<uuid:instance_id>/start")
@customer
def start(instance_id: UUID) -> Response:
    return _change(instance_id, actions.start)


@blueprint.post("/<uuid:instance_id>/stop")
@customer
def stop(instance_id: UUID) -> Response:
    return _change(instance_id, actions.stop)


@blueprint.post("/<uuid:instance_id>/restart")
@customer
def restart(instance_id: UUID) -> Response:
    return _change(instance_id, actions.restart)


@blueprint.post("/<uuid:instance_id>/credentials")
@customer
def credentials(instance_id: UUID) -> Response:
    """Shows the generated passwords. A POST, so that no link, prefetch or history shows them; and it is noted."""
    instance = _own(instance_id)
    if not rules.can_see_credentials(instance):
        raise InstanceNotFound
    with transaction() as session:
        audit.note(
            session, "instance.credentials_shown", subject_kind="instance", subject_id=instance_id,
            now=clock.now(), actor_id=current_user.id, ip_address=request.remote_addr or "",
        )  # fmt: skip
    page = pages.credentials_page(db.session(), instance, current_customer())
    return htmx.render("instances/credentials.html", partial="instances/_credentials.html", **page)


def _change(instance_id: UUID, verb: Callable[..., Instance]) -> Response:
    _own(instance_id)
    with transaction() as session:
        verb(session, instance_id, now=clock.now())
    if not htmx.asked():
        return htmx.leave_for(url_for("instances.show", instance_id=instance_id))
    page = pages.instance_page(db.session(), _own(instance_id), current_customer(), now=clock.now())
    return _shown(page)


def _shown(page: dict[str, Any]) -> Response:
    """The page, or the region that asked. The state is asked for while it changes, and wakes what tells how it came."""
    if htmx.target() == "instances-history":
        return htmx.render("instances/show.html", partial="instances/_history.html", **page)
    answer = htmx.render("instances/show.html", partial="instances/_live.html", **page)
    return htmx.announce(answer, "instances-changed")
