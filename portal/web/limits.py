"""Rate limits, counted in Redis; when Redis is away requests pass and the log says so."""

from __future__ import annotations

from flask import request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

limiter = Limiter(key_func=get_remote_address, default_limits=[], headers_enabled=False)

SIGN_IN = "10 per minute;60 per hour"
REGISTER = "10 per hour"
RESET = "5 per hour"
TOP_UP = "20 per hour"
CHECK_NOW = "30 per minute"


def by_email() -> str:
    """Counts attempts per named account, so that many addresses cannot share one guess budget."""
    return f"email:{request.form.get('email', '').strip().lower()[:254]}"
