"""Services and plans: what is sold, at which price, and whom a new price reaches."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import services as queries
from portal.admin.queries.services import Wanted
from portal.admin.service_forms import CategoryForm, NewCategoryForm, ServiceForm
from portal.catalog import stocking
from portal.catalog.models import Interval, PlanType
from portal.catalog.templates import app_templates
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import Conflict, NotFound
from portal.core.ids import parse_id
from portal.core.words import sound
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_services", __name__)
HEADING = ("slug", "name", "category", "sold", "plans", "subscriptions", "slots_used", "slots_total", "version")


class Filters(FilterForm):
    search = StringField(_l("Search"), filters=[sound])
    category = SelectField(_l("Category"), default="")
    active = SelectField(
        _l("Sold"), default="", choices=[("", _l("Sold or not")), ("yes", _l("Sold")), ("no", _l("Not sold"))]
    )

    def asked(self) -> Wanted:
        active = self.wanted("active")
        return Wanted(self.wanted("search"), self.wanted("category"), None if active is None else active == "yes")


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every service, in the catalog's order."""
    form = Filters(request.args)
    shelves = queries.categories(db.session())
    form.category.choices = [("", _l("Every category")), *((row.Category.slug, row.Category.slug) for row in shelves)]
    return lists.answer(
        queries.listing(form.asked()), folder="services", form=form, heading=HEADING, cells=_cells, shelves=shelves
    )


def _cells(row: Any) -> list[Any]:
    service = row.Service
    return [
        service.slug, service.name, row.shelf.get("en", ""), service.active, row.plans, row.running, row.used,
        row.total, service.version,
    ]  # fmt: skip


@blueprint.get("/new")
@administrator
def new_service() -> Response:
    """The app templates that are not in the catalog yet."""
    known = queries.slugs(db.session())
    templates = [one for slug, one in app_templates(db.session()).items() if slug not in known]
    return htmx.render("admin/services/new.html", templates=templates, shelves=queries.categories(db.session()))


@blueprint.post("/new")
@administrator
def add_service() -> Response:
    """Puts an app into the catalog, switched off."""
    category_id = parse_id(request.form.get("category", ""))
    if category_id not in {row.Category.id for row in queries.categories(db.session())} or category_id is None:
        raise NotFound
    with transaction() as session:
        slug = request.form.get("template", "")[:60]
        service = stocking.add_service(session, sound(slug), category_id, actor=acting(), now=clock.now())
    flash(_("It is in the catalog and not sold yet: look at its texts and plans, then switch it on."), "success")
    return htmx.leave_for(url_for("admin_services.show", slug=service.slug))


@blueprint.get("/<slug>")
@administrator
def show(slug: str) -> Response:
    """A service and its plans."""
    found = queries.service(db.session(), slug)
    return htmx.render(
        "admin/services/show.html", service=found, interval_names=INTERVAL_NAMES,
        running=queries.running_by_plan(db.session(), [plan.id for plan in found.plans]),
        template=app_templates(db.session()).get(slug), tiers_left=len(found.plans) < len(PlanType),
    )  # fmt: skip


INTERVAL_NAMES = {Interval.MONTHLY: _l("a month"), Interval.YEARLY: _l("a year")}


@blueprint.route("/<slug>/edit", methods=["GET", "POST"])
@administrator
def edit(slug: str) -> Response:
    """Its texts and its place."""
    found, form = queries.service(db.session(), slug), ServiceForm()
    shelves = queries.categories(db.session())
    form.category.choices = [(str(row.Category.id), row.Category.name.get("en", "")) for row in shelves]
    if request.method == "GET":
        form.show(found)
    if not form.validate_on_submit():
        status = 422 if form.is_submitted() else 200
        return htmx.render("admin/services/edit.html", service=found, form=form, status=status)
    with transaction() as session:
        stocking.edit_service(session, slug, form.wish(), actor=acting(), now=clock.now())
    flash(_("Saved. Customers see it at once."), "success")
    return htmx.leave_for(url_for("admin_services.show", slug=slug))


@blueprint.post("/<slug>/sale")
@administrator
def sell(slug: str) -> Response:
    """Switches a service on or off."""
    with transaction() as session:
        active = request.form.get("active") == "yes"
        service = stocking.set_service_active(session, slug, active=active, actor=acting(), now=clock.now())
    said = _("%(name)s is sold.") if service.active else _("%(name)s is no longer sold. What runs goes on.")
    flash(said % {"name": service.name}, "success")
    return htmx.leave_for(url_for("admin_services.show", slug=slug))


# --- categories -----------------------------------------------------------------------------------------


@blueprint.route("/categories", methods=["GET", "POST"])
@administrator
def categories() -> Response:
    """Every category, and a new one."""
    form = NewCategoryForm()
    if form.validate_on_submit():
        with transaction() as session:
            stocking.add_category(session, form.slug.data, form.name, actor=acting(), now=clock.now())
        return htmx.leave_for(url_for("admin_services.categories"))
    status = 422 if form.is_submitted() else 200
    shelves = queries.categories(db.session())
    return htmx.render("admin/services/categories.html", form=form, shelves=shelves, status=status)


@blueprint.post("/categories/<slug>")
@administrator
def edit_category(slug: str) -> Response:
    """Renames a category, moves it, or removes it when it is empty."""
    if "remove" in request.form:
        with transaction() as session:
            stocking.remove_category(session, slug, actor=acting(), now=clock.now())
        flash(_("The category is gone."), "success")
        return htmx.leave_for(url_for("admin_services.categories"))
    form = CategoryForm()
    if not form.validate_on_submit() or form.sort_order.data is None:
        raise Conflict(_("A category needs a name in both languages and a place. Nothing was changed."))
    with transaction() as session:
        stocking.edit_category(session, slug, form.name, form.sort_order.data, actor=acting(), now=clock.now())
    flash(_("Saved. Customers see it at once."), "success")
    return htmx.leave_for(url_for("admin_services.categories"))
