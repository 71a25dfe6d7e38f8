"""Drafting and numbering on a real database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from config import settings
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import new_id
from portal.core.outbox import OutboxMessage
from portal.invoices import actions
from portal.invoices.models import Document, DocumentLine, DocumentSeries, Series

NEW_YEAR = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)
"""Midnight in Jakarta: 2027 begins."""


def issue(document_id):
    with transaction() as session:
        return actions.issue(session, document_id, now=clock.now())


def test_an_invoice_shows_the_ppn_in_its_price(ayu, draft_for):
    document = draft_for(ayu, amount=111_000)
    assert (document.net, document.ppn, document.ppn_base, document.total) == (100_000, 11_000, 91_667, 111_000)
    assert document.buyer == {"name": "Ayu Lestari", "email": "ayu@example.com", "number": ayu.customer.number}
    assert document.seller["name"] == settings().legal_name
    assert document.language == "en"
    assert document.label == ""


def test_a_receipt_carries_no_ppn(ayu, draft_for):
    document = draft_for(ayu, Series.RECEIPT, amount=50_000)
    assert (document.net, document.ppn, document.ppn_base, document.total) == (50_000, 0, 0, 50_000)


def test_a_seller_who_is_no_pkp_invoices_without_ppn(ayu, draft_for, monkeypatch):
    monkeypatch.setattr(settings(), "ppn_rate_percent", 0)
    assert draft_for(ayu).ppn == 0


def test_a_credit_note_takes_the_rate_of_the_invoice_it_corrects(ayu, draft_for, monkeypatch):
    invoice = draft_for(ayu, amount=111_000)
    monkeypatch.setattr(settings(), "ppn_rate_percent", 24)
    note = draft_for(ayu, Series.CREDIT_NOTE, amount=111_000, corrects_id=invoice.id)
    assert (note.net, note.ppn, note.ppn_rate_percent) == (100_000, 11_000, 12)


def test_the_same_reference_drafts_one_document(ayu, draft_for, session):
    reference_id = new_id()
    first = draft_for(ayu, reference_id=reference_id)
    again = draft_for(ayu, amount=99_000, reference_id=reference_id)
    assert again.id == first.id
    assert again.total == 25_000
    assert session.scalar(sa.select(sa.func.count()).select_from(DocumentLine)) == 1
    jobs = sa.select(sa.func.count()).where(OutboxMessage.name == "invoices.issue")
    assert session.scalar(jobs) == 1


def test_each_series_counts_for_itself(ayu, draft_for):
    labels = [issue(draft_for(ayu, series).id).label for series in (Series.RECEIPT, Series.INVOICE)]
    note = draft_for(ayu, Series.CREDIT_NOTE)
    assert [*labels, issue(note.id).label] == ["RCP/2026/000001", "INV/2026/000001", "CN/2026/000001"]


def test_issuing_again_keeps_the_number_and_the_time(ayu, draft_for):
    document = issue(draft_for(ayu).id)
    first = (document.number, document.issued_at)
    clock.advance(timedelta(days=1))
    again = issue(document.id)
    assert (again.number, again.issued_at) == first


def test_what_a_credit_note_corrects_is_issued_before_it(ayu, draft_for, session):
    invoice = draft_for(ayu)
    note = draft_for(ayu, Series.CREDIT_NOTE, corrects_id=invoice.id)
    issue(note.id)
    assert session.get_one(Document, invoice.id, populate_existing=True).label == "INV/2026/000001"


def test_numbers_begin_anew_at_midnight_in_jakarta(ayu, draft_for):
    before, after = draft_for(ayu), draft_for(ayu)
    with clock.at(NEW_YEAR - timedelta(seconds=1)):
        assert issue(before.id).label == "INV/2026/000001"
    with clock.at(NEW_YEAR):
        assert issue(after.id).label == "INV/2027/000001"


def test_a_rollback_gives_its_number_back(ayu, draft_for):
    lost, next_one = draft_for(ayu), draft_for(ayu)
    with pytest.raises(RuntimeError):
        with transaction() as session:
            assert actions.issue(session, lost.id, now=clock.now()).number == 1
            raise RuntimeError("the worker dies before its commit")
    assert issue(next_one.id).number == 1
    assert issue(lost.id).number == 2


def test_a_hundred_parallel_issues_are_unique_and_gapless(portal, ayu, draft_for, session):
    """Every third issue fails once after taking its number: that number must come back."""
    ids = [draft_for(ayu).id for _ in range(100)]

    def issue_apart(position: int) -> None:
        with portal.app_context():
            if position % 3 == 0:
                with pytest.raises(RuntimeError), transaction() as failing:
                    actions.issue(failing, ids[position], now=clock.now())
                    raise RuntimeError("rolled back with its number in hand")
            issue(ids[position])
            db.session.remove()

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(issue_apart, range(100)))
    assert sorted(session.scalars(sa.select(Document.number))) == list(range(1, 101))
    assert session.scalar(sa.select(DocumentSeries.last_number)) == 100


def test_parallel_drafts_of_one_sale_make_one_document(portal, ayu, draft_for, session):
    reference_id = new_id()

    def draft_apart(_: int) -> str:
        with portal.app_context():
            try:
                return str(draft_for(ayu, reference_id=reference_id).id)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(max_workers=8) as pool:
        drafted = set(pool.map(draft_apart, range(16)))
    assert len(drafted) == 1
    assert session.scalar(sa.select(sa.func.count()).select_from(Document)) == 1


def test_a_pdf_is_asked_for_once_a_minute_at_most(ayu, draft_for):
    document = issue(draft_for(ayu).id)

    def ask() -> bool:
        with transaction() as session:
            return actions.ask_for_pdf(session, document.id, now=clock.now())

    assert ask() is False  # issuing it has asked a moment ago
    clock.advance(timedelta(minutes=2))
    assert [ask(), ask()] == [True, False]


def test_the_first_pdf_stays(ayu, draft_for, session):
    document = issue(draft_for(ayu).id)
    for content in (b"%PDF first", b"%PDF second"):
        with transaction() as writing:
            actions.keep_pdf(writing, document.id, content, now=clock.now())
    assert session.get_one(Document, document.id, populate_existing=True).pdf == b"%PDF first"
