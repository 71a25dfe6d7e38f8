"""An app in its owner's hands, and one that does not come up: money back, nothing left, told once."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Customer
from tests.e2e.stack import Stack, until

pytestmark = pytest.mark.browser

FAILED = "could not be started, and you have your money back"


@pytest.fixture
def no_image(calm: Stack) -> Iterator[None]:
    calm.sandbox.cluster.add_fault("image-not-found", image="*miniflux*")
    yield
    calm.sandbox.cluster.clear_faults()


def test_an_app_that_cannot_start_gives_everything_back(customer: Customer, no_image: None) -> None:
    stack, page = customer.stack, customer.page
    slots = slots_used(stack, "miniflux")
    customer.get_credit(50_000)
    customer.launch("miniflux")
    live = page.locator("#instances-live")
    expect(live).to_contain_text("The software could not be downloaded yet; we keep trying", timeout=40_000)
    let_a_minute_pass(customer)
    expect(live).to_contain_text("could not be set up", timeout=40_000)
    expect(live).to_contain_text("Rp15.000 was refunded to your credit")
    expect(live).to_contain_text("What had been begun was removed.", timeout=40_000)
    assert customer.balance == 50_000
    assert slots_used(stack, "miniflux") == slots
    assert labelled(customer) == []
    expect_one_mail(customer)


def let_a_minute_pass(customer: Customer) -> None:
    """A missing image may appear within a minute: as if it had been missing for two."""
    customer.stack.change(
        "UPDATE instance_event SET happened_at = happened_at - interval '2 minutes'"
        " WHERE instance_id = :instance AND code = 'image_not_found'",
        instance=customer.instance("id"),
    )


def slots_used(stack: Stack, app: str) -> int:
    statement = "SELECT sum(slots_used) FROM plan JOIN service ON service.id = plan.service_id WHERE slug = :app"
    return int(stack.one(statement, app=app))


def labelled(customer: Customer) -> list[dict[str, object]]:
    instance = customer.instance("id")
    return customer.stack.sandbox.cluster.objects(label_selector=f"minispod.io/instance={instance}")


def expect_one_mail(customer: Customer) -> None:
    """All work for this customer is done when none is due; then one mail told it."""
    mailbox = customer.stack.sandbox.mailbox
    mailbox.wait_for(customer.email, FAILED, timeout_s=30)
    until(lambda: customer.stack.one(_WORK_DUE) == 0, "no work is left")
    assert len(mailbox.mails(to=customer.email, subject=FAILED)) == 1


_WORK_DUE = """
    SELECT count(*) FROM outbox_message
    WHERE done_at IS NULL AND failed_at IS NULL AND run_at < now() AND name LIKE 'notices.%'
"""


def test_stop_start_and_restart(customer: Customer) -> None:
    page = customer.page
    customer.have_running("memos")
    page.get_by_role("button", name="Stop").click()
    customer.expect_state("Stopped")
    expect(page.get_by_text("Its data stays, and so does its subscription")).to_be_visible()
    page.get_by_role("button", name="Start").click()
    customer.expect_state("Running")
    page.get_by_role("button", name="Restart").click()
    until(lambda: customer.instance("restarted_at"), "it is restarted")
    expect(page.locator("#instances-history")).to_contain_text("You restarted it")
    customer.expect_state("Running")
    expect(page.locator("#instances-history li").first).not_to_contain_text("You restarted it")
    expect(page.get_by_role("link", name="Open Memos")).to_be_visible()


def test_sign_in_is_shown_on_demand_alone_and_logs_are_read(customer: Customer) -> None:
    page = customer.page
    customer.have_running("miniflux")
    expect(page.locator("#instances-credentials code")).to_have_count(0)
    page.get_by_role("button", name="Show how to sign in").click()
    expect(page.locator("#instances-credentials code").first).to_have_text(re.compile(r"\S{5,}"))
    page.locator("#instances-live").get_by_role("link", name="Logs").click()
    expect(page.get_by_role("region", name="The last 200 lines")).to_be_visible()
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("region", name="The last 200 lines")).to_be_visible()
