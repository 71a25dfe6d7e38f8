"""Expected failures of documents."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.errors import PortalError


class PdfUnavailable(PortalError):
    """This machine lacks the libraries that make PDF files; the page can be printed instead."""

    status = 503
    code = "PDF_UNAVAILABLE"
    message = _l("There is no PDF of this document. Print this page instead, or save it as PDF from there.")


class PdfNotReady(PortalError):
    """The PDF is being made, or is made anew."""

    status = 409
    code = "PDF_NOT_READY"
    message = _l("The PDF is being made. It is ready in a moment; this page says when.")
