"""Top-ups for an administrator: finding one, reading all of it, and deciding what the gateway's word leaves open."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.core.db import db
from portal.invoices.models import Document
from portal.notices.models import Notice
from portal.payments.models import GatewayTransaction, Payment
from portal.wallet.models import JournalEntry
from tests.books.shop import Order, balance
from tests.books_audit import assert_books_are_clean
from tests.outside import outside, outside_server  # noqa: F401 - fixtures
from tests.payments.conftest import counter  # noqa: F401 - a fixture
from tests.personas import sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
LIST_MAX = 5
SEARCH_MAX = 2  # what is searched for is looked up first
PAGE_MAX = 12
NOBODYS = "0197b2a0-0000-7000-8000-000000000001"


@pytest.fixture
def admin(client, dewi):
    return sign_in(client, dewi.email)


@pytest.fixture
def dewi_id(dewi) -> UUID:
    """Plain: rows of a closed session tell nothing."""
    return db.session().scalars(sa.select(User.id).where(User.email == "dewi@example.com")).one()


@pytest.fixture
def short(ayu):
    """Ayu asked for 50.000 and paid 40.000."""
    from portal.core.money import rupiah

    order = Order(ayu.customer_id, 50_000)
    order.hear("settlement", amount=rupiah(40_000), amount_text="40000.00")
    return order


def transaction_of(order: Order) -> UUID:
    return db.session().scalars(sa.select(GatewayTransaction.id)).one()


def status_of(order: Order) -> str:
    return db.session().get_one(Payment, order.payment_id, populate_existing=True).status


def decide(admin, order: Order, verb: str, *, amount: int = 40_000, reason: str = "agreed by phone"):
    form = {"amount": str(amount), "reason": reason}
    return admin.post(f"/admin/top-ups/{order.payment_id}/transactions/{transaction_of(order)}/{verb}", data=form)


def actions_noted() -> list[str]:
    return [
        note.action for note in db.session().query(AuditEntry).order_by(AuditEntry.id) if "user." not in note.action
    ]


@pytest.mark.parametrize("address", ["", NOBODYS])
def test_only_an_administrator_knows_it_is_there(client, ayu, address):
    assert client.get(f"/admin/top-ups/{address}").status_code == 303
    assert sign_in(client, ayu.email).get(f"/admin/top-ups/{address}").status_code == 404


@pytest.mark.parametrize("act", ["check", f"transactions/{NOBODYS}/credit", f"transactions/{NOBODYS}/rejection"])
def test_nobody_else_acts_and_what_is_not_there_is_not_found(client, ayu, dewi, act):
    path, form = f"/admin/top-ups/{NOBODYS}/{act}", {"amount": "1", "reason": "because of this"}
    assert client.post(path, data=form).status_code == 303
    assert sign_in(client, ayu.email).post(path, data=form).status_code == 404
    client.post("/sign-out")
    assert sign_in(client, dewi.email).post(path, data=form).status_code == 404
    assert actions_noted() == []


def test_one_is_found_by_whatever_names_it(admin, ayu, budi):
    order, other = Order(ayu.customer_id), Order(budi.customer_id)
    order.hear("settlement")
    names = (
        order.attempt.order_id,
        str(order.payment_id),
        f"{order.attempt.order_id}-t1",
        "AYU@ex",
        str(ayu.customer.number),
    )
    for name in names:
        with counted() as queries:
            page = admin.get("/admin/top-ups/", query_string={"search": name}).text
        assert order.attempt.order_id in page, name
        assert other.attempt.order_id not in page, name
        assert len(queries) <= LIST_MAX + SEARCH_MAX
    assert other.attempt.order_id in admin.get("/admin/top-ups/?status=CREATED").text
    assert order.attempt.order_id not in admin.get("/admin/top-ups/?status=CREATED").text
    assert order.attempt.order_id in admin.get("/admin/top-ups/?since=2026-03-10&until=2026-03-10").text
    assert order.attempt.order_id not in admin.get("/admin/top-ups/?until=2026-03-09").text


@pytest.mark.parametrize(
    "query",
    [
        {"search": "%"}, {"search": "a\x00b"}, {"search": "9" * 300}, {"search": "<script>"}, {"since": "0001-01-01"},
        {"until": "9999-12-31"}, {"since": "31/12/2026"}, {"status": "RICH"}, {"after": "xyz"}, {"order": "secret"},
    ],
)  # fmt: skip
def test_whatever_an_address_says_there_is_an_answer(admin, ayu, query):
    Order(ayu.customer_id)
    answer = admin.get("/admin/top-ups/", query_string=query)
    assert answer.status_code == 200
    assert "<script>" not in answer.text


def test_the_list_costs_few_queries_and_comes_as_a_file(admin, ayu):
    orders = [Order(ayu.customer_id) for _ in range(3)]
    with counted() as queries:
        page = admin.get("/admin/top-ups/").text
    assert len(queries) <= LIST_MAX
    assert "is-invalid" not in page
    text = admin.get("/admin/top-ups/?format=csv").text.removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["order_id"] for row in rows} == {order.attempt.order_id for order in orders}
    assert {row["email"] for row in rows} == {ayu.email}


def test_its_page_shows_the_raw_notification_what_was_booked_and_the_receipt(admin, counter):  # noqa: F811
    payment = counter.ask()
    counter.pay(payment)
    counter.deliver(payment)
    with counted() as queries:
        page = admin.get(f"/admin/top-ups/{payment.id}").text
    assert len(queries) <= PAGE_MAX
    assert "&#34;transaction_status&#34;: &#34;settlement&#34;" in page
    entry = db.session().query(JournalEntry).one()
    receipt = db.session().query(Document).one()
    assert f"/admin/ledger/entries/{entry.id}" in page
    assert receipt.label in page
    assert "Reject" not in page, "what was paid as asked leaves nothing to decide"
    assert admin.get(f"/admin/ledger/entries/{entry.id}").status_code == 200
    assert_books_are_clean()


def test_looking_again_credits_what_no_notification_told(admin, counter, dewi):  # noqa: F811
    from tests.conftest import run_due_work
    from tests.payments.counter import PAPERWORK

    payment = counter.ask()
    counter.pay(payment)
    for _ in range(2):
        assert admin.post(f"/admin/top-ups/{payment.id}/check").status_code == 303
    run_due_work(without=PAPERWORK)
    assert (counter.status(payment), counter.balance) == ("SETTLED", 50_000)
    [first, _] = db.session().query(AuditEntry).filter_by(action="payment.looked_at").all()
    assert (first.actor_id, first.subject_id) == (dewi.user_id, str(payment.id))
    assert_books_are_clean()


def test_crediting_what_really_arrived_is_one_credit_however_often_it_is_sent(admin, ayu, dewi, short):
    assert status_of(short) == "IN_REVIEW"
    assert "Rp40.000" in admin.get(f"/admin/top-ups/{short.payment_id}").text
    for _ in range(2):
        assert decide(admin, short, "credit").status_code == 303
    assert (status_of(short), balance(ayu.customer_id)) == ("SETTLED", 40_000)
    [note] = db.session().query(AuditEntry).filter_by(action="payment.credited").all()
    assert (note.actor_id, note.facts["reason"], note.facts["credited"], note.facts["before"]) == (
        dewi.user_id, "agreed by phone", 40_000, {"status": "IN_REVIEW"},
    )  # fmt: skip
    assert [document.total for document in db.session().query(Document)] == [40_000]
    assert_books_are_clean()


def test_the_gateways_later_words_leave_a_decision_and_a_refund_takes_it_back(admin, ayu, short):
    from portal.core.money import rupiah

    decide(admin, short, "credit")
    facts = {"amount": rupiah(40_000), "amount_text": "40000.00"}
    short.hear("settlement", **facts)
    assert (status_of(short), balance(ayu.customer_id)) == ("SETTLED", 40_000)
    short.hear("refund", taken_back=40_000, **facts)
    assert (status_of(short), balance(ayu.customer_id)) == ("REFUNDED", 0)
    assert_books_are_clean()


def test_two_administrators_at_once_credit_once(admin, portal, ayu, short):
    browsers = [portal.test_client() for _ in range(2)]
    for browser in browsers:
        sign_in(browser, "dewi@example.com")
    path = f"/admin/top-ups/{short.payment_id}/transactions/{transaction_of(short)}/credit"
    db.session.close()
    with ThreadPoolExecutor(2) as pool:
        form = {"amount": "40000", "reason": "agreed by phone"}
        codes = list(pool.map(lambda browser: browser.post(path, data=form).status_code, browsers))
    assert codes == [303, 303]
    assert balance(ayu.customer_id) == 40_000
    assert actions_noted() == ["payment.credited"]
    assert_books_are_clean()


@pytest.mark.parametrize("form", [{"amount": 50_000}, {"amount": 39_999}, {"amount": -1}, {"amount": 10**15}])
def test_only_what_arrived_can_be_credited(admin, ayu, short, form):
    assert decide(admin, short, "credit", **form).status_code == 409
    assert (status_of(short), balance(ayu.customer_id)) == ("IN_REVIEW", 0)


@pytest.mark.parametrize("verb", ["credit", "rejection"])
@pytest.mark.parametrize("reason", ["", "   ", "x", "y" * 301])
def test_a_decision_needs_a_reason(admin, short, verb, reason):
    assert decide(admin, short, verb, reason=reason).status_code == 422
    assert (status_of(short), actions_noted()) == ("IN_REVIEW", [])


def test_a_rejected_payment_is_not_reviewed_again_and_its_refund_is_heard(admin, ayu, short):
    from portal.core.money import rupiah

    for _ in range(2):
        assert decide(admin, short, "rejection").status_code == 303
    facts = {"amount": rupiah(40_000), "amount_text": "40000.00"}
    short.hear("settlement", **facts)
    assert (status_of(short), balance(ayu.customer_id)) == ("FAILED", 0)
    assert decide(admin, short, "credit").status_code == 409
    told = [notice.code for notice in db.session().query(Notice).order_by(Notice.id)]
    assert told == ["top_up_in_review", "top_up_rejected"]
    assert actions_noted() == ["payment.rejected"]
    short.hear("refund", taken_back=40_000, **facts)
    assert (status_of(short), balance(ayu.customer_id)) == ("REFUNDED", 0)
    assert_books_are_clean()


def test_a_challenged_card_is_decided_at_the_gateway(admin, ayu):
    order = Order(ayu.customer_id)
    order.hear("capture", fraud_status="challenge")
    assert "dashboard" in admin.get(f"/admin/top-ups/{order.payment_id}").text
    assert decide(admin, order, "credit", amount=50_000).status_code == 409
    decide(admin, order, "rejection", amount=50_000)
    order.hear("capture")  # accepted there all the same: the money is the customer's
    assert (status_of(order), balance(ayu.customer_id)) == ("PAID_LATE", 50_000)
    assert_books_are_clean()


def test_what_was_paid_as_asked_cannot_be_rejected(admin, ayu):
    order = Order(ayu.customer_id)
    order.hear("settlement")
    assert decide(admin, order, "rejection").status_code == 409
    assert (status_of(order), balance(ayu.customer_id)) == ("SETTLED", 50_000)
