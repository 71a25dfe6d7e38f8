"""How attempts on one account are counted, whoever makes them."""

from __future__ import annotations

from flask import request

from portal.accounts import rules
from portal.accounts.forms import EMAIL_LENGTH_MAX
from portal.core.crypto import digest


def by_account() -> str:
    """Counts per named account, so that neither many callers nor many spellings of its address share a guess budget.

    The spelling is that of signing in: a domain in full-width letters is the same domain.
    """
    typed = request.form.get("email", "")[:EMAIL_LENGTH_MAX]
    return f"email:{digest(rules.normal_email(typed) or typed.strip().lower())}"
