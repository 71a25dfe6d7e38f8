"""The vendor's signed examples, and that our messages look like them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.midtrans import Simulator
from sandbox.midtrans.messages import sign
from sandbox.midtrans.qris import checksum, qris_payload

from .conftest import SERVER_KEY, Merchant

EXAMPLES = sorted((Path(__file__).parent / "signed").glob("*.json"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_vendors_examples_verify(example: Path) -> None:
    message = json.loads(example.read_text())
    fields = (message["order_id"], message["status_code"], message["gross_amount"])
    assert sign(*fields, "SB-Mid-server-test") == message["signature_key"]


def test_our_messages_have_the_fields_of_the_vendors(
    gateway: Simulator, merchant: Merchant, order: Callable[..., str]
) -> None:
    example = json.loads((Path(__file__).parent / "signed" / "snap-notification-settlement.json").read_text())
    gateway.pay(order(), method="bni_va")
    gateway.drain()
    pending, settled = merchant.received
    assert set(example) <= set(settled)
    assert all(isinstance(settled[name], str) for name in example)
    assert (pending["status_code"], settled["status_code"]) == ("201", "200")
    assert settled["gross_amount"] == "50000.00"
    assert settled["signature_key"] == sign("shop-1", "200", "50000.00", SERVER_KEY)


def test_times_are_jakarta_wall_clock(gateway: Simulator, order: Callable[..., str]) -> None:
    gateway.pay(order())
    hour = (gateway.clock.now().hour + 7) % 24
    assert gateway.status("shop-1")["settlement_time"][11:13] == f"{hour:02d}"


def test_the_qr_text_is_well_formed_and_nobodys() -> None:
    text = qris_payload(reference="abc", amount=50000, merchant_name="MINISPOD")
    assert text.startswith("000201010212")
    assert checksum(text[:-4]) == text[-4:]
    assert "ID.CO.QRIS.WWW" not in text
    assert "INVALID.SANDBOX" in text


def test_the_checksum_is_the_known_one() -> None:
    assert checksum("123456789") == "29B1"
