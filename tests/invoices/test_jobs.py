"""From draft to mailed PDF, and every fault on the way: the document and the books stand."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import weasyprint
from pydantic import SecretStr

from config import settings
from jobs import invoices as jobs
from portal.core import clock
from portal.core.db import db
from portal.core.outbox import OutboxMessage
from portal.invoices import pdf, queries
from portal.invoices.models import Document, Series
from portal.notices.models import Mail, MailStatus
from tests.conftest import run_due_work, settle


def only(table: Any) -> Any:
    db.session.rollback()
    return db.session().scalars(sa.select(table).execution_options(populate_existing=True)).one()


def assert_issued_without_pdf(document: Document) -> None:
    assert (document.label, document.total, document.net + document.ppn) == ("INV/2026/000001", 25_000, 25_000)
    assert document.pdf_rendered_at is None
    assert document.pdf_error


def test_a_sale_ends_as_a_numbered_pdf_in_the_buyers_mail(ayu, draft_for, post_office, drain):
    draft_for(ayu)
    drain()
    document = only(Document)
    assert document.label == "INV/2026/000001"
    assert document.pdf.startswith(b"%PDF-")
    letter = post_office.letters[0]
    attached = next(letter.iter_attachments())
    assert attached.get_filename() == "INV-2026-000001.pdf"
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_content() == document.pdf
    assert f"/invoices/{document.id}" in letter.get_body(("plain",)).get_content()
    assert "INV/2026/000001" in letter["Subject"]


def test_running_every_job_again_changes_nothing(ayu, draft_for, post_office, drain):
    draft_for(ayu)
    drain()
    first = only(Document).pdf
    document_id = str(only(Document).id)
    jobs.issue(document_id)
    jobs.render(document_id)
    drain()
    assert only(Document).pdf == first
    assert len(post_office.letters) == 1


def test_without_the_libraries_the_mail_goes_out_and_links_the_page(ayu, draft_for, post_office, drain, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    draft_for(ayu)
    drain()
    assert_issued_without_pdf(only(Document))
    letter = post_office.letters[0]
    assert list(letter.iter_attachments()) == []
    assert f"/invoices/{only(Document).id}" in letter.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    "fault", [RuntimeError("a bug in the renderer"), OSError(errno.ENOSPC, "disk full"), MemoryError()]
)
def test_a_renderer_that_fails_leaves_the_document_and_the_mail(ayu, draft_for, post_office, drain, monkeypatch, fault):
    def fail(**_: object) -> None:
        raise fault

    monkeypatch.setattr(weasyprint, "HTML", fail)
    draft_for(ayu)
    drain()
    assert_issued_without_pdf(only(Document))
    assert len(post_office.letters) == 1


def test_smtp_down_leaves_the_document_and_its_pdf(ayu, draft_for, monkeypatch):
    monkeypatch.setattr(settings(), "smtp_url", SecretStr("smtp://127.0.0.1:9"))
    draft_for(ayu)
    run_due_work()
    assert only(Document).pdf.startswith(b"%PDF-")
    assert only(Mail).status == MailStatus.QUEUED


def test_a_pdf_made_later_mails_nobody_again(ayu, draft_for, post_office, drain, monkeypatch, client):
    from tests.personas import sign_in

    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "weasyprint", None)
        draft_for(ayu)
        drain()
    sign_in(client, "ayu@example.com")
    clock.advance(timedelta(minutes=2))
    client.get(f"/invoices/{only(Document).id}.pdf")
    drain()
    assert only(Document).pdf.startswith(b"%PDF-")
    assert only(Document).pdf_error is None
    assert len([letter for letter in post_office.letters if "INV" in letter["Subject"]]) == 1


def test_a_mail_waits_a_moment_for_a_pdf_under_way(ayu, draft_for, post_office):
    """Something told with `document_id` before the document is rendered still carries the PDF."""
    from portal.core.db import transaction
    from portal.notices import actions

    document = draft_for(ayu)
    with transaction() as session:
        session.execute(sa.delete(OutboxMessage))
        options = {"customer_id": ayu.customer_id, "code": "subscription_started", "parameters": {}}
        actions.tell(session, unique_key="early", now=clock.now(), document_id=document.id, **options)
    run_due_work()
    assert post_office.letters == []
    jobs.issue(str(document.id))
    settle(for_at_most=timedelta(minutes=1))
    early = next(letter for letter in post_office.letters if "INV" not in letter["Subject"])
    assert [attached.get_filename() for attached in early.iter_attachments()] == ["INV-2026-000001.pdf"]


def rendered(document: Document) -> bytes:
    db.session.rollback()
    found = queries.document(db.session(), document.id)
    return pdf.render(found)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils is not installed")
@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["Invoice", "PPN, 12 percent of the tax base", "Total, PPN included", "11/12", "2026"])],
)
def test_the_pdf_says_what_an_invoice_must_say(ayu, draft_for, tmp_path, language, words):
    document = draft_for(ayu, amount=111_000)
    jobs.issue(str(document.id))
    file = tmp_path / "invoice.pdf"
    file.write_bytes(rendered(document))
    text = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, text=True).stdout
    figures = ["Rp111.000", "Rp100.000", "Rp91.667", "Rp11.000", "INV/2026/000001", "Ayu Lestari"]
    assert [word for word in [*words, *figures, settings().legal_name] if word not in text] == []


def test_a_document_fetches_nothing_from_anywhere(ayu, draft_for, monkeypatch):
    """A name is text; and an address in a style would be refused before a socket opens."""
    fetcher = pdf._fetcher(weasyprint)
    for address in ("http://169.254.169.254/", "file:///etc/passwd", "font:../../../etc/passwd", "https://x"):
        with pytest.raises(ValueError, match="fetch nothing"):
            fetcher.fetch(address)


def test_a_name_in_markup_is_only_text_in_the_pdf(ayu, citra, draft_for):
    from portal.accounts.models import Customer
    from portal.core.db import transaction

    with transaction() as session:
        session.get_one(Customer, ayu.customer_id).name = '<img src="file:///etc/passwd">&<b>'
    document = draft_for(ayu, Series.RECEIPT)
    jobs.issue(str(document.id))
    assert rendered(document).startswith(b"%PDF-")
