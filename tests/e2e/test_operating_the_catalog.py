"""An administrator runs the catalog from pages, and customers see it: a plan, its slots, and top-ups held back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PHONE, OpenContext
from tests.e2e.people import Customer
from tests.e2e.stack import Stack
from tests.e2e.test_accessibility import violations

pytestmark = pytest.mark.browser
PAGES = (
    "/admin/services/", "/admin/services/categories", "/admin/services/linkding", "/admin/services/linkding/edit",
    "/admin/services/linkding/plans/BASIC", "/admin/quota/", "/admin/switches/", "/admin/app-templates/",
    "/admin/app-templates/linkding", "/admin/app-templates/linkding/edit",
)  # fmt: skip


@pytest.fixture
def admin(calm: Stack, open_context: OpenContext) -> Page:
    """Somebody new who administers."""
    page = open_context()[0].new_page()
    person = Customer.registered(calm, page)
    calm.change("UPDATE user_account SET role = 'ADMINISTRATOR' WHERE email = :email", email=person.email)
    return page


@pytest.fixture
def as_it_was(calm: Stack) -> Iterator[None]:
    yield
    calm.change("DELETE FROM operational_switch")
    calm.change(
        "UPDATE plan SET active = false FROM service"
        " WHERE service.id = plan.service_id AND slug = 'linkding' AND plan_type = 'ENTERPRISE'"
    )


def test_a_plan_is_made_and_given_slots_and_top_ups_are_held_back(
    admin: Page, customer: Customer, as_it_was: None, watch: object
) -> None:
    make_a_plan(admin)
    customer.page.goto("/catalog/linkding")
    card = customer.page.locator(".plan", has_text="Firm")
    expect(card).to_contain_text("Rp90.000")
    expect(card).to_contain_text("4 slots left")
    give_slots(admin, 7)
    customer.page.reload()
    expect(card).to_contain_text("7 slots left")

    hold_back_top_ups(admin)
    customer.page.goto("/dashboard/")
    expect(customer.page.get_by_text("Top-ups are paused for the moment")).to_be_visible()
    expect(customer.page.get_by_text("the bank is away")).to_have_count(0)
    admin.get_by_role("button", name="Turn off: No top-ups").click()
    customer.page.goto("/dashboard/")
    expect(customer.page.get_by_text("Top-ups are paused for the moment")).to_have_count(0)


def make_a_plan(page: Page) -> None:
    page.goto("/admin/services/linkding")
    page.get_by_role("link", name="Add a plan").click()
    page.get_by_label("Tier").select_option("ENTERPRISE")
    page.get_by_label("Name", exact=True).fill("Firm")
    page.get_by_label("Price a month").fill("90000")
    page.get_by_label("Slots", exact=True).fill("4")
    page.get_by_role("button", name="Add the plan").click()
    expect(page.get_by_role("link", name="Firm")).to_be_visible()


def give_slots(page: Page, total: int) -> None:
    page.get_by_role("link", name="0 / 4", exact=True).click()
    page.get_by_label("Slots of this plan").fill(str(total))
    page.get_by_role("button", name="See what it means").click()
    expect(page.get_by_text("3 new slots")).to_be_visible()
    page.get_by_role("button", name=f"Set it to {total}").click()
    expect(page.get_by_text(f"Firm has {total} slots now.")).to_be_visible()


def hold_back_top_ups(page: Page) -> None:
    page.goto("/admin/switches/")
    panel = page.locator("section", has=page.get_by_role("heading", name="No top-ups"))
    panel.get_by_role("textbox").fill("the bank is away")
    panel.get_by_role("button", name="Turn on").click()
    expect(panel.get_by_text("the bank is away")).to_be_visible()


def test_its_pages_by_axe(admin: Page) -> None:
    admin.set_viewport_size(PHONE)
    assert [line for address in PAGES for line in violations(admin, address)] == []
