"""The environment variables of an app: one form, saved together, in force after one restart."""

from __future__ import annotations

from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.audit import actions as audit
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions, queries, rules, variables, wording
from portal.instances.errors import CannotConfigure, VariablesChanged
from portal.instances.forms import VariablesForm
from portal.instances.models import Instance
from portal.instances.variables import Stored
from portal.instances.views import pages, sections
from portal.instances.views.blueprint import blueprint, own
from portal.web import htmx
from portal.web.guards import customer


@blueprint.get("/<uuid:instance_id>/variables")
@customer
def variables_page(instance_id: UUID) -> Response:
    """What is set, secret values left out, and room for more."""
    instance = _configurable(instance_id)
    return _page(instance, queries.variables_of(db.session(), instance.id))


@blueprint.post("/<uuid:instance_id>/variables")
@customer
def save_variables(instance_id: UUID) -> Response:
    """Saves all rows or none, and restarts the app once when something changed."""
    instance = _configurable(instance_id)
    stored, form = queries.variables_of(db.session(), instance.id), VariablesForm()
    app = pages.template_of(instance)
    reserved = variables.reserved_names(app) if app else frozenset()
    if not form.validate_on_submit() or not form.is_sound(stored, reserved, wording.VARIABLE_PROBLEMS):
        return _page(instance, stored, form=form, status=422)
    try:
        changed = _save(instance_id, form, stored)
    except VariablesChanged as refusal:
        flash(str(refusal), "warning")
        return _page(own(instance_id), queries.variables_of(db.session(), instance_id), status=409)
    return _leave(instance, changed)


def _configurable(instance_id: UUID) -> Instance:
    instance = own(instance_id)
    if not rules.can_configure(instance):
        raise CannotConfigure
    return instance


def _save(instance_id: UUID, form: VariablesForm, stored: dict[str, Stored]) -> list[str]:
    with transaction() as session:
        now, changes = clock.now(), form.changes(stored)
        changed = actions.save_variables(session, instance_id, changes, revision=form.revision.data or "", now=now)
        if changed:
            audit.note(
                session, "instance.variables_saved", subject_kind="instance", subject_id=instance_id, now=now,
                actor_id=current_user.id, ip_address=request.remote_addr or "", names=changed,
            )  # fmt: skip
    return changed


def _leave(instance: Instance, changed: list[str]) -> Response:
    if not changed:
        flash(_("Nothing was different, so nothing was restarted."), "info")
    elif rules.runs(instance):
        flash(_("Saved. %(app)s restarts to read its variables.", app=instance.service_name), "success")
        return htmx.leave_for(url_for("instances.show", instance_id=instance.id))
    else:
        flash(_("Saved. %(app)s reads its variables at its next start.", app=instance.service_name), "success")
    return htmx.leave_for(url_for("instances.variables_page", instance_id=instance.id))


def _page(
    instance: Instance, stored: dict[str, Stored], *, form: VariablesForm | None = None, status: int = 200
) -> Response:
    """Without a form that was refused: what is stored now, under its revision."""
    return htmx.render(
        "instances/variables.html",
        status=status,
        **sections.section(instance),
        form=form or VariablesForm.of(stored),
        stored=stored,
        runs=rules.runs(instance),
    )
