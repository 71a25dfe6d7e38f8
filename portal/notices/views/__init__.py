"""Pages of notices: what the customer was told, which mails they want, and what became of those we sent."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("notices", __name__)

from portal.notices.views import listing, mails, preferences  # noqa: E402,F401 - they add their routes
