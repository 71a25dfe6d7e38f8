"""An administrator's daily work with people: find somebody, correct their wallet, see the portal with their eyes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PHONE, OpenContext
from tests.e2e.people import Customer
from tests.e2e.stack import Stack
from tests.e2e.test_accessibility import violations
from tests.e2e.watching import Watch

pytestmark = pytest.mark.browser


@pytest.fixture
def administrator(calm: Stack, open_context: OpenContext) -> tuple[Page, Watch]:
    context, watch = open_context()
    page = context.new_page()
    person = Customer.registered(calm, page)
    calm.change(
        "UPDATE user_account SET role = 'ADMINISTRATOR', email_verified_at = now() WHERE email = :email",
        email=person.email,
    )
    return page, watch


def test_find_somebody_adjust_their_wallet_and_view_as_them(
    customer: Customer, administrator: tuple[Page, Watch]
) -> None:
    page, watch = administrator
    find(page, customer)
    adjust(page, customer)
    find(page, customer)
    expect(page.get_by_role("region", name="Wallet")).to_contain_text("Rp20.000")
    view(page, customer, watch)
    assert customer.balance == 20_000
    customer.page.goto("/notices/")
    expect(customer.page.locator("main")).to_contain_text("Rp20.000 was added to your credit")


def find(page: Page, customer: Customer) -> None:
    page.goto("/admin/users/")
    page.get_by_label("Search", exact=True).press_sequentially(customer.email)
    rows = page.locator("#users-listing tbody tr")
    expect(rows).to_have_count(1)
    rows.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".page-subtitle")).to_have_text(customer.email)


def adjust(page: Page, customer: Customer) -> None:
    page.get_by_role("link", name="Adjust the wallet").click()
    page.get_by_label("Amount").fill("20.000")
    page.get_by_label("Reason").fill("The app was away for a day")
    page.get_by_role("button", name="See what it does").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Is this right?")
    assert customer.balance == 0
    page.get_by_role("button", name="Yes, book it").click()
    expect(page.locator("main")).to_contain_text("Booked")


def view(page: Page, customer: Customer, watch: Watch) -> None:
    page.get_by_role("button", name="View as").click()
    page.wait_for_url("**/dashboard/")
    banner = page.get_by_role("complementary", name="View as")
    expect(banner).to_contain_text(customer.email)
    expect(page.locator("#balance-chip")).to_contain_text("Rp20.000")
    watch.tolerate("403")
    page.goto("/top-ups/new")
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.locator("main")).to_contain_text("nothing was changed")
    assert customer.count("payment") == 0
    banner.get_by_role("button", name="Stop viewing").click()
    page.wait_for_url("**/admin/users/*")
    expect(banner).to_be_hidden()


def test_the_pages_can_be_used_by_everybody(customer: Customer, administrator: tuple[Page, Watch]) -> None:
    page, _ = administrator
    find(page, customer)
    user = page.url.removeprefix(customer.stack.url)
    own = f"/admin/adjustments/new?customer={customer.customer_id}"
    pages = (user, f"{user}/edit", "/admin/users/new", "/admin/adjustments/", own)
    assert [line for address in pages for line in violations(page, address)] == []
    page.goto(user)
    page.get_by_role("button", name="View as").click()
    page.wait_for_url("**/dashboard/")
    page.set_viewport_size(PHONE)
    assert violations(page, "/dashboard/") == []
