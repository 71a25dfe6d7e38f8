"""Raw bytes of others, as text for a page: never more than text."""

from __future__ import annotations

import json
from contextlib import suppress

SHOWN_MAX = 70_000


def readable(body: bytes) -> str:
    """JSON with line breaks; anything else as it is, what is no UTF-8 replaced."""
    text = body.decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text[:SHOWN_MAX]
