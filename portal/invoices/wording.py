"""What documents say: their titles, and their lines from code and parameters, in the language being read."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import format_date
from flask_babel import lazy_gettext as _l

from portal.invoices.models import Document, DocumentLine, Series

TITLES: dict[str, Any] = {
    Series.RECEIPT: _l("Receipt"),
    Series.INVOICE: _l("Invoice"),
    Series.CREDIT_NOTE: _l("Credit note"),
}

LINES: dict[str, Any] = {
    "top_up": _l("Deposit to your prepaid credit"),
    "subscription": _l("%(app)s %(plan)s, %(from)s to %(to)s"),
    "renewal": _l("%(app)s %(plan)s, renewed, %(from)s to %(to)s"),
    "resumption": _l("%(app)s %(plan)s, resumed, %(from)s to %(to)s"),
    "setup_fee": _l("Setup of %(app)s %(plan)s, once"),
    "upgrade": _l("Upgrade of %(app)s to %(plan)s, %(from)s to %(to)s"),
    "unused_value": _l("Unused part of %(app)s %(plan)s, counted"),
    "upgrade_refund": _l("%(app)s could not be upgraded: price given back"),
    "provisioning_refund": _l("%(app)s could not be started: price given back"),
    "refund": _l("%(app)s: price given back"),
    "invoice_credit": _l("%(app)s: invoice credited"),
    "cancellation_refund": _l("%(app)s cancelled: unused days given back"),
}
"""`from` and `to` are days as ISO text."""

DAYS = {"from", "to"}
OTHER_LINE = _l("Services")
NOTHING = "–"


def title(document: Document) -> str:
    """`Invoice`."""
    return str(TITLES[document.series])


def line_text(line: DocumentLine) -> str:
    """What a line is for; a code or parameter we do not know never breaks a document."""
    shown = _Shown({name: _show(name, value) for name, value in line.parameters.items()})
    return str(LINES.get(line.code, OTHER_LINE)) % shown


class _Shown(dict[str, str]):
    """A parameter that nobody passed is a dash."""

    def __missing__(self, name: str) -> str:
        return NOTHING


def _show(name: str, value: Any) -> str:
    if value is None:
        return NOTHING
    return format_date(date.fromisoformat(value), "d MMM y") if name in DAYS else str(value)
