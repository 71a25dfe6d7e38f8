"""The levers over HTTP, as scripts and the control page pull them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import Client

from sandbox.midtrans import Simulator

from .conftest import Merchant

Order = Callable[..., str]


@pytest.fixture
def ctl(sandbox_app: Any) -> Client:
    return Client(sandbox_app)


def test_an_order_is_chosen_paid_and_refunded(ctl: Client, order: Order) -> None:
    order()
    chosen = ctl.post("/ctl/orders/shop-1/choose", json={"method": "bca_va"}).get_json()
    number = chosen["va_numbers"][0]["va_number"]
    assert ctl.post("/ctl/pay", json={"reference": number}).get_json()["transaction_status"] == "settlement"
    refused = ctl.post("/ctl/orders/shop-1/refund", json={"amount": 1000})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "412")
    assert ctl.get("/ctl/orders/shop-1").get_json()["transactions"][0]["method"] == "bca_va"


def test_the_clock_is_frozen_moved_and_let_go(ctl: Client, gateway: Simulator, order: Order) -> None:
    gateway.choose(order(), "bca_va")
    assert ctl.get("/ctl/clock").get_json()["scale"] == 0
    ctl.post("/ctl/clock/advance", json={"seconds": 86400})
    assert gateway.status("shop-1")["transaction_status"] == "expire"
    assert ctl.post("/ctl/clock/resume", json={"scale": 2}).get_json()["scale"] == 2
    assert ctl.post("/ctl/clock/freeze").get_json()["scale"] == 0


def test_notifications_are_listed_edited_and_released(
    ctl: Client, gateway: Simulator, merchant: Merchant, order: Order
) -> None:
    ctl.post("/ctl/faults", json={"mode": "hold"})
    gateway.choose(order(), "bca_va")
    held = ctl.get("/ctl/notifications?state=held").get_json()
    number = held[0]["number"]
    ctl.post(f"/ctl/notifications/{number}/edit", json={"currency": "USD"})
    ctl.post(f"/ctl/notifications/{number}/release")
    ctl.post("/ctl/drain")
    assert merchant.received[0]["currency"] == "USD"
    assert ctl.post("/ctl/notifications/999/replay").status_code == 404


def test_faults_come_and_go(ctl: Client) -> None:
    added = ctl.post("/ctl/faults", json={"mode": "drop", "order_prefix": "x", "times": 2}).get_json()
    assert ctl.get("/ctl/faults").get_json() == [added]
    assert ctl.delete(f"/ctl/faults/{added['fault_id']}").get_json() == []
    assert ctl.post("/ctl/faults", json={"mode": "gremlins"}).status_code == 400
    assert "drop" in ctl.get("/ctl/faults/modes").get_json()


def test_messages_are_forged_on_demand(ctl: Client, merchant: Merchant, order: Order) -> None:
    order()
    ctl.post("/ctl/forge", json={"order_id": "shop-1", "mode": "wrong_signature", "claim": "settlement"})
    ctl.post("/ctl/test-ping")
    ctl.post("/ctl/unknown-order", json={"order_id": "ghost"})
    ctl.post("/ctl/drain")
    assert sorted(m["order_id"] for m in merchant.received)[::2] == ["ghost", "shop-1"]


def test_reset_forgets_orders_but_not_settings(ctl: Client, gateway: Simulator, order: Order) -> None:
    order()
    ctl.post("/ctl/settings", json={"merchant_name": "Other"})
    ctl.post("/ctl/reset")
    assert ctl.get("/ctl/orders").get_json() == []
    assert ctl.get("/ctl/settings").get_json()["merchant_name"] == "Other"
    assert "server_key" not in ctl.get("/ctl/settings").get_json()
    assert [e["kind"] for e in ctl.get("/ctl/journal").get_json()] == ["reset"]


def test_the_page_has_a_working_button_for_every_offered_verb(ctl: Client, gateway: Simulator, order: Order) -> None:
    transaction = gateway.choose(order(), "other_qris")
    assert transaction.transaction_id in ctl.get("/ctl").get_data(as_text=True)
    pressed = ctl.post(f"/ctl/orders/{transaction.transaction_id}/settle", data={"press": "1"})
    assert (pressed.status_code, pressed.location) == (303, "/ctl")
    assert transaction.status == "settlement"


@pytest.mark.parametrize("address,headers", [("10.0.0.5", {}), ("127.0.0.1", {"Origin": "https://evil.example"})])
def test_strangers_pull_no_levers(ctl: Client, address: str, headers: dict[str, str]) -> None:
    answer = ctl.post("/ctl/reset", environ_base={"REMOTE_ADDR": address}, headers=headers)
    assert answer.status_code == 403
