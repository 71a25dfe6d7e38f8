"""Documents for an administrator: found by number, mailed again, and an invoice credited once by a note."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditEntry
from portal.core.db import db
from portal.invoices.models import Document, Series
from portal.notices.models import Mail
from portal.subscriptions.models import SubscriptionCharge
from tests.admin.test_payments import NOBODYS, admin, dewi_id  # noqa: F401 - fixtures
from tests.books.shop import Order
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.outside import outside, outside_server  # noqa: F401 - fixtures
from tests.personas import sign_in
from tests.queries import counted
from tests.subscriptions.conftest import n8n, owner, shop  # noqa: F401 - fixtures
from tests.subscriptions.owned import PRICE, balance

pytest_plugins = ["tests.personas"]
LIST_MAX, PAGE_MAX = 5, 10
SLOW = ("invoices.render", "notices.deliver", "instances.provision", "instances.check")


@pytest.fixture
def invoice(n8n, outside) -> Document:  # noqa: F811 - fixtures
    """The numbered invoice of Ayu's n8n."""
    run_due_work(without=SLOW)
    return of_series(Series.INVOICE)[0]


def of_series(series: Series) -> list[Document]:
    db.session.close()
    return list(
        db.session().scalars(sa.select(Document).where(Document.series == series).order_by(Document.created_at))
    )


def charge() -> SubscriptionCharge:
    db.session.close()
    return db.session().query(SubscriptionCharge).one()


def credit(admin, document_id: UUID, amount: int, *, before: int = 0, reason: str = "billed twice"):  # noqa: F811
    form = {"amount": str(amount), "before": str(before), "reason": reason}
    return admin.post(f"/admin/invoices/{document_id}/credit", data=form)


@pytest.mark.parametrize("address", ["", NOBODYS, f"{NOBODYS}.pdf"])
def test_only_an_administrator_knows_it_is_there(client, ayu, dewi, address):
    assert client.get(f"/admin/invoices/{address}").status_code == 303
    assert sign_in(client, ayu.email).get(f"/admin/invoices/{address}").status_code == 404
    client.post("/sign-out")
    found = sign_in(client, dewi.email).get(f"/admin/invoices/{address}").status_code
    assert found == (404 if address else 200)


@pytest.mark.parametrize("act", ["credit", "mailing", "rendering"])
def test_nobody_else_acts(client, dewi, invoice, act):
    form = {"amount": "100", "before": "0", "reason": "because of this"}
    for path in (f"/admin/invoices/{invoice.id}/{act}", f"/admin/invoices/{NOBODYS}/{act}"):
        assert client.post(path, data=form).status_code == 303
    customer = sign_in(client, "ayu@example.com")
    assert customer.post(f"/admin/invoices/{invoice.id}/{act}", data=form).status_code == 404
    client.post("/sign-out")
    assert sign_in(client, "dewi@example.com").post(f"/admin/invoices/{NOBODYS}/{act}", data=form).status_code == 404
    assert charge().refunded == 0


def test_one_is_found_by_number_and_whose_it_is(admin, invoice):  # noqa: F811
    shown = f"/admin/invoices/{invoice.id}"
    for name in (invoice.label, invoice.label.lower().replace("/", "-"), str(invoice.id), "ayu@example"):
        assert shown in admin.get("/admin/invoices/", query_string={"search": name}).text, name
    for query in ({"search": "INV/2026/000099"}, {"search": "RCP/2026/000001"}, {"series": "RECEIPT"},
                  {"status": "DRAFT"}, {"search": "INV/2026/999999999"}):  # fmt: skip
        answer = admin.get("/admin/invoices/", query_string=query)
        assert (answer.status_code, shown in answer.text) == (200, False), query
    assert admin.get("/admin/invoices/", query_string={"search": "z\x00"}).status_code == 200
    with counted() as queries:
        admin.get("/admin/invoices/?order=-total")
    assert len(queries) <= LIST_MAX
    assert invoice.label in admin.get("/admin/invoices/?format=csv").text


def test_its_page_shows_it_as_the_customer_sees_it(admin, invoice):  # noqa: F811
    with counted() as queries:
        page = admin.get(f"/admin/invoices/{invoice.id}").text
    assert len(queries) <= PAGE_MAX
    assert invoice.label in page
    assert "Void or credit this invoice" in page


