"""Pages of documents: the ladder of access, filters, paging, the download."""

from __future__ import annotations

import sys
from uuid import uuid4

import pytest
import sqlalchemy as sa

from portal.core.db import db
from portal.invoices import actions
from portal.invoices.models import Document, Series
from tests.personas import sign_in

HTMX = {"HX-Request": "true"}


@pytest.fixture
def invoice(ayu, draft_for, post_office, drain) -> Document:
    document = draft_for(ayu)
    drain()
    db.session.rollback()
    return db.session().get_one(Document, document.id, populate_existing=True)


def addresses(document: Document) -> list[str]:
    return ["/invoices/", f"/invoices/{document.id}", f"/invoices/{document.id}.pdf"]


def test_a_visitor_is_sent_to_sign_in(client, invoice):
    for address in addresses(invoice):
        response = client.get(address)
        assert (response.status_code, "/sign-in" in response.location) == (303, True)


def test_a_stranger_finds_nothing(client, invoice, citra):
    sign_in(client, "citra@example.com")
    listing, page, download = (client.get(address) for address in addresses(invoice))
    assert invoice.label not in listing.text
    assert (page.status_code, download.status_code) == (404, 404)


def test_an_administrator_is_a_stranger_here_too(client, invoice, portal):
    from tests.personas import register_person

    register_person("Dewi", "dewi@example.com", administrator=True)
    sign_in(client, "dewi@example.com")
    assert client.get(f"/invoices/{invoice.id}").status_code == 404


def test_the_owner_reads_and_downloads(client, invoice, ayu):
    sign_in(client, "ayu@example.com")
    listing, page, download = (client.get(address) for address in addresses(invoice))
    assert invoice.label in listing.text
    for words in (invoice.label, "Rp25.000", "Rp2.477", "Ayu Lestari", "12 percent", "11/12"):
        assert words in page.text, words
    assert download.mimetype == "application/pdf"
    assert download.headers["Content-Disposition"] == "attachment; filename=INV-2026-000001.pdf"
    assert download.data.startswith(b"%PDF-")


def test_a_draft_is_nobodys_to_see(client, ayu, draft_for):
    document = draft_for(ayu)
    sign_in(client, "ayu@example.com")
    assert client.get(f"/invoices/{document.id}").status_code == 404
    assert client.get(f"/invoices/{uuid4()}.pdf").status_code == 404


def test_before_the_pdf_is_there_the_page_says_so_and_refreshes_itself(client, ayu, draft_for):
    from jobs import invoices as jobs

    document = draft_for(ayu)
    jobs.issue(str(document.id))
    sign_in(client, "ayu@example.com")
    assert client.get(f"/invoices/{document.id}.pdf").status_code == 303
    page = client.get(f"/invoices/{document.id}")
    assert "The PDF is being made" in page.text
    assert 'hx-trigger="every 3s"' in page.text
    part = client.get(f"/invoices/{document.id}", headers=HTMX).text
    assert 'id="invoices-pdf"' in part
    assert "<html" not in part


def test_where_no_pdf_can_be_made_the_page_says_how_to_print(client, ayu, draft_for, post_office, drain, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    document = draft_for(ayu)
    drain()
    sign_in(client, "ayu@example.com")
    response = client.get(f"/invoices/{document.id}.pdf", follow_redirects=True)
    assert response.status_code == 200
    assert "Print this page" in response.text
    assert "every 3s" not in response.text


def test_filters_keep_what_matches(client, ayu, draft_for, post_office, drain):
    draft_for(ayu, Series.RECEIPT)
    draft_for(ayu)
    drain()
    sign_in(client, "ayu@example.com")
    found = client.get("/invoices/?series=RECEIPT&year=2026").text
    assert "RCP/2026/000001" in found
    assert "INV/2026/000001" not in found
    assert "Nothing matches" in client.get("/invoices/?year=2019").text
    part = client.get("/invoices/?series=INVOICE", headers=HTMX).text
    assert 'id="invoices-list"' in part
    assert "<html" not in part


@pytest.mark.parametrize(
    "query", ["series=x", "year=99999999999999999999", "year=-1", "page=0", "page=99999999999999999999", "page=x"]
)
def test_odd_filters_never_break_the_page(client, ayu, query):
    sign_in(client, "ayu@example.com")
    assert client.get(f"/invoices/?{query}").status_code == 200


def test_pages_of_twenty(client, ayu, draft_for, session):
    from portal.core import clock
    from portal.core.db import transaction

    ids = [draft_for(ayu).id for _ in range(21)]
    with transaction() as writing:
        for document_id in ids:
            actions.issue(writing, document_id, now=clock.now())
    sign_in(client, "ayu@example.com")
    first, second = client.get("/invoices/").text, client.get("/invoices/?page=2").text
    assert (first.count("INV/2026/"), second.count("INV/2026/")) == (40, 2)  # the number and the label of its PDF


def test_an_empty_list_says_what_to_do(client, ayu):
    sign_in(client, "ayu@example.com")
    assert "No documents yet" in client.get("/invoices/").text


def test_the_listing_stays_within_the_page_budget(client, invoice, ayu):
    sign_in(client, "ayu@example.com")
    statements: list[str] = []
    sa.event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    client.get("/invoices/")
    assert len([text for text in statements if text.startswith("SELECT")]) <= 6
