"""An administrator's bad morning, in a browser: work that failed is tried again, an alert opens and is taken on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.people import Customer
from tests.e2e.stack import Stack, until
from tests.e2e.test_accessibility import violations
from tests.e2e.test_narrow_screens import sticking_out
from tests.e2e.watching import Watch

pytestmark = pytest.mark.browser

FAILED_WORK = """
    INSERT INTO outbox_message (id, name, arguments, queue, created_at, run_at, attempts, failed_at, last_error)
    VALUES (gen_random_uuid(), 'outbox.sweep', '{}', 'default', now(), now(), 12, now(), 'it was away')
"""
SEEN_FOR_A_WHILE = """
    INSERT INTO alert (id, code, key, parameters, about, first_seen_at, last_seen_at, tellings, returns)
    VALUES (gen_random_uuid(), 'work_failed', '', '{}', '[]', now() - interval '5 minutes', now(), 0, 0)
    ON CONFLICT (code, key) WHERE closed_at IS NULL DO UPDATE SET first_seen_at = now() - interval '5 minutes'
"""
PAGES = ["/admin/jobs/", "/admin/jobs/outbox", "/admin/jobs/schedule/renewals", "/admin/audit/", "/admin/alerts/"]


@pytest.fixture
def admin(calm: Stack, page: Page) -> Page:
    """Somebody who runs this portal, signed in."""
    customer = Customer.registered(calm, page)
    calm.change("UPDATE user_account SET role = 'ADMINISTRATOR' WHERE email = :email", email=customer.email)
    return page


def test_failed_work_opens_an_alert_is_taken_on_and_tried_again(calm: Stack, admin: Page, watch: Watch) -> None:
    watch.tolerate("409")  # the schedule may be running it at this very moment, which does as well
    calm.change(FAILED_WORK)
    calm.change(SEEN_FOR_A_WHILE)
    admin.goto("/admin/jobs/schedule/alerts")
    admin.get_by_role("button", name="Run now").click()
    until(lambda: calm.one("SELECT opened_at FROM alert WHERE code = 'work_failed'"), "the alert opens", within_s=90)

    admin.goto("/admin/alerts/")
    admin.get_by_role("link", name="Queued work failed for good: 1").click()
    expect(admin.get_by_text("All attempts are used up of: outbox.sweep.")).to_be_visible()
    admin.get_by_role("button", name="I am on it").click()
    expect(admin.get_by_text("Somebody is on it")).to_be_visible()
    assert violations(admin, admin.url.removeprefix(calm.url)) == []

    admin.get_by_role("link", name="Look there").click()
    admin.get_by_label("State").select_option("FAILED")
    admin.locator("#jobs-listing").get_by_role("link", name="outbox.sweep").click()
    expect(admin.get_by_text("it was away")).to_be_visible()
    assert violations(admin, admin.url.removeprefix(calm.url)) == []
    admin.get_by_role("button", name="Try again").click()
    expect(admin.get_by_text("Queued again.")).to_be_visible()
    until(lambda: not calm.one("SELECT count(*) FROM outbox_message WHERE failed_at IS NOT NULL"), "it is done")
    admin.goto("/admin/audit/?action=work.")
    expect(admin.get_by_role("cell", name="Queued work again")).to_be_visible()


def test_the_overview_refreshes_itself_while_it_is_open(calm: Stack, admin: Page) -> None:
    admin.goto("/admin/jobs/")
    failed = admin.get_by_role("link", name="0", exact=True).nth(3)
    expect(failed).to_be_visible()
    calm.change(FAILED_WORK)
    expect(admin.locator("#jobs-live a[href$='state=FAILED']")).to_have_text("1")
    calm.change("DELETE FROM outbox_message WHERE failed_at IS NOT NULL")


def test_the_pages_are_for_everybody_and_every_screen(calm: Stack, admin: Page) -> None:
    calm.change(FAILED_WORK)
    for address in PAGES:
        assert violations(admin, address) == []
        assert sticking_out(admin, address) == []
        admin.set_viewport_size({"width": 1280, "height": 900})
    calm.change("DELETE FROM outbox_message WHERE failed_at IS NOT NULL")
