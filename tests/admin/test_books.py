"""The books for an administrator: audits, differences that are explained but not mended, files that balance."""

from __future__ import annotations

import csv
import io

import pytest
import sqlalchemy as sa

from jobs import books as jobs
from portal.audit.models import AuditEntry
from portal.books.audit import CHECKS
from portal.books.models import BooksAudit, BooksDifference, Reconciliation
from portal.books.wording import PROMISES
from portal.core.db import db
from portal.core.outbox import OutboxMessage
from tests.admin.test_invoices import SLOW, credit, invoice  # noqa: F401 - a fixture
from tests.admin.test_payments import NOBODYS, admin  # noqa: F401 - a fixture
from tests.books.shop import Order, give
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.outside import outside, outside_server  # noqa: F401 - fixtures
from tests.payments.conftest import counter  # noqa: F401 - a fixture
from tests.personas import sign_in
from tests.queries import counted
from tests.subscriptions.conftest import n8n, owner, shop  # noqa: F401 - fixtures

pytest_plugins = ["tests.personas"]
PAGE_MAX = 6
READS = ["", "journal.csv", "documents.csv"]
WRITES = ["audits", "comparisons", f"differences/{NOBODYS}/explanation"]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def break_a_slot() -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE plan SET slots_used = slots_used + 1"))


def difference() -> BooksDifference:
    db.session.close()
    return db.session().query(BooksDifference).filter_by(resolved_at=None).first()


def test_only_an_administrator_knows_it_is_there(client, ayu, dewi):
    form = {"reason": "known since Monday"}
    assert {client.get(f"/admin/books/{one}").status_code for one in READS} == {303}
    assert {client.post(f"/admin/books/{one}", data=form).status_code for one in WRITES} == {303}
    customer = sign_in(client, ayu.email)
    assert {customer.get(f"/admin/books/{one}").status_code for one in READS} == {404}
    assert {customer.post(f"/admin/books/{one}", data=form).status_code for one in WRITES} == {404}
    client.post("/sign-out")
    sign_in(client, dewi.email)
    assert {client.get(f"/admin/books/{one}").status_code for one in READS} == {200}
    assert client.post(f"/admin/books/{WRITES[-1]}", data=form).status_code == 404


def test_every_check_says_what_it_proves(portal):
    assert set(PROMISES) == {check.__name__ for check in CHECKS}


def test_an_audit_is_asked_for_once_and_its_results_stand_check_by_check(admin, shop, dewi, outside):  # noqa: F811
    assert "None has run yet" in admin.get("/admin/books/").text
    for _ in range(2):
        assert admin.post("/admin/books/audits").status_code == 303
    [asked] = db.session().query(BooksAudit).all()
    assert db.session().query(OutboxMessage).filter_by(name="books.hand_over_audit").count() == 1
    jobs.prove(str(asked.id))
    page = admin.get("/admin/books/").text
    assert page.count("Holds</span>") == len(CHECKS)
    [note] = db.session().query(AuditEntry).filter_by(action="books.audit_asked").all()
    assert (note.actor_id, note.subject_id) == (dewi.user_id, str(asked.id))
    break_a_slot()
    jobs.audit()
    with counted() as queries:
        page = admin.get("/admin/books/").text
    assert len(queries) <= PAGE_MAX
    assert page.count("Holds</span>") == len(CHECKS) - 1
    assert "by the clock" in page


def test_a_difference_is_explained_and_stays_until_it_is_gone(admin, shop, dewi, outside):  # noqa: F811
    break_a_slot()
    jobs.audit()
    found = difference()
    path = f"/admin/books/differences/{found.id}/explanation"
    assert admin.post(path, data={"reason": "no"}).status_code == 422
    assert admin.post(path, data={"reason": "a migration <b>by hand</b>"}).status_code == 303
    assert "a migration &lt;b&gt;by hand&lt;/b&gt;" in admin.get("/admin/books/").text
    [note] = db.session().query(AuditEntry).filter_by(action="books_difference.explained").all()
    assert (note.actor_id, note.subject_id, note.facts["before"]) == (
        dewi.user_id,
        str(found.id),
        {"explanation": None},
    )
    jobs.audit()
    kept = db.session().get_one(BooksDifference, found.id, populate_existing=True)
    assert (kept.resolved_at, kept.explanation) == (None, "a migration <b>by hand</b>")
    break_a_slot()
    jobs.audit()
    assert db.session().get_one(BooksDifference, found.id, populate_existing=True).explained_at is None
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE plan SET slots_used = 0"))
    jobs.audit()
    assert admin.post(path, data={"reason": "too late now"}).status_code == 409
    assert "Nothing differs." in admin.get("/admin/books/").text


