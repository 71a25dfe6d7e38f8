"""App templates: what runs, as YAML and as manifests; written anew with a check, a preview and a second press."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from portal.admin import previews
from portal.admin.acting import acting
from portal.admin.queries import app_templates as queries
from portal.catalog import templating
from portal.catalog.app_templates import AppTemplate, Plan
from portal.catalog.errors import TemplateNotFound
from portal.catalog.template_changes import Risk, changes
from portal.catalog.template_files import InvalidTemplate, Problem
from portal.catalog.templates import app_templates, of_files
from portal.catalog.templating import TEXT_LENGTH_MAX
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.core.words import sound
from portal.web import htmx
from portal.web.forms import PortalForm
from portal.web.guards import administrator

blueprint = Blueprint("admin_app_templates", __name__)
NEW_SLUG_LENGTH_MAX = 32
RISKS = {
    Risk.SECRETS: _l("Secrets appear or vanish: %(what)s. Running apps get new ones, and may not open their data."),
    Risk.DATA: _l("Data or its owner moves in %(what)s: running apps may no longer find their data."),
    Risk.RESTART: _l("%(what)s runs differently: running apps are brought to it within the hour, by a restart."),
    Risk.UPDATE: _l("%(what)s has another image: running apps keep theirs and are offered the update."),
}
"""What a difference does to apps that run. The comparison of the cluster (`jobs/drift.py`) runs hourly."""


class TemplateForm(PortalForm):
    text = TextAreaField(_l("Template"), [DataRequired(_l("Fill this in.")), Length(max=TEXT_LENGTH_MAX)])
    comment = StringField(_l("What is new, and why"), [Length(max=300)], filters=[sound])


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every template with its version, its images and who uses it."""
    return htmx.render("admin/app_templates/listing.html", rows=queries.listing(db.session()))


@blueprint.get("/new")
@administrator
def new() -> Response:
    """Leads to the form of a slug that is not taken yet."""
    slug = request.args.get("slug", "")[:NEW_SLUG_LENGTH_MAX]
    if not slug:
        return htmx.render("admin/app_templates/new.html")
    return htmx.leave_for(url_for("admin_app_templates.edit", slug=slug))


@blueprint.get("/<slug>")
@administrator
def show(slug: str) -> Response:
    """A template in effect: its YAML, what it makes of an app, and its versions."""
    session = db.session()
    template, found = app_templates(session).get(slug), queries.versions(session, slug)
    if template is None and not found:
        raise TemplateNotFound
    plan, text = _plan(template), queries.text_in_effect(session, slug)
    return htmx.render(
        "admin/app_templates/show.html", slug=slug, template=template, versions=found, plan=plan, text=text,
        problems=queries.problems(session, slug, text) if text else [], has_file=slug in of_files(),
        apps=queries.apps_of(session, slug), manifests=previews.manifests(template, plan) if template and plan else "",
    )  # fmt: skip


def _plan(template: AppTemplate | None) -> Plan | None:
    """The plan that is asked for, or the template's first."""
    if template is None:
        return None
    asked = request.args.get("plan", "")
    return next((plan for plan in template.plans if plan.type == asked), template.plans[0])


@blueprint.route("/<slug>/edit", methods=["GET", "POST"])
@administrator
def edit(slug: str) -> Response:
    """The template's text; checked and kept as a version, which is in effect for nobody yet."""
    form = TemplateForm()
    if request.method == "GET":
        form.text.data = queries.text_in_effect(db.session(), slug)
    if not form.validate_on_submit():
        return _form(slug, form, [], status=422 if form.is_submitted() else 200)
    text = "\n".join((form.text.data or "").replace("\r\n", "\n").rstrip().split("\n")) + "\n"
    try:
        with transaction() as session:
            version = templating.write(
                session, slug, text, comment=" ".join((form.comment.data or "").split()), actor=acting(),
                now=clock.now(),
            )  # fmt: skip
    except InvalidTemplate as found:
        return _form(slug, form, found.problems, status=422)
    flash(_("The template is sound, and kept. It is not in effect yet: look at what it changes."), "success")
    return htmx.leave_for(url_for("admin_app_templates.version", slug=slug, number=version.number))


def _form(slug: str, form: TemplateForm, problems: list[Problem], *, status: int) -> Response:
    return htmx.render(
        "admin/app_templates/edit.html", slug=slug, form=form, problems=problems, status=status,
        is_new=slug not in app_templates(db.session()),
    )  # fmt: skip


@blueprint.get("/<slug>/versions/<int:number>")
@administrator
def version(slug: str, number: int) -> Response:
    """A version, and what would differ from what is in effect."""
    session = db.session()
    found = queries.version(session, slug, number)
    problems = queries.problems(session, slug, found.text)
    template = None if problems else templating.check(session, slug, found.text)
    return htmx.render(
        "admin/app_templates/version.html", slug=slug, version=found, problems=problems, template=template,
        apps=queries.apps_of(session, slug), **_compared(app_templates(session).get(slug), template),
    )  # fmt: skip


def _compared(before: AppTemplate | None, after: AppTemplate | None) -> dict[str, Any]:
    """The plan, the manifests that differ, and what that does to apps that run."""
    plan = _plan(after)
    if after is None or plan is None:
        return {"plan": None, "lines": [], "effects": []}
    made = previews.manifests(after, plan)
    lines = previews.difference(previews.manifests(before, plan) if before else "", made)
    effects = [RISKS[one.risk] % {"what": one.what} for one in changes(before, after)] if before else []
    return {"plan": plan, "lines": lines, "effects": effects}


@blueprint.post("/<slug>/versions/<int:number>/activation")
@administrator
def activate(slug: str, number: int) -> Response:
    """Puts a version into effect, everywhere at once."""
    try:
        with transaction() as session:
            templating.activate(session, slug, number, actor=acting(), now=clock.now())
    except InvalidTemplate as found:
        raise Conflict(_("It is no longer sound: %(problem)s", problem=found.problems[0])) from None
    flash(_("Version %(number)s is in effect.", number=number), "success")
    return htmx.leave_for(url_for("admin_app_templates.show", slug=slug))


@blueprint.post("/<slug>/file")
@administrator
def take_back(slug: str) -> Response:
    """Puts the file into effect again."""
    with transaction() as session:
        templating.take_back(session, slug, actor=acting(), now=clock.now())
    flash(_("The file is in effect again."), "success")
    return htmx.leave_for(url_for("admin_app_templates.show", slug=slug))
