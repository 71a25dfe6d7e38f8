"""Server-side sessions: the cookie carries a random token, the database says whether it still counts."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import flash, g, request, url_for
from flask import session as cookie
from flask_babel import lazy_gettext as _l
from flask_login import LoginManager
from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from portal.accounts import viewing
from portal.accounts.models import Customer, Membership, PendingSignIn, User, UserSession
from portal.audit.actions import Actor
from portal.core import clock
from portal.core.crypto import digest
from portal.core.db import db, transaction
from portal.web import htmx

LIFETIME = timedelta(hours=12)
REMEMBERED_LIFETIME = timedelta(days=30)
SEEN_AGAIN_AFTER = timedelta(minutes=5)
COOKIE_KEY = "session_token"
HALF_WAY_KEY = "half_way_token"
BEGUN_KEY = "second_factor_begun"

login_manager = LoginManager()
login_manager.session_protection = None  # the server-side row decides


@login_manager.request_loader
def _from_cookie(_: Any) -> User | None:
    """The user behind this request's cookie; one query, with the customer they act for."""
    token = cookie.get(COOKIE_KEY)
    if not isinstance(token, str):
        return None
    found = find(db.session(), token, now=clock.now())
    if found is None:
        cookie.pop(COOKIE_KEY, None)
        return None
    g.user_session, g.viewing = found, viewing.of(found, now=clock.now())
    g.customer = g.viewing.customer if g.viewing else found.customer
    user = found.user
    _see_again(found, now=clock.now())
    _end_view_that_is_over(found, now=clock.now())
    return user


def _see_again(found: UserSession, *, now: datetime) -> None:
    """Notes, every few minutes, that a session is in use. Never waits: a row somebody holds is left alone."""
    if now - found.last_seen_at < SEEN_AGAIN_AFTER or db.session().info.get("in_unit"):
        return
    free = select(UserSession.id).where(UserSession.id == found.id).with_for_update(skip_locked=True)
    statement = update(UserSession).where(UserSession.id.in_(free.scalar_subquery()))
    with transaction() as session:
        session.execute(statement.values(last_seen_at=now).execution_options(synchronize_session=False))


def _end_view_that_is_over(found: UserSession, *, now: datetime) -> None:
    """Says so, once, to who looked at a customer's pages until the time was up."""
    if found.views_until is None or g.viewing is not None or db.session().info.get("in_unit"):
        return
    with transaction() as session:
        viewing.stop(session, found.id, actor=Actor(found.user_id, request.remote_addr or ""), now=now)
    flash(_l("You no longer view as somebody else. This is your own account."), "info")


@login_manager.unauthorized_handler
def _sign_in_first() -> Response:
    """Sends to the sign-in page, which leads back: to the page asked for, or to the one a form stood on."""
    flash(_l("Sign in to see this page."), "info")
    asked_for_page = request.method == "GET" and not htmx.asked()
    wanted = request.full_path.rstrip("?") if asked_for_page else page_before()
    return htmx.leave_for(url_for("accounts.sign_in", next=wanted))


def page_before() -> str | None:
    """The page of this site that the request came from, when the browser tells."""
    before = urlsplit(request.referrer or "")
    if before.netloc != request.host:
        return None
    return f"{before.path}?{before.query}" if before.query else before.path


def find(session: Session, token: str, *, now: datetime) -> UserSession | None:
    """The live session of a token, its active user and customer loaded."""
    statement = (
        select(UserSession)
        .join(User, User.id == UserSession.user_id)
        .options(joinedload(UserSession.user), joinedload(UserSession.customer), *viewing.LOADED)
        .where(
            UserSession.token_digest == digest(token),
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > now,
            User.active,
        )
    )
    return session.scalar(statement)


def start(session: Session, user: User, *, remember: bool, now: datetime, ip_address: str, user_agent: str) -> str:
    """Opens a session for `user` and returns its token, for the cookie."""
    token = secrets.token_urlsafe(32)
    lifetime = REMEMBERED_LIFETIME if remember else LIFETIME
    session.add(
        UserSession(
            user_id=user.id,
            customer_id=_first_customer(session, user.id),
            token_digest=digest(token),
            created_at=now,
            last_seen_at=now,
            expires_at=now + lifetime,
            ip_address=ip_address[:45],
            user_agent="".join(filter(str.isprintable, user_agent))[:300],
        )
    )
    return token


def set_cookie(token: str, *, remember: bool) -> None:
    """Puts the token in a fresh cookie; nothing from before signing in survives, save the language."""
    cookie.clear()
    cookie[COOKIE_KEY] = token
    cookie.permanent = remember


def set_half_way_cookie(token: str) -> None:
    """Puts the token of half a sign-in in a fresh cookie, under a key that opens no session."""
    cookie.clear()
    cookie[HALF_WAY_KEY] = token
    cookie.permanent = False


def half_way_token() -> str | None:
    """The token of half a sign-in in this request's cookie."""
    token = cookie.get(HALF_WAY_KEY)
    return token if isinstance(token, str) else None


def show_here(secret: str) -> None:
    """Marks this browser as the one that began with `secret`: no other session of its user is shown it."""
    cookie[BEGUN_KEY] = digest(secret)


def shown_here(secret: str) -> bool:
    """Whether this browser is the one that `show_here` marked."""
    return cookie.get(BEGUN_KEY) == digest(secret)


def forget_cookie() -> None:
    """Empties the cookie."""
    cookie.clear()


def revoke(
    session: Session,
    *,
    user_id: UUID,
    session_id: UUID | None = None,
    keep: UUID | None = None,
    now: datetime,
) -> int:
    """Ends one session, or all of a user's but `keep`, with whatever sign-in is half-way; returns how many ended.

    A repeat ends none.
    """
    if session_id is None:
        half_way = update(PendingSignIn).where(PendingSignIn.user_id == user_id, PendingSignIn.ended_at.is_(None))
        session.execute(half_way.values(ended_at=now).execution_options(synchronize_session=False))
    statement = update(UserSession).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
    if session_id is not None:
        statement = statement.where(UserSession.id == session_id)
    if keep is not None:
        statement = statement.where(UserSession.id != keep)
    result = session.execute(statement.values(revoked_at=now).execution_options(synchronize_session=False))
    return result.rowcount  # type: ignore[attr-defined]


def current_customer() -> Customer:
    """The customer the signed-in user acts for."""
    customer = g.get("customer")
    assert customer is not None, "only views that demand a customer may ask"
    return customer


def _first_customer(session: Session, user_id: UUID) -> UUID | None:
    statement = select(Membership.customer_id).where(Membership.user_id == user_id)
    return session.scalar(statement.order_by(Membership.customer_id).limit(1))
