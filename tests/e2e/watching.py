"""What every page must keep to: no error on its console, no breach of its policy, no question to a stranger."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Request, WebError

PAYMENT_PAGE = re.compile(r"^/top-ups/[0-9a-f-]{36}$")


class Watch:
    """Collects what went wrong on any page of a context; `tolerate` names what a test brings about itself."""

    def __init__(self, context: BrowserContext, *, portal: str, sandbox: str) -> None:
        self._portal, self._sandbox = portal, sandbox
        self._tolerated: list[str] = []
        self._seen: list[str] = []
        context.on("console", self._hear)
        context.on("weberror", self._catch)
        context.on("request", self._follow)

    @property
    def complaints(self) -> list[str]:
        return [line for line in self._seen if not any(re.search(known, line) for known in self._tolerated)]

    def tolerate(self, *patterns: str) -> None:
        """Expected noise: the browser itself logs every refused answer (409, 422) and every blocked file."""
        self._tolerated += patterns

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._seen.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _catch(self, error: WebError) -> None:
        self._seen.append(f"uncaught: {error.error}")

    def _follow(self, request: Request) -> None:
        asked = urlsplit(request.url)
        origin = f"{asked.scheme}://{asked.netloc}"
        if asked.scheme == "data" or origin == self._portal or self._is_at_home(request, origin):
            return
        self._seen.append(f"asked a stranger: {request.method} {request.url}")

    def _is_at_home(self, request: Request, origin: str) -> bool:
        """A link was followed, or the page is not ours, or it is the payment page that asks the gateway."""
        try:
            frame = request.frame
        except Error:  # a navigation that has no frame yet is somebody's click
            return True
        here = urlsplit(frame.page.url)
        if (request.is_navigation_request() and frame == frame.page.main_frame) or here.netloc != self._portal[7:]:
            return True
        return origin == self._sandbox and PAYMENT_PAGE.match(here.path) is not None
