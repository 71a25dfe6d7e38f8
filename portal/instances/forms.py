"""Forms of instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, FieldList, FormField, HiddenField, StringField, TextAreaField
from wtforms.validators import AnyOf, InputRequired

from portal.instances import variables
from portal.instances.variables import Change, Stored
from portal.web.forms import PortalForm

BLANK_ROWS = 3
"""Room for new variables without JavaScript; with it, one more at a time."""


class DeletionForm(PortalForm):
    """Typing the app's name is the confirmation."""

    name = StringField(_l("Type the name to confirm"), filters=[lambda text: (text or "").strip()])

    def expect(self, name: str) -> None:
        """Only this very name passes."""
        wrong = _l("Nothing was deleted. Type the name exactly as shown.")
        self.name.validators = [InputRequired(), AnyOf([name], message=wrong)]


class DomainForm(PortalForm):
    """A host as people write it."""

    host = StringField(_l("Domain"), filters=[lambda text: (text or "").strip()], validators=[InputRequired()])


class VariableRow(PortalForm):
    """One variable. The value of a stored secret is never in it: left blank, it stays."""

    class Meta(PortalForm.Meta):
        csrf = False  # the form around it carries the token

    name = StringField(_l("Name"), filters=[lambda text: (text or "").strip()])
    value = TextAreaField(_l("Value"), filters=[lambda text: (text or "").replace("\r\n", "\n")])
    secret = BooleanField(_l("Secret"))
    remove = BooleanField(_l("Remove"))

    def is_blank(self) -> bool:
        """A row for a new variable that was not used."""
        return not self.name.data and not self.value.data

    def change(self, stored: Mapping[str, Stored]) -> Change:
        """What the customer asks for with this row."""
        before = stored.get(self.name.data or "")
        hidden = before.secret if before else bool(self.secret.data)
        value = None if hidden and not self.value.data else self.value.data
        return Change(self.name.data or "", value, bool(self.secret.data), bool(self.remove.data))


class VariablesForm(PortalForm):
    """All variables of an app at once, as of a revision."""

    revision = HiddenField()
    rows = FieldList(FormField(VariableRow), max_entries=variables.COUNT_MAX + 10)

    @classmethod
    def of(cls, stored: Mapping[str, Stored]) -> VariablesForm:
        """What is stored, and blank rows after it."""
        rows: list[dict[str, Any]] = [
            {"name": one.name, "value": "" if one.secret else one.value, "secret": one.secret}
            for one in stored.values()
        ]
        blank = [{"name": "", "value": "", "secret": True}] * BLANK_ROWS
        return cls(None, data={"revision": variables.revision(stored.values()), "rows": [*rows, *blank]})

    def changes(self, stored: Mapping[str, Stored]) -> list[Change]:
        """One change per row that was used."""
        return [row.form.change(stored) for row in self.rows if not row.form.is_blank()]

    def is_sound(self, stored: Mapping[str, Stored], reserved: frozenset[str], words: Mapping[str, Any]) -> bool:
        """Marks each row that is not allowed, and says what is wrong with all of them."""
        for row in self.rows:
            if not row.form.is_blank():
                _mark(row.form, variables.problem(row.form.change(stored), stored, reserved), words)
        common = variables.common_problem(self.changes(stored), stored)
        if common:
            self.form_errors = [words[common]]
        return not common and not any(row.form.errors for row in self.rows)


def _mark(row: VariableRow, code: str, words: Mapping[str, Any]) -> None:
    if code:
        field = row.name if code.startswith("name_") else row.value
        field.errors = [words[code]]
