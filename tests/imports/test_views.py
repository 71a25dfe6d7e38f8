"""Invoices of the time before, as their customer sees them."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa

from portal.accounts import passwords
from portal.accounts.models import User
from portal.core.db import db, transaction
from portal.imports.models import HistoricalInvoice
from tests.personas import PASSWORD, citra, sign_in  # noqa: F401 - fixtures
from tests.queries import SIGNED_IN_MAX, counted

AYU = "ayu.lestari@example.com"


@pytest.fixture
def old(run, moved) -> HistoricalInvoice:
    assert run("invoices", "--commit").exit_code == 0
    with transaction() as session:
        values = {"password_hash": passwords.hashed(PASSWORD), "language": "en"}
        session.execute(sa.update(User).where(User.email == AYU).values(**values))
    return db.session().scalars(sa.select(HistoricalInvoice).where(HistoricalInvoice.has_pdf)).one()


def test_a_visitor_is_sent_to_sign_in(client, old):
    for address in ("/invoices/before/", f"/invoices/before/{old.id}.pdf"):
        response = client.get(address)
        assert (response.status_code, "/sign-in" in response.location) == (303, True)


def test_a_stranger_finds_nothing(client, old, citra):  # noqa: F811
    sign_in(client, "citra@example.com")
    assert old.number not in client.get("/invoices/before/").text
    assert "Before " not in client.get("/invoices/").text
    assert client.get(f"/invoices/before/{old.id}.pdf").status_code == 404


def test_the_owner_reads_and_downloads(client, old):
    sign_in(client, AYU)
    with counted() as statements:
        page = client.get("/invoices/").text
    assert len(statements) <= SIGNED_IN_MAX
    for words in ("Before ", old.number, "Rp25.000", "n8n, one month", "Refunded"):
        assert words in page, words
    response = client.get(f"/invoices/before/{old.id}.pdf")
    assert (response.mimetype, response.data[:5]) == ("application/pdf", b"%PDF-")
    assert response.headers["Content-Disposition"] == "attachment; filename=2025-0815.pdf"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(f"/invoices/before/{uuid4()}.pdf").status_code == 404


def test_the_list_alone_is_a_page_and_a_region(client, old):
    sign_in(client, AYU)
    assert "<html" in client.get("/invoices/before/").text
    part = client.get("/invoices/before/", headers={"HX-Request": "true"}).text
    assert 'id="imports-invoices"' in part
    assert "<html" not in part
    assert client.get("/invoices/before/?page=999999999").status_code == 200


def test_an_invoice_without_a_file_has_no_download(client, old):
    sign_in(client, AYU)
    other = db.session().scalars(sa.select(HistoricalInvoice).where(~HistoricalInvoice.has_pdf)).one()
    assert f"/invoices/before/{other.id}.pdf" not in client.get("/invoices/").text
    assert client.get(f"/invoices/before/{other.id}.pdf").status_code == 404
