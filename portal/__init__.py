"""MinisPod: a portal that sells managed open-source apps on prepaid credit. `create_app()` builds it."""

from __future__ import annotations

import secrets
from typing import Any

import structlog
from flask import Flask, Response, g, request
from flask_babel import Babel
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.middleware.proxy_fix import ProxyFix

from config import ROOT, Settings, settings
from portal.core import logging
from portal.core.db import db, engine_options
from portal.core.errors import Busy

csrf = CSRFProtect()
babel = Babel()
migrate = Migrate(compare_type=True, render_as_batch=False)
BUSY_ATTEMPTS_MAX = 3


class Portal(Flask):
    """Flask, with one addition: a view that lost a lock or a deadlock is run again, from its start."""

    def dispatch_request(self) -> Any:
        for attempt in range(1, BUSY_ATTEMPTS_MAX + 1):
            try:
                return super().dispatch_request()
            except Busy:
                db.session.rollback()
                if attempt == BUSY_ATTEMPTS_MAX:
                    raise
        raise AssertionError("unreachable")


def create_app(overrides: dict[str, Any] | None = None) -> Flask:
    """The portal as a WSGI app; `overrides` replaces Flask settings in tests."""
    options = settings()
    logging.configure(options.log_level)
    app = Portal(__name__, root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.config.update(_flask_config(options))
    app.config.update(overrides or {})
    _add_extensions(app, options)
    _add_edges(app)
    return app


def _flask_config(options: Settings) -> dict[str, Any]:
    return {
        "SECRET_KEY": options.secret_key.get_secret_value(),
        "DEBUG": options.debug,
        "TESTING": options.environment == "test",
        "SQLALCHEMY_DATABASE_URI": options.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(pool_size=options.database_pool_size),
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "MAX_FORM_MEMORY_SIZE": 256 * 1024,
        "MAX_FORM_PARTS": 200,
        "SESSION_COOKIE_NAME": "minispod_session",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": options.secure_cookies,
        "REMEMBER_COOKIE_HTTPONLY": True,
        "REMEMBER_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_SECURE": options.secure_cookies,
        "WTF_CSRF_TIME_LIMIT": None,
        "SEND_FILE_MAX_AGE_DEFAULT": 31_536_000,
        "BABEL_TRANSLATION_DIRECTORIES": str(ROOT / "portal" / "translations"),
        "BABEL_DEFAULT_LOCALE": "id",
        "BABEL_DEFAULT_TIMEZONE": "Asia/Jakarta",
        "RATELIMIT_STORAGE_URI": options.redis_url.replace("unix://", "redis+unix://", 1),
        "RATELIMIT_SWALLOW_ERRORS": True,
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
        "RATELIMIT_KEY_PREFIX": "minispod",
    }


def _add_extensions(app: Flask, options: Settings) -> None:
    from portal.accounts.sessions import login_manager
    from portal.web import assets, filters, languages
    from portal.web.limits import limiter

    app.wsgi_app = ProxyFix(app.wsgi_app, *[options.trusted_proxies] * 4)  # type: ignore[method-assign]
    db.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"))
    csrf.init_app(app)
    login_manager.init_app(app)
    limiter.init_app(app)
    babel.init_app(app, locale_selector=languages.chosen)
    filters.register(app)
    assets.register(app)
    app.extensions["redis"] = Redis.from_url(
        options.redis_url, socket_timeout=5, socket_connect_timeout=2, retry=Retry(NoBackoff(), 1)
    )  # no waiting for Redis to come back: nothing is lost without it, and somebody waits for an answer


def _add_edges(app: Flask) -> None:
    from portal import sitemap
    from portal.web import errors, guards, metrics, page, security

    app.before_request(_name_request)
    app.before_request(guards.enforce)
    metrics.register(app)
    app.after_request(security.add_headers)
    app.after_request(_show_request_name)
    page.register(app)
    errors.register(app)
    sitemap.register(app)


def _name_request() -> None:
    """Gives the request a number that stands in its log lines, its error page and its answer."""
    g.request_id = secrets.token_hex(6)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id, path=request.path)


def _show_request_name(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id", "-")
    return response
