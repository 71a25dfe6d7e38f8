"""A subscription's life in a browser: cancel and undo, end at once, grace and the top-up that saves it, suspension and
the way back. Time passes by moving the rows; the renewal run is the real one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.people import Customer
from tests.e2e.stack import Stack, until
from tests.e2e.test_accessibility import violations

pytestmark = pytest.mark.browser
RUN = "from portal import create_app; from jobs import subscriptions; create_app().app_context().push(); {}"
A_MONTH_PASSES = """
    UPDATE subscription SET period_started_at = period_started_at - interval '32 days',
        period_ends_at = period_ends_at - interval '32 days', due_at = due_at - interval '32 days'
    WHERE customer_id = :customer_id
"""
GRACE_PASSES = """
    UPDATE subscription SET grace_ends_at = now() - interval '1 second', due_at = now() - interval '1 second'
    WHERE customer_id = :customer_id
"""


@pytest.fixture
def owner(customer: Customer) -> Customer:
    """Somebody with a running linkding and not one rupiah left."""
    price = customer.stack.one(
        "SELECT amount FROM plan_price JOIN plan ON plan.id = plan_id JOIN service ON service.id = service_id"
        " WHERE slug = 'linkding' AND plan_type = 'BASIC' AND interval = 'MONTHLY'"
    )
    customer.get_credit(price)
    customer.purchase("linkding")
    until(lambda: customer.instance("state") == "RUNNING", "linkding runs", within_s=40)
    return customer


def subscription(customer: Customer, column: str = "id") -> Any:
    statement = f"SELECT {column} FROM subscription WHERE customer_id = :customer_id"
    return customer.stack.one(statement, customer_id=customer.customer_id)


def address(customer: Customer) -> str:
    return f"/subscriptions/{subscription(customer)}"


def time_passes(customer: Customer, *changes: str) -> None:
    """Moves the rows, then lets the renewal run look at them."""
    for change in changes:
        customer.stack.change(change, customer_id=customer.customer_id)
    customer.stack.run("-c", RUN.format("subscriptions.renew_due()"))


def is_accessible(page: Page, where: str) -> None:
    assert violations(page, where) == []


def test_a_cancellation_is_undone_before_it_takes_effect(owner: Customer) -> None:
    page = owner.page
    page.goto(address(owner))
    page.get_by_role("link", name="Cancel").click()
    is_accessible(page, page.url)
    page.get_by_role("button", name=re.compile("^Cancel on")).click()
    expect(page.get_by_text(re.compile("^It ends on"))).to_be_visible()
    is_accessible(page, page.url)
    page.get_by_role("button", name="Keep it after all").click()
    expect(page.get_by_text(re.compile("^It ends on"))).to_have_count(0)
    expect(page.get_by_text("It goes on as before.")).to_be_visible()
    assert subscription(owner, "cancel_requested_at") is None


def test_ending_at_once_gives_back_what_the_page_said(owner: Customer) -> None:
    page = owner.page
    page.goto(f"{address(owner)}/leaving")
    page.locator("summary", has_text="End it now").click()
    said = page.locator("input[name=agreed]").get_attribute("value") or ""
    page.get_by_role("button", name="Yes, delete it with all its data").dblclick()
    expect(page.get_by_text("This subscription has ended")).to_be_visible()
    assert owner.balance == int(said.partition("@")[0]) > 0
    until(lambda: owner.instance("cleaned_up_at"), "the app is gone", within_s=40)
    assert subscription(owner, "holds_slot") is False


def test_a_top_up_in_grace_keeps_the_app(owner: Customer) -> None:
    page = owner.page
    time_passes(owner, A_MONTH_PASSES)
    assert subscription(owner, "status") == "PAST_DUE"
    is_accessible(page, "/dashboard/")
    is_accessible(page, address(owner))
    expect(page.get_by_text("Not enough credit")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Top up Rp")).click()
    expect(page.get_by_label("How much?")).to_have_value("12.000")
    owner.get_credit(50_000)
    until(lambda: subscription(owner, "status") == "ACTIVE", "the credit pays the renewal")
    page.goto(address(owner))
    expect(page.get_by_role("table").filter(has_text="Paid")).to_be_visible()
    assert owner.instance("state") == "RUNNING"


def test_what_was_not_renewed_comes_back_at_a_word(owner: Customer) -> None:
    page = owner.page
    page.goto(address(owner))
    page.get_by_role("button", name="Do not renew by itself").click()
    expect(page.get_by_role("button", name="Renew by itself", exact=True)).to_be_visible()
    time_passes(owner, A_MONTH_PASSES)
    until(lambda: owner.instance("state") == "SUSPENDED", "the app rests", within_s=40)
    is_accessible(page, address(owner))
    page.goto(f"/instances/{owner.instance('id')}")
    page.get_by_role("link", name="Bring it back").click()
    is_accessible(page, page.url)
    expect(page.get_by_text("Missing")).to_be_visible()
    owner.get_credit(50_000)
    page.reload()
    page.get_by_role("button", name="Bring it back for").click()
    expect(page.get_by_text("Paid period")).to_be_visible()
    until(lambda: owner.instance("state") == "RUNNING", "the app is back", within_s=40)
    assert (subscription(owner, "status"), subscription(owner, "auto_renew")) == ("ACTIVE", True)


def test_what_could_not_be_paid_comes_back_by_itself(owner: Customer, calm: Stack) -> None:
    time_passes(owner, A_MONTH_PASSES)
    time_passes(owner, GRACE_PASSES)
    until(lambda: owner.instance("state") == "SUSPENDED", "the app rests", within_s=40)
    is_accessible(owner.page, "/dashboard/")
    owner.get_credit(50_000)
    until(lambda: owner.instance("state") == "RUNNING", "the app is back", within_s=40)
    owner.page.goto(address(owner))
    expect(owner.page.get_by_text("Paid period")).to_be_visible()


def test_what_is_kept_alive_first_is_moved_by_buttons(owner: Customer) -> None:
    page = owner.page
    owner.get_credit(100_000)
    owner.purchase("n8n")
    page.goto("/subscriptions/")
    is_accessible(page, "/subscriptions/")
    page.get_by_role("button", name="n8n: one place up").click()
    expect(page.locator("#subscriptions-listing .owned").first).to_contain_text("n8n")
    page.reload()
    expect(page.locator("#subscriptions-listing .owned").first).to_contain_text("n8n")
