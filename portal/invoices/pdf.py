"""A document as PDF, by WeasyPrint, from the template and style sheet that its page uses too.

Nothing is fetched while it renders: the fetcher knows our own fonts and refuses every other address. It raises
ValueError for that, since WeasyPrint's own fatal error is a BaseException that no worker would catch.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from flask import current_app
from flask_babel import force_locale

from portal.invoices import wording
from portal.invoices.errors import PdfUnavailable
from portal.invoices.models import Document

FONT_SCHEME = "font:"
FONTS = ("inter-latin.woff2", "inter-latin-ext.woff2")


def render(document: Document) -> bytes:
    """The PDF of an issued document with its lines, in the document's language.

    Raises `PdfUnavailable` where the libraries are missing. Slow (half a second): never inside a transaction.
    """
    weasyprint = _weasyprint()
    with force_locale(document.language):
        html = current_app.jinja_env.get_template("invoices/pdf.html").render(
            document=document, wording=wording, style=_style()
        )
    return weasyprint.HTML(string=html, url_fetcher=_fetcher(weasyprint)).write_pdf()


def _weasyprint() -> Any:
    """Imported here: the portal must run where the libraries are missing. Source: WeasyPrint raises OSError."""
    # It warns of every style that only browsers know; the sheet is shared with the page on purpose.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        raise PdfUnavailable(reason=f"{type(error).__name__}: libraries for PDF are missing") from error
    return weasyprint


def _style() -> str:
    return (_static() / "css" / "document.css").read_text(encoding="utf-8")


def _static() -> Path:
    return Path(str(current_app.static_folder))


def _fetcher(weasyprint: Any) -> Any:
    """Serves our fonts from disk, under `font:`; a missing font file only means the system's font."""
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    folder = _static() / "vendor"

    class OnlyOurFonts(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: Any = None) -> Any:
            name = url.removeprefix(FONT_SCHEME)
            if not url.startswith(FONT_SCHEME) or name not in FONTS:
                raise ValueError("documents fetch nothing but their fonts")
            return URLFetcherResponse(url, (folder / name).read_bytes(), {"Content-Type": "font/woff2"})

    return OnlyOurFonts()
