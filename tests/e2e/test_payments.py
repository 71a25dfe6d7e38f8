"""Ways to pay, and everything between the first press and the credit that can go wrong: nobody wonders about money."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.people import TOP_UP_PAGE, Customer
from tests.e2e.popup import start
from tests.e2e.stack import Stack, until
from tests.e2e.watching import Watch

pytestmark = pytest.mark.browser

GOOD_CARD = "4811 1111 1111 1114"


def test_qris_is_paid_in_the_popup(customer: Customer) -> None:
    customer.ask_for_credit("qris")
    customer.popup.start("other_qris")
    expect(customer.popup.frame.get_by_role("img")).to_be_visible()
    customer.popup.frame.locator("[data-act=pay]").click()
    customer.popup.leave()
    customer.expect_credited()
    expect(customer.page.get_by_role("banner")).to_contain_text("Rp50.000")


def test_a_card_is_paid_after_the_banks_own_page(customer: Customer) -> None:
    customer.ask_for_credit("credit_card")
    customer.popup.pay_by_card(GOOD_CARD, confirm=True)
    customer.expect_credited()


def test_a_refused_card_costs_nothing_and_a_bank_transfer_follows(customer: Customer) -> None:
    customer.ask_for_credit("credit_card")
    customer.popup.pay_by_card(GOOD_CARD, confirm=False)
    expect(customer.status).to_contain_text("The last try was refused. Nothing was charged.")
    customer.page.get_by_role("link", name="Choose another method").click()
    expect(customer.page.get_by_label("How much?")).to_have_value("50.000")
    customer.choose_payment("bca_va", 50_000)
    customer.popup.pay("bca_va")
    customer.expect_credited()
    assert customer.balance == 50_000


def test_closing_the_popup_loses_nothing_and_continuing_is_the_same_order(customer: Customer) -> None:
    customer.ask_for_credit()
    customer.popup.close()
    customer.page.reload()
    expect(customer.page.locator("#snap-midtrans")).to_have_count(0)
    customer.page.get_by_role("button", name="Continue payment").click()
    customer.popup.pay("bca_va")
    customer.expect_credited()
    assert len(customer.orders) == 1
    assert customer.balance == 50_000


def test_a_number_taken_in_the_popup_stands_on_our_page_too(customer: Customer) -> None:
    customer.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = customer.page
    customer.ask_for_credit("bni_va")
    customer.popup.start("bni_va")
    number = customer.popup.frame.locator("[data-number]").inner_text()
    customer.popup.close()
    expect(customer.status.locator("code")).to_have_text(number)
    page.get_by_role("button", name="Copy the virtual account number").click()
    assert page.evaluate("navigator.clipboard.readText()") == number
    customer.stack.sandbox.midtrans.pay(number)
    customer.expect_credited()


def test_a_lost_notification_is_made_up_for_by_looking(customer: Customer) -> None:
    gateway = customer.stack.sandbox.midtrans
    gateway.inject("drop")
    customer.ask_for_credit()
    customer.page.reload()  # the popup is gone, and nobody said so
    gateway.pay(customer.orders[-1], method="bca_va")
    customer.page.get_by_role("button", name="check now").click()
    customer.expect_credited()
    assert [notice.state for notice in gateway.notifications(order_id=customer.orders[-1])] == ["dropped"] * 2


def test_a_lost_notification_is_made_up_for_by_the_page_itself(customer: Customer) -> None:
    gateway, page = customer.stack.sandbox.midtrans, customer.page
    gateway.inject("drop")
    page.clock.install()
    customer.ask_for_credit()
    page.reload()  # the popup is gone, and nobody said so
    gateway.pay(customer.orders[-1], method="bca_va")
    page.clock.run_for(21_000)
    customer.expect_credited()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == [], "what is settled is not asked about"


def test_a_notification_before_the_gateways_own_answer_is_credited(customer: Customer) -> None:
    customer.stack.sandbox.midtrans.inject("before_create_response", method="bca_va", pay=True, times=1)
    customer.ask_for_credit()
    customer.expect_credited()
    assert customer.balance == 50_000


def urgent_work(stack: Stack) -> int:
    return int(stack.one(
        "SELECT count(*) FROM outbox_message"
        " WHERE queue = 'urgent' AND done_at IS NULL AND failed_at IS NULL AND run_at < now()"
    ))  # fmt: skip


def test_twenty_notifications_at_once_are_one_credit(customer: Customer) -> None:
    gateway = customer.stack.sandbox.midtrans
    gateway.inject("duplicate", event="settlement", n=20, concurrent=True, times=1)
    customer.ask_for_credit()
    customer.popup.pay("bca_va")
    customer.expect_credited()
    gateway.drain()
    until(lambda: urgent_work(customer.stack) == 0, "every one was looked into")
    told = [notice for notice in gateway.notifications(order_id=customer.orders[-1]) if notice.event == "settlement"]
    assert len(told) >= 20
    assert {attempt["code"] for notice in told for attempt in notice.attempts} == {200}
    assert customer.balance == 50_000


def test_a_blocked_script_leaves_a_link_to_the_same_payment(customer: Customer, watch: Watch) -> None:
    watch.tolerate(r"net::ERR_FAILED")
    page = customer.page
    page.route("**/snap.js", lambda route: route.abort())
    customer.ask_for_credit()
    expect(page.get_by_text("The payment popup could not be opened")).to_be_visible()
    page.get_by_role("link", name="Open the payment page").click()
    start(page, "bca_va")
    page.locator("[data-act=pay]").click()
    page.locator("main a.primary").click()
    page.wait_for_url(TOP_UP_PAGE)
    customer.expect_credited()
    assert len(customer.orders) == 1


def test_a_popup_that_lies_about_success_moves_no_money(customer: Customer) -> None:
    customer.stack.sandbox.midtrans.inject("lying_result", times=1)
    customer.ask_for_credit()
    customer.popup.frame.locator("button[data-method=bca_va]").click()
    with customer.page.expect_response(re.compile("/check$")):
        customer.popup.leave()
    with customer.page.expect_response(TOP_UP_PAGE):
        pass
    expect(customer.status.locator("code")).to_be_visible()
    assert customer.balance == 0


def test_a_cancelled_top_up_says_so_and_late_money_is_credited_all_the_same(customer: Customer, calm: Stack) -> None:
    calm.sandbox.midtrans.inject("http_503", endpoint="cancel", times=20)
    page = customer.page
    customer.ask_for_credit()
    customer.popup.start("bca_va")
    customer.popup.close()
    page.get_by_role("button", name="Cancel this top-up").click()
    expect(customer.status).to_contain_text("Nothing was charged")
    calm.sandbox.midtrans.pay(customer.orders[-1])
    until(lambda: customer.balance == 50_000, "the late money is credited")
    page.reload()
    expect(customer.status).to_contain_text("arrived after this top-up had ended")


def test_a_gateway_that_is_down_loses_nothing(customer: Customer) -> None:
    gateway = customer.stack.sandbox.midtrans
    gateway.inject("http_503", endpoint="create")
    customer.ask_for_credit()
    expect(customer.status).to_contain_text("Nothing was charged, and your top-up is kept")
    gateway.heal()
    customer.page.get_by_role("button", name="Try again").click()
    customer.popup.pay("bca_va")
    customer.expect_credited()
    assert customer.count("payment") == 1


def test_two_presses_are_one_top_up(customer: Customer) -> None:
    page = customer.page
    page.goto("/top-ups/new")
    page.locator("input[name=method][value=bca_va]").check()
    page.get_by_role("button", name="Continue to payment").dblclick()
    page.wait_for_url(TOP_UP_PAGE)
    customer.popup.expect_open()
    assert customer.count("payment") == 1
    assert len(customer.orders) == 1
