"""The filter form of the wallet's history."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import DateField, SelectField
from wtforms.validators import Optional

from portal.wallet.queries import Filters
from portal.wallet.wording import STATUSES, TYPES
from portal.web.forms import PortalForm

EVERYTHING = ""


class HistoryForm(PortalForm):
    """Which part of the history to show. It only reads, so it has no token and lives in the address."""

    class Meta:
        csrf = False

    type = SelectField(_l("Kind"), choices=[(EVERYTHING, _l("All kinds")), *TYPES.items()], default=EVERYTHING)
    status = SelectField(_l("State"), choices=[(EVERYTHING, _l("All states")), *STATUSES.items()], default=EVERYTHING)
    since = DateField(_l("From"), [Optional()])
    until = DateField(_l("To"), [Optional()])

    def filters(self) -> Filters:
        """What was asked for; a value that makes no sense filters nothing and is marked beside its field."""
        self.validate()
        return Filters(
            type=self._fit("type") or "",
            status=self._fit("status") or "",
            since=self._fit("since"),
            until=self._fit("until"),
        )

    def _fit(self, name: str) -> Any:
        field = self[name]
        return None if field.errors else field.data
