"""A stranger registers, pays, and an app runs: the reason why the rest exists."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from sandbox.mailbox.box import Mail
from tests.e2e.conftest import OpenContext
from tests.e2e.people import INSTANCE_PAGE, PASSWORD, TOP_UP_PAGE, Customer, new_email
from tests.e2e.popup import Popup
from tests.e2e.stack import Stack, until

pytestmark = pytest.mark.browser


def test_a_stranger_pays_once_and_n8n_runs(calm: Stack, page: Page) -> None:
    customer = register(calm, page)
    page.get_by_role("link", name="Catalog").first.click()
    page.get_by_role("link", name="n8n").first.click()
    page.get_by_role("link", name="Choose Basic").click()
    expect(page.get_by_text("Missing")).to_be_visible()
    page.get_by_role("button", name="Pay and launch").click()
    customer.choose_payment("bca_va", 50_000)
    customer.popup.pay("bca_va")
    customer.expect_credited()
    page.get_by_role("link", name="Watch it come up").click()
    page.get_by_role("main").locator("a[href^='/instances/']").first.click()
    page.wait_for_url(INSTANCE_PAGE)
    customer.expect_state("Running")
    expect_app_behind_its_address(page)
    expect_papers(customer)
    assert customer.balance == 50_000 - price_of_n8n_basic(calm)


def test_the_same_in_indonesian(calm: Stack, open_context: OpenContext) -> None:
    """Holds on to addresses and attributes alone: the words are the translators'."""
    page = open_context(locale="id-ID")[0].new_page()
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "id")
    customer = Customer.registered(calm, page, language="id")
    page.goto("/catalog/n8n")
    page.locator("main a[href*='/subscriptions/new']").first.click()
    submit(page, "/subscriptions/launches")
    page.locator("input[name=amount]").fill("50000")
    page.locator("input[name=method][value=bca_va]").check()
    submit(page, "/top-ups/")
    page.wait_for_url(TOP_UP_PAGE)
    Popup(page).pay("bca_va")
    page.locator("#payments-status a[href*='/subscriptions/']").click()
    page.locator("main a[href^='/instances/']").first.click()
    app = page.locator("#instances-live a[target=_blank]").first
    expect(app).to_have_attribute("href", re.compile(r"\.apps\.localhost"))
    expect(page.locator("html")).to_have_attribute("lang", "id")
    assert customer.instance("state") == "RUNNING"


def register(stack: Stack, page: Page) -> Customer:
    """From the front door, by hand."""
    email = new_email()
    page.goto("/")
    page.get_by_role("banner").get_by_role("link", name="Create account").click()
    page.get_by_label("Name").fill("Rina Wulandari")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Create account").click()
    page.wait_for_url("**/dashboard/")
    return Customer(stack, page, email)


def submit(page: Page, address: str) -> None:
    page.locator(f"form[action='{address}'] button[type=submit]").click()


def expect_app_behind_its_address(page: Page) -> None:
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open n8n").click()
    app = opened.value
    assert ".apps.localhost" in app.url
    expect(app.get_by_role("heading").first).to_be_visible()
    expect(app.locator("body")).to_contain_text("n8n")
    app.close()


def expect_papers(customer: Customer) -> None:
    """The invoice as a PDF on our pages; receipt and invoice by mail, each with its own."""
    page = customer.page
    until(lambda: customer.count("document") == 2, "receipt and invoice exist")
    by_mail = until(lambda: len(found := mails_with_pdf(customer)) == 2 and found, "both were mailed", within_s=40)
    assert {kind for mail in by_mail for kind in ("receipt", "invoice") if kind in mail.subject.lower()} == {
        "receipt",
        "invoice",
    }
    page.goto("/invoices/")
    page.get_by_role("main").locator("a[href^='/invoices/']").first.click()
    download = page.get_by_role("link", name="PDF").first.get_attribute("href")
    assert download
    assert page.request.get(download).body().startswith(b"%PDF")


def mails_with_pdf(customer: Customer) -> list[Mail]:
    return [
        mail for mail in customer.stack.sandbox.mailbox.mails(to=customer.email)
        if any(part.get_content().startswith(b"%PDF") for part in mail.attachments)
    ]  # fmt: skip


def price_of_n8n_basic(stack: Stack) -> int:
    return int(stack.one(
        "SELECT amount FROM plan_price JOIN plan ON plan.id = plan_price.plan_id"
        " JOIN service ON service.id = plan.service_id"
        " WHERE service.slug = 'n8n' AND plan.plan_type = 'BASIC' AND interval = 'MONTHLY'"
    ))  # fmt: skip
