"""The books: what the audits and comparisons found, what was said about it, and the journal for the accountant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from portal.admin.acting import acting
from portal.admin.queries import books as queries
from portal.admin.queries import invoices as documents
from portal.admin.reasons import reason
from portal.admin.spans import start_of
from portal.books import actions
from portal.books.audit import CHECKS
from portal.books.wording import PROMISES
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.invoices.models import NUMBER_PREFIX
from portal.notices.wording.reports import ADVICE
from portal.web import htmx, limits, spreadsheets
from portal.web.forms import PortalForm
from portal.web.guards import administrator

blueprint = Blueprint("admin_books", __name__)
CHECK_NAMES = [check.__name__ for check in CHECKS]
JOURNAL_HEADING = (
    "date", "entry", "kind", "account", "customer_number", "debit", "credit", "currency", "document", "key",
)  # fmt: skip
DOCUMENTS_HEADING = (
    "number", "date", "series", "status", "corrects", "customer_number", "customer", "npwp", "net", "dpp",
    "ppn_rate_percent", "ppn", "total", "currency", "tax_invoice_number",
)  # fmt: skip
MONTHS_OFFERED = 13


class ExplanationForm(PortalForm):
    """Why something differs."""

    reason = reason(_l("What is behind it"), longest=1000)


@blueprint.get("/")
@administrator
def overview() -> Response:
    """The latest audits, what differs, the days beside the gateway, and the files."""
    return _page()


def _page(*, status: int = 200, wrong: ExplanationForm | None = None) -> Response:
    session = db.session()
    audits = queries.audits(session)
    return htmx.render(
        "admin/books/overview.html", status=status, wrong=wrong, audits=audits, checks=CHECK_NAMES, promises=PROMISES,
        latest=next((one for one in audits if one.ended_at), None), differences=queries.open_differences(session),
        days=queries.reconciliations(session), advice=ADVICE, months=_months(clock.today()),
    )  # fmt: skip


def _months(day: date) -> list[str]:
    """This month and those before, as addresses name them."""
    firsts = [day.replace(day=1)]
    while len(firsts) < MONTHS_OFFERED:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    return [f"{first:%Y-%m}" for first in firsts]


@blueprint.post("/audits")
@administrator
def audit() -> Response:
    """Queues an audit."""
    with transaction() as session:
        actions.ask_for_audit(session, actor=acting(), now=clock.now())
    flash(_("The audit is queued. Load this page again in a minute."), "info")
    return htmx.leave_for(url_for("admin_books.overview"))


@blueprint.post("/comparisons")
@administrator
def compare() -> Response:
    """Queues the comparison of yesterday with the gateway."""
    with transaction() as session:
        actions.ask_for_comparison(session, clock.today() - timedelta(days=1), actor=acting(), now=clock.now())
    flash(_("The comparison is queued. It asks the gateway about every order, so it takes a while."), "info")
    return htmx.leave_for(url_for("admin_books.overview"))


@blueprint.post("/differences/<uuid:difference_id>/explanation")
@administrator
def explain(difference_id: UUID) -> Response:
    """Notes why something differs; it stays until a run does not find it any more."""
    form = ExplanationForm()
    if not form.validate_on_submit():
        return _page(status=422, wrong=form)
    with transaction() as session:
        actions.explain(session, difference_id, reason=str(form.reason.data), actor=acting(), now=clock.now())
    flash(_("Noted. It stays in the list until a run does not find it any more."), "success")
    return htmx.leave_for(url_for("admin_books.overview"))


@blueprint.get("/journal.csv")
@administrator
@limits.limiter.limit(limits.EXPORT, key_func=limits.by_user)
def journal() -> Response:
    """A month's journal, one line per posting; the last line is the totals, which are equal."""
    begin, end = _month()
    rows = _with_totals(queries.journal(db.session(), begin, end))
    return spreadsheets.download(f"journal-{begin:%Y-%m}", JOURNAL_HEADING, rows, list)


def _with_totals(postings: Iterator[Any]) -> Iterator[Sequence[Any]]:
    debits = credits_ = 0
    for row in postings:
        debit, credit = max(-row.amount, 0), max(row.amount, 0)
        debits, credits_ = debits + debit, credits_ + credit
        account = f"{row.account}:{row.qualifier}" if row.qualifier else row.account
        yield (
            row.happened_at, row.entry_id, row.entry_kind, account, row.customer_number, debit or "", credit or "",
            row.currency, _label(row), row.key,
        )  # fmt: skip
    yield ("TOTAL", "", "", "", "", debits, credits_, "", "", "")


def _label(row: Any) -> str:
    return f"{NUMBER_PREFIX[row.series]}/{row.year}/{row.number:06d}" if row.number else ""


@blueprint.get("/documents.csv")
@administrator
@limits.limiter.limit(limits.EXPORT, key_func=limits.by_user)
def documents_csv() -> Response:
    """A month's documents with their PPN, in the order of issue."""
    begin, end = _month()
    rows = documents.issued_between(db.session(), begin, end)
    return spreadsheets.download(f"documents-{begin:%Y-%m}", DOCUMENTS_HEADING, rows, _document_cells)


def _document_cells(row: Any) -> list[Any]:
    one, corrects = row
    return [
        one.label, one.issued_at, one.series, one.status, corrects.label if corrects else "", one.buyer.get("number"),
        one.buyer.get("name", ""), one.buyer.get("npwp", ""), one.net, one.ppn_base, one.ppn_rate_percent, one.ppn,
        one.total, one.currency, one.tax_invoice_number or "",
    ]  # fmt: skip


def _month() -> tuple[datetime, datetime]:
    """The asked month's first moment and the next one's, in Jakarta; this month when none is asked."""
    text = request.args.get("month", "") or f"{clock.today():%Y-%m}"
    try:
        first = date.fromisoformat(f"{text}-01")
        following = (first + timedelta(days=31)).replace(day=1)
    except (ValueError, OverflowError):
        raise NotFound from None
    return start_of(first), start_of(following)
