"""The form of a proof."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField, FileRequired

from portal.web.forms import PortalForm

ACCEPTED = "image/jpeg,image/png,image/webp,application/pdf"
"""What a browser offers to choose from; what arrives is told by its content alone."""


class ProofForm(PortalForm):
    """A file, of which nothing but the content is believed."""

    file = FileField(_l("Proof of the transfer"), [FileRequired(_l("Choose a file first."))])
