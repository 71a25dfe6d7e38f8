"""Every page by axe, as visitor and as customer, light and dark, on a phone and on a desktop; and by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import DESKTOP, PHONE
from tests.e2e.people import Customer
from tests.e2e.stack import ROOT, until
from tests.e2e.watching import Watch

pytestmark = pytest.mark.browser

AXE = (ROOT / "static" / "vendor" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = ("serious", "critical")
RUN = """
    async (only) => {
        const { violations } = await axe.run(document, { runOnly: only, resultTypes: ["violations"], iframes: false });
        return violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map((n) => n.target.join(" ")) }));
    }
"""
STICKS_OUT = """
    () => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return scrollWidth <= clientWidth ? [] : [...document.querySelectorAll("body *")]
            .filter((one) => one.getBoundingClientRect().right > clientWidth + 1)
            .map((one) => `${one.tagName}.${one.className} ${one.getBoundingClientRect().right}`).slice(0, 6);
    }
"""
CALM = """
    async () => {
        const frame = () => new Promise(requestAnimationFrame);
        const ends = (one) => one.effect.getComputedTiming().endTime !== Infinity;
        const passing = () => document.getAnimations().filter(ends);
        for (let calm = 0; calm < 3; calm = passing().length ? 0 : calm + 1) {
            await Promise.allSettled(passing().map((one) => one.finished));
            await frame();
        }
    }
"""
"""Colours pass into each other, and what inherits one begins when its parent has ended."""

VISITOR = (
    "/", "/catalog/", "/catalog/?q=zebra", "/catalog/n8n", "/catalog/ghost?interval=YEARLY", "/register", "/sign-in",
    "/forgot", "/help", "/status", "/nothing-here",
)  # fmt: skip
CUSTOMER = (
    "/dashboard/", "/catalog/n8n", "/instances/", "/subscriptions/", "/wallet/", "/top-ups/new", "/top-ups/",
    "/invoices/", "/notices/", "/notices/mails", "/notices/preferences", "/profile", "/security",
    "/security/second-factor", "/promo-codes/", "/profile/billing", "/profile/deactivation",
)  # fmt: skip


def test_visitors_pages(page: Page, watch: Watch) -> None:
    watch.tolerate("404")
    found = [line for address in VISITOR for line in violations(page, address)]
    assert found == []


def test_pages_of_a_new_customer(customer: Customer) -> None:
    found = [line for address in (*CUSTOMER, confirmation(customer)) for line in violations(customer.page, address)]
    assert found == []


def test_pages_of_a_customer_with_an_app(customer: Customer) -> None:
    customer.have_running("miniflux")
    until(lambda: customer.count("document") == 2, "receipt and invoice exist", within_s=40)
    seen = [line for address in pages_of_an_owner(customer) for line in violations(customer.page, address)]
    assert seen == []


def test_a_top_up_that_waits(customer: Customer) -> None:
    customer.ask_for_credit()
    customer.popup.start("bca_va")
    customer.popup.close()
    assert violations(customer.page, customer.page.url) == []


def confirmation(customer: Customer) -> str:
    """The confirmation of somebody short of credit."""
    customer.choose_plan()
    return customer.page.url


def pages_of_an_owner(customer: Customer) -> Iterator[str]:
    app, owner = f"/instances/{customer.instance('id')}", customer.customer_id
    yield from (app, *(f"{app}/{beside}" for beside in ("logs", "variables", "domains", "version", "deletion")))
    yield from ("/instances/", "/dashboard/", "/wallet/", "/notices/", "/notices/mails")
    for folder, table in (("top-ups", "payment"), ("invoices", "document"), ("subscriptions", "subscription")):
        newest = f"SELECT id FROM {table} WHERE customer_id = :owner ORDER BY created_at DESC"
        yield f"/{folder}/"
        yield f"/{folder}/{customer.stack.one(newest, owner=owner)}"
    yield from changes_of_plan(customer)


def changes_of_plan(customer: Customer) -> Iterator[str]:
    """What can be chosen, and the quote of it."""
    owned = "SELECT id FROM subscription WHERE customer_id = :owner"
    yield (choices := f"/subscriptions/{customer.stack.one(owned, owner=customer.customer_id)}/plan-changes/new")
    customer.page.goto(choices)
    customer.page.get_by_role("button", name=re.compile("Show me the price|Tampilkan harganya")).click()
    customer.page.wait_for_url(re.compile("/plan-changes/[0-9a-f-]{36}$"))
    yield customer.page.url


def violations(page: Page, address: str) -> list[str]:
    """What axe finds grave at an address."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size(DESKTOP)
    page.goto(address)
    return [f"{address} {line}" for line in violations_here(page)]


def violations_here(page: Page) -> list[str]:
    """On the page as it stands: everything on a desktop and on a phone, and the colours of both in the dark."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size(DESKTOP)
    page.evaluate(AXE)
    found = _look(page, "desktop", RULES)
    page.set_viewport_size(PHONE)
    page.evaluate(CALM)
    found += [*_look(page, "phone", RULES), *_too_wide(page)]
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.evaluate(CALM)
    found += _look(page, "phone, dark", ["color-contrast"])
    page.set_viewport_size(DESKTOP)
    found += _look(page, "desktop, dark", ["color-contrast"])
    return found


def _look(page: Page, shape: str, only: list[str]) -> list[str]:
    kind = "tag" if only is RULES else "rule"
    found: list[dict[str, Any]] = page.evaluate(RUN, {"type": kind, "values": only})
    return [f"({shape}): {one['id']} at {one['where'][:3]}" for one in found if one["impact"] in GRAVE]


def _too_wide(page: Page) -> list[str]:
    """A page never scrolls sideways; names what sticks out."""
    return [f"(phone): sticks out: {what}" for what in page.evaluate(STICKS_OUT)]
