"""The operator at a browser: how the business goes, drawn and in figures; an order found by its number."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.people import Customer
from tests.e2e.test_accessibility import violations

pytestmark = pytest.mark.browser


@pytest.fixture
def operator(customer: Customer) -> Customer:
    """Somebody who has topped up 50.000 and administers; the figures are summed up."""
    customer.get_credit(50_000)
    customer.stack.change("UPDATE user_account SET role = 'ADMINISTRATOR' WHERE email = :email", email=customer.email)
    customer.stack.run("-m", "flask", "--app", "wsgi", "insights", "rebuild")
    return customer


def test_the_business_is_drawn_and_stands_in_tables(operator: Customer) -> None:
    page = operator.page
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("link", name="All figures and what they mean").click()
    expect(page.locator("canvas")).to_have_count(6)
    assert all(drawn(page))
    section = page.get_by_role("region", name="Balances held")
    section.get_by_text("As a table").click()
    expect(section.get_by_role("row")).to_have_count(8)
    expect(section.get_by_role("row").last).to_contain_text("Rp")
    page.get_by_role("link", name="90 days").click()
    expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
    assert violations(page, "/admin/analytics/?range=90d") == []
    assert violations(page, "/admin/") == []


def test_an_order_is_found_by_its_number(operator: Customer) -> None:
    page, order = operator.page, operator.orders[-1]
    page.goto("/admin/")
    box = page.get_by_role("searchbox", name="Search everything")
    box.fill(order[:14])
    box.press("Enter")
    expect(page.locator("#content")).to_contain_text(order)
    assert violations(page, f"/admin/search/?q={order[:14]}") == []


def drawn(page: Page) -> list[bool]:
    """Whether each chart shows any ink."""
    ink = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((part) => part > 0)"
    return [bool(canvas.evaluate(ink)) for canvas in page.locator("canvas").all()]
