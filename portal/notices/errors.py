"""Expected failures of handing a mail to the mail server."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.errors import PortalError, Unavailable


class MailServerAway(Unavailable):
    """A passing fault: no connection, a time-out, a 4xx answer, or our own login refused. Worth another try."""

    code = "MAIL_SERVER_AWAY"
    message = _l("The mail server does not answer right now. The mail is sent as soon as it does.")


class MailRefused(PortalError):
    """The mail server refuses this mail or this address for good (5xx), or the address is none."""

    status = 422
    code = "MAIL_REFUSED"
    message = _l("The mail server refuses this address.")
