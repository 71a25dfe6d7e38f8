"""Everything that matters works without a script: register, pay on the gateway's own page, launch, delete."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenContext
from tests.e2e.people import INSTANCE_PAGE, TOP_UP_PAGE, Customer
from tests.e2e.popup import start
from tests.e2e.stack import Stack, until
from tests.e2e.test_main_path import register

pytestmark = pytest.mark.browser


@pytest.fixture
def page(open_context: OpenContext) -> Page:
    return open_context(java_script_enabled=False)[0].new_page()


def test_from_registering_to_deleting_without_a_script(calm: Stack, page: Page) -> None:
    customer = register(calm, page)
    top_up_on_the_gateways_page(customer)
    customer.launch("miniflux")
    watch_it_come_up_by_reloading(customer)
    delete_it(customer)
    assert customer.instance("state") == "TERMINATED"


def top_up_on_the_gateways_page(customer: Customer) -> None:
    page = customer.page
    page.goto("/top-ups/new")
    page.get_by_label("How much?").fill("50.000")
    page.locator("input[name=method][value=bca_va]").check()
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(re.compile(r"/top-ups/[0-9a-f-]{36}"))
    expect(page.get_by_role("button", name="Continue payment")).to_be_hidden()
    page.get_by_role("link", name="Open the payment page").click()
    start(page, "bca_va")
    page.locator("[data-act=pay]").click()
    page.locator("main a.primary").click()
    page.wait_for_url(TOP_UP_PAGE)
    until(lambda: customer.balance == 50_000, "the credit arrives")
    page.reload()
    customer.expect_credited()


def watch_it_come_up_by_reloading(customer: Customer) -> None:
    page = customer.page
    until(lambda: customer.instance("state") == "RUNNING", "it runs", within_s=40)
    refresh = page.get_by_role("link", name="Refresh")
    refresh.click()
    page.wait_for_url(INSTANCE_PAGE)
    customer.expect_state("Running")
    page.get_by_role("button", name="Show how to sign in").click()
    expect(page.get_by_role("heading", name="How to sign in").first).to_be_visible()
    page.go_back()


def delete_it(customer: Customer) -> None:
    page = customer.page
    page.goto(f"/instances/{customer.instance('id')}")
    page.get_by_role("link", name="Delete this app").click()
    page.get_by_label("name", exact=False).fill(customer.instance("name"))
    page.get_by_role("button", name="Delete it with all its data").click()
    expect(page.locator("body")).to_contain_text("is being deleted. Nothing more will be charged for it.")
