"""Error pages: what happened, whether money moved, and what to do. Never a stack trace, never a secret."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, current_app, flash, g, jsonify, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from portal.core import pulse
from portal.core.db import db
from portal.core.errors import PortalError, TooManyRequests, Unavailable
from portal.web import htmx

log = structlog.get_logger()


def _wants_json() -> bool:
    return request.path.startswith(("/webhooks/", "/api/")) or request.endpoint in (
        "health.live",
        "health.ready",
    )


def answer(error: PortalError) -> Response:
    """The page, the toast or the JSON for an expected refusal."""
    if _wants_json():
        response = jsonify({"error": {"code": error.code, "message": str(error.message)}})
        response.status_code = error.status
    elif htmx.asked():
        flash(str(error.message), "danger")
        response = htmx.toast_only(error.status)
    else:
        response = htmx.render("web/error.html", status=error.status, error=error)
    if isinstance(error, TooManyRequests | Unavailable):
        response.headers["Retry-After"] = str(error.details.get("retry_after_s", 60))
    return response


def register(app: Flask) -> None:
    """Installs the handlers."""

    @app.errorhandler(PortalError)
    def refused(error: PortalError) -> Response:
        return answer(error)

    @app.errorhandler(CSRFError)
    def stale_form(error: CSRFError) -> Response:
        return answer(
            PortalError(_("This form is too old. Nothing was changed. Go back, reload the page and try again."))
        )

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response | Any:
        if error.code is None or error.code < 400:
            return error
        return answer(_as_portal_error(error))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request.failed", path=request.path, exc_info=error)
        pulse.note("requests", answered=False)
        try:
            db.session.rollback()
            return answer(_unexpected())
        except Exception as second:  # the database is away, and with it the frame of every page
            log.error("request.failed_twice", path=request.path, exc_info=second)
            return _last_page()


def _last_page() -> Response:
    """What is shown when nothing else can be: a file, in both languages, that needs neither database nor session."""
    if _wants_json():
        response = jsonify({"error": {"code": "INTERNAL", "message": "internal error"}})
    else:
        response = current_app.send_static_file("broken.html")
        response.cache_control.clear()
        response.headers["Cache-Control"] = "no-store"
    response.status_code = 500
    return response


def _as_portal_error(error: HTTPException) -> PortalError:
    messages = {
        404: _("There is no page at this address."),
        405: _("This address does not take that kind of request."),
        413: _("This is larger than we take."),
        429: _("Too many attempts. Wait a moment, then try again. Nothing was changed."),
    }
    code = error.code or 400
    refusal = (
        TooManyRequests() if code == 429 else PortalError(messages.get(code, _("This request does not make sense.")))
    )
    refusal.status = code
    refusal.code = (error.name or "error").upper().replace(" ", "_")
    return refusal


def _unexpected() -> PortalError:
    refusal = PortalError(
        _(
            "Something broke on our side. If you were paying, your payment is safe: we book it from the payment "
            "provider's own records. Error number %(number)s.",
            number=g.get("request_id", "-"),
        )
    )
    refusal.status, refusal.code = 500, "INTERNAL"
    return refusal
