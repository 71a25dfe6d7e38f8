"""A small phone, turned on its side and back: no page ever scrolls sideways, whatever stands on it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, ViewportSize

from tests.e2e.conftest import DESKTOP, OpenContext
from tests.e2e.people import Customer
from tests.e2e.stack import Stack, until
from tests.e2e.test_accessibility import CUSTOMER, STICKS_OUT, VISITOR, pages_of_an_owner

pytestmark = pytest.mark.browser

SMALL: ViewportSize = {"width": 360, "height": 740}
LONG_LINES = "x" * 3000 + "\nhttps://example.com/" + "a-b/" * 200 + "\n"


@pytest.fixture(params=["reduce", "no-preference"])
def page(request: pytest.FixtureRequest, open_context: OpenContext) -> Page:
    context, watch = open_context(reduced_motion=request.param, locale="id-ID")
    watch.tolerate("404")
    return context.new_page()


def sticking_out(page: Page, address: str) -> list[str]:
    """What is too wide at once after the page became narrow, before any frame could pass."""
    page.set_viewport_size(DESKTOP)
    page.goto(address)
    page.set_viewport_size(SMALL)
    return [f"{address}: {what}" for what in page.evaluate(STICKS_OUT)]


def test_no_page_scrolls_sideways_when_it_becomes_narrow(calm: Stack, page: Page) -> None:
    customer = Customer.registered(calm, page, language="id")
    customer.have_running("miniflux")
    until(lambda: customer.count("document") == 2, "receipt and invoice exist", within_s=40)
    fill_log(calm, str(customer.instance("namespace")))
    addresses = (*VISITOR, *CUSTOMER, *pages_of_an_owner(customer))
    assert [line for address in addresses for line in sticking_out(page, address)] == []


def fill_log(stack: Stack, namespace: str) -> None:
    """Lines that nothing breaks."""
    cluster = stack.sandbox.cluster
    for kind, place, name in list(cluster.store.objects):
        if (kind, place) == ("pods", namespace):
            cluster.put_log(namespace, name, LONG_LINES)
