"""An administrator follows the money: from an order id to its notification, its entry, and a drill."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import OpenContext
from tests.e2e.people import Customer
from tests.e2e.stack import Stack, until
from tests.e2e.test_accessibility import violations

pytestmark = pytest.mark.browser

CONFIRMED = "UPDATE user_account SET email_verified_at = now() WHERE email = :email"


@pytest.fixture
def office(calm: Stack, open_context: OpenContext) -> Page:
    """An administrator's page."""
    context: BrowserContext = open_context()[0]
    page = context.new_page()
    administrator = Customer.registered(calm, page)
    calm.change("UPDATE user_account SET role = 'ADMINISTRATOR' WHERE email = :email", email=administrator.email)
    return page


def test_a_promo_code_is_made_and_redeemed_on_the_way_to_a_purchase(customer: Customer, office: Page) -> None:
    code = f"FAIR-{uuid4().hex[:8]}".upper()
    office.goto("/admin/promo-codes/")
    office.get_by_role("link", name="Make a code").first.click()
    office.wait_for_url("**/promo-codes/new")
    assert violations(office, office.url) == []
    office.get_by_label("Code", exact=True).fill(code.lower())
    office.get_by_label("Credit for each").fill("100000")
    office.get_by_label("How often, in all").fill("1")
    office.get_by_role("button", name="Make it").click()
    expect(office.get_by_role("heading", level=1)).to_have_text(code)

    customer.stack.change(CONFIRMED, email=customer.email)
    customer.choose_plan("memos")
    customer.page.get_by_role("link", name="Redeem a promo code").click()
    customer.page.get_by_label("Promo code").fill(code)
    customer.page.get_by_role("button", name="Redeem").click()
    customer.page.wait_for_url("**/subscriptions/new?*")
    expect(customer.page.get_by_role("button", name="Launch for")).to_be_visible()
    assert customer.balance == 100_000

    office.reload()
    expect(office.get_by_role("table")).to_contain_text("Rina Wulandari")
    assert violations(office, office.url) == []


def test_an_administrator_sends_a_top_up_back(customer: Customer, office: Page) -> None:
    customer.ask_for_credit("gopay")
    customer.popup.start("gopay")
    customer.stack.sandbox.midtrans.pay(customer.orders[-1], method="gopay")
    until(lambda: customer.balance == 50_000, "the credit arrives")
    office.goto(f"/admin/top-ups/?search={customer.orders[-1]}")
    office.get_by_role("link", name=customer.orders[-1]).click()
    office.get_by_text("Send money back", exact=True).click()
    office.get_by_label("Amount, at most Rp50.000").fill("20000")
    office.get_by_label("Reason, for the audit log").last.fill("Paid twice")
    office.get_by_role("button", name="Refund at the gateway").click()
    expect(office.get_by_text("The gateway is being asked.")).to_be_visible()
    until(lambda: customer.balance == 30_000, "the refund is booked")
    until(lambda: "Sent back" in office.request.get(office.url).text(), "the page tells so")
    assert violations(office, office.url) == []
    customer.page.goto("/wallet/")
    expect(customer.page.get_by_text("money sent back to you").first).to_be_visible()


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
