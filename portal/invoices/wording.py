"""What documents say: their titles, and their lines from code and parameters, in the language being read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import format_date
from flask_babel import lazy_gettext as _l

from portal.core import clock
from portal.invoices.models import Document, DocumentLine, Series

TITLES: dict[str, Any] = {
    Series.RECEIPT: _l("Receipt"),
    Series.INVOICE: _l("Invoice"),
    Series.CREDIT_NOTE: _l("Credit note"),
}

LINES: dict[str, Any] = {
    "top_up": _l("Deposit to your prepaid credit"),
    "subscription": _l("%(service)s %(plan)s, %(period_started_at)s to %(period_ends_at)s"),
    "renewal": _l("%(service)s %(plan)s, renewed, %(period_started_at)s to %(period_ends_at)s"),
    "setup_fee": _l("Setup of %(service)s %(plan)s, once"),
    "upgrade": _l("Upgrade of %(service)s to %(plan)s, %(period_started_at)s to %(period_ends_at)s"),
    "refund": _l("%(service)s %(plan)s, given back to your credit"),
}
"""Names ending in `_at` are instants as ISO text and show as their Jakarta day."""

OTHER_LINE = _l("Services")
NOTHING = "–"


def title(document: Document) -> str:
    """`Invoice`."""
    return str(TITLES[document.series])


def line_text(line: DocumentLine) -> str:
    """What a line is for; a code we do not know never breaks a document."""
    return str(LINES.get(line.code, OTHER_LINE)) % _Shown(line.parameters)


class _Shown(Mapping[str, str]):
    """Parameters as people read them; one that nobody passed is a dash."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters

    def __getitem__(self, name: str) -> str:
        value = self._parameters.get(name)
        if value is None:
            return NOTHING
        return _day(value) if name.endswith("_at") else str(value)

    def __iter__(self) -> Any:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)


def _day(text: str) -> str:
    return format_date(clock.today(datetime.fromisoformat(text)), "d MMM y")
