"""How much a gateway took back, however it words the figure."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from flask import Flask

from portal.payments.gateways.midtrans import _taken_back
from tests.payments.counter import Counter

WHOLE = {"gross_amount": "50000.00"}


@pytest.mark.parametrize("status", ["refund", "chargeback"])
@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"refund_amount": "0.00"},
        {"refund_amount": "50000.00"},
        {"refund_amount": "0", "chargeback_amount": "50000.00"},
        {"refund_amount": "many"},
        {"refund_amount": "20000.00"},
    ],
)
def test_a_whole_one_takes_everything_whatever_its_figure(portal: Flask, status: str, figures: dict[str, str]) -> None:
    assert _taken_back(WHOLE | figures | {"transaction_status": status}) == 50_000


@pytest.mark.parametrize("status", ["partial_refund", "partial_chargeback"])
@pytest.mark.parametrize("figure, taken", [("20000.00", 20_000), ("0.00", 0)])
def test_a_partial_one_takes_what_it_says(portal: Flask, status: str, figure: str, taken: int) -> None:
    answer = WHOLE | {"transaction_status": status, "refund_amount": figure}
    assert _taken_back(answer) == taken


def test_of_two_figures_the_greater_counts_and_a_person_is_called(portal: Flask, capfd) -> None:
    two = {"refund_amount": "20000.00", "chargeback_amount": "25000.00", "transaction_status": "partial_chargeback"}
    assert _taken_back(WHOLE | two) == 25_000
    assert "midtrans.two_figures" in capfd.readouterr().out


def test_a_payment_paid_again_after_it_was_taken_back_is_brought_to_an_operator(
    counter: Counter, capfd: pytest.CaptureFixture[str]
) -> None:
    payment = counter.ask(method="permata_va")
    counter.pay(payment)
    counter.deliver(payment)
    counter.outside.midtrans.reverse(counter.order_id(payment))
    counter.look(payment)
    counter.outside.midtrans.settle(counter.order_id(payment), force=True)
    counter.pass_time(timedelta(seconds=1))
    counter.look(payment)
    counter.look(payment)
    logged = [line for line in capfd.readouterr().out.splitlines() if "paid_after_taken_back" in line]
    assert [json.loads(line)["taken_back"] for line in logged] == [50_000]
    assert (counter.balance, counter.status(payment)) == (0, "REVERSED")
