"""Who may enter: every route declares it with one decorator, and one hook enforces it.

Of administrators it also asks for a second factor, where the settings do.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask, Response, current_app, flash, g, request, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from config import settings
from portal.core import switches
from portal.core.db import db
from portal.core.errors import Forbidden, NotFound, NotWhileViewing, ViewingChangesNothing
from portal.web import htmx

READS = {"GET", "HEAD", "OPTIONS"}
PRIVATE_BLUEPRINTS = {"accounts"}
PRIVATE = {
    "instances.logs", "instances.logs_file", "instances.variables_page", "notices.mails", "notices.preferences",
    "payments.come_back",
}  # fmt: skip
"""What nobody opens while viewing as somebody: the person's own identity and mails, secrets and logs, which may hold
some, and a GET that changes."""

View = TypeVar("View", bound=Callable[..., Any])


class Access(StrEnum):
    ANYONE = "anyone"
    VISITOR = "visitor"  # only while signed out: sign-in and registration
    CUSTOMER = "customer"
    ADMINISTRATOR = "administrator"
    GATEWAY = "gateway"  # an outside system that proves itself inside the view
    OPERATOR = "operator"  # health and metrics


def access(level: Access) -> Callable[[View], View]:
    """Declares who may call a view; the check itself is `enforce`, in one place."""

    def declare(view: View) -> View:
        view.access = level  # type: ignore[attr-defined]
        return view

    return declare


anyone = access(Access.ANYONE)
visitor = access(Access.VISITOR)
customer = access(Access.CUSTOMER)
administrator = access(Access.ADMINISTRATOR)
gateway = access(Access.GATEWAY)
operator = access(Access.OPERATOR)


def even_when_read_only(view: View) -> View:
    """Marks a write that stays open to everybody while the portal is read-only: the doors that lead in and out."""
    view.even_when_read_only = True  # type: ignore[attr-defined]
    return view


def declared(app: Flask, endpoint: str) -> Access | None:
    """What the view behind `endpoint` declares."""
    if endpoint == "static":
        return Access.ANYONE
    return getattr(app.view_functions[endpoint], "access", None)


def enforce() -> Response | None:
    """Runs before every request: sends visitors to sign in, refuses the rest."""
    if request.endpoint is None or request.endpoint == "static":
        return None
    level = declared(current_app, request.endpoint)
    assert level is not None, f"{request.endpoint} declares no access"
    if level not in (Access.GATEWAY, Access.OPERATOR):
        _refuse_writes_when_read_only(request.endpoint)
    if level in (Access.ANYONE, Access.GATEWAY, Access.OPERATOR):
        return None
    if level is Access.VISITOR:
        return htmx.leave_for(_home()) if current_user.is_authenticated else None
    if not current_user.is_authenticated:
        return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    if level is Access.ADMINISTRATOR and not current_user.is_administrator:
        raise NotFound
    if level is Access.ADMINISTRATOR and _lacks_second_factor():
        return _second_factor_first()
    if level is Access.CUSTOMER and not current_user.is_active:
        raise Forbidden
    if level is Access.CUSTOMER and g.get("viewing") is not None:
        _refuse_while_viewing()
    return None


def _lacks_second_factor() -> bool:
    return bool(settings().administrators_need_second_factor) and not current_user.has_second_factor


def _refuse_writes_when_read_only(endpoint: str) -> None:
    """Raises `HeldBack` for what changes anything, whoever asks: administrators alone go on."""
    if request.method in READS or getattr(current_app.view_functions[endpoint], "even_when_read_only", False):
        return
    if not getattr(current_user, "is_administrator", False):
        switches.refuse_when_on(db.session(), switches.Switch.READ_ONLY)


def _second_factor_first() -> Response:
    """Sends an administrator to set it up; from there the way leads back, after a form to the first page."""
    flash(_l("Administrators need a second factor here. Set it up, and you go on where you were."), "info")
    asked_for_page = request.method == "GET" and not htmx.asked()
    wanted = request.full_path.rstrip("?") if asked_for_page else url_for("admin_home.overview")
    return htmx.leave_for(url_for("accounts.second_factor", next=wanted))


def _refuse_while_viewing() -> None:
    """An administrator with a customer's eyes changes nothing, and does not see what is the owner's alone."""
    if request.method not in READS:
        raise ViewingChangesNothing
    if request.blueprint in PRIVATE_BLUEPRINTS or request.endpoint in PRIVATE:
        raise NotWhileViewing


def _home() -> str:
    return url_for("dashboard.overview")
