"""Waiting for a slot in a browser: joining, the offer with its countdown, taking it, and starting by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.people import INSTANCE_PAGE, Customer
from tests.e2e.stack import Stack, until
from tests.e2e.test_accessibility import violations

pytestmark = pytest.mark.browser
PLAN = """
    SELECT plan.id FROM plan JOIN service ON service.id = plan.service_id
    WHERE slug = 'linkding' AND plan_type = 'BASIC'
"""


@pytest.fixture
def sold_out(calm: Stack) -> Iterator[Any]:
    """linkding Basic without a free slot; afterwards it has slots again."""
    plan = calm.one(PLAN)
    calm.change("UPDATE plan SET slots_total = slots_used WHERE id = :plan", plan=plan)
    yield plan
    calm.change("UPDATE plan SET slots_total = slots_used + 50 WHERE id = :plan", plan=plan)


def one_more_slot(stack: Stack) -> None:
    total = stack.one("SELECT slots_total + 1 FROM plan WHERE id = :plan", plan=stack.one(PLAN))
    stack.run("-m", "sandbox.prepare", f"catalog slots linkding BASIC {total}")


def join(page: Page) -> None:
    page.goto("/catalog/linkding")
    page.get_by_role("link", name="Join the waitlist").first.click()
    expect(page.get_by_text("This plan is sold out")).to_be_visible()
    page.get_by_role("button", name="Join the waitlist").click()
    expect(page.get_by_text("You are number 1 in the queue")).to_be_visible()


def status(customer: Customer) -> Any:
    return customer.stack.one(
        "SELECT status FROM waitlist_entry WHERE customer_id = :customer_id", customer_id=customer.customer_id
    )


def test_a_slot_comes_free_is_offered_and_taken(customer: Customer, sold_out: Any) -> None:
    customer.get_credit(50_000)
    page = customer.page
    join(page)
    one_more_slot(customer.stack)
    until(lambda: status(customer) == "OFFERED", "the slot is offered")
    customer.stack.sandbox.mailbox.wait_for(customer.email, "is yours, if you want it", timeout_s=30)
    page.goto("/dashboard/")
    page.get_by_role("link", name="Take the slot").click()
    expect(page.get_by_text("Your turn: a slot is held for you")).to_be_visible()
    expect(page.locator("[data-countdown-to]").first).to_contain_text("23:5")
    page.get_by_role("button", name="Launch for").click()
    page.wait_for_url(INSTANCE_PAGE)
    assert status(customer) == "SERVED"


def test_with_credit_set_aside_it_starts_by_itself(customer: Customer, sold_out: Any) -> None:
    customer.get_credit(50_000)
    page = customer.page
    page.goto(f"/subscriptions/new?plan={sold_out}&interval=MONTHLY")
    page.get_by_label("Subscribe me automatically").check()
    page.get_by_role("button", name="Join the waitlist").click()
    expect(page.get_by_text("of your credit is set aside for it")).to_be_visible()
    one_more_slot(customer.stack)
    until(lambda: status(customer) == "SERVED", "it starts by itself")
    page.goto("/subscriptions/")
    expect(page.get_by_role("link", name="linkding Basic")).to_be_visible()
    assert customer.count("subscription") == 1


def test_giving_up_the_place_gives_the_credit_back(customer: Customer, sold_out: Any) -> None:
    customer.get_credit(50_000)
    page = customer.page
    page.goto(f"/subscriptions/new?plan={sold_out}&interval=MONTHLY")
    page.get_by_label("Subscribe me automatically").check()
    page.get_by_role("button", name="Join the waitlist").click()
    expect(page.get_by_text("You are number 1 in the queue")).to_be_visible()
    assert customer.balance < 50_000
    page.goto("/subscriptions/")
    page.get_by_text("Leave", exact=True).click()
    page.get_by_role("button", name="Yes, leave it").click()
    expect(page.get_by_text("You no longer wait for it")).to_be_visible()
    assert (status(customer), customer.balance) == ("LEFT", 50_000)


def test_the_pages_of_waiting_are_for_everybody(customer: Customer, sold_out: Any) -> None:
    confirmation = f"/subscriptions/new?plan={sold_out}&interval=MONTHLY"
    page = customer.page
    found = violations(page, confirmation)
    customer.get_credit(50_000)
    page.goto(confirmation)
    page.get_by_label("Subscribe me automatically").check()
    page.get_by_role("button", name="Join the waitlist").click()
    expect(page.get_by_text("You are number 1 in the queue")).to_be_visible()
    found += [line for address in (confirmation, "/subscriptions/", "/wallet/") for line in violations(page, address)]
    page.goto(confirmation)
    page.get_by_label("Subscribe me automatically").uncheck()
    page.get_by_role("button", name="Save").click()
    one_more_slot(customer.stack)
    until(lambda: status(customer) == "OFFERED", "the slot is offered")
    addresses = confirmation, "/subscriptions/", "/dashboard/", "/catalog/linkding"
    found += [line for address in addresses for line in violations(page, address)]
    assert found == []
