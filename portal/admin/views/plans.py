"""The plans of a service: their size, and what they cost."""

from __future__ import annotations

from datetime import timedelta

from flask import flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from config import settings
from portal.admin.acting import acting
from portal.admin.queries import services as queries
from portal.admin.service_forms import NewPlanForm, PlanForm, PriceForm
from portal.admin.views.services import INTERVAL_NAMES, blueprint
from portal.catalog import actions as catalog
from portal.catalog import stocking
from portal.catalog.errors import PlanTooSmall
from portal.catalog.models import Plan, PlanType, Service
from portal.catalog.templates import app_templates
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.subscriptions import price_changes
from portal.web import htmx
from portal.web.guards import administrator

RESOURCE_NAMES = {
    "cpu_millicores": _l("Less processor than the app needs: at least %(needed)s."),
    "memory_mib": _l("Less memory than the app needs: at least %(needed)s."),
    "storage_gib": _l("Less storage than the app needs: at least %(needed)s."),
}


@blueprint.route("/<slug>/plans/new", methods=["GET", "POST"])
@administrator
def new_plan(slug: str) -> Response:
    """A plan of a tier that the service has not."""
    service, form = queries.service(db.session(), slug), NewPlanForm()
    taken = {plan.plan_type for plan in service.plans}
    form.tier.choices = [(tier.value, tier.value.title()) for tier in PlanType if tier not in taken]
    if request.method == "GET":
        _suggest(form, service)
    if form.validate_on_submit() and _create(form, slug):
        flash(_("The plan is there. It is sold as soon as its service is."), "success")
        return htmx.leave_for(url_for("admin_services.show", slug=slug))
    return htmx.render(
        "admin/services/new_plan.html", service=service, form=form, template=app_templates(db.session()).get(slug),
        status=422 if form.is_submitted() else 200,
    )  # fmt: skip


def _suggest(form: NewPlanForm, service: Service) -> None:
    """The service's largest plan as a beginning, or what its template needs at least."""
    if service.plans:
        form.show(service.plans[-1])
        form.name.data, form.popular.data = "", False
        form.sort_order.data = service.plans[-1].sort_order + 1
        return
    template = app_templates(db.session()).get(service.slug)
    for name, value in template.minimum.model_dump().items() if template else ():
        form[name].data = value
    for name, value in {"sort_order": 0, "bandwidth_gib": 100, "max_instances": 1, "max_domains": 1}.items():
        form[name].data = value
    form.trial_days.data = form.setup_fee.data = 0


def _create(form: NewPlanForm, slug: str) -> bool:
    try:
        with transaction() as session:
            stocking.add_plan(
                session, slug, form.tier.data, form.wish(), form.prices, form.slots_total.data or 0, actor=acting(),
                now=clock.now(),
            )  # fmt: skip
    except PlanTooSmall as refusal:
        return _say_too_small(form, refusal)
    return True


def _say_too_small(form: PlanForm, refusal: PlanTooSmall) -> bool:
    resource = refusal.details["resource"]
    form[resource].errors = [RESOURCE_NAMES[resource] % {"needed": refusal.details["needed"]}]
    return False


@blueprint.route("/<slug>/plans/<tier>", methods=["GET", "POST"])
@administrator
def plan(slug: str, tier: str) -> Response:
    """What a plan offers and costs."""
    found, form = queries.plan(db.session(), slug, tier), PlanForm()
    if request.method == "GET":
        form.show(found)
    if form.validate_on_submit() and _edit(form, found):
        flash(_("Saved. It counts for purchases from now on; apps that run keep their size."), "success")
        return htmx.leave_for(url_for("admin_services.plan", slug=slug, tier=tier))
    return _page(found, form, status=422 if form.is_submitted() else 200)


def _edit(form: PlanForm, plan: Plan) -> bool:
    try:
        with transaction() as session:
            stocking.edit_plan(session, plan.id, form.wish(), actor=acting(), now=clock.now())
    except PlanTooSmall as refusal:
        return _say_too_small(form, refusal)
    return True


def _page(plan: Plan, form: PlanForm, *, status: int = 200) -> Response:
    session = db.session()
    apps, in_another_size = queries.apps_of_plan(session, plan)
    return htmx.render(
        "admin/services/plan.html", plan=plan, form=form, apps=apps, in_another_size=in_another_size,
        running=queries.running_by_plan(session, [plan.id]).get(plan.id, 0), intervals=INTERVAL_NAMES,
        price_form=PriceForm(formdata=None), template=app_templates(session).get(plan.service.slug), status=status,
    )  # fmt: skip


@blueprint.post("/<slug>/plans/<tier>/sale")
@administrator
def sell_plan(slug: str, tier: str) -> Response:
    """Switches a plan on or off."""
    plan_id = queries.plan(db.session(), slug, tier).id
    with transaction() as session:
        active = request.form.get("active") == "yes"
        found = stocking.set_plan_active(session, plan_id, active=active, actor=acting(), now=clock.now())
    said = _("%(name)s is sold.") if found.active else _("%(name)s is no longer sold. What runs goes on.")
    flash(said % {"name": found.name}, "success")
    return htmx.leave_for(url_for("admin_services.plan", slug=slug, tier=tier))


@blueprint.post("/<slug>/plans/<tier>/prices")
@administrator
def change_price(slug: str, tier: str) -> Response:
    """Shows whom a new price would reach and when; sets it once that is confirmed, and queues telling them."""
    found, form = queries.plan(db.session(), slug, tier), PriceForm()
    if not form.validate_on_submit() or form.amount.data is None:
        flash(_("A price is a whole number of rupiah. Nothing was changed."), "danger")
        return htmx.leave_for(url_for("admin_services.plan", slug=slug, tier=tier))
    interval, amount = form.interval.data, form.amount.data
    if "confirmed" not in request.form:
        return _preview(found, interval, amount)
    with transaction() as session:
        catalog.change_price(session, found.id, interval, amount, actor=acting(), now=clock.now())
        outbox.enqueue(session, "prices.announce", plan_id=found.id, interval=interval)
    flash(_("The price is set. Whoever pays another one is being told."), "success")
    return htmx.leave_for(url_for("admin_services.plan", slug=slug, tier=tier))


def _preview(plan: Plan, interval: str, amount: int) -> Response:
    days = settings().price_notice_days
    effect = price_changes.effect(db.session(), plan.id, interval, amount, now=clock.now(), notice=timedelta(days=days))
    return htmx.render(
        "admin/services/price_preview.html", plan=plan, interval=interval, amount=amount, effect=effect,
        notice_days=days, intervals=INTERVAL_NAMES, before=plan.price(interval),
    )  # fmt: skip


@blueprint.post("/<slug>/plans/<tier>/prices/<interval>/withdrawal")
@administrator
def withdraw_price(slug: str, tier: str, interval: str) -> Response:
    """Stops selling by an interval."""
    found = queries.plan(db.session(), slug, tier)
    with transaction() as session:
        catalog.withdraw_price(session, found.id, interval, actor=acting(), now=clock.now())
    flash(_("It is no longer sold that way. Who pays that way goes on at their price."), "success")
    return htmx.leave_for(url_for("admin_services.plan", slug=slug, tier=tier))
