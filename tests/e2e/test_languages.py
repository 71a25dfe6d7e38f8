"""Indonesian first, English at hand, and the choice stays."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenContext
from tests.e2e.people import Customer

pytestmark = pytest.mark.browser


def language(page: Page) -> str | None:
    return page.locator("html").get_attribute("lang")


def test_a_browser_that_asks_for_neither_gets_indonesian(open_context: OpenContext) -> None:
    page = open_context(locale="fr-FR")[0].new_page()
    page.goto("/catalog/")
    assert language(page) == "id"


def test_a_visitor_switches_and_stays_on_the_page(page: Page) -> None:
    page.goto("/catalog/n8n")
    assert language(page) == "en"
    switch = page.get_by_role("banner").locator("a[href*='/language/id']").first
    switch.click()
    expect(page.locator("html")).to_have_attribute("lang", "id")
    assert page.url.endswith("/catalog/n8n")
    page.goto("/help")
    assert language(page) == "id"


def test_a_customers_choice_goes_with_the_account(customer: Customer, open_context: OpenContext) -> None:
    customer.page.goto("/profile")
    customer.page.locator("select[name=language]").select_option("id")
    customer.page.locator("main form:has(select[name=language]) button[type=submit]").click()
    expect(customer.page.locator("html")).to_have_attribute("lang", "id")
    elsewhere = open_context()[0].new_page()
    sign_in(elsewhere, customer.email)
    assert language(elsewhere) == "id"


def sign_in(page: Page, email: str) -> None:
    from tests.e2e.people import PASSWORD

    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard/")
