"""Expected failures. Each knows its HTTP status, its code and a message fit for the customer.

Actions raise these and never return None or False for a refusal. What cannot happen is an assertion or a
database constraint instead.
"""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l


class PortalError(Exception):
    """A refusal the customer can understand; `details` are the figures that the message or the page needs."""

    status = 400
    code = "REFUSED"
    message: Any = _l("This cannot be done.")

    def __init__(self, message: Any = None, **details: Any) -> None:
        if message is not None:
            self.message = message
        self.details = details
        super().__init__(self.code)

    def __str__(self) -> str:
        return str(self.message)


class NotFound(PortalError):
    status = 404
    code = "NOT_FOUND"
    message = _l("There is nothing here, or it is not yours to see.")


class Forbidden(PortalError):
    status = 403
    code = "FORBIDDEN"
    message = _l("You may not do this.")


class ViewingChangesNothing(Forbidden):
    """A write by an administrator who sees a customer's pages as that customer."""

    code = "VIEWING_CHANGES_NOTHING"
    message = _l("You only look at this account: nothing was changed. Stop viewing to act again.")


class NotWhileViewing(Forbidden):
    code = "NOT_WHILE_VIEWING"
    message = _l("This page is its owner's alone. Stop viewing to see your own.")


class Conflict(PortalError):
    status = 409
    code = "CONFLICT"
    message = _l("This has changed meanwhile. Look at it as it is now, then try again.")


class TooManyRequests(PortalError):
    status = 429
    code = "TOO_MANY_REQUESTS"
    message = _l("Too many attempts. Wait a moment, then try again. Nothing was changed.")


class Unavailable(PortalError):
    """A passing fault (lock time-out, gateway 5xx): worth another try, by the edge or by the job's retry."""

    status = 503
    code = "UNAVAILABLE"
    message = _l("This is not available right now. Nothing was charged. Try again in a minute.")


class Busy(Unavailable):
    """A lock could not be had in time, or the database chose us as a deadlock's victim; retried at the edge."""

    code = "BUSY"
    message = _l("Someone is changing the same thing right now. Nothing was changed. Try again.")
