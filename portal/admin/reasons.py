"""Why an administrator does something: asked for wherever money or data goes."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from portal.core.words import sound

SHORTEST, LONGEST = 5, 300


def reason(label: Any = None, *, longest: int = LONGEST) -> StringField:
    """A field for a sentence; blanks around it do not count, and what no column can hold is left out."""
    return StringField(
        label or _l("Reason"), filters=[sound], validators=[InputRequired(), Length(min=SHORTEST, max=longest)]
    )
