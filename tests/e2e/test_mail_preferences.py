"""A customer chooses which mails come, reads one notice, and sees what became of a mail."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Customer
from tests.e2e.stack import until

pytestmark = pytest.mark.browser


def test_a_choice_of_mails_is_kept(customer: Customer) -> None:
    page = customer.page
    page.goto("/profile")
    page.get_by_role("link", name="Which mails I get").click()
    page.get_by_label("Health of my apps").uncheck()
    page.get_by_role("main").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your choice of mails is saved.")).to_be_visible()
    expect(page.get_by_label("Health of my apps")).not_to_be_checked()
    expect(page.get_by_label("Early reminders")).to_be_checked()


def test_reading_one_notice_takes_its_mark_and_leads_on(customer: Customer) -> None:
    customer.get_credit(50_000)
    page = customer.page
    page.goto("/notices/")
    expect(page.locator("main .state-busy")).not_to_have_count(0)
    unread = page.locator("main .state-busy").count()
    page.get_by_role("button", name="See my wallet").first.click()
    page.wait_for_url("**/wallet/")
    page.goto("/notices/")
    expect(page.locator("main .state-busy")).to_have_count(unread - 1)


def test_a_mail_that_left_is_shown_so(customer: Customer) -> None:
    customer.get_credit(50_000)
    receipt = "SELECT status FROM mail WHERE to_address = :email AND code = 'receipt_issued'"
    until(lambda: customer.stack.one(receipt, email=customer.email) == "SENT", "the receipt leaves by mail")
    page = customer.page
    page.goto("/notices/")
    page.get_by_role("link", name="Mails we sent").click()
    row = page.get_by_role("listitem").filter(has_text="receipt RCP/")
    expect(row.get_by_text("Handed over")).to_be_visible()
