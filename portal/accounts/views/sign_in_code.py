"""The second half of signing in, for those who have a second factor: a code from the app, or a recovery code."""

from __future__ import annotations

from flask import flash, request, url_for
from werkzeug.wrappers import Response

from portal.accounts import half_way, rules, sessions
from portal.accounts.errors import SecondFactorOff, SignInSpent, WrongCode
from portal.accounts.forms import ProofForm
from portal.accounts.half_way import Finished
from portal.accounts.models import User
from portal.accounts.second_factor import Proof
from portal.accounts.views import blueprint, letters
from portal.accounts.views.counting import guessed_codes_half_way, half_way_user
from portal.accounts.views.signing_in import open_session
from portal.core import clock
from portal.core.db import transaction
from portal.web import htmx, limits
from portal.web.guards import even_when_read_only, visitor
from portal.web.limits import limiter


@blueprint.route("/sign-in/code", methods=["GET", "POST"])
@visitor
@even_when_read_only
@limiter.limit(limits.SIGN_IN, methods=["POST"])
@guessed_codes_half_way
def sign_in_code() -> Response:
    """Takes the code that follows a right password, then opens the session."""
    form = ProofForm()
    if half_way_user() is None:
        return _from_the_start()
    if not form.validate_on_submit():
        return _page(form, status=422 if form.is_submitted() else 200)
    try:
        return _finish(form)
    except WrongCode as refusal:
        form.refuse(str(refusal))
        return _page(form, status=422)
    except (SignInSpent, SecondFactorOff):
        return _from_the_start()


def _page(form: ProofForm, *, status: int) -> Response:
    return htmx.render("accounts/sign_in_code.html", form=form, next=request.args.get("next"), status=status)


def _from_the_start() -> Response:
    sessions.forget_cookie()
    flash(str(SignInSpent.message), "info")
    return htmx.leave_for(url_for("accounts.sign_in", next=request.args.get("next")))


def _finish(form: ProofForm) -> Response:
    """A try is taken and kept before the code is looked at, whatever comes of it."""
    now, address, half = clock.now(), request.remote_addr or "", sessions.half_way_token() or ""
    with transaction() as session:
        tried = half_way.spend_try(session, half, now=now)
    try:
        with transaction() as session:
            finished = half_way.finish(session, half, form.typed, now=now, ip_address=address)
            if finished.proof is Proof.RECOVERY_CODE:
                letters.tell_recovery_code_used(session, finished.user, now=now)
            token = open_session(session, finished.user, remember=finished.remember, now=now)
    except WrongCode:
        _note_wrong_code(last=tried == half_way.TRIES_MAX)
        raise
    return _leave(finished, token)


def _leave(finished: Finished, token: str) -> Response:
    sessions.set_cookie(token, remember=finished.remember)
    return htmx.leave_for(rules.return_path(request.args.get("next"), url_for("dashboard.overview")))


def _note_wrong_code(*, last: bool) -> None:
    """Writes it down. After the last try the owner is warned, for somebody knows the password."""
    now, address = clock.now(), request.remote_addr or ""
    with transaction() as session:
        user = session.get_one(User, half_way_user())
        half_way.note_wrong_code(session, user.id, now=now, ip_address=address)
        if last:
            letters.tell_codes_guessed(session, user, ip_address=address, now=now)
