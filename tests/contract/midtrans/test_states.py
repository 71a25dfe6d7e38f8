"""The life of an order: every allowed move, every forbidden one, tokens, attempts, refunds, the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox.midtrans import Refused, RequestRefused, Simulator, create_app
from sandbox.midtrans.settings import Settings
from sandbox.midtrans.states import MOVES, may_move

from .conftest import CLIENT_KEY, SERVER_KEY, Merchant, request_for

Order = Callable[..., str]
DAY_S = 86400
VERBS = {
    "settlement": "settle",
    "capture": "capture",
    "authorize": "authorize",
    "expire": "expire",
    "cancel": "cancel",
    "deny": "deny",
    "failure": "fail",
    "chargeback": "chargeback",
}
FORBIDDEN = [
    (status, target)
    for status in MOVES
    for target in VERBS
    if not may_move(status, target) and not (status == "capture" and target == "deny")
]


@pytest.mark.parametrize("status,target", FORBIDDEN, ids=lambda value: value)
def test_a_forbidden_move_is_412_and_changes_nothing(
    gateway: Simulator, order: Order, status: str, target: str
) -> None:
    transaction = gateway.choose(order(), "other_qris")
    transaction.status = status
    with pytest.raises(Refused) as caught:
        getattr(gateway, VERBS[target])(transaction.transaction_id)
    assert caught.value.code in ("412", "414")
    assert transaction.status == status


@pytest.mark.parametrize("target", sorted(MOVES["pending"]))
def test_a_pending_transaction_can_go_every_allowed_way(
    gateway: Simulator, merchant: Merchant, order: Order, target: str
) -> None:
    transaction = gateway.choose(order(), "other_qris")
    getattr(gateway, VERBS[target])(transaction.transaction_id)
    gateway.drain()
    assert transaction.status == target
    assert merchant.events == ["pending", target]


def test_a_new_token_kills_the_old_one(gateway: Simulator) -> None:
    old = gateway.create_order(request_for())
    new = gateway.create_order(request_for(amount=60000))
    with pytest.raises(Refused):
        gateway.choose(old.token, "bca_va")
    assert gateway.choose(new.token, "bca_va").amount == 60000


def test_an_order_id_is_used_up_by_the_first_choice(gateway: Simulator, order: Order) -> None:
    gateway.choose(order(), "bca_va")
    with pytest.raises(RequestRefused, match="already been taken"):
        order()
    gateway.pay("shop-1")
    with pytest.raises(RequestRefused, match="paid and utilized"):
        order()


def test_a_cancelled_session_is_dead_and_a_chosen_one_cannot_be_cancelled(gateway: Simulator) -> None:
    first = gateway.create_order(request_for("a"))
    gateway.cancel_session(first.token)
    with pytest.raises(Refused, match="already canceled"):
        gateway.cancel_session(first.token)
    second = gateway.create_order(request_for("b"))
    gateway.choose(second.token, "bca_va")
    with pytest.raises(Refused, match="on progress"):
        gateway.cancel_session(second.token)
    with pytest.raises(Refused, match="not found"):
        gateway.cancel_session("nonsense")


def test_the_page_dies_silently_and_the_number_stays_payable(
    gateway: Simulator, merchant: Merchant, order: Order
) -> None:
    transaction = gateway.choose(order(page_expiry={"unit": "minute", "duration": 5}), "bca_va")
    gateway.advance(600)
    with pytest.raises(Refused, match="expired"):
        gateway.choose("shop-1", "bni_va")
    assert merchant.events == ["pending"]
    gateway.pay(transaction.shown["va_numbers"][0]["va_number"])
    assert transaction.status == "settlement"


@pytest.mark.parametrize("method,lifetime_s", [("bca_va", DAY_S), ("other_qris", 900), ("gopay", 900)])
def test_an_unpaid_transaction_expires_in_its_methods_time(
    gateway: Simulator, merchant: Merchant, order: Order, method: str, lifetime_s: int
) -> None:
    transaction = gateway.choose(order(), method)
    gateway.advance(lifetime_s - 1)
    assert transaction.status == "pending"
    gateway.advance(1)
    assert transaction.status == "expire"
    assert merchant.received[-1]["status_code"] == "202"


def test_the_orders_own_expiry_counts_from_its_start_time(gateway: Simulator, order: Order) -> None:
    start = (gateway.clock.now() + timedelta(hours=7)).strftime("%Y-%m-%d %H:%M:%S +0700")
    order(expiry={"start_time": start, "unit": "hour", "duration": 2})
    gateway.advance(3600)
    transaction = gateway.choose("shop-1", "bca_va")
    gateway.advance(3601)
    assert transaction.status == "expire"


@pytest.mark.parametrize(
    "method,name",
    [("bca_va", "va_numbers"), ("permata_va", "permata_va_number"), ("echannel", "bill_key"),
     ("indomaret", "payment_code"), ("other_qris", "qr_string")],
)  # fmt: skip
def test_the_bank_finds_a_payment_by_its_number(gateway: Simulator, order: Order, method: str, name: str) -> None:
    transaction = gateway.choose(order(enabled_payments=[method]), method)
    assert name in transaction.shown
    for reference in transaction.references:
        assert gateway.records.find_by_reference(reference) is transaction
    gateway.pay((transaction.references - {transaction.transaction_id}).pop())
    assert transaction.status == "settlement"


def test_a_declined_attempt_leaves_room_for_another(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    first = gateway.choose(order(), "credit_card", card_number="4911 1111 1111 1113")
    second = gateway.choose("shop-1", "bca_va")
    gateway.pay(second.transaction_id)
    gateway.drain()
    assert merchant.events == ["deny", "pending", "settlement"]
    assert first.transaction_id != second.transaction_id
    assert gateway.status("shop-1")["transaction_id"] == second.transaction_id


def test_status_prefers_the_successful_attempt_unless_set_otherwise(gateway: Simulator, order: Order) -> None:
    paid, later = gateway.choose(order(), "bca_va"), gateway.choose("shop-1", "bni_va")
    gateway.pay(paid.transaction_id)
    assert gateway.status("shop-1")["transaction_id"] == paid.transaction_id
    gateway.settings.change(status_rule="latest")
    assert gateway.status("shop-1")["transaction_id"] == later.transaction_id


def test_only_one_attempt_succeeds_unless_told_otherwise(gateway: Simulator, order: Order) -> None:
    first, second = gateway.choose(order(), "bca_va"), gateway.choose("shop-1", "bni_va")
    gateway.pay(first.transaction_id)
    with pytest.raises(Refused) as caught:
        gateway.pay(second.transaction_id)
    assert caught.value.code == "406"
    gateway.inject("double_pay", order_prefix="shop", times=1)
    gateway.pay(second.transaction_id)
    assert first.successful
    assert second.successful


def test_the_other_attempt_expires_after_the_first_was_paid(
    gateway: Simulator, merchant: Merchant, order: Order
) -> None:
    gateway.choose(order(), "bca_va")
    gateway.pay(gateway.choose("shop-1", "bni_va").transaction_id)
    gateway.advance(DAY_S + 1)
    assert merchant.events == ["pending", "pending", "settlement", "expire"]
    assert gateway.status("shop-1")["transaction_status"] == "settlement"


def test_a_card_is_captured_now_and_settled_tomorrow(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    transaction = gateway.choose(order(), "credit_card", card_number="4811111111111114")
    assert transaction.status == "capture"
    gateway.advance(DAY_S)
    assert merchant.events == ["capture", "settlement"]


def test_a_challenge_waits_for_an_answer(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.choose(order("a"), "credit_card", card_number="4511111111111117")
    gateway.choose(order("b"), "credit_card", card_number="4511111111111117")
    gateway.drain()
    assert [m["status_code"] for m in merchant.received] == ["201", "201"]
    gateway.approve("a")
    assert gateway.status("a")["fraud_status"] == "accept"
    gateway.advance(2 * DAY_S)
    assert gateway.status("a")["transaction_status"] == "settlement"
    assert gateway.status("b")["transaction_status"] == "cancel"


def test_a_late_card_answer_comes_after_a_minute(gateway: Simulator, order: Order) -> None:
    card = "4024007176265022"
    transaction = gateway.choose(order(credit_card={"secure": True}), "credit_card", card_number=card)
    gateway.authenticate_card(transaction.transaction_id)
    assert transaction.status == "pending"
    gateway.advance(60)
    assert transaction.status == "capture"


def test_an_authorized_card_is_captured_up_to_its_amount(gateway: Simulator, order: Order) -> None:
    order(credit_card={"type": "authorize"})
    transaction = gateway.choose("shop-1", "credit_card", card_number="4811111111111114")
    assert transaction.status == "authorize"
    with pytest.raises(Refused, match="414"):
        gateway.capture("shop-1", amount=50001)
    gateway.capture("shop-1", amount=30000)
    assert gateway.status("shop-1")["gross_amount"] == "30000.00"


def test_refunds_stop_at_what_is_left(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.pay(order(), method="other_qris")
    gateway.refund("shop-1", amount=20000, refund_key="one")
    for amount, key, code in [(20000, "one", "406"), (30001, "two", "414"), (0, "two", "414")]:
        with pytest.raises(Refused, match=code):
            gateway.refund("shop-1", amount=amount, refund_key=key)
    gateway.refund("shop-1", refund_key="rest")
    assert gateway.status("shop-1")["transaction_status"] == "refund"
    assert gateway.status("shop-1")["refund_amount"] == "50000.00"
    with pytest.raises(Refused, match="412"):
        gateway.refund("shop-1", refund_key="more")
    gateway.advance(120)
    confirmed = ["bank_confirmed_at" in m["refunds"][-1] for m in merchant.received if "refunds" in m]
    assert confirmed == [False, False, False, True]


def test_a_bank_transfer_cannot_be_refunded(gateway: Simulator, order: Order) -> None:
    gateway.pay(order(), method="bca_va")
    with pytest.raises(Refused, match="412"):
        gateway.refund("shop-1")


def test_a_refused_online_refund_leaves_it_settled(gateway: Simulator, order: Order) -> None:
    gateway.pay(order(), method="gopay")
    gateway.inject("refund_refused")
    answer = gateway.refund("shop-1", direct=True)
    assert (answer["status_code"], answer["transaction_status"]) == ("202", "settlement")
    assert answer["refund_amount"] == "0.00"


def test_only_some_methods_can_be_reversed(gateway: Simulator, order: Order) -> None:
    gateway.pay(order("a"), method="permata_va")
    gateway.pay(order("b"), method="bca_va")
    assert gateway.reverse("a").status == "deny"
    with pytest.raises(Refused):
        gateway.reverse("b")


def test_a_chargeback_in_part_then_whole(gateway: Simulator, order: Order) -> None:
    gateway.pay(order(), method="other_qris")
    assert gateway.chargeback("shop-1", amount=10000).status == "partial_chargeback"
    assert gateway.chargeback("shop-1").status == "chargeback"
    assert gateway.status("shop-1")["refund_amount"] == "50000.00"


def test_money_after_expiry_needs_force(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.choose(order(), "bca_va")
    gateway.advance(DAY_S)
    with pytest.raises(Refused):
        gateway.settle("shop-1")
    gateway.settle("shop-1", force=True)
    gateway.drain()
    assert merchant.events == ["pending", "expire", "settlement"]


def test_a_wallet_that_is_scanned_is_reported_as_qris(gateway: Simulator, order: Order) -> None:
    assert gateway.choose(order("a"), "gopay", ui="qr").payment_type == "qris"
    assert gateway.choose(order("b"), "gopay", ui="deeplink").payment_type == "gopay"


def test_a_restart_remembers_everything(tmp_path: Path) -> None:
    def start() -> Simulator:
        return create_app(
            server_key=SERVER_KEY, client_key=CLIENT_KEY, notification_url="http://127.0.0.1:9/",
            state_file=tmp_path / "state.json",
        ).simulator  # fmt: skip

    before = start()
    before.freeze()
    session = before.create_order(request_for())
    number = before.choose(session.token, "bca_va").shown["va_numbers"][0]["va_number"]
    before.drain()
    before.advance(3600)
    moment = before.clock.now()
    before.stop()

    after = start()
    after.freeze()
    assert after.clock.now() >= moment
    assert [n.event for n in after.notifications()] == ["pending"]
    assert after.pay(number).order_id == "shop-1"
    after.stop()


@pytest.mark.parametrize("key", ["Mid-server-live", "", "sb-lower"])
def test_a_key_that_could_be_real_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="SB-"):
        create_app(server_key=key, client_key="x", notification_url="http://127.0.0.1:9/")


def test_unknown_settings_and_wrong_types_are_refused() -> None:
    settings = Settings(SERVER_KEY, CLIENT_KEY, "http://127.0.0.1:9/")
    with pytest.raises(KeyError):
        settings.change(server_key="SB-other")
    with pytest.raises(ValueError):
        settings.change(realistic_latency="yes")
