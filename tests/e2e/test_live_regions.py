"""Pages that change by themselves: nothing jumps, focus stays, and they ask no more once there is nothing to ask."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.e2e.people import Customer
from tests.e2e.stack import Stack

pytestmark = pytest.mark.browser

CLS_MAX = 0.1
MEASURE_SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def page(page: Page) -> Page:
    """Measures what moves, and has a clock that can be put forward."""
    page.add_init_script(MEASURE_SHIFTS)
    page.clock.install()
    return page


def expect_still(page: Page) -> None:
    assert page.evaluate("window.shifted") < CLS_MAX


def expect_focus_kept(page: Page, place: Locator, region: str) -> None:
    """The region is replaced under the focused thing, and its successor is focused."""
    place.focus()
    page.locator(region).evaluate("region => region.dataset.old = ''")
    expect(page.locator(f"{region}[data-old]")).to_have_count(0)
    expect(place).to_be_focused()


def polls_of(page: Page) -> list[str]:
    """Fills with what regions ask the portal from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.headers.get("hx-request"):
            asked.append(f"{request.method} {request.url}")

    page.on("request", note)
    return asked


def expect_silence(page: Page, region: str) -> None:
    """One last look may be on its way; then a minute passes on the page's own clock, and nobody asks."""
    expect(page.locator(region)).not_to_have_attribute("hx-trigger", re.compile("every"))
    pass_time(page, 25_000)
    asked = polls_of(page)
    pass_time(page, 60_000)
    assert asked == []


def pass_time(page: Page, milliseconds: int) -> None:
    """Runs what falls due on the page meanwhile; returns when its questions are answered."""
    page.clock.run_for(milliseconds)
    page.request.get("/healthz")  # whatever the page asked before this has been noted
    expect(page.locator(".htmx-request")).to_have_count(0)


def test_a_top_up_updates_in_place_and_then_is_silent(customer: Customer) -> None:
    page = customer.page
    customer.ask_for_credit()
    customer.popup.start("bca_va")
    customer.popup.close()
    expect(customer.status.locator("code")).to_be_visible()
    expect_focus_kept(page, page.get_by_role("button", name="Copy the amount"), "#payments-status")
    expect_focus_kept(page, page.get_by_role("button", name="check now"), "#payments-status")
    customer.stack.sandbox.midtrans.pay(customer.orders[-1])
    customer.expect_credited()
    expect_still(page)
    expect_silence(page, "#payments-status")


def test_an_app_comes_up_in_place_and_then_is_silent(customer: Customer) -> None:
    page = customer.page
    customer.get_credit(50_000)
    customer.stack.sandbox.cluster.add_fault("never-ready", image="*miniflux*")
    customer.launch("miniflux")
    page.locator("#instances-live").get_by_role("link", name="Logs").wait_for()
    expect_focus_kept(page, page.locator("#instances-live").get_by_role("link", name="Logs"), "#instances-live")
    customer.stack.sandbox.cluster.clear_faults()
    customer.expect_state("Running")
    expect_still(page)
    expect_silence(page, "#instances-live")


def test_the_skip_link_comes_first_and_leads_past_the_navigation(page: Page, calm: Stack) -> None:
    page.goto("/catalog/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_top_up_by_keyboard_alone(customer: Customer) -> None:
    """Amount, method, continue: typed and pressed, never clicked."""
    page = customer.page
    page.goto("/top-ups/new")
    page.get_by_label("How much?").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("75000")
    expect(page.get_by_label("How much?")).to_have_value("75.000")
    page.locator("input[name=method]:checked").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("input[name=method]:checked")).to_be_focused()
    page.keyboard.press("Enter")
    customer.popup.expect_open()
    customer.popup.frame.locator("body").press("Escape")
    customer.popup.expect_gone()
    expect(customer.status).to_contain_text("Rp75.000")
