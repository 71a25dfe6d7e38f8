"""What the vendor's own client library expects of the gateway, asked of the stand-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import midtransclient
import pytest
import requests
from midtransclient.error_midtrans import JSONDecodeError, MidtransAPIError

from sandbox.midtrans import Simulator

from .conftest import SERVER_KEY, Merchant, request_for

EVERYTHING: dict[str, Any] = {
    "item_details": [
        {"id": "a", "price": 60000, "quantity": 1, "name": "Credit", "brand": "x", "category": "y"},
        {"id": "d", "price": -5000, "quantity": 2, "name": "Discount"},
    ],
    "customer_details": {"first_name": "Ayu", "email": "ayu@example.com", "phone": "+6281234567"},
    "enabled_payments": [
        "credit_card",
        "cimb_clicks",
        "bca_klikbca",
        "echannel",
        "bca_va",
        "gopay",
        "indomaret",
    ],
    "credit_card": {"secure": True, "installment": {"required": False, "terms": {"bni": [3, 6]}}},
    "bca_va": {"va_number": "12345678911"},
    "permata_va": {"va_number": "1234567890", "recipient_name": "SUDARSONO"},
    "callbacks": {"finish": "https://example.com/done"},
    "expiry": {"start_time": "2030-12-20 18:11:08 +0700", "unit": "minutes", "duration": 1},
    "page_expiry": {"unit": "hours", "duration": 24},
    "custom_field1": "one",
}


def test_the_smallest_request_gets_a_token_and_an_address(snap: midtransclient.Snap, address: str) -> None:
    answer = snap.create_transaction(request_for())
    assert len(answer["token"]) == 36
    assert answer["redirect_url"] == f"{address}/snap/v4/redirection/{answer['token']}"


def test_the_fullest_request_is_accepted(snap: midtransclient.Snap) -> None:
    assert snap.create_transaction_token(request_for("full-1", 50000, **EVERYTHING))


def test_a_wrong_key_is_401_and_says_unauthorized(snap: midtransclient.Snap) -> None:
    snap.api_config.server_key = ""
    with pytest.raises(MidtransAPIError) as caught:
        snap.create_transaction(request_for())
    assert caught.value.http_status_code == 401
    assert "unauthorized" in caught.value.message


def test_an_empty_body_says_what_is_required(snap: midtransclient.Snap) -> None:
    with pytest.raises(MidtransAPIError) as caught:
        snap.create_transaction(None)
    assert caught.value.http_status_code == 400
    assert "is required" in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        request_for(amount=0),
        request_for(amount=-1),
        {"transaction_details": {"order_id": "x", "gross_amount": 1.5}},
        {"transaction_details": {"order_id": "x", "gross_amount": "5000"}},
        request_for("a b#c"),
        request_for("x" * 51),
        request_for(item_details=[{"name": "a", "price": 1, "quantity": 1}]),
        request_for(expiry={"unit": "second", "duration": 5}),
        request_for(expiry={"unit": "day", "duration": 8}),
        request_for(page_expiry={"unit": "minute", "duration": 1}),
        request_for(callbacks={"finish": "javascript:alert(1)"}),
    ],
)
def test_requests_outside_the_rules_are_400(snap: midtransclient.Snap, body: dict[str, Any]) -> None:
    with pytest.raises(MidtransAPIError) as caught:
        snap.create_transaction(body)
    assert caught.value.http_status_code == 400
    assert isinstance(caught.value.api_response_dict["error_messages"], list)


def test_status_is_404_until_a_method_is_chosen(snap: midtransclient.Snap, gateway: Simulator) -> None:
    snap.create_transaction(request_for())
    with pytest.raises(MidtransAPIError) as caught:
        snap.transactions.status("shop-1")
    assert "404" in caught.value.message
    assert "exist" in caught.value.message
    assert caught.value.http_status_code == 200
    gateway.choose("shop-1", "bca_va")
    assert snap.transactions.status("shop-1")["transaction_status"] == "pending"
    assert snap.transactions.status("shop-1")["status_code"] == "201"


def test_core_errors_carry_the_http_status_when_set_so(snap: midtransclient.Snap, gateway: Simulator) -> None:
    gateway.settings.change(core_errors_as_http=True)
    with pytest.raises(MidtransAPIError) as caught:
        snap.transactions.status("nobody")
    assert caught.value.http_status_code == 404


def test_expire_answers_407_without_an_exception(
    snap: midtransclient.Snap, gateway: Simulator, order: Callable[..., str]
) -> None:
    gateway.choose(order(), "bca_va")
    assert snap.transactions.expire("shop-1")["status_code"] == "407"
    assert snap.transactions.status("shop-1")["status_code"] == "407"


def test_cancel_answers_200_and_stays_cancelled(
    snap: midtransclient.Snap, gateway: Simulator, order: Callable[..., str]
) -> None:
    transaction = gateway.choose(order(), "bca_va")
    assert snap.transactions.cancel(transaction.transaction_id)["status_code"] == "200"
    assert snap.transactions.status("shop-1")["transaction_status"] == "cancel"


@pytest.mark.parametrize("action", ["approve", "deny", "refund", "refundDirect"])
def test_actions_on_the_wrong_state_are_412(
    snap: midtransclient.Snap, gateway: Simulator, order: Callable[..., str], action: str
) -> None:
    gateway.choose(order(), "bca_va")
    with pytest.raises(MidtransAPIError) as caught:
        getattr(snap.transactions, action)("shop-1")
    assert caught.value.api_response_dict["status_code"] == "412"


def test_the_library_can_refund_in_parts(
    snap: midtransclient.Snap, gateway: Simulator, order: Callable[..., str]
) -> None:
    gateway.pay(order(), method="other_qris")
    answer = snap.transactions.refund("shop-1", {"refund_key": "r1", "amount": 20000, "reason": "part"})
    assert answer["refund_amount"] == "20000.00"
    assert snap.transactions.status("shop-1")["transaction_status"] == "partial_refund"


def test_an_idempotency_key_returns_the_first_answer(
    snap: midtransclient.Snap, gateway: Simulator, order: Callable[..., str]
) -> None:
    gateway.pay(order(), method="other_qris")
    snap.api_config.custom_headers = {"Idempotency-Key": "k1"}
    first = snap.transactions.refund("shop-1", {"amount": 10000})
    assert snap.transactions.refund("shop-1", {"amount": 10000}) == first
    assert gateway.records.find("shop-1").refunded == 10000


def test_notification_addresses_can_be_overridden_and_added(
    snap: midtransclient.Snap, gateway: Simulator, merchant: Merchant
) -> None:
    base = merchant.url.removesuffix("/hook")
    snap.api_config.custom_headers = {
        "X-Override-Notification": f"{base}/instead",
        "X-Append-Notification": f"{base}/too,{base}/three",
    }
    snap.create_transaction(request_for())
    gateway.choose("shop-1", "bca_va")
    gateway.drain()
    assert sorted(path for _, path in merchant.requests) == ["/instead", "/three", "/too"]


API_FAULTS: dict[str, type[Exception]] = {
    "http_429": MidtransAPIError,
    "http_500": MidtransAPIError,
    "http_503": MidtransAPIError,
    "html_502": JSONDecodeError,
    "string_errors": MidtransAPIError,
    "empty_body": JSONDecodeError,
    "tcp_reset": requests.ConnectionError,
    "list_body": AttributeError,
    "non_numeric_code": ValueError,
}


@pytest.mark.parametrize("mode", API_FAULTS)
def test_each_api_fault_reaches_the_library_once(snap: midtransclient.Snap, gateway: Simulator, mode: str) -> None:
    gateway.inject(mode, endpoint="create", order_prefix="shop", times=1)
    with pytest.raises(API_FAULTS[mode]):
        snap.create_transaction(request_for())
    assert not gateway.records.orders
    assert snap.create_transaction_token(request_for())


def test_a_created_answer_can_lack_its_token(snap: midtransclient.Snap, gateway: Simulator) -> None:
    gateway.inject("no_token", endpoint="create")
    assert snap.create_transaction(request_for()) == {}


def test_a_fault_can_lose_the_answer_after_the_work(snap: midtransclient.Snap, gateway: Simulator) -> None:
    gateway.inject("tcp_reset", endpoint="create", times=1, applied=True)
    with pytest.raises(requests.ConnectionError):
        snap.create_transaction(request_for())
    assert "shop-1" in gateway.records.orders


def test_a_hanging_gateway_lets_go_when_healed(gateway: Simulator, address: str) -> None:
    gateway.inject("hang", endpoint="status")
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{address}/v2/x/status", auth=(SERVER_KEY, ""), timeout=0.2)
    gateway.heal()
    assert requests.get(f"{address}/v2/x/status", auth=(SERVER_KEY, ""), timeout=5).json()["status_code"] == "404"


def test_a_dripping_answer_is_whole_in_the_end(snap: midtransclient.Snap, gateway: Simulator) -> None:
    gateway.inject("drip", endpoint="create", interval_s=0.0001)
    assert snap.create_transaction_token(request_for())


def test_the_status_can_lie(snap: midtransclient.Snap, gateway: Simulator, order: Callable[..., str]) -> None:
    gateway.pay(order())
    gateway.inject("answer_says", endpoint="status", set={"transaction_status": "pending"})
    assert snap.transactions.status("shop-1")["transaction_status"] == "pending"
