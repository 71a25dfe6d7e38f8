"""How attempts on one account are counted, whoever makes them, and on whichever page."""

from __future__ import annotations

from uuid import UUID

from flask import g, request

from portal.accounts import half_way, rules, sessions
from portal.accounts.forms import EMAIL_LENGTH_MAX
from portal.core import clock
from portal.core.crypto import digest
from portal.core.db import db
from portal.web import limits
from portal.web.limits import limiter


def by_account() -> str:
    """Counts per named account, so that neither many callers nor many spellings of its address share a guess budget.

    The spelling is that of signing in: a domain in full-width letters is the same domain.
    """
    typed = request.form.get("email", "")[:EMAIL_LENGTH_MAX]
    return f"email:{digest(rules.normal_email(typed) or typed.strip().lower())}"


def half_way_user() -> UUID | None:
    """Who is half-way through signing in at this browser; asked once per request."""
    if "half_way_user" not in g:
        token = sessions.half_way_token()
        g.half_way_user = half_way.owner(db.session(), token, now=clock.now()) if token else None
    return g.half_way_user


def by_half_way_user() -> str:
    """Counts as `limits.by_user` does, so that guesses while signing in and after it share one budget."""
    return f"user:{half_way_user() or 'none'}"


guessed_codes = limiter.shared_limit(
    limits.CODE_FAILED, "codes", methods=["POST"], key_func=limits.by_user, deduct_when=limits.only_failures
)
guessed_codes_half_way = limiter.shared_limit(
    limits.CODE_FAILED, "codes", methods=["POST"], key_func=by_half_way_user, deduct_when=limits.only_failures
)
guessed_passwords = limiter.shared_limit(
    limits.PASSWORD_FAILED, "passwords", methods=["POST"], key_func=limits.by_user, deduct_when=limits.only_failures
)
