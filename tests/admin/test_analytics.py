"""Analytics and the operator's first page: who may see them, what they show, files, and few queries."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from jobs import reports
from portal.admin.queries import home
from portal.core import clock, outbox
from portal.core.db import transaction
from portal.core.outbox import OutboxMessage
from tests.books import shop
from tests.books.shop import Order
from tests.books_audit import assert_books_are_clean
from tests.personas import sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
ANALYTICS_MAX = 5  # who asks, the banner, the frame's figures, the days, the plans
HOME_MAX = 10
PAGES = ["/admin/", "/admin/analytics/", "/admin/search/"]
TABLES = ["summary", "revenue", "mrr", "customers", "balances", "top_ups", "conversion", "grace", "quota", "forecast"]


@pytest.mark.parametrize("page", PAGES)
def test_only_an_administrator_knows_it_is_there(client, ayu, dewi, page):
    assert client.get(page).status_code == 303
    assert sign_in(client, ayu.email).get(page).status_code == 404
    client.post("/sign-out")
    assert sign_in(client, dewi.email).get(page).status_code == 200


def test_before_anything_is_summed_up_the_page_says_how_that_is_done(client, dewi):
    admin = sign_in(client, dewi.email)
    assert "flask insights rebuild" in admin.get("/admin/analytics/").text
    assert "No figures yet" in admin.get("/admin/").text


@pytest.fixture
def sold(ayu):
    """50.000 topped up, an app of 25.000 bought; summed up."""
    Order(ayu.customer_id).hear("settlement")
    shop.buy(ayu.customer_id, shop.sell())
    reports.sum_up_anew()
    yield
    assert_books_are_clean()


def file_of(admin, table: str, query: str = "") -> list[dict[str, str]]:
    answer = admin.get(f"/admin/analytics/?format=csv&table={table}{query}")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_every_table_is_shown_and_is_a_file(client, sold, dewi):
    admin = sign_in(client, dewi.email)
    page = admin.get("/admin/analytics/?range=7d").text
    for table in TABLES:
        assert file_of(admin, table)
        assert f"table={table}" in page
    assert "Rp22.523" in page
    assert 'id="table-revenue"' in page
    assert file_of(admin, "mrr", "&range=7d")[-1]["mrr_new_sum"] == "25000"
    assert file_of(admin, "top_ups")[0] == {
        "method": "QRIS", "asked": "1", "paid": "1", "open": "0", "success": "1000", "success_before": "",
        "paid_sum": "50000",
    }  # fmt: skip
    assert file_of(admin, "forecast")[0]["due"] == "25000"
    assert admin.get("/admin/analytics/?format=csv&table=nothing").status_code == 404


def test_it_asks_little_however_long_the_range(client, sold, dewi):
    admin = sign_in(client, dewi.email)
    with counted() as queries:
        admin.get("/admin/analytics/?range=custom&since=2023-04-01&until=2026-03-10")
    assert len(queries) <= ANALYTICS_MAX
    with counted() as queries:
        admin.get("/admin/")
    assert len(queries) <= HOME_MAX


@pytest.mark.parametrize(
    "query",
    [
        "range=custom&since=x&until=y", "range=custom&since=0001-01-01&until=9999-12-31", "range=%00", "range=custom",
        "range=custom&since=9999-12-31&until=9999-12-31", "range=<script>",
    ],
)  # fmt: skip
def test_an_address_that_makes_no_sense_shows_days_that_do(client, sold, dewi, query):
    answer = sign_in(client, dewi.email).get(f"/admin/analytics/?{query}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text.replace("<script src", "")


def test_the_first_page_compares_the_week_and_tells_what_happened(client, sold, ayu, dewi):
    page = sign_in(client, dewi.email).get("/admin/").text
    assert "Rp22.523" in page  # revenue
    assert "Ayu Lestari" in page
    assert "+Rp50.000" in page
    assert "Nothing waits for a person" in page


def test_what_waits_is_counted_and_leads_to_its_page(portal, client, ayu, dewi):
    Order(ayu.customer_id).hear("settlement", fraud_status="challenge")
    with transaction() as session:
        outbox.enqueue(session, "invoices.issue", document_id="x")
    with transaction() as session:
        session.query(OutboxMessage).update({"failed_at": clock.now()})
        found = home.waiting(session, now=clock.now() + timedelta(days=1))
        assert {one.icon: count for one, count in found}["credit-card"] == 1
        assert all(one.words(count) for one, count in found)
        assert all(one.endpoint in portal.view_functions for one in (*home.WAITING, home.LATE_RUNS))