def test_voiding_gives_all_of_it_back_by_a_note_and_the_number_stays(admin, owner, dewi_id, invoice):  # noqa: F811
    had = balance(owner)
    answer = credit(admin, invoice.id, PRICE)
    assert "Its number follows in a moment." in admin.get(answer.location).text
    run_due_work(without=SLOW)
    assert "CN/2026/000001" in admin.get(answer.location).text
    [note] = of_series(Series.CREDIT_NOTE)
    assert (note.total, note.corrects_id, note.label) == (PRICE, invoice.id, "CN/2026/000001")
    assert (balance(owner), of_series(Series.INVOICE)[0].label) == (had + PRICE, invoice.label)
    assert credit(admin, invoice.id, PRICE).status_code == 409
    assert credit(admin, invoice.id, 1, before=PRICE).status_code == 409
    assert "Nothing is left of this invoice." in admin.get(f"/admin/invoices/{invoice.id}").text
    assert "Void" in admin.get("/admin/invoices/").text
    [noted] = db.session().query(AuditEntry).filter_by(action="invoice.credited").all()
    assert (noted.actor_id, noted.facts["reason"], noted.facts["after"]) == (
        dewi_id, "billed twice", {"credited": PRICE},
    )  # fmt: skip
    assert db.session().query(Mail).filter_by(code="invoice_credited", document_id=note.id).count() == 1
    assert_books_are_clean()


def test_the_same_form_twice_credits_once_and_parts_add_up(admin, owner, invoice):  # noqa: F811
    had = balance(owner)
    assert [credit(admin, invoice.id, 10_000).status_code for _ in range(2)] == [303, 409]
    assert credit(admin, invoice.id, 15_001, before=10_000).status_code == 409
    assert credit(admin, invoice.id, 15_000, before=10_000).status_code == 303
    run_due_work(without=SLOW)
    assert [note.total for note in of_series(Series.CREDIT_NOTE)] == [10_000, 15_000]
    assert balance(owner) == had + PRICE
    assert_books_are_clean()


def test_two_administrators_at_once_credit_once(admin, portal, owner, invoice):  # noqa: F811
    had, browsers = balance(owner), [portal.test_client() for _ in range(2)]
    for browser in browsers:
        sign_in(browser, "dewi@example.com")
    db.session.close()
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda browser: credit(browser, invoice.id, PRICE).status_code, browsers))
    assert sorted(codes) == [303, 409]
    assert balance(owner) == had + PRICE
    assert_books_are_clean()


@pytest.mark.parametrize("amount", [0, -5, 10**13, PRICE + 1])
def test_a_sum_that_makes_no_sense_is_refused(admin, invoice, amount):  # noqa: F811
    assert credit(admin, invoice.id, amount).status_code in (409, 422)
    assert charge().refunded == 0


@pytest.mark.parametrize("reason", ["", "        ", "x"])
def test_a_credit_needs_a_reason(admin, invoice, reason):  # noqa: F811
    assert credit(admin, invoice.id, PRICE, reason=reason).status_code == 422
    assert charge().refunded == 0


def test_a_receipt_cannot_be_credited(admin, ayu, outside):  # noqa: F811
    Order(ayu.customer_id).hear("settlement")
    run_due_work(without=SLOW)
    [receipt] = of_series(Series.RECEIPT)
    assert "Void or credit" not in admin.get(f"/admin/invoices/{receipt.id}").text
    assert credit(admin, receipt.id, 100).status_code == 409
    assert_books_are_clean()


def test_mailing_again_is_once_a_minute_and_written_down(admin, invoice):  # noqa: F811
    for _ in range(3):
        assert admin.post(f"/admin/invoices/{invoice.id}/mailing").status_code == 303
    assert db.session().query(Mail).filter_by(code="invoice_issued", document_id=invoice.id).count() == 1
    assert {note.subject_id for note in db.session().query(AuditEntry).filter_by(action="document.mailed_again")} == {
        str(invoice.id)
    }


def test_a_missing_pdf_is_asked_for_and_then_downloaded(admin, invoice):  # noqa: F811
    from datetime import timedelta

    from portal.core import clock

    assert admin.get(f"/admin/invoices/{invoice.id}.pdf").status_code == 404
    clock.advance(timedelta(minutes=2))
    assert admin.post(f"/admin/invoices/{invoice.id}/rendering").status_code == 303
    notes = db.session().query(AuditEntry).filter_by(action="document.rendered_again").count()
    assert notes == 1
