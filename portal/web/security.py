"""Security headers: a strict content security policy everywhere; the payment page alone adds the popup's list."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import Response, g, request

from config import settings

BASE_POLICY: dict[str, list[str]] = {
    "default-src": ["'self'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "frame-src": ["'none'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}
# What the live popup loads. Source: vendor's list plus hosts seen in the field; see docs/payments.md.
SNAP_ASSETS = "https://snap-assets.al-pc-id-b.cdn.gtflabs.io"
SNAP_SCRIPTS = [SNAP_ASSETS, "https://pay.google.com", "https://gwk.gopayapi.com"]


def allow_payment_popup(*, script_url: str, api_url: str) -> None:
    """Widens this response's policy for the payment popup and nothing else."""
    script, api = _origin(script_url), _origin(api_url)
    live = [] if urlsplit(script_url).hostname in ("127.0.0.1", "localhost") else SNAP_SCRIPTS
    g.extra_policy = {
        "script-src": [script, api, *live],
        "frame-src": [script, *(["https://*.midtrans.com"] if live else [])],
        "connect-src": [script, api],
        "img-src": [script, api, *live[:1]],
        "style-src": ["'unsafe-inline'", *live[:1]] if live else [],
    }


def seal(response: Response, *, filename: str) -> Response:
    """For a file that somebody else made: handed out as a download, kept by nobody, and if a browser opens it all the
    same, without scripts and without an origin."""
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def content_security_policy(extra: Mapping[str, list[str]]) -> str:
    """The base policy, widened by `extra`."""
    directives = []
    for name, sources in BASE_POLICY.items():
        more = extra.get(name, [])
        kept = [s for s in sources if not (more and s == "'none'")]
        directives.append(f"{name} {' '.join(dict.fromkeys([*kept, *more]))}")
    return "; ".join(directives)


def armour(extra_policy: Mapping[str, list[str]]) -> dict[str, str]:
    """The headers that every answer carries, files too."""
    headers = {
        "Content-Security-Policy": content_security_policy(extra_policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
    if settings().secure_cookies:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return headers


def add_headers(response: Response) -> Response:
    """Runs after every request."""
    headers = response.headers
    for name, value in armour(g.get("extra_policy", {})).items():
        headers.setdefault(name, value)
    if request.endpoint != "static" and "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    return response
