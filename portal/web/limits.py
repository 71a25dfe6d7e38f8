"""Rate limits, counted in Redis; when Redis is away they are counted in this process and the log says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address

from flask import Flask, Response, current_app, request
from flask_babel import format_timedelta
from flask_babel import gettext as _
from flask_limiter import Limiter, RateLimitExceeded
from flask_login import current_user

from portal.core import clock
from portal.core.errors import TooManyRequests

# Many customers share one address behind a mobile carrier, so what succeeds is counted loosely or not at all.
SIGN_IN = "30 per minute;300 per hour"
SIGN_IN_FAILED = "10 per minute;60 per hour"
SIGN_IN_FAILED_PER_ACCOUNT = "10 per 15 minutes"
PASSWORD_FAILED = "10 per hour"  # noqa: S105 - a limit
CODE_FAILED = "10 per hour;30 per day"  # of three codes in a million: a year of it finds one in thirty accounts
REGISTER = "20 per hour"
RESET = "10 per hour"
RESET_PER_ACCOUNT = "3 per hour"
VERIFY_AGAIN = "3 per hour"
LINKS = "30 per hour"
TOP_UP = "20 per hour"
PROMO_CODE, PROMO_CODE_PER_ADDRESS = "10 per hour", "60 per hour"  # refused ones: codes are not to be guessed
PROOF = "20 per hour"  # each is drawn anew, which takes a moment
CHECK_NOW = "30 per minute"
EXPORT = "20 per hour"
RESEND = "10 per hour"
UNSUBSCRIBE = "20 per hour"
LIVE_LOOK = "20 per minute"  # asks the cluster while the browser waits: each holds one of few threads


def by_address() -> str:
    """Counts per caller: an IPv4 address, or the /64 that one IPv6 subscriber holds."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "address:unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return f"address:{int(address) >> 64:016x}"
    return f"address:{getattr(address, 'ipv4_mapped', None) or address}"


def by_user() -> str:
    """Counts per signed-in user."""
    return f"user:{getattr(current_user, 'id', 'none')}"


def only_failures(response: Response) -> bool:
    """For `deduct_when`: a form that was refused counts, one that succeeded does not."""
    return response.status_code == 422


class Limits(Limiter):
    """Flask-Limiter, with an answer that says when to try again."""

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        app.register_error_handler(RateLimitExceeded, _refuse)


limiter = Limits(key_func=by_address, default_limits=[], headers_enabled=False)


def _refuse(error: RateLimitExceeded) -> Response:
    from portal.web.errors import answer

    wait_s = _wait_s(error)
    pause = format_timedelta(timedelta(seconds=wait_s), granularity="second", threshold=1.2)
    message = _("Too many attempts. Try again in %(pause)s. Nothing was changed.", pause=pause)
    current_app.logger.warning("limit.reached %s %s", request.endpoint, error.description)
    return answer(TooManyRequests(message, retry_after_s=wait_s))


def _wait_s(error: RateLimitExceeded) -> int:
    """Seconds until the window that was used up ends: at least one, at most the window's length."""
    window_s = error.limit.limit.get_expiry() if error.limit else 60
    breached = limiter.current_limit
    if breached is None:
        return window_s
    resets_at = datetime.fromtimestamp(breached.reset_at, UTC)
    return min(max(int((resets_at - clock.now()).total_seconds()), 1), window_s)
