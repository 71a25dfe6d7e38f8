"""What the HTTP edges share: the simulator behind the request, authentication, bodies."""

from __future__ import annotations

import hmac
import json
from typing import Any, cast

from flask import current_app, request

from .simulator import Simulator

BODY_MAX_BYTES = 16 * 1024


def simulator() -> Simulator:
    return cast(Simulator, current_app.simulator)  # type: ignore[attr-defined]


def authenticated() -> bool:
    """HTTP Basic with the server key as the name and no password."""
    given = request.authorization
    if given is None or given.type != "basic":
        return False
    name, right_name = given.username or "", simulator().settings.server_key
    return hmac.compare_digest(name.encode(), right_name.encode()) and not given.password


def json_body() -> Any:
    """The body as JSON; None for an empty or unreadable one."""
    try:
        return json.loads(request.get_data() or b"null")
    except ValueError:
        return None


def url_list(header: str) -> list[str]:
    """Up to three comma-separated addresses."""
    return [part.strip() for part in header.split(",") if part.strip()][:3]


def base_url() -> str:
    return simulator().settings.public_url.rstrip("/") or request.url_root.rstrip("/")
