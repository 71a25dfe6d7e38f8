"""The ledger: every entry with its postings and what caused it, every account with its history."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import SelectField

from portal.admin import lists
from portal.admin.queries import ledger as queries
from portal.admin.spans import SpanForm
from portal.core.db import db
from portal.wallet.models import EntryKind, JournalEntry
from portal.wallet.wording import ACCOUNTS, ENTRIES, line_text
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_ledger", __name__)
HEADING = ("id", "happened_at", "kind", "sum", "reference_kind", "reference_id", "key", "corrects_id")
POSTING_HEADING = ("id", "happened_at", "number", "kind", "entry_id", "amount", "balance_after", "currency")
WORDS: dict[str, Any] = {"entry_words": ENTRIES, "account_words": ACCOUNTS}


class Filters(SpanForm):
    kind = SelectField(_l("Kind"), default="")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.kind.choices = [("", _("Any kind")), *((kind.value, ENTRIES[kind]) for kind in EntryKind)]

    def asked(self) -> list[Any]:
        kind = self.wanted("kind")
        conditions = [JournalEntry.kind == kind] if kind else []
        return [*conditions, *self.within(JournalEntry.happened_at), *queries.searched(db.session(), self.text())]


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every entry of the journal, newest first."""
    form = Filters(request.args)
    return lists.answer(
        queries.listing(form.asked()), folder="ledger", form=form, heading=HEADING, cells=_cells,
        accounts=queries.accounts_of(db.session(), form.text()), **WORDS,
    )  # fmt: skip


def _cells(row: Any) -> list[Any]:
    one = row.JournalEntry
    return [
        one.id, one.happened_at, one.kind, row.sum, one.reference_kind, one.reference_id, one.idempotency_key,
        one.corrects_id,
    ]  # fmt: skip


@blueprint.get("/entries/<uuid:entry_id>")
@administrator
def show(entry_id: UUID) -> Response:
    """One entry: its sides, whether the chains hold around it, what caused it."""
    page = queries.entry_page(db.session(), entry_id)
    return htmx.render("admin/ledger/show.html", page=page, entry=page.entry, line_text=line_text, **WORDS)


@blueprint.get("/accounts/")
@administrator
def accounts() -> Response:
    """The trial balance: system accounts with their sums, all wallets together. Everything sums to zero."""
    system, wallets = queries.system_accounts(db.session()), queries.wallet_sums(db.session())
    total = sum(balance for _, balance in system) + sum(row.sum for row in wallets)
    return htmx.render("admin/ledger/accounts.html", system=system, wallets=wallets, total=total, **WORDS)


@blueprint.get("/accounts/<uuid:account_id>")
@administrator
def account(account_id: UUID) -> Response:
    """One account and its postings."""
    begins = not (request.args.get("after") or request.args.get("before"))
    page = queries.account_page(db.session(), account_id, summed=begins)
    return lists.answer(
        queries.postings(page.account, []), folder="ledger_postings", form=SpanForm(request.args),
        heading=POSTING_HEADING, cells=_posting_cells, page=page, account=page.account, **WORDS,
    )  # fmt: skip


def _posting_cells(row: Any) -> list[Any]:
    one, entry = row.Posting, row.JournalEntry
    return [
        one.id, entry.happened_at, one.sequence, entry.kind, one.entry_id, one.amount, one.balance_after, one.currency,
    ]  # fmt: skip
