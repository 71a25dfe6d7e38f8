"""Billing details: who stands on documents, checked, audited, and never on those that exist already."""

from __future__ import annotations

import pytest

from jobs import invoices as invoice_jobs
from portal.accounts import rules
from portal.accounts.models import Customer
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import new_id
from portal.invoices import actions as invoices
from portal.invoices.actions import Line
from portal.invoices.models import Document, Series
from tests.books_audit import assert_books_are_clean
from tests.personas import sign_in

pytest_plugins = ["tests.personas"]
COMPANY = {
    "kind": "ORGANISATION", "company": "PT Karya Anak Bangsa", "npwp": "01.312.166.0-091.000",
    "address": "Jl. Iskandarsyah II No. 2\r\nJakarta 12160", "email": "Finance@Karya.example",
}  # fmt: skip


def customer(person) -> Customer:
    db.session.close()
    return db.session().get_one(Customer, person.customer_id)


def document(person) -> Document:
    with transaction() as session:
        drafted = invoices.draft(
            session, customer_id=person.customer_id, series=Series.INVOICE, reference_kind="test",
            reference_id=new_id(), lines=[Line("subscription", {}, 25_000)], now=clock.now(),
        )  # fmt: skip
        invoices.issue(session, drafted.id, now=clock.now())
    db.session.close()
    return db.session().get_one(Document, drafted.id)


@pytest.mark.parametrize(
    "text, digits",
    [("01.312.166.0-091.000", "013121660091000"), ("013121660091000", "013121660091000"),
     ("0013121660091000", "0013121660091000"), ("3171 0123 4567 8901", "3171012345678901")],
)  # fmt: skip
def test_tax_numbers_in_every_spelling(text, digits):
    assert rules.normal_npwp(text) == digits


@pytest.mark.parametrize(
    "text", ["", "01.312.166.1-091.000", "0013121661091000", "12345", "1" * 17, "000000000000000", "0" * 16,
             "01.312.166.0-091.00x", "٠١٣١٢١٦٦٠٠٩١٠٠٠", "013121660091000\0"],
)  # fmt: skip
def test_what_is_no_tax_number(text):
    assert rules.normal_npwp(text) is None


def test_tax_numbers_are_written_as_the_office_writes_them():
    assert rules.format_npwp("013121660091000") == "01.312.166.0-091.000"
    assert rules.format_npwp("0013121660091000") == "0013 1216 6009 1000"


def test_a_company_stands_on_documents_from_now_on(client, ayu):
    before = document(ayu)
    browser = sign_in(client, ayu.email)
    assert browser.post("/profile/billing", data=COMPANY).status_code == 303
    after = document(ayu)
    assert before.buyer == {"name": "Ayu Lestari", "email": "ayu@example.com", "number": before.buyer["number"]}
    assert after.buyer == {
        "name": "PT Karya Anak Bangsa", "email": "finance@karya.example", "number": before.buyer["number"],
        "address": "Jl. Iskandarsyah II No. 2, Jakarta 12160", "npwp": "01.312.166.0-091.000",
    }  # fmt: skip
    page = browser.get(f"/invoices/{after.id}").text
    assert "NPWP 01.312.166.0-091.000" in page
    assert "Jl. Iskandarsyah II No. 2" in page
    assert "PT Karya Anak Bangsa" not in browser.get(f"/invoices/{before.id}").text
    assert_books_are_clean()


def test_the_pdf_shows_the_tax_number(portal, client, ayu, tmp_path):
    import subprocess

    sign_in(client, ayu.email).post("/profile/billing", data=COMPANY)
    issued = document(ayu)
    invoice_jobs.render(str(issued.id))
    browser = sign_in(portal.test_client(), ayu.email)
    path = tmp_path / "invoice.pdf"
    path.write_bytes(browser.get(f"/invoices/{issued.id}.pdf").data)
    text = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout
    assert "01.312.166.0-091.000" in text
    assert "PT Karya Anak Bangsa" in text


def test_it_is_written_down_who_changed_what_and_a_repeat_is_not(client, ayu):
    browser = sign_in(client, ayu.email)
    for _ in range(2):
        browser.post("/profile/billing", data=COMPANY)
    [note] = db.session().query(AuditEntry).filter_by(action="customer.billing_changed").all()
    assert (note.actor_id, note.subject_id) == (ayu.user_id, str(ayu.customer_id))
    assert note.facts["before"]["npwp"] == ""
    assert note.facts["after"]["npwp"] == "01.312.166.0-091.000"


def test_going_back_to_a_person_takes_the_companys_details_along(client, ayu):
    browser = sign_in(client, ayu.email)
    browser.post("/profile/billing", data=COMPANY)
    browser.post("/profile", data={"name": "Ayu L", "phone": "", "language": "en"})
    assert customer(ayu).name == "PT Karya Anak Bangsa", "a profile names the person, not the company"
    browser.post("/profile/billing", data=COMPANY | {"kind": "PERSON"})
    now = customer(ayu)
    assert (now.kind, now.name, now.npwp, now.billing_address) == ("PERSON", "Ayu L", None, None)


@pytest.mark.parametrize(
    "wrong",
    [{"npwp": "01.312.166.1-091.000"}, {"npwp": ""}, {"company": ""}, {"company": "x" * 101}, {"company": "\u202eTP"},
     {"company": "a\0b"}, {"address": ""}, {"address": "x" * 301}, {"address": "a\0b"}, {"email": "nobody"},
     {"email": "a@b.example\r\nBcc: x@y.example"}, {"kind": "KING"}, {"company": "x" * 10_000}],
)  # fmt: skip
def test_what_cannot_stand_on_a_document_comes_back_with_the_form(client, ayu, wrong):
    answer = sign_in(client, ayu.email).post("/profile/billing", data=COMPANY | wrong)
    assert answer.status_code == 422
    assert "field-error" in answer.text
    assert customer(ayu).kind == "PERSON"


def test_markup_in_a_companys_name_is_shown_as_what_it_is(client, ayu):
    browser = sign_in(client, ayu.email)
    browser.post("/profile/billing", data=COMPANY | {"company": "PT <b>Tebal</b> & Co."})
    assert "PT &lt;b&gt;Tebal&lt;/b&gt; &amp; Co." in browser.get(f"/invoices/{document(ayu).id}").text


def test_an_administrator_sees_and_changes_them_and_it_is_written_down(client, portal, ayu, dewi):
    address = f"/admin/customers/{ayu.customer_id}/billing"
    assert client.get(address).status_code == 303
    assert sign_in(portal.test_client(), ayu.email).get(address).status_code == 404
    admin = sign_in(client, dewi.email)
    assert "ayu@example.com" in admin.get(address).text
    assert admin.post(address, data=COMPANY).status_code == 303
    assert customer(ayu).npwp == "013121660091000"
    [note] = db.session().query(AuditEntry).filter_by(action="customer.billing_changed").all()
    assert note.actor_id == dewi.user_id
    assert admin.post(address, data=COMPANY | {"npwp": "1"}).status_code == 422
    assert admin.get(f"/admin/customers/{new_id()}/billing").status_code == 404
