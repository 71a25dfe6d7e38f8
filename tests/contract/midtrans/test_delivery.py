"""Notifications on their way: the retry table, redirects, and every fault of delivery and of the message."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.midtrans import Simulator
from sandbox.midtrans.faults import UnknownFault
from sandbox.midtrans.forgery import MALFORMED_KINDS
from sandbox.midtrans.messages import sign

from .conftest import SERVER_KEY, Merchant, request_for

Order = Callable[..., str]
HOURS_6_S = 6 * 3600


@pytest.mark.parametrize(
    "code,attempts",
    [(200, 1), (204, 1), (500, 2), (503, 5), (400, 3), (404, 3), (301, 1), (302, 1), (401, 6), (403, 6),
     (422, 6), (429, 6)],
)  # fmt: skip
def test_retries_follow_the_reply_code(
    gateway: Simulator, merchant: Merchant, order: Order, code: int, attempts: int
) -> None:
    merchant.will_reply(*[code] * 8)
    gateway.choose(order(), "bca_va")
    gateway.advance(HOURS_6_S)
    journal = gateway.journal.entries(kind="notification")
    assert [entry["code"] for entry in journal] == [code] * attempts
    assert gateway.notifications()[0].state == ("delivered" if code < 300 else "given_up")


def test_retries_wait_longer_each_time(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    merchant.will_reply(*[503] * 8)
    gateway.choose(order(), "bca_va")
    gateway.drain()
    made = []
    for wait_s in (120, 600, 1800, 5400):
        gateway.advance(wait_s)
        made.append(len(gateway.notifications()[0].attempts))
    assert made[0] == 2
    assert made == sorted(made)
    assert made[-1] == 5


def test_a_307_is_followed_with_the_body(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    merchant.will_reply(307, 308, location="/moved")
    gateway.choose(order(), "bca_va")
    gateway.drain()
    assert merchant.requests == [("POST", "/hook"), ("POST", "/moved"), ("POST", "/moved")]
    assert merchant.events == ["pending"] * 3
    assert gateway.notifications()[0].state == "delivered"


def test_a_307_loop_ends(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    merchant.will_reply(*[307] * 6, location="/round")
    gateway.choose(order(), "bca_va")
    gateway.drain()
    assert len(merchant.requests) == 6


def test_a_302_becomes_an_empty_get_and_no_retry(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    merchant.will_reply(302, location="/login")
    gateway.choose(order(), "bca_va")
    gateway.advance(HOURS_6_S)
    assert merchant.requests == [("POST", "/hook"), ("GET", "/login")]
    assert merchant.bodies[1] == b""


def test_a_slow_receiver_is_cut_off_and_told_again(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    patience = threading.Event()
    merchant.on_notice = lambda: patience.wait(5) and None
    gateway.settings.change(delivery_timeout_s=0.2)
    gateway.choose(order(), "bca_va")
    gateway.drain()
    assert gateway.notifications()[0].attempts[0]["error"] == "ReadTimeout"
    patience.set()
    gateway.advance(120)
    assert gateway.notifications()[0].state == "delivered"


def test_nobody_listening_is_retried(gateway: Simulator, merchant: Merchant) -> None:
    gateway.create_order(request_for(), override=["http://127.0.0.1:9/closed"])
    gateway.choose("shop-1", "bca_va")
    gateway.advance(HOURS_6_S)
    assert [a["error"] for a in gateway.notifications()[0].attempts] == ["ConnectionError"] * 6


def test_an_order_with_several_addresses_tells_each(gateway: Simulator, merchant: Merchant) -> None:
    gateway.create_order(request_for(), append=[merchant.url + "/second"])
    gateway.choose("shop-1", "bca_va")
    gateway.drain()
    assert {path for _, path in merchant.requests} == {"/hook", "/hook/second"}


def test_messages_of_one_order_keep_their_order(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.pay(order("a"), method="bca_va")
    gateway.drain()
    assert merchant.events == ["pending", "settlement"]


def test_duplicates_have_the_same_bytes(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.inject("duplicate", event="settlement", n=3)
    gateway.pay(order(), method="bca_va")
    gateway.drain()
    assert merchant.events == ["pending", "settlement", "settlement", "settlement"]
    assert len(set(merchant.bodies[1:])) == 1


def test_concurrent_duplicates_meet_at_the_receiver(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    together = threading.Barrier(5)
    gateway.settings.change(pending_notifications=False)
    merchant.on_notice = lambda: together.wait(5) and None
    gateway.inject("duplicate", event="settlement", n=5, concurrent=True)
    gateway.pay(order(), method="bca_va")
    gateway.drain()
    assert merchant.events == ["settlement"] * 5


def test_near_duplicates_mean_the_same_in_other_bytes(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.inject("near_duplicate", event="settlement", n=3)
    gateway.pay(order(), method="bca_va")
    gateway.drain()
    assert len(set(merchant.bodies[1:])) == 3
    assert len({m["signature_key"] for m in merchant.received[1:]}) == 1


def test_reordering_sends_the_later_one_first(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.inject("reorder", event="pending")
    gateway.pay(order(), method="bca_va")
    gateway.drain()
    assert merchant.events == ["settlement", "pending"]


def test_delay_drop_and_hold(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.inject("delay", order_prefix="late", seconds=3600)
    gateway.inject("drop", order_prefix="lost")
    gateway.inject("hold", order_prefix="held")
    for name in ("late-1", "lost-1", "held-1"):
        gateway.choose(order(name), "bca_va")
    gateway.advance(3599)
    assert merchant.events == []
    gateway.advance(1)
    assert [m["order_id"] for m in merchant.received] == ["late-1"]
    gateway.postman.release(gateway.notifications(state="held")[0].number)
    gateway.drain()
    assert [m["order_id"] for m in merchant.received] == ["late-1", "held-1"]
    assert [n.order_id for n in gateway.notifications(state="dropped")] == ["lost-1"]


def test_a_notification_can_outrun_the_answer_that_caused_it(
    gateway: Simulator, merchant: Merchant, order: Order
) -> None:
    gateway.inject("before_response", event="pending")
    gateway.choose(order(), "bca_va")
    assert merchant.events == ["pending"]


def test_a_paid_notification_can_outrun_the_create_answer(gateway: Simulator, merchant: Merchant) -> None:
    gateway.inject("before_create_response", pay=True, times=1)
    gateway.create_order(request_for())
    assert merchant.events == ["pending", "settlement"]


def test_the_receiver_may_ask_for_the_status_while_it_is_told(
    gateway: Simulator, merchant: Merchant, order: Order
) -> None:
    seen: list[str] = []
    merchant.on_notice = lambda: seen.append(gateway.status("shop-1")["transaction_status"])
    gateway.inject("before_response")
    gateway.pay(order(), method="bca_va")
    assert seen == ["settlement", "settlement"]


FORGED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "wrong_signature": lambda m: set(m["signature_key"]) == {"0"},
    "other_key": lambda m: len(m["signature_key"]) == 128,
    "signature_absent": lambda m: "signature_key" not in m,
    "signature_null": lambda m: m["signature_key"] is None,
    "signature_number": lambda m: m["signature_key"] == 42,
    "signature_list": lambda m: isinstance(m["signature_key"], list),
    "signature_upper": lambda m: m["signature_key"].isupper(),
    "cross_env": lambda m: m["merchant_id"] == "G999999999",
}


@pytest.mark.parametrize("mode", FORGED)
def test_a_forged_message_does_not_verify(gateway: Simulator, merchant: Merchant, order: Order, mode: str) -> None:
    gateway.settings.change(pending_notifications=False)
    gateway.inject(mode, event="settlement")
    gateway.pay(order())
    gateway.drain()
    message = merchant.received[0]
    assert FORGED[mode](message)
    assert message.get("signature_key") != sign("shop-1", "200", "50000.00", SERVER_KEY)


def test_a_tampered_replay_keeps_a_valid_signature(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.pay(order(), method="other_qris")
    gateway.forge("shop-1", "replay_tamper", set={"transaction_status": "refund", "transaction_id": "other"})
    gateway.drain()
    tampered = merchant.received[-1]
    assert tampered["transaction_status"] == "refund"
    assert tampered["signature_key"] == sign("shop-1", "200", "50000.00", SERVER_KEY)


@pytest.mark.parametrize("value", ["50000", "50000.0", 50000, "5e4", "1.00"])
def test_a_drifting_amount_is_signed_as_it_stands(
    gateway: Simulator, merchant: Merchant, order: Order, value: Any
) -> None:
    gateway.inject("amount_drift", event="settlement", value=value)
    gateway.pay(order())
    gateway.drain()
    message = merchant.received[-1]
    assert message["gross_amount"] == value
    assert message["signature_key"] == sign("shop-1", "200", str(value), SERVER_KEY)


def test_a_promotion_lowers_the_amount_everywhere(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.inject("promo", amount=5000)
    gateway.pay(order())
    assert gateway.status("shop-1")["gross_amount"] == "45000.00"
    assert gateway.status("shop-1")["promo_details"]["original_amount"] == "50000.00"


def test_a_lying_webhook_is_signed_and_the_status_knows_better(
    gateway: Simulator, merchant: Merchant, order: Order
) -> None:
    gateway.inject("lying_webhook", event="pending")
    gateway.choose(order(), "bca_va")
    gateway.drain()
    assert merchant.events == ["settlement"]
    assert merchant.received[0]["signature_key"] == sign("shop-1", "200", "50000.00", SERVER_KEY)
    assert gateway.status("shop-1")["transaction_status"] == "pending"


@pytest.mark.parametrize("kind", MALFORMED_KINDS)
def test_every_malformed_kind_arrives_and_differs(
    gateway: Simulator, merchant: Merchant, order: Order, kind: str
) -> None:
    gateway.inject("malformed", kind=kind, event="pending")
    transaction = gateway.choose(order(), "bca_va")
    gateway.drain()
    true = gateway._message_about(transaction.order_id)
    assert merchant.bodies[0] != json.dumps(true).encode()
    assert merchant.requests[0][0] == ("GET" if kind == "get" else "POST")


def test_a_reversal_takes_the_money_back_within_minutes(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.inject("reversal", seconds=180)
    gateway.pay(order(), method="permata_va")
    gateway.advance(180)
    assert merchant.events == ["pending", "settlement", "deny"]
    assert len({m["transaction_id"] for m in merchant.received}) == 1


def test_a_test_ping_and_an_unknown_order_are_signed(gateway: Simulator, merchant: Merchant) -> None:
    gateway.send_test_ping()
    gateway.send_unknown_order("ghost-1")
    gateway.drain()
    ping = next(m for m in merchant.received if m["order_id"].startswith("payment_notif_test_"))
    assert ping["signature_key"] == sign(ping["order_id"], "200", ping["gross_amount"], SERVER_KEY)
    assert {"ghost-1"} < {m["order_id"] for m in merchant.received}


def test_a_held_message_can_be_edited_and_a_delivered_one_replayed(
    gateway: Simulator, merchant: Merchant, order: Order
) -> None:
    gateway.inject("hold", event="pending")
    gateway.choose(order(), "bca_va")
    number = gateway.notifications()[0].number
    gateway.edit(number, custom_field1="edited")
    gateway.postman.release(number)
    gateway.drain()
    gateway.postman.replay(number)
    gateway.drain()
    assert [m["custom_field1"] for m in merchant.received] == ["edited", "edited"]
    assert merchant.bodies[0] == merchant.bodies[1]


def test_a_fault_strikes_only_its_orders_and_only_so_often(
    gateway: Simulator, merchant: Merchant, order: Order
) -> None:
    gateway.inject("drop", order_prefix="bad", times=1)
    for name in ("good-1", "bad-1", "bad-2"):
        gateway.choose(order(name), "bca_va")
    gateway.drain()
    assert sorted(m["order_id"] for m in merchant.received) == ["bad-2", "good-1"]
    assert gateway.faults.active() == []


def test_an_unknown_fault_is_refused(gateway: Simulator) -> None:
    with pytest.raises(UnknownFault):
        gateway.inject("gremlins")


def test_realistic_latency_is_seeded_and_bounded(gateway: Simulator, merchant: Merchant, order: Order) -> None:
    gateway.settings.change(realistic_latency=True, pending_notifications=False)
    gateway.pay(order())
    gateway.drain()
    assert merchant.events == []
    gateway.advance(20)
    assert merchant.events == ["settlement"]
