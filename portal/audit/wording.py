"""What the codes of the audit log say. A code that is not here shows itself."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

ACTIONS: dict[str, Any] = {
    "user.registered": _l("Registered"),
    "user.signed_in": _l("Signed in"),
    "user.sign_in_refused": _l("Sign-in refused"),
    "user.signed_out": _l("Signed out"),
    "user.reset_asked": _l("Asked for a new password"),
    "user.password_reset": _l("Set a new password by a mailed link"),
    "user.password_changed": _l("Changed the password"),
    "user.email_verified": _l("Confirmed the e-mail address"),
    "user.profile_changed": _l("Changed the profile"),
    "user.sessions_revoked": _l("Ended other sessions"),
    "user.deactivated": _l("Closed their own account"),
    "user.payout_requested": _l("Asked for their credit back"),
    "user.made_administrator": _l("Made an administrator"),
    "user.closed": _l("Closed an account"),
    "user.opened": _l("Opened an account again"),
    "instance.credentials_shown": _l("Looked at an app's passwords"),
    "instance.deleted": _l("Deleted an app"),
    "instance.variables_saved": _l("Changed an app's variables"),
    "instance.domain_removed": _l("Removed an app's domain"),
    "catalog.price_changed": _l("Changed a price"),
    "work.retried": _l("Queued work again"),
    "work.given_up": _l("Gave up on queued work"),
    "schedule.run_now": _l("Ran periodic work out of its turn"),
    "alert.acknowledged": _l("Took on an alert"),
}
SUBJECTS: dict[str, Any] = {
    "user": _l("User"),
    "unknown_email": _l("Unknown e-mail address"),
    "customer": _l("Customer"),
    "work": _l("Queued work"),
    "schedule": _l("Periodic work"),
    "alert": _l("Alert"),
    "plan": _l("Plan"),
    "service": _l("Service"),
    "instance": _l("App"),
    "subscription": _l("Subscription"),
    "payment": _l("Top-up"),
    "document": _l("Invoice"),
    "switch": _l("Switch"),
}


def action(code: str) -> str:
    """What was done."""
    return str(ACTIONS.get(code, code))


def subject(kind: str) -> str:
    """To what kind of thing."""
    return str(SUBJECTS.get(kind, kind))
