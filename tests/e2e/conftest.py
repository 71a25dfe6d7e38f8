"""One running product per test process, a fresh browser context and a fresh customer per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.browser import browser_type_launch_args
from tests.e2e.people import Customer
from tests.e2e.stack import Stack
from tests.e2e.watching import Watch

__all__ = ["browser_type_launch_args"]

PATIENCE_MS = 20_000
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    expect.set_options(timeout=PATIENCE_MS)
    with Stack(Path(tmp_path_factory.mktemp("e2e"))) as stack:
        yield stack


@pytest.fixture
def calm(stack: Stack) -> Iterator[Stack]:
    """The product with nothing broken; when the test is over its books are clean."""
    stack.calm()
    yield stack
    assert stack.audit() == []


OpenContext = Callable[..., tuple[BrowserContext, Watch]]


@pytest.fixture
def open_context(calm: Stack, browser: Browser) -> Iterator[OpenContext]:
    """Opens watched contexts; whatever their pages did wrong fails the test at its end."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_one(**options: Any) -> tuple[BrowserContext, Watch]:
        context = browser.new_context(
            **{"base_url": calm.url, "locale": "en-US", "viewport": DESKTOP, "reduced_motion": "reduce"} | options
        )
        context.set_default_timeout(PATIENCE_MS)
        watch = Watch(context, portal=calm.url, sandbox=calm.sandbox.url)
        opened.append((context, watch))
        return context, watch

    yield open_one
    for context, _ in opened:
        context.close()
    assert [complaint for _, watch in opened for complaint in watch.complaints] == []


@pytest.fixture
def watched(open_context: OpenContext) -> tuple[BrowserContext, Watch]:
    return open_context()


@pytest.fixture
def watch(watched: tuple[BrowserContext, Watch]) -> Watch:
    return watched[1]


@pytest.fixture
def page(watched: tuple[BrowserContext, Watch]) -> Page:
    """A visitor's page, in English, on a desktop."""
    return watched[0].new_page()


@pytest.fixture
def customer(calm: Stack, page: Page) -> Customer:
    """Somebody new, registered and signed in on `page`."""
    return Customer.registered(calm, page)
