"""A bank transfer from both sides: the customer asks and proves, an administrator finds the money and credits it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenContext
from tests.e2e.people import Customer
from tests.e2e.stack import Stack, until
from tests.e2e.test_accessibility import violations
from tests.transfers.pictures import picture

pytestmark = pytest.mark.browser


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    path = tmp_path / "bukti transfer.png"
    path.write_bytes(picture(size=(600, 800)))
    return path


@pytest.fixture
def administrator(calm: Stack, open_context: OpenContext) -> Page:
    """Another browser, in which somebody administers."""
    page = open_context()[0].new_page()
    person = Customer.registered(calm, page)
    calm.change("UPDATE user_account SET role = 'ADMINISTRATOR' WHERE email = :email", email=person.email)
    return page


def test_a_transfer_that_was_found_is_credit_with_a_receipt(
    calm: Stack, customer: Customer, administrator: Page, proof: Path
) -> None:
    page = customer.page
    page.goto("/top-ups/new")
    page.get_by_label("How much?").fill("150000")
    page.locator("input[name=method][value=bank_transfer]").check()
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(re.compile(r"/transfers/[0-9a-f-]{36}$"))
    expect(page.get_by_role("main")).to_contain_text("1234567890")
    reference = page.locator("code").inner_text()
    assert violations(page, page.url) == []

    page.get_by_label("Screenshot, photo or PDF of the transfer").set_input_files(proof)
    page.get_by_role("button", name="Send the proof").click()
    expect(page.get_by_role("main")).to_contain_text("We are looking for your transfer")
    shown = page.get_by_alt_text("The proof you uploaded")
    expect(shown).to_be_visible()
    assert shown.evaluate("picture => picture.naturalWidth") == 600

    administrator.goto("/admin/transfers/")
    administrator.get_by_role("link", name=reference).click()
    administrator.wait_for_url(re.compile(r"/admin/transfers/[0-9a-f-]{36}$"))
    assert violations(administrator, administrator.url) == []
    expect(administrator.get_by_alt_text("Proof of the transfer")).to_be_visible()
    administrator.locator("summary", has_text="It arrived: credit it").click()
    administrator.get_by_label("The bank's own reference").fill(f"FT-{reference}")
    administrator.get_by_label("Day it arrived").fill("2026-01-05")
    administrator.get_by_role("button", name="Yes, I see it on our account").click()
    expect(administrator.get_by_role("main")).to_contain_text("Credited")

    until(lambda: customer.balance == 150_000, "the credit is there")
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("Rp150.000 is in your wallet")
    until(lambda: customer.count("document") == 1, "the receipt is there")
    page.goto("/invoices/")
    expect(page.locator("#invoices-list")).to_contain_text("RCP/")


def test_a_web_page_that_calls_itself_a_picture_is_refused_in_words(customer: Customer, watch, tmp_path: Path) -> None:
    watch.tolerate("422")
    evil = tmp_path / "proof.png"
    evil.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    page = customer.page
    page.goto("/top-ups/new")
    page.locator("input[name=method][value=bank_transfer]").check()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_label("Screenshot, photo or PDF of the transfer").set_input_files(evil)
    page.get_by_role("button", name="Send the proof").click()
    expect(page.locator(".field-error")).to_contain_text("no picture or PDF")
