"""The ledger for an administrator: entries, accounts, sums, and chains that show where they broke."""

from __future__ import annotations

import csv
import io
import re

import pytest
import sqlalchemy as sa

from portal.core.db import db
from portal.wallet.models import AccountKind, JournalEntry, LedgerAccount, Posting
from portal.web import listings
from tests.admin.test_payments import NOBODYS, admin  # noqa: F401 - a fixture
from tests.books.shop import Order, give
from tests.books_audit import assert_books_are_clean
from tests.personas import sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
LIST_MAX, SEARCH_MAX, PAGE_MAX = 5, 3, 9


def entry(kind: str) -> JournalEntry:
    return db.session().scalars(sa.select(JournalEntry).where(JournalEntry.kind == kind).limit(1)).one()


def account(kind: AccountKind) -> LedgerAccount:
    return db.session().scalars(sa.select(LedgerAccount).where(LedgerAccount.kind == kind).limit(1)).one()


@pytest.mark.parametrize("address", ["", "accounts/", f"entries/{NOBODYS}", f"accounts/{NOBODYS}"])
def test_only_an_administrator_knows_it_is_there(client, ayu, dewi, address):
    assert client.get(f"/admin/ledger/{address}").status_code == 303
    assert sign_in(client, ayu.email).get(f"/admin/ledger/{address}").status_code == 404
    client.post("/sign-out")
    found = sign_in(client, dewi.email).get(f"/admin/ledger/{address}").status_code
    assert found == (404 if NOBODYS in address else 200)


def test_an_entry_is_found_by_whatever_names_it(admin, ayu, budi):  # noqa: F811
    order = Order(ayu.customer_id)
    order.hear("settlement")
    give(budi.customer_id, 7_000)
    booked = entry("TOP_UP")
    names = (str(booked.id), booked.idempotency_key, order.attempt.order_id, str(order.payment_id), "ayu@",
             str(ayu.customer.number))  # fmt: skip
    for name in names:
        with counted() as queries:
            page = admin.get("/admin/ledger/", query_string={"search": name}).text
        assert str(booked.id) in page, name
        assert str(entry("ADJUSTMENT").id) not in page, name
        assert len(queries) <= LIST_MAX + SEARCH_MAX
    assert str(booked.id) not in admin.get("/admin/ledger/?kind=ADJUSTMENT").text
    for hostile in ("%", "a\x00b", "x" * 500, "midtrans:", "'; --"):
        assert admin.get("/admin/ledger/", query_string={"search": hostile}).status_code == 200


def test_the_list_costs_few_queries_and_comes_as_a_file(admin, ayu):  # noqa: F811
    for amount in (5_000, -2_000):
        give(ayu.customer_id, amount)
    with counted() as queries:
        admin.get("/admin/ledger/")
    assert len(queries) <= LIST_MAX
    rows = list(csv.DictReader(io.StringIO(admin.get("/admin/ledger/?format=csv").text.removeprefix("\ufeff"))))
    assert [row["sum"] for row in rows] == ["2000", "5000"]


def test_an_entrys_page_has_its_sides_balances_cause_and_a_chain_that_holds(admin, ayu):  # noqa: F811
    give(ayu.customer_id, 1_000)
    order = Order(ayu.customer_id)
    order.hear("settlement")
    with counted() as queries:
        page = admin.get(f"/admin/ledger/entries/{entry('TOP_UP').id}").text
    assert len(queries) <= PAGE_MAX
    assert "+Rp50.000" in page
    assert "Rp51.000" in page
    assert f"/admin/top-ups/{order.payment_id}" in page
    assert "No. 2 holds, before and after" in page
    assert "The entry balances." in page
    assert_books_are_clean()


def test_a_changed_neighbour_shows(admin, ayu):  # noqa: F811
    for amount in (1_000, 2_000):
        give(ayu.customer_id, amount)
    wallet = account(AccountKind.AVAILABLE)
    with db.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        first = Posting.account_id == wallet.id, Posting.sequence == 1
        connection.execute(sa.update(Posting).where(*first).values(chain_hash="0" * 64))
    broken = [admin.get(f"/admin/ledger/entries/{one.id}").text for one in db.session().query(JournalEntry)]
    assert ["broken" in page for page in broken] == [True, True]


def test_an_accounts_page_pages_through_its_postings(admin, ayu, monkeypatch):  # noqa: F811
    monkeypatch.setattr(listings, "PAGE_SIZE", 2)
    for _ in range(5):
        give(ayu.customer_id, 1_000)
    for kind in (AccountKind.AVAILABLE, AccountKind.ADJUSTMENTS):
        seen, address = [], f"/admin/ledger/accounts/{account(kind).id}"
        while address:
            page = admin.get(address).text
            seen += re.findall(r"/admin/ledger/entries/([0-9a-f-]+)", page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            address = following[1].replace("&amp;", "&") if following else ""
        assert len(seen) == len(set(seen)) == 5
        answer = admin.get(f"/admin/ledger/accounts/{account(kind).id}?format=csv")
        assert len(answer.text.splitlines()) == 6


def test_the_sums_of_all_accounts_are_zero(admin, ayu):  # noqa: F811
    Order(ayu.customer_id).hear("settlement")
    give(ayu.customer_id, 5_000)
    with counted() as queries:
        page = admin.get("/admin/ledger/accounts/").text
    assert len(queries) <= LIST_MAX
    assert "Everything together is zero" in page
    assert "-Rp50.000" in page
    assert_books_are_clean()
