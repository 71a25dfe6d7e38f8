"""The end of an app: what is lost, what comes back, and the name that must be typed."""

from __future__ import annotations

from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.audit import actions as audit
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.instances import rules
from portal.instances.errors import CannotDelete
from portal.instances.forms import DeletionForm
from portal.instances.models import Instance
from portal.instances.views.blueprint import blueprint, own
from portal.subscriptions import actions as subscriptions
from portal.subscriptions import standing
from portal.subscriptions.errors import RefundChanged
from portal.subscriptions.rules.refunds import Agreed
from portal.web import htmx
from portal.web.guards import customer


@blueprint.get("/<uuid:instance_id>/deletion")
@customer
def delete(instance_id: UUID) -> Response:
    """Says exactly what will be lost, and what comes back."""
    return _page(_deletable(instance_id), DeletionForm())


@blueprint.post("/<uuid:instance_id>/deletion")
@customer
def confirm_deletion(instance_id: UUID) -> Response:
    """Ends the app once its name was typed; the last one ends its subscription, for the refund that was shown."""
    instance, form = _deletable(instance_id), DeletionForm()
    form.expect(instance.name)
    if not form.validate_on_submit():
        return _page(instance, form, status=422)
    try:
        _end(instance)
    except RefundChanged as refusal:
        return _page(_deletable(instance_id), form, status=refusal.status, refusal=refusal)
    flash(_("%(name)s is being deleted. Nothing more will be charged for it.", name=form.name.data), "success")
    return htmx.leave_for(url_for("instances.listing"))


def _end(instance: Instance) -> None:
    instance_id, ends_with_it = instance.id, standing.last_app(db.session(), instance, now=clock.now())
    agreed = Agreed.read(request.form.get("agreed", ""))
    if ends_with_it and agreed is None:
        raise RefundChanged
    with transaction() as session:
        subscriptions.delete_instance(session, instance_id, agreed=agreed, now=clock.now())
        audit.note(
            session, "instance.deleted", subject_kind="instance", subject_id=instance_id,
            now=clock.now(), actor_id=current_user.id, ip_address=request.remote_addr or "",
        )  # fmt: skip


def _deletable(instance_id: UUID) -> Instance:
    instance = own(instance_id)
    if not rules.can_delete(instance):
        raise CannotDelete
    return instance


def _page(instance: Instance, form: DeletionForm, *, status: int = 200, refusal: PortalError | None = None) -> Response:
    last = standing.last_app(db.session(), instance, now=clock.now())
    return htmx.render(
        "instances/deletion.html", status=status, instance=instance, form=form, last=last, refusal=refusal
    )
