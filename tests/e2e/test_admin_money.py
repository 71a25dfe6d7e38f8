"""An administrator follows the money: from an order id to its notification, its entry, and a drill."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import OpenContext
from tests.e2e.people import Customer
from tests.e2e.stack import Stack

pytestmark = pytest.mark.browser


@pytest.fixture
def office(calm: Stack, open_context: OpenContext) -> Page:
    """An administrator's page."""
    context: BrowserContext = open_context()[0]
    page = context.new_page()
    administrator = Customer.registered(calm, page)
    calm.change("UPDATE user_account SET role = 'ADMINISTRATOR' WHERE email = :email", email=administrator.email)
    return page


def test_an_administrator_follows_a_top_up_and_runs_a_drill(customer: Customer, office: Page) -> None:
    customer.get_credit(50_000)
    [order] = customer.orders
    office.goto("/admin/top-ups/")
    office.get_by_label("Search", exact=True).fill(order)
    office.get_by_label("Search", exact=True).press("Enter")
    expect(office.get_by_role("row")).to_have_count(2)
    office.get_by_role("link", name=order).click()
    expect(office.get_by_role("heading", level=1)).to_have_text("Top-up of Rp50.000")

    office.locator(".money-raw summary").first.click()
    expect(office.locator(".raw-body").first).to_contain_text(order)
    office.locator(".money-raw").first.get_by_role("link").click()
    office.get_by_role("button", name="Replay as a drill").click()
    expect(office.get_by_role("heading", name="The drill")).to_be_visible()
    expect(office.locator("main")).to_contain_text("It would change nothing.")
    assert customer.balance == 50_000

    office.get_by_role("link", name="Its top-up").click()
    office.get_by_role("link", name="Top-up", exact=True).click()
    expect(office).to_have_url(re.compile(r"/admin/ledger/entries/"))
    expect(office.locator("main")).to_contain_text("The entry balances.")
    expect(office.get_by_role("table")).to_contain_text("holds, before and after")
