"""A customer's own domains for an app: asked for, checked on demand, removed."""

from __future__ import annotations

from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.audit import actions as audit
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions, gateway, queries, rules, wanted, wording
from portal.instances.errors import BadHost, CannotConfigure, DomainNotFound
from portal.instances.forms import DomainForm
from portal.instances.models import Instance, InstanceDomain
from portal.instances.views import sections
from portal.instances.views.blueprint import blueprint, own
from portal.web import htmx, limits
from portal.web.guards import customer


@blueprint.get("/<uuid:instance_id>/domains")
@customer
def domains(instance_id: UUID) -> Response:
    """Every domain with its state and the records to set."""
    return _page(_configurable(instance_id))


@blueprint.post("/<uuid:instance_id>/domains")
@customer
def add_domain(instance_id: UUID) -> Response:
    """Asks for a domain; what is wrong with it is said beside the field."""
    instance, form = _configurable(instance_id), DomainForm()
    most = sections.domains_max(db.session(), instance)
    if not form.validate_on_submit():
        return _page(instance, form, status=422)
    try:
        with transaction() as session:
            actions.add_domain(session, instance_id, form.host.data or "", domains_max=most, now=clock.now())
    except BadHost as refusal:
        form.host.errors = [wording.HOST_PROBLEMS[refusal.details["problem"]]]
        return _page(own(instance_id), form, status=422)
    return htmx.leave_for(url_for("instances.domains", instance_id=instance_id))


@blueprint.post("/<uuid:instance_id>/domains/<uuid:domain_id>/check")
@customer
@limits.limiter.limit(limits.CHECK_NOW, key_func=limits.by_user)
def check_domain(instance_id: UUID, domain_id: UUID) -> Response:
    """Asks the DNS now, outside any transaction, and shows what it says."""
    instance = _configurable(instance_id)
    host, app_host = _domain(instance, domain_id).host, wanted.host_of(instance.name)
    records = gateway.look_up(host, app_host=app_host)
    with transaction() as session:
        finding = actions.record_check(session, domain_id, records, now=clock.now())
    if finding is not None and not finding.code:
        flash(_("The records of %(host)s are right.", host=host), "success")
    if not htmx.asked():
        return htmx.leave_for(url_for("instances.domains", instance_id=instance_id))
    return _page(own(instance_id))


@blueprint.post("/<uuid:instance_id>/domains/<uuid:domain_id>/removal")
@customer
def remove_domain(instance_id: UUID, domain_id: UUID) -> Response:
    """Takes the domain from the app; the app keeps its own address."""
    _configurable(instance_id)
    with transaction() as session:
        host = actions.remove_domain(session, instance_id, domain_id, now=clock.now())
        audit.note(
            session, "instance.domain_removed", subject_kind="instance", subject_id=instance_id, now=clock.now(),
            actor_id=current_user.id, ip_address=request.remote_addr or "", host=host,
        )  # fmt: skip
    flash(_("%(host)s was removed.", host=host), "success")
    return htmx.leave_for(url_for("instances.domains", instance_id=instance_id))


def _configurable(instance_id: UUID) -> Instance:
    instance = own(instance_id)
    if not rules.can_configure(instance):
        raise CannotConfigure
    return instance


def _domain(instance: Instance, domain_id: UUID) -> InstanceDomain:
    for domain in queries.domains_of(db.session(), instance.id):
        if domain.id == domain_id:
            return domain
    raise DomainNotFound


def _page(instance: Instance, form: DomainForm | None = None, *, status: int = 200) -> Response:
    page = sections.domains_page(db.session(), instance)
    return htmx.render(
        "instances/domains.html", partial="instances/_domains.html", status=status, form=form or DomainForm(), **page
    )
