"""The form every form derives from: what WTForms would say in its own English, it says in our words."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm

WORDS: dict[str, Any] = {
    "This field is required.": _l("Fill this in."),
    "Not a valid choice.": _l("Choose one of the options shown."),
    "Invalid Choice: could not coerce.": _l("Choose one of the options shown."),
    "Invalid value, must be one of: %(values)s.": _l("Choose one of the options shown."),
    "Not a valid date value.": _l("This is not a date we can read. Write it like 2026-12-31."),
    "Field cannot be longer than %(max)d character.": _l("Use at most %(max)d characters."),
    "Field cannot be longer than %(max)d characters.": _l("Use at most %(max)d characters."),
    "Not a valid integer value.": _l("Write a whole number."),
    "Number must be between %(min)s and %(max)s.": _l("Write a number from %(min)s to %(max)s."),
    "Invalid input.": _l("This does not look right. Check it and try again."),
}
"""WTForms' sentence to ours. It ships no Indonesian, and speaks of fields where we speak to people."""


class OurWords:
    """WTForms' idea of a catalog; a sentence we do not know passes as it is."""

    @staticmethod
    def gettext(sentence: str) -> str:
        return str(WORDS.get(sentence, sentence))

    @classmethod
    def ngettext(cls, singular: str, plural: str, count: int) -> str:
        return cls.gettext(singular if count == 1 else plural)


class PortalForm(FlaskForm):
    """A Flask-WTF form that speaks the reader's language."""

    class Meta(FlaskForm.Meta):
        def get_translations(self, form: Any) -> OurWords:
            return OurWords()