def test_yesterday_is_compared_when_asked(admin, counter, outside):  # noqa: F811
    for _ in range(2):
        assert admin.post("/admin/books/comparisons").status_code == 303
    run_due_work(without=SLOW)
    assert db.session().query(Reconciliation).one().ended_at is not None
    assert "Agrees" in admin.get("/admin/books/").text
    assert db.session().query(AuditEntry).filter_by(action="books.comparison_asked").count() == 2


def test_a_decided_amount_is_no_difference_to_the_comparison(admin, counter, ayu, outside):  # noqa: F811
    from datetime import timedelta

    from portal.payments.models import GatewayTransaction

    payment = counter.ask()
    outside.midtrans.inject("promo", amount=10_000)
    transaction_id = counter.pay(payment)
    counter.look(payment)
    assert counter.status(payment) == "IN_REVIEW"
    row = db.session().query(GatewayTransaction).filter_by(transaction_id=transaction_id).one()
    form = {"amount": "40000", "reason": "agreed by phone"}
    assert admin.post(f"/admin/top-ups/{payment.id}/transactions/{row.id}/credit", data=form).status_code == 303
    counter.pass_time(timedelta(days=1))
    sign_in(admin, "dewi@example.com")
    admin.post("/admin/books/comparisons")
    run_due_work(without=SLOW)
    figures = db.session().query(Reconciliation).one().figures
    assert (figures["asked"], figures["ours"], figures["gateway"]) == (1, *[{"count": 1, "sum": 40_000}] * 2)
    assert difference() is None
    assert_books_are_clean()


def test_the_journal_balances_and_names_the_documents(admin, owner, ayu, invoice):  # noqa: F811
    Order(ayu.customer_id).hear("settlement")
    credit(admin, invoice.id, 10_000)
    run_due_work(without=SLOW)
    *rows, total = rows_of(admin.get("/admin/books/journal.csv?month=2026-03").text)
    assert total["date"] == "TOTAL"
    assert total["debit"] == total["credit"] == str(sum(int(row["debit"] or 0) for row in rows))
    named = {row["kind"]: row["document"] for row in rows}
    assert (named["TOP_UP"], named["PURCHASE"], named["PURCHASE_REFUND"]) == (
        "RCP/2026/000001", "INV/2026/000001", "CN/2026/000001",
    )  # fmt: skip
    assert named["ADJUSTMENT"] == ""
    documents = rows_of(admin.get("/admin/books/documents.csv?month=2026-03").text)
    assert {row["number"]: row["corrects"] for row in documents} == {
        "RCP/2026/000001": "", "INV/2026/000001": "", "CN/2026/000001": "INV/2026/000001",
    }  # fmt: skip
    assert all(int(row["net"]) + int(row["ppn"]) == int(row["total"]) for row in documents)
    assert_books_are_clean()


def test_months_end_at_midnight_in_jakarta(admin, ayu):  # noqa: F811
    from datetime import UTC, datetime

    from portal.core import clock

    with clock.at(datetime(2026, 3, 31, 17, 30, tzinfo=UTC)):  # 1 April, 00:30 in Jakarta
        give(ayu.customer_id, 5_000)
    assert len(rows_of(admin.get("/admin/books/journal.csv?month=2026-03").text)) == 1
    assert len(rows_of(admin.get("/admin/books/journal.csv?month=2026-04").text)) == 3


@pytest.mark.parametrize("month", ["2026-13", "x", "9999-12", "2026-03-01", "%00"])
def test_a_month_that_is_none_is_not_found(admin, month):  # noqa: F811
    assert admin.get(f"/admin/books/journal.csv?month={month}").status_code == 404
