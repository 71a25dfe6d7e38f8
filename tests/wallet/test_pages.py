"""The wallet page, its history and its file: anonymous, stranger, owner; hostile filters; spreadsheet formulas."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.payments import actions as payments
from portal.payments.actions import TopUp
from portal.payments.gateways import Answer
from portal.payments.models import PaymentAttempt
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.queries import first_instance_id
from portal.wallet import queries
from tests.books_audit import assert_books_are_clean
from tests.personas import sign_in
from tests.subscriptions.shop import buy, counted_queries, credit, plan_of

REGION = {"HX-Request": "true", "HX-Target": "wallet-history"}


@pytest.fixture(autouse=True)
def clean_books(portal):
    """Whatever a test does, the books stay whole."""
    yield
    assert_books_are_clean()


def request_top_up(person, amount=50_000, method="qris"):
    with transaction() as session:
        wanted = TopUp(rupiah(amount), method, key=str(uuid4()))
        return payments.request_top_up(session, person.customer_id, wanted, now=clock.now())


def settle_top_up(person, amount=50_000, *, payment=None):
    """The gateway says that the money is there."""
    payment = payment or request_top_up(person, amount)
    answer(payment, "settlement")
    return payment


def answer(payment, status, *, taken_back=0):
    """Records the gateway's word on the payment's one transaction."""
    now = clock.now()
    with transaction() as session:
        attempt = session.scalars(select(PaymentAttempt).where(PaymentAttempt.payment_id == payment.id)).one()
        said = Answer(
            order_id=attempt.order_id, transaction_id=f"t-{payment.id}", status=status, fraud_status="accept",
            payment_type="qris", amount=payment.money, amount_text=f"{payment.amount}.00", taken_back=taken_back,
        )  # fmt: skip
        payments.record_answer(session, attempt.id, said, asked_at=now, now=now)


def rows_of(answer):
    text = answer.get_data().decode("utf-8")
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


# --- the page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/wallet/", "/wallet/transactions.csv"])
def test_a_visitor_signs_in_first(client, path):
    assert client.get(path).location.startswith("/sign-in")


def test_an_empty_wallet_says_what_to_do(client, ayu):
    page = sign_in(client, ayu.email).get("/wallet/").text
    assert "No movements yet" in page
    assert "/top-ups/new" in page


def test_the_page_shows_balance_and_what_was_topped_up_and_spent(client, ayu, shop):
    settle_top_up(ayu, 100_000)
    buy(ayu.customer_id, plan_of("n8n"))
    page = sign_in(client, ayu.email).get("/wallet/").text
    for said in ("Rp75.000", "Rp100.000", "Rp25.000", "Top-up with QRIS", "n8n Basic, one month", "-Rp25.000"):
        assert said in page, said


def test_nobody_sees_another_wallet(client, ayu, citra):
    credit(ayu.customer_id, 77_000, reason="only for Ayu")
    page = sign_in(client, citra.email).get("/wallet/").text
    assert "77.000" not in page
    assert "only for Ayu" not in sign_in(client, citra.email).get("/wallet/transactions.csv").text


def test_a_debt_after_a_chargeback_is_explained(client, ayu, shop):
    payment = settle_top_up(ayu)
    buy(ayu.customer_id, plan_of("n8n"))
    answer(payment, "chargeback", taken_back=payment.amount)
    page = sign_in(client, ayu.email).get("/wallet/").text
    assert "You owe Rp25.000" in page
    assert "charged back by your bank" in page


def test_open_payments_can_be_continued_and_cancelled(client, ayu):
    payment = request_top_up(ayu)
    page = sign_in(client, ayu.email).get("/wallet/").text
    assert f"/top-ups/{payment.id}/pay" in page
    assert f"/top-ups/{payment.id}/cancellation" in page
    clock.advance(timedelta(days=2))
    assert f"/top-ups/{payment.id}/pay" not in sign_in(client, ayu.email).get("/wallet/").text


def test_the_wallet_costs_at_most_six_queries(client, ayu, shop):
    settle_top_up(ayu, 200_000)
    for slug in ("n8n", "ghost"):
        buy(ayu.customer_id, plan_of(slug))
    request_top_up(ayu)
    sign_in(client, ayu.email)
    for headers in ({}, REGION):
        with counted_queries() as statements:
            assert client.get("/wallet/", headers=headers).status_code == 200
        assert len(statements) <= (2 if headers else 6), statements


def test_htmx_gets_the_history_alone(client, ayu):
    credit(ayu.customer_id, 10_000)
    region = sign_in(client, ayu.email).get("/wallet/", headers=REGION).text
    assert region.count('id="wallet-history"') == 1
    assert "<html" not in region


def test_months_compare_net_spending_by_jakarta_days(ayu, shop, portal):
    with clock.at(datetime(2026, 2, 28, 16, 59, tzinfo=UTC)):  # 23:59 in Jakarta, still February
        settle_top_up(ayu, 100_000)
        buy(ayu.customer_id, plan_of("n8n"))
    with clock.at(datetime(2026, 2, 28, 17, 1, tzinfo=UTC)):  # 1 March in Jakarta
        buy(ayu.customer_id, plan_of("linkding"))
    found = queries.overview(db.session(), ayu.customer_id, now=clock.now())
    assert [month.starts_on.isoformat() for month in found.months][-2:] == ["2026-02-01", "2026-03-01"]
    assert found.spent_last_month == rupiah(25_000)
    assert found.spent_this_month == found.spent - rupiah(25_000)
    assert (found.months[-2].topped_up, found.topped_up, len(found.months)) == (rupiah(100_000), rupiah(100_000), 6)


def test_a_refund_takes_spending_back(ayu, shop, portal):
    settle_top_up(ayu, 100_000)
    owned = buy(ayu.customer_id, plan_of("n8n"))
    with transaction() as session:
        instance_id = first_instance_id(session, owned.id)
        subscriptions.fail_provisioning(session, instance_id, code="crash_loop", parameters={}, now=clock.now())
    found = queries.overview(db.session(), ayu.customer_id, now=clock.now())
    assert (found.available, found.spent) == (rupiah(100_000), rupiah(0))


# --- the history --------------------------------------------------------------------------------------


def test_filters_show_the_part_that_was_asked_for(client, ayu, shop):
    settle_top_up(ayu, 100_000)
    buy(ayu.customer_id, plan_of("n8n"))
    sign_in(client, ayu.email)
    top_ups = client.get("/wallet/?type=TOP_UP", headers=REGION).text
    assert "Top-up with QRIS" in top_ups
    assert "n8n Basic" not in top_ups
    assert "transactions.csv?type=TOP_UP" in top_ups
    assert "Nothing matches" in client.get("/wallet/?status=FAILED", headers=REGION).text
    assert "Nothing matches" in client.get("/wallet/?since=2026-03-11", headers=REGION).text
    assert "1 movement" in client.get("/wallet/?until=2026-03-10&type=SUBSCRIPTION", headers=REGION).text


@pytest.mark.parametrize(
    "query",
    [
        "type=NONSENSE", "status='%20OR%201=1", "since=yesterday", "until=9999-12-31", "since=0001-01-01", "page=-3",
        "page=99999999999999999999", "page=x", "type=%00", "since=%00", "type=TOP_UP&type=REFUND", "since=2026-13-45",
    ],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_filters_nothing(client, ayu, query):
    credit(ayu.customer_id, 10_000)
    sign_in(client, ayu.email)
    answer = client.get(f"/wallet/?{query}", follow_redirects=True)
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert client.get(f"/wallet/transactions.csv?{query}").status_code == 200


def test_pages_lead_from_newest_to_oldest_and_keep_the_filters(client, ayu):
    for number in range(queries.PAGE_SIZE + 1):
        credit(ayu.customer_id, 1_000 + number, reason=f"gift {number:02}")
        clock.advance(timedelta(minutes=1))
    sign_in(client, ayu.email)
    first = client.get("/wallet/?type=ADMIN_ADJUSTMENT", headers=REGION).text
    assert "gift 20" in first
    assert "gift 00" not in first
    assert "page=2&amp;type=ADMIN_ADJUSTMENT" in first
    second = client.get("/wallet/?type=ADMIN_ADJUSTMENT&page=2", headers=REGION).text
    assert "gift 00" in second
    assert client.get("/wallet/?type=ADMIN_ADJUSTMENT&page=3").location == "/wallet/?type=ADMIN_ADJUSTMENT"


def test_balances_read_in_the_order_money_moved(ayu, portal):
    payment = request_top_up(ayu)
    clock.advance(timedelta(hours=1))
    credit(ayu.customer_id, 10_000)
    clock.advance(timedelta(hours=1))
    settle_top_up(ayu, payment=payment)
    page = queries.statement_page(db.session(), ayu.customer_id, queries.Filters(), page=1)
    assert [line.balance_after for line in page.lines] == [60_000, 10_000]


def test_reasons_are_shown_as_text_not_as_markup(client, ayu):
    credit(ayu.customer_id, 10_000, reason="<script>alert(1)</script> %(x)s 100%")
    page = sign_in(client, ayu.email).get("/wallet/").text
    assert "&lt;script&gt;alert(1)" in page
    assert "%(x)s 100%" in page


# --- the file -----------------------------------------------------------------------------------------


def test_the_file_has_raw_figures_and_both_times(client, ayu, shop):
    settle_top_up(ayu, 100_000)
    clock.advance(timedelta(minutes=5))
    buy(ayu.customer_id, plan_of("n8n"))
    answer = sign_in(client, ayu.email).get("/wallet/transactions.csv")
    newest, oldest = rows_of(answer)
    assert answer.headers["Content-Disposition"] == "attachment; filename=transactions-2026-03-10.csv"
    assert (newest["amount"], newest["balance_before"], newest["balance_after"]) == ("-25000", "100000", "75000")
    assert (oldest["time_utc"], oldest["time_wib"]) == ("2026-03-10T05:00:00+00:00", "2026-03-10T12:00:00+07:00")
    assert oldest["description"] == "Top-up with QRIS"


@pytest.mark.parametrize("reason", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "|calc"])
def test_no_text_of_the_file_begins_a_formula(ayu, reason):
    from portal.web.spreadsheets import safe_text

    assert safe_text(reason) == f"'{reason}"
    assert safe_text(f"Correction: {reason}") == f"Correction: {reason}"


def test_the_file_follows_the_filters(client, ayu, shop):
    settle_top_up(ayu, 100_000)
    buy(ayu.customer_id, plan_of("n8n"))
    sign_in(client, ayu.email)
    assert [row["type"] for row in rows_of(client.get("/wallet/transactions.csv?type=TOP_UP"))] == ["TOP_UP"]
    assert rows_of(client.get("/wallet/transactions.csv?since=2027-01-01")) == []
