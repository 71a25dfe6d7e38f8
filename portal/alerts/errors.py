"""Why an alert cannot be taken on, and why nobody could be told."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, NotFound, PortalError, Unavailable


class AlertNotFound(NotFound):
    code = "ALERT_NOT_FOUND"


class AlertIsOver(Conflict):
    code = "ALERT_IS_OVER"
    message = _l("It is over already. There is nothing to take on.")


class WebhookAway(Unavailable):
    """No answer, or one that asks to come again."""

    code = "WEBHOOK_AWAY"


class WebhookRefused(PortalError):
    """An answer that another try will not change."""

    code = "WEBHOOK_REFUSED"
