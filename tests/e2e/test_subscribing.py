"""Buying with credit: once per app, never above the slots, and nothing bought that was not said before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.people import INSTANCE_PAGE, Customer
from tests.e2e.stack import Stack
from tests.e2e.watching import Watch

pytestmark = pytest.mark.browser


@pytest.fixture
def last_slot(calm: Stack) -> Iterator[Any]:
    """A plan, linkding Basic, with one slot left; afterwards it is as it was."""
    plan, slots = calm.one(
        "SELECT (plan.id, slots_total) FROM plan JOIN service ON service.id = plan.service_id"
        " WHERE slug = 'linkding' AND plan_type = 'BASIC'"
    )
    calm.change("UPDATE plan SET slots_total = slots_used + 1 WHERE id = :plan", plan=plan)
    yield plan
    calm.change("UPDATE plan SET slots_total = :slots WHERE id = :plan", plan=plan, slots=int(slots))


def take_last_slot(stack: Stack, plan: Any) -> None:
    stack.change("UPDATE plan SET slots_total = slots_used WHERE id = :plan", plan=plan)


def test_pressing_twice_buys_once(customer: Customer) -> None:
    customer.get_credit(50_000)
    customer.choose_plan("linkding")
    expect(customer.page.get_by_text("Your credit after")).to_be_visible()
    customer.page.get_by_role("button", name="Launch for").dblclick()
    customer.page.wait_for_url(INSTANCE_PAGE)
    assert customer.count("subscription") == 1
    assert customer.count("instance") == 1


def test_who_has_it_is_led_to_what_they_have(customer: Customer) -> None:
    customer.get_credit(50_000)
    customer.choose_plan("linkding")
    confirmation = customer.page.url
    customer.purchase("linkding")
    customer.page.goto("/catalog/linkding")
    expect(customer.page.get_by_role("link", name="Choose Basic")).to_have_count(0)
    customer.page.goto(confirmation)
    expect(customer.page.get_by_text("You have linkding already")).to_be_visible()
    expect(customer.page.get_by_role("button", name="Launch for")).to_have_count(0)
    customer.page.get_by_role("link", name="See my subscription").first.click()
    expect(customer.page.get_by_role("heading", level=1)).to_contain_text("linkding")


def test_a_second_page_left_open_cannot_buy_it_again(customer: Customer, watch: Watch) -> None:
    watch.tolerate("409")
    customer.get_credit(100_000)
    customer.choose_plan("linkding")
    balance_after = customer.balance - price_on(customer)
    customer.purchase("linkding")
    customer.page.get_by_role("button", name="Launch for").click()
    expect(customer.page.get_by_role("alert")).to_be_visible()
    assert customer.count("subscription") == 1
    assert customer.balance == balance_after


def price_on(customer: Customer) -> int:
    """The total that the confirmation names."""
    button = customer.page.get_by_role("button", name="Launch for").inner_text()
    return int("".join(filter(str.isdigit, button)))


def test_sold_out_is_said_before_any_payment(customer: Customer, last_slot: Any) -> None:
    take_last_slot(customer.stack, last_slot)
    page = customer.page
    page.goto("/catalog/linkding")
    page.get_by_role("link", name="Join the waitlist").first.click()
    expect(page.get_by_text("This plan is sold out")).to_be_visible()
    expect(page.get_by_role("button", name="Pay and launch")).to_have_count(0)


def test_a_slot_lost_before_confirming_is_told_and_free(customer: Customer, last_slot: Any, watch: Watch) -> None:
    watch.tolerate("409")
    customer.get_credit(50_000)
    customer.choose_plan("linkding")
    take_last_slot(customer.stack, last_slot)
    customer.page.get_by_role("button", name="Launch for").click()
    expect(customer.page.get_by_role("alert")).to_be_visible()
    expect(customer.page.get_by_text("This plan is sold out")).to_be_visible()
    assert customer.balance == 50_000


def test_a_slot_lost_while_paying_leaves_the_credit(customer: Customer, last_slot: Any) -> None:
    page = customer.page
    customer.choose_plan("linkding")
    page.get_by_role("button", name="Pay and launch").click()
    customer.choose_payment("bca_va", 50_000)
    take_last_slot(customer.stack, last_slot)
    customer.popup.pay("bca_va")
    customer.expect_credited()
    expect(customer.status).to_contain_text("could not be launched")
    expect(customer.status).to_contain_text("Your credit stays with you")
    customer.stack.sandbox.mailbox.wait_for(customer.email, "could not be started", timeout_s=30)
    assert customer.balance == 50_000
    assert customer.count("subscription") == 0
