"""Switching the second factor on and off, and making new recovery codes."""

from __future__ import annotations

from typing import Any

import segno
from flask import flash, g, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from config import settings
from portal.accounts import one_time_codes, queries, rules, sessions
from portal.accounts import second_factor as factor
from portal.accounts.errors import SecondFactorOff, SecondFactorOn, WrongCode, WrongPassword
from portal.accounts.forms import BeginSecondFactorForm, FirstCodeForm, ProofForm, SwitchOffForm
from portal.accounts.views import blueprint, letters
from portal.accounts.views.counting import guessed_codes, guessed_passwords
from portal.core import clock
from portal.core.db import db, transaction
from portal.web import htmx
from portal.web.guards import customer

QR_SCALE, QR_BORDER = 5, 4


@blueprint.route("/security/second-factor", methods=["GET", "POST"])
@customer
@guessed_passwords
def second_factor() -> Response:
    """What it is; the password begins it, so that nobody does at a computer left open."""
    form = BeginSecondFactorForm()
    if current_user.has_second_factor:
        return _leave(SecondFactorOn())
    if not form.validate_on_submit():
        return _render("second_factor", form=form, status=422 if form.is_submitted() else 200)
    try:
        with transaction() as session:
            secret = factor.begin(session, current_user.id, password=form.current.data or "")
    except WrongPassword as refusal:
        form.current.errors = [str(refusal)]
        return _render("second_factor", form=form, status=422)
    except SecondFactorOn as refusal:
        return _leave(refusal)
    sessions.show_here(secret)
    return htmx.leave_for(url_for("accounts.confirm_second_factor", next=request.args.get("next")))


@blueprint.route("/security/second-factor/confirmation", methods=["GET", "POST"])
@customer
@guessed_codes
def confirm_second_factor() -> Response:
    """Shows the secret to the app; the first right code switches it on and shows the recovery codes, once."""
    form = FirstCodeForm()
    if current_user.has_second_factor:
        return _leave(SecondFactorOn())
    secret = queries.unconfirmed_secret(db.session(), current_user.id)
    if secret is None or not sessions.shown_here(secret):
        return htmx.leave_for(url_for("accounts.second_factor", next=request.args.get("next")))
    if not form.validate_on_submit():
        return _setting_up(form, secret, status=422 if form.is_submitted() else 200)
    try:
        codes = _confirm(form.code.data or "")
    except WrongCode as refusal:
        form.code.errors = [str(refusal)]
        return _setting_up(form, secret, status=422)
    except (SecondFactorOn, SecondFactorOff) as refusal:
        return _leave(refusal)
    return _render("recovery_codes", codes=codes, just_on=True)


def _confirm(typed: str) -> list[str]:
    now, this_session = clock.now(), g.user_session.id
    with transaction() as session:
        codes = factor.confirm(
            session, current_user.id, typed, keep_session=this_session, now=now, ip_address=_address()
        )
        letters.tell_second_factor_on(session, current_user, now=now)
    return codes


def _setting_up(form: FirstCodeForm, secret: str, *, status: int) -> Response:
    address = one_time_codes.address(secret, account=current_user.email, issuer=settings().brand_name)
    picture = segno.make(address, error="m", micro=False)
    return _render(
        "second_factor_confirmation",
        form=form,
        picture=picture.svg_data_uri(scale=QR_SCALE, border=QR_BORDER, dark="#000", light="#fff"),
        address=address,
        secret=one_time_codes.in_groups(secret),
        status=status,
    )


@blueprint.route("/security/second-factor/recovery-codes", methods=["GET", "POST"])
@customer
@guessed_codes
def renew_recovery_codes() -> Response:
    """Ten new recovery codes for a code, shown once; the old ones end."""
    form = ProofForm()
    if not current_user.has_second_factor:
        return _leave(SecondFactorOff())
    if not form.validate_on_submit():
        return _render("recovery_codes_renewal", form=form, status=422 if form.is_submitted() else 200)
    try:
        codes = _renew(form.typed)
    except WrongCode as refusal:
        form.refuse(str(refusal))
        return _render("recovery_codes_renewal", form=form, status=422)
    except SecondFactorOff as refusal:
        return _leave(refusal)
    return _render("recovery_codes", codes=codes, just_on=False)


def _renew(typed: str) -> list[str]:
    now = clock.now()
    with transaction() as session:
        codes = factor.renew_recovery_codes(session, current_user.id, typed, now=now, ip_address=_address())
        letters.tell_recovery_codes_renewed(session, current_user, now=now)
    return codes


@blueprint.route("/security/second-factor/removal", methods=["GET", "POST"])
@customer
@guessed_passwords
@guessed_codes
def switch_off_second_factor() -> Response:
    """Switches it off for the password and a code."""
    form = SwitchOffForm()
    if not current_user.has_second_factor:
        return _leave(SecondFactorOff())
    if not form.validate_on_submit():
        return _render("second_factor_removal", form=form, status=422 if form.is_submitted() else 200)
    try:
        _switch_off(form)
    except WrongPassword as refusal:
        form.current.errors = [str(refusal)]
        return _render("second_factor_removal", form=form, status=422)
    except WrongCode as refusal:
        form.refuse(str(refusal))
        return _render("second_factor_removal", form=form, status=422)
    except SecondFactorOff as refusal:
        return _leave(refusal)
    flash(_("Your second factor is off. The password alone signs you in."), "success")
    return htmx.leave_for(url_for("accounts.security"))


def _switch_off(form: SwitchOffForm) -> None:
    now = clock.now()
    with transaction() as session:
        user = factor.switch_off(
            session, current_user.id, password=form.current.data or "", typed=form.typed, now=now,
            ip_address=_address(),
        )  # fmt: skip
        letters.tell_second_factor_off(session, user, now=now)


def _render(page: str, *, status: int = 200, **context: Any) -> Response:
    wanted = request.args.get("next")
    onward = rules.return_path(wanted, url_for("accounts.security"))
    return htmx.render(f"accounts/{page}.html", next=wanted, onward=onward, status=status, **context)


def _leave(refusal: SecondFactorOn | SecondFactorOff) -> Response:
    """Where a page makes no sense any more: sent twice, or changed in another window."""
    flash(str(refusal), "info")
    return htmx.leave_for(rules.return_path(request.args.get("next"), url_for("accounts.security")))


def _address() -> str:
    return request.remote_addr or ""
