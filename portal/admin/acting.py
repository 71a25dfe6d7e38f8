"""Who acts, for the audit log."""

from __future__ import annotations

from flask import request
from flask_login import current_user

from portal.audit.actions import Actor


def acting() -> Actor:
    """The signed-in administrator and where the request comes from."""
    return Actor(current_user.id, request.remote_addr or "")
