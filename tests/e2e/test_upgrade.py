"""n8n from Basic to Pro at a desktop: chosen, read line by line, confirmed, and watched until it is done."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Customer

pytestmark = pytest.mark.browser
QUOTE = re.compile(r"/plan-changes/[0-9a-f-]{36}$")


def figures(customer: Customer) -> dict[str, int]:
    """The bill as it is shown: term and whole rupiah."""
    bill = customer.page.locator(".bill dl")
    terms, amounts = bill.locator("dt").all_inner_texts(), bill.locator("dd").all_inner_texts()
    return {term: rupiah(amount) for term, amount in zip(terms, amounts, strict=True) if "Rp" in amount}


def rupiah(text: str) -> int:
    found = re.search(r"(-?)Rp([\d.]+)", text)
    assert found is not None, text
    return int(found[1] + found[2].replace(".", ""))


def test_basic_becomes_pro_from_the_service_page_and_is_watched_until_done(customer: Customer) -> None:
    customer.have_running("n8n")
    page, before = customer.page, customer.balance
    page.goto("/catalog/n8n")
    page.get_by_role("link", name="Upgrade to Pro").click()
    expect(page.get_by_role("radio", name=re.compile("Pro, monthly"))).to_be_checked()
    page.get_by_role("button", name="Show me the price").click()
    page.wait_for_url(QUOTE)
    shown = figures(customer)
    assert shown["Your credit now"] == before
    assert shown["Your credit after"] == before - shown["Total now"]
    page.get_by_role("button", name="Change it for").click()
    region = page.locator("#subscriptions-change")
    expect(region.get_by_role("status")).to_have_text("Upgrade under way")
    expect(region.get_by_role("status")).to_have_text("Done", timeout=60_000)
    expect(region).to_contain_text("you are on Pro now")
    assert before - customer.balance == shown["Total now"]
    region.get_by_role("link", name="See my subscription").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("n8n Pro")
    assert customer.instance("memory_mib") == customer.stack.one(
        "SELECT memory_mib FROM plan JOIN service ON service.id = plan.service_id"
        " WHERE slug = 'n8n' AND plan_type = 'PRO'"
    )
    customer.stack.sandbox.mailbox.wait_for(customer.email, "is on Pro now", timeout_s=30)


def test_too_little_credit_leads_to_a_top_up_of_what_is_missing(customer: Customer) -> None:
    customer.have_running("n8n")
    page = customer.page
    page.goto("/subscriptions/")
    page.get_by_role("link", name=re.compile("n8n")).first.click()
    page.get_by_role("link", name="Change the plan").click()
    page.get_by_role("radio", name=re.compile("Enterprise, yearly")).check()
    page.get_by_role("button", name="Show me the price").click()
    page.wait_for_url(QUOTE)
    missing = figures(customer)["Missing"]
    page.get_by_role("link", name="Top up Rp").click()
    expect(page.get_by_label("How much?")).to_have_value(f"{missing:,}".replace(",", "."))
