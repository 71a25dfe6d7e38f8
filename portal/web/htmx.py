"""The only reader of HX- headers: answers a full page, or only its region when htmx asks for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from flask import Response, get_flashed_messages, make_response, redirect, render_template, request

from portal.web import remembered


def asked() -> bool:
    """True when htmx wants a region: not on a history restore, which needs the whole page."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def target() -> str | None:
    """The id of the element htmx will swap."""
    return request.headers.get("HX-Target")


def render(page: str, /, *, partial: str | None = None, status: int = 200, **context: Any) -> Response:
    """Renders `page`, or `partial` when htmx asked; toasts ride along with a partial out of band."""
    if partial is None or not asked():
        body = render_template(page, **context)
    else:
        body = render_template(partial, **context) + _toasts_out_of_band()
    return _answer(body, status)


def render_shared(page: str, /, *, stamp: Callable[[], Hashable], inputs: Callable[[], dict[str, Any]]) -> Response:
    """A page that is the same for every visitor until `stamp` changes; see `remembered`."""
    return _answer(remembered.rendered(page, stamp=stamp, inputs=inputs), 200)


def _answer(body: str, status: int) -> Response:
    response = make_response(body, status)
    response.vary.add("HX-Request")
    if not response.headers.get("Cache-Control"):
        response.headers["Cache-Control"] = "no-store"
    return response


def announce(response: Response, event: str) -> Response:
    """Wakes the page's regions that wait by `hx-trigger="<event> from:body"`, once this one is in its place."""
    if asked():
        response.headers["HX-Trigger-After-Settle"] = event
    return response


def leave_for(url: str) -> Response:
    """Sends the browser to another page: 303, or `HX-Redirect` when htmx asked."""
    if asked():
        return Response(status=204, headers={"HX-Redirect": url})
    return make_response(redirect(url, code=303))


def toast_only(status: int = 200) -> Response:
    """Swaps nothing but the toasts."""
    response = make_response(_toasts_out_of_band(), status)
    response.headers["HX-Reswap"] = "none"
    return response


def _toasts_out_of_band() -> str:
    messages = get_flashed_messages(with_categories=True)
    return render_template("web/_toasts.html", messages=messages, out_of_band=True) if messages else ""
