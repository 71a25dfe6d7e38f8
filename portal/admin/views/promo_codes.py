"""Promo codes: what they give, to whom, how often, and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import BooleanField, DateField, IntegerField, SelectField, StringField, ValidationError
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import promo_codes as queries
from portal.admin.spans import start_of
from portal.core import clock
from portal.core.clock import today
from portal.core.db import db, transaction
from portal.core.ids import readable_code
from portal.core.words import sound
from portal.promotions import actions
from portal.promotions.actions import Terms
from portal.promotions.errors import FewerThanRedeemed, PromoCodeTaken
from portal.promotions.models import PromoCode
from portal.promotions.rules import CodeState, normal_code, state_of
from portal.web import htmx
from portal.web.forms import PortalForm
from portal.web.guards import administrator
from portal.web.states import PROMO_CODES

blueprint = Blueprint("admin_promo_codes", __name__)
HEADING = ("code", "amount", "state", "redeemed", "at_most", "newcomers_only", "starts_at", "ends_at", "note",
           "made_by", "made_at")  # fmt: skip
AMOUNT_MAX, TIMES_MAX = 10_000_000, 1_000_000
YEARS = range(2020, 2200)
CODE_LENGTH = 8
REQUIRED = InputRequired(_l("Fill this in."))


class Filters(FilterForm):
    search = StringField(_l("Search"), filters=[sound])
    state = SelectField(
        _l("State"), choices=[("", _l("Any state")), *((state.value, PROMO_CODES[state].word) for state in CodeState)]
    )


class TermsForm(PortalForm):
    note = StringField(_l("What it is for"), [Length(max=200)], filters=[sound])
    redemptions_max = IntegerField(_l("How often, in all"), [REQUIRED, NumberRange(1, TIMES_MAX)])
    starts_on = DateField(_l("From"), [REQUIRED])
    ends_on = DateField(_l("Last day"), [Optional()])
    newcomers_only = BooleanField(_l("Only for new customers, before their first top-up"))

    def validate_starts_on(self, field: DateField) -> None:
        if field.data and field.data.year not in YEARS:
            raise ValidationError(_("Choose a day of our time."))

    def validate_ends_on(self, field: DateField) -> None:
        self.validate_starts_on(field)
        if field.data and self.starts_on.data and field.data < self.starts_on.data:
            raise ValidationError(_("It would end before it begins."))

    def show(self, promo: PromoCode) -> None:
        """Fills in what stands now."""
        self.note.data, self.redemptions_max.data = promo.note, promo.redemptions_max
        self.newcomers_only.data = promo.newcomers_only
        self.starts_on.data = today(promo.starts_at)
        self.ends_on.data = today(promo.ends_at - timedelta(microseconds=1)) if promo.ends_at else None

    def terms(self) -> Terms:
        """Whole days in Jakarta: from the beginning of the first until the end of the last."""
        ends = self.ends_on.data
        return Terms(
            note=self.note.data or "", starts_at=start_of(self.starts_on.data),
            ends_at=start_of(ends + timedelta(days=1)) if ends else None,
            redemptions_max=self.redemptions_max.data or 1, newcomers_only=bool(self.newcomers_only.data),
        )  # fmt: skip


class CodeForm(TermsForm):
    code = StringField(_l("Code"), [Length(max=60)], filters=[sound])
    amount = IntegerField(_l("Credit for each"), [REQUIRED, NumberRange(1, AMOUNT_MAX)])

    def validate_code(self, field: StringField) -> None:
        if normal_code(field.data or "") is None:
            raise ValidationError(_("Three to 24 letters, digits and hyphens, no hyphen first."))


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every code, newest first."""
    form, now = Filters(request.args), clock.now()
    found = queries.listing(search=form.wanted("search"), state=form.wanted("state"), now=now)
    return lists.answer(found, folder="promo_codes", form=form, heading=HEADING, cells=_cells, state_of=_state)


def _state(promo: PromoCode) -> CodeState:
    return state_of(promo, now=clock.now())


def _cells(row: Any) -> list[Any]:
    promo = row.PromoCode
    return [
        promo.code, promo.amount, _state(promo), promo.redemptions, promo.redemptions_max, promo.newcomers_only,
        promo.starts_at, promo.ends_at, promo.note, row.maker, promo.created_at,
    ]  # fmt: skip


@blueprint.route("/new", methods=["GET", "POST"])
@administrator
def new() -> Response:
    """A new code; the form proposes one that nobody guesses."""
    form = CodeForm()
    if request.method == "GET":
        form.code.data, form.starts_on.data = readable_code(CODE_LENGTH).upper(), today()
    promo = _add(form) if form.validate_on_submit() else None
    if promo is not None:
        flash(_("%(code)s can be redeemed.", code=promo.code), "success")
        return htmx.leave_for(url_for("admin_promo_codes.show", promo_id=promo.id))
    return htmx.render("admin/promo_codes/new.html", form=form, status=422 if form.is_submitted() else 200)


def _add(form: CodeForm) -> PromoCode | None:
    code = normal_code(form.code.data or "")
    assert code is not None, "the form has looked at it"
    try:
        with transaction() as session:
            return actions.add(session, code, form.amount.data or 0, form.terms(), actor=acting(), now=clock.now())
    except PromoCodeTaken as refusal:
        form.code.errors = [str(refusal)]
    return None


@blueprint.get("/<uuid:promo_id>")
@administrator
def show(promo_id: UUID) -> Response:
    """A code, what it has cost, and who redeemed it."""
    promo, form = queries.one(db.session(), promo_id), TermsForm(formdata=None)
    form.show(promo)
    return _page(promo, form)


@blueprint.post("/<uuid:promo_id>")
@administrator
def edit(promo_id: UUID) -> Response:
    """Other terms from now on. What was given stays given."""
    promo, form = queries.one(db.session(), promo_id), TermsForm()
    if form.validate_on_submit() and _edit(form, promo_id):
        flash(_("Saved. It counts from now on."), "success")
        return htmx.leave_for(url_for("admin_promo_codes.show", promo_id=promo_id))
    return _page(promo, form, status=422)


def _edit(form: TermsForm, promo_id: UUID) -> bool:
    try:
        with transaction() as session:
            actions.edit(session, promo_id, form.terms(), actor=acting(), now=clock.now())
    except FewerThanRedeemed as refusal:
        form.redemptions_max.errors = [str(refusal)]
        return False
    return True


def _page(promo: PromoCode, form: TermsForm, *, status: int = 200) -> Response:
    return htmx.render(
        "admin/promo_codes/show.html", promo=promo, form=form, state=_state(promo), status=status,
        redemptions=queries.redemptions(db.session(), promo.id), shown_max=queries.REDEMPTIONS_SHOWN_MAX,
    )  # fmt: skip


@blueprint.post("/<uuid:promo_id>/switch")
@administrator
def switch(promo_id: UUID) -> Response:
    """Switches it on or off."""
    with transaction() as session:
        active = request.form.get("active") == "yes"
        promo = actions.set_active(session, promo_id, active=active, actor=acting(), now=clock.now())
    said = _("%(code)s can be redeemed.") if promo.active else _("%(code)s is off. What was given stays.")
    flash(said % {"code": promo.code}, "success")
    return htmx.leave_for(url_for("admin_promo_codes.show", promo_id=promo_id))
