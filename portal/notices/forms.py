"""The form of mail choices: one box for each kind that may be declined."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField

from portal.notices.wording.categories import OPTIONAL, WORDS, Category
from portal.web.forms import PortalForm


class PreferencesForm(PortalForm):
    reminders = BooleanField(WORDS[Category.REMINDERS].name)
    health = BooleanField(WORDS[Category.HEALTH].name)
    routine = BooleanField(WORDS[Category.ROUTINE].name)

    def __init__(self, *arguments: Any, wanted: set[Category], **keywords: Any) -> None:
        super().__init__(*arguments, data={each.value.lower(): each in wanted for each in OPTIONAL}, **keywords)

    @property
    def boxes(self) -> list[tuple[Any, Any]]:
        """Each box with what belongs to it."""
        return [(self[each.value.lower()], WORDS[each].text) for each in OPTIONAL]

    @property
    def chosen(self) -> set[Category]:
        return {each for each in OPTIONAL if self[each.value.lower()].data}
