"""Days of Jakarta as limits of a list."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import DateField, StringField
from wtforms.validators import Optional

from portal.admin.lists import FilterForm
from portal.core.clock import JAKARTA
from portal.core.words import sound

SEARCH_MAX = 200


class SpanForm(FilterForm):
    """A search and two days, both of them included."""

    search = StringField(_l("Search"))
    since = DateField(_l("From"), validators=[Optional()])
    until = DateField(_l("To"), validators=[Optional()])

    def text(self) -> str:
        """What is searched for; what no column can hold is left out."""
        return sound(self.wanted("search"))[:SEARCH_MAX]

    def within(self, column: Any) -> list[Any]:
        """The days as conditions on a column of instants."""
        return within(column, self.wanted("since"), self.wanted("until"))


def within(column: Any, since: date | None, until: date | None) -> list[Any]:
    """Conditions that an instant falls on one of these days of Jakarta."""
    conditions = [column >= start_of(since)] if since else []
    if until and until < date.max:
        conditions.append(column < start_of(until + timedelta(days=1)))
    return conditions


def start_of(day: date) -> datetime:
    """Midnight in Jakarta."""
    return datetime(day.year, day.month, day.day, tzinfo=JAKARTA)
