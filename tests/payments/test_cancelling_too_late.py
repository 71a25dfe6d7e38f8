"""A card that was charged before its top-up was cancelled: the money stays paid, and is credited once."""

from __future__ import annotations

import pytest

from jobs import payments as jobs
from portal.core import clock
from portal.core.db import transaction
from portal.payments import actions
from portal.payments.models import Payment
from portal.payments.registry import gateway_named
from tests.books_audit import assert_books_are_clean
from tests.payments.counter import Counter


@pytest.fixture
def card_paid_unheard(counter: Counter) -> Payment:
    """Charged at the gateway; the portal has not heard of it."""
    payment = counter.ask(method="credit_card")
    gateway = counter.outside.midtrans
    card = gateway.choose(counter.attempt(payment).token, "credit_card", card_number="4811111111111114")
    gateway.authenticate_card(card.transaction_id)
    return payment


def _cancel(counter: Counter, payment: Payment) -> None:
    with transaction() as session:
        actions.cancel(session, payment.id, counter.customer_id, now=clock.now())


def test_a_charged_card_is_credited_and_not_given_back(counter: Counter, card_paid_unheard: Payment) -> None:
    _cancel(counter, card_paid_unheard)
    counter.deliver(card_paid_unheard)
    assert (counter.balance, counter.status(card_paid_unheard)) == (50_000, "PAID_LATE")
    assert_books_are_clean()


def test_credit_that_may_be_spent_by_now_is_not_voided_behind_its_back(
    counter: Counter, card_paid_unheard: Payment
) -> None:
    _cancel(counter, card_paid_unheard)
    jobs.check(str(card_paid_unheard.id))  # the notification's look, before the slower queue
    jobs.cancel_at_gateway(str(card_paid_unheard.id))
    jobs.check(str(card_paid_unheard.id))
    assert (counter.balance, counter.status(card_paid_unheard)) == (50_000, "PAID_LATE")


def test_an_unpaid_number_is_cancelled_at_the_gateway(counter: Counter) -> None:
    payment = counter.ask()
    counter.outside.midtrans.choose(counter.attempt(payment).token, "bca_va")
    _cancel(counter, payment)
    jobs.cancel_at_gateway(str(payment.id))
    answer = gateway_named("midtrans").fetch_status(counter.order_id(payment))
    assert answer is not None
    assert answer.status == "cancel"
