"""The second factor in a browser: set up from the secret on the page, asked for at the next sign-in; axe looks on."""

from __future__ import annotations

import pyotp
import pytest
from playwright.sync_api import Page, expect

from portal.core import clock
from tests.e2e.conftest import OpenContext
from tests.e2e.people import PASSWORD, Customer
from tests.e2e.stack import Stack
from tests.e2e.test_accessibility import violations_here
from tests.e2e.watching import Watch

pytestmark = pytest.mark.browser


def test_set_up_sign_in_and_switch_off(customer: Customer, watch: Watch) -> None:
    watch.tolerate("422")
    page = customer.page
    secret, recovery_codes = set_up(page)
    assert len(recovery_codes) == 10
    assert violations_here(page) == []
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", name="Second factor")).to_contain_text("on")
    assert violations_here(page) == []

    password(customer, leading_to="/wallet/")
    assert violations_here(page) == []
    page.get_by_label("Code from the app").fill("12 34")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This code is not right")).to_be_visible()
    assert violations_here(page) == []
    page.get_by_label("Code from the app").fill(shown(secret, later=1))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/wallet/")

    switch_off(page, recovery_codes[0])


def test_without_a_script_and_without_the_phone(calm: Stack, open_context: OpenContext) -> None:
    page = open_context(java_script_enabled=False)[0].new_page()
    customer = Customer.registered(calm, page)
    _secret, recovery_codes = set_up(page)
    page.get_by_role("link", name="I have kept them").click()
    password(customer, leading_to="/profile")
    page.get_by_text("Use a recovery code").click()
    page.get_by_label("Recovery code").fill(recovery_codes[4].upper())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/profile")
    page.goto("/security")
    expect(page.get_by_text("9 recovery codes are left")).to_be_visible()


def set_up(page: Page) -> tuple[str, list[str]]:
    """Leaves the page that shows the recovery codes."""
    page.goto("/security")
    page.get_by_role("link", name="Set it up").click()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Show me the QR code").click()
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    assert picture.evaluate("one => one.complete && one.naturalWidth > 0"), "the policy lets the picture in"
    secret = page.locator("code.secret").inner_text().replace(" ", "")
    page.get_by_label("Code from the app").fill(shown(secret))
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_text("not shown again")).to_be_visible()
    return secret, page.locator(".recovery-codes code").all_inner_texts()


def shown(secret: str, *, later: int = 0) -> str:
    """What the phone shows now, or half a minute later: near enough to count already."""
    return pyotp.TOTP(secret).at(clock.now(), counter_offset=later)


def password(customer: Customer, *, leading_to: str) -> None:
    """Signs out, and in again up to the code."""
    page = customer.page
    page.context.clear_cookies(name="minispod_session")
    page.goto(leading_to)
    page.get_by_label("E-mail address").fill(customer.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()


def switch_off(page: Page, recovery_code: str) -> None:
    page.goto("/security")
    page.get_by_role("link", name="Switch off").click()
    assert violations_here(page) == []
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_text("Use a recovery code").click()
    page.get_by_label("Recovery code").fill(recovery_code)
    page.get_by_role("button", name="Switch it off").click()
    expect(page.get_by_text("The password alone signs you in.")).to_be_visible()
