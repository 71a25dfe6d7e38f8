"""Pages of accounts: registering, signing in, forgotten passwords, profile and security."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("accounts", __name__)

from portal.accounts.views import (  # noqa: E402 - they hang their pages on the blueprint above
    billing,
    departure,
    passwords,
    profile,
    registration,
    second_factor,
    security,
    sign_in_code,
    signing_in,
)

__all__ = [
    "billing", "blueprint", "departure", "passwords", "profile", "registration", "second_factor", "security",
    "sign_in_code", "signing_in",
]  # fmt: skip
