"""Top-ups against the gateway: whatever arrives, in whatever order, each rupiah is booked once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import Unavailable
from portal.core.money import rupiah
from portal.notices.models import Notice
from portal.payments import actions
from portal.payments.actions import TopUp
from portal.payments.errors import AmountOutOfRange, NotPayable, TooManyOpenTopUps, UnknownMethod
from portal.payments.models import GatewayTransaction, PaymentStatus
from portal.payments.registry import gateway_named
from portal.wallet import actions as wallet
from portal.wallet.actions import Line
from portal.wallet.ledger import Reference
from portal.wallet.models import AccountKind, LedgerAccount, Transaction, TransactionType
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.payments.counter import PAPERWORK, Counter

pytestmark = pytest.mark.usefixtures("clean_books")


@pytest.fixture
def clean_books(counter: Counter) -> Iterator[None]:
    """Whatever a test does, its books are audited at the end; purchases without a charge are these tests' own."""
    yield
    assert_books_are_clean()


def spend(counter: Counter, amount: int) -> None:
    """Takes credit out of the wallet, by an administrator's correction."""
    with transaction() as session:
        wallet.adjust(session, counter.customer_id, rupiah(-amount), key=str(uuid4()), reason="spent", now=clock.now())


def debt(counter: Counter) -> int:
    db.session.close()
    statement = sa.select(-LedgerAccount.balance).where(
        LedgerAccount.customer_id == counter.customer_id, LedgerAccount.kind == AccountKind.RECEIVABLE
    )
    return db.session().scalar(statement) or 0


def told(counter: Counter) -> list[str]:
    db.session.close()
    statement = sa.select(Notice.code).where(Notice.customer_id == counter.customer_id).order_by(Notice.created_at)
    return [code for code in db.session().scalars(statement) if code != "welcome"]


# --- the ordinary way -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["bca_va", "bni_va", "bri_va", "permata_va", "echannel", "gopay", "qris"])
def test_a_paid_top_up_is_credited_once(counter: Counter, method: str) -> None:
    payment = counter.ask(50_000, method)
    counter.pay(payment)
    assert counter.deliver(payment) >= 1
    counter.deliver(payment)
    assert (counter.balance, counter.status(payment), counter.entries()) == (50_000, "SETTLED", 1)
    assert told(counter) == ["top_up_settled"]


def test_the_receipt_reaches_the_customers_mailbox_with_its_pdf(counter: Counter) -> None:
    payment = counter.ask(50_000)
    counter.pay(payment)
    counter.deliver(payment)
    run_due_work()
    (mail,) = counter.outside.mailbox.mails(to="ayu@example.com")
    (document,) = mail.attachments
    assert document.get_content()[:5] == b"%PDF-"


def test_a_webhook_that_never_comes_is_made_good_by_the_poller(counter: Counter) -> None:
    payment = counter.ask(50_000)
    counter.pay(payment)
    counter.look(payment)
    assert counter.balance == 50_000
    counter.deliver(payment)
    assert counter.entries() == 1


def test_a_pending_payment_shows_how_to_pay_it(counter: Counter) -> None:
    payment = counter.ask(50_000, "bca_va")
    counter.outside.midtrans.choose(counter.attempt(payment).token, "bca_va")
    counter.deliver(payment)
    assert counter.status(payment) == "PENDING"
    row = db.session().scalars(sa.select(GatewayTransaction)).one()
    counter.outside.midtrans.pay(row.instructions["va_number"])
    counter.deliver(payment)
    assert counter.balance == 50_000


# --- doubled, late, out of order ------------------------------------------------------------------------


def test_settlement_before_pending_stays_settled(counter: Counter) -> None:
    payment = counter.ask()
    counter.outside.midtrans.choose(counter.attempt(payment).token, "bca_va")
    counter.pay(payment)
    for notification in reversed(counter.outside.midtrans.notifications(order_id=counter.order_id(payment))):
        counter.receive(notification.body)
    run_due_work(without=PAPERWORK)
    assert (counter.balance, counter.status(payment)) == (50_000, "SETTLED")


def test_a_settlement_after_our_expiry_is_credited_as_paid_late(counter: Counter) -> None:
    payment = counter.ask()
    counter.outside.midtrans.choose(counter.attempt(payment).token, "bca_va")
    counter.pass_time(timedelta(hours=25))
    counter.deliver(payment)
    assert counter.status(payment) == "EXPIRED"
    counter.pay(payment, force=True)
    counter.look(payment)
    assert (counter.balance, counter.status(payment)) == (50_000, "PAID_LATE")
    assert "top_up_paid_late" in told(counter)


def test_money_after_a_cancellation_is_credited_and_told(counter: Counter) -> None:
    payment = counter.ask()
    counter.outside.midtrans.choose(counter.attempt(payment).token, "bca_va")
    with transaction() as session:
        actions.cancel(session, payment.id, counter.customer_id, now=clock.now())
    run_due_work(without=PAPERWORK)
    assert counter.status(payment) == "CANCELLED"
    counter.pay(payment, force=True)
    counter.deliver(payment)
    assert (counter.balance, counter.status(payment)) == (50_000, "PAID_LATE")


def test_a_customer_who_paid_before_cancelling_gets_the_credit(counter: Counter) -> None:
    payment = counter.ask()
    counter.pay(payment)
    with transaction() as session:
        actions.cancel(session, payment.id, counter.customer_id, now=clock.now())
    run_due_work(without=PAPERWORK)
    assert counter.balance == 50_000


def test_a_refused_card_then_another_way_is_one_credit(counter: Counter) -> None:
    payment = counter.ask(method="credit_card")
    gateway = counter.outside.midtrans
    first = gateway.choose(counter.attempt(payment).token, "credit_card", card_number="4811111111111114")
    gateway.deny(first.transaction_id, force=True)
    counter.deliver(payment)
    assert counter.balance == 0
    counter.pay(payment)
    counter.deliver(payment)
    assert counter.balance == 50_000


def test_capture_and_next_days_settlement_are_one_credit(counter: Counter) -> None:
    payment = counter.ask(method="credit_card")
    gateway = counter.outside.midtrans
    card = gateway.choose(counter.attempt(payment).token, "credit_card", card_number="4811111111111114")
    gateway.authenticate_card(card.transaction_id)
    counter.deliver(payment)
    assert counter.balance == 50_000
    counter.pass_time(timedelta(days=1, hours=1))
    counter.deliver(payment)
    assert (counter.balance, counter.entries(), counter.status(payment)) == (50_000, 1, "SETTLED")


def test_two_paid_attempts_of_one_order_are_two_credits(counter: Counter) -> None:
    payment = counter.ask()
    counter.outside.midtrans.inject("double_pay")
    counter.pay(payment)
    counter.pay(payment, method="bca_va")
    counter.deliver(payment)
    assert counter.balance == 100_000
    lines = db.session().scalars(sa.select(Transaction).where(Transaction.type == TransactionType.TOP_UP)).all()
    assert [(line.amount, line.status) for line in lines] == [(50_000, "COMPLETED")] * 2


def test_an_answer_older_than_what_is_recorded_moves_nothing(counter: Counter) -> None:
    payment = counter.ask(method="permata_va")
    counter.pay(payment)
    attempt = counter.attempt(payment)
    asked_at = clock.now()
    old = gateway_named("midtrans").fetch_status(attempt.order_id)
    assert old is not None
    assert old.status == "settlement"
    clock.advance(timedelta(seconds=1))
    counter.outside.midtrans.reverse(attempt.order_id)
    counter.look(payment)
    with transaction() as session:
        recorded = actions.record_answer(session, attempt.id, old, asked_at=asked_at, now=clock.now())
    assert recorded.stale
    assert counter.balance == 0


# --- money that goes back -------------------------------------------------------------------------------


def test_a_reversal_claws_back_what_is_there(counter: Counter) -> None:
    payment = counter.ask(method="permata_va")
    counter.pay(payment)
    counter.deliver(payment)
    counter.outside.midtrans.reverse(counter.order_id(payment))
    counter.deliver(payment)
    counter.deliver(payment)
    assert (counter.balance, debt(counter), counter.status(payment)) == (0, 0, "REVERSED")
    assert counter.entries() == 2


def test_spent_credit_that_is_charged_back_becomes_a_debt_the_next_credit_pays(counter: Counter) -> None:
    payment = counter.ask(method="credit_card")
    gateway = counter.outside.midtrans
    card = gateway.choose(counter.attempt(payment).token, "credit_card", card_number="4811111111111114")
    gateway.authenticate_card(card.transaction_id)
    gateway.settle(card.transaction_id)
    counter.deliver(payment)
    spend(counter, 30_000)
    gateway.chargeback(card.transaction_id)
    counter.deliver(payment)
    counter.look(payment)
    assert (counter.balance, debt(counter), counter.status(payment)) == (0, 30_000, "CHARGED_BACK")
    second = counter.ask(50_000)
    counter.pay(second)
    counter.deliver(second)
    assert (counter.balance, debt(counter)) == (20_000, 0)


def test_partial_refunds_take_back_exactly_each_difference(counter: Counter) -> None:
    payment = counter.ask(method="gopay")
    gateway = counter.outside.midtrans
    transaction_id = counter.pay(payment)
    counter.deliver(payment)
    gateway.refund(transaction_id, amount=10_000, refund_key="one")
    counter.deliver(payment)
    assert (counter.balance, counter.status(payment)) == (40_000, "PARTIALLY_REFUNDED")
    gateway.refund(transaction_id, amount=15_000, refund_key="two")
    counter.deliver(payment)
    assert counter.balance == 25_000
    gateway.refund(transaction_id, amount=25_000, refund_key="three")
    counter.deliver(payment)
    counter.look(payment)
    assert (counter.balance, counter.status(payment), counter.entries()) == (0, "REFUNDED", 4)


def test_a_challenged_card_is_credited_only_when_accepted(counter: Counter) -> None:
    payment = counter.ask(method="credit_card")
    gateway = counter.outside.midtrans
    card = gateway.choose(counter.attempt(payment).token, "credit_card", card_number="4811111111111114")
    gateway.challenge(card.transaction_id, force=True)
    counter.deliver(payment)
    assert (counter.balance, counter.status(payment)) == (0, "IN_REVIEW")
    gateway.approve(card.transaction_id)
    counter.deliver(payment)
    assert (counter.balance, counter.status(payment)) == (50_000, "SETTLED")


# --- lies and faults ------------------------------------------------------------------------------------


def test_an_amount_that_differs_is_held_for_review(counter: Counter) -> None:
    counter.outside.midtrans.inject("promo", amount=40_000)
    payment = counter.ask(50_000)
    counter.pay(payment)
    counter.deliver(payment)
    assert (counter.balance, counter.status(payment)) == (0, "IN_REVIEW")
    assert "top_up_in_review" in told(counter)


def test_another_currency_is_held_for_review(counter: Counter) -> None:
    payment = counter.ask(50_000)
    counter.pay(payment)
    counter.outside.midtrans.inject("answer_says", set={"currency": "USD"})
    counter.look(payment)
    assert (counter.balance, counter.status(payment)) == (0, "IN_REVIEW")


def test_a_webhook_that_lies_moves_nothing(counter: Counter) -> None:
    payment = counter.ask()
    counter.outside.midtrans.choose(counter.attempt(payment).token, "bca_va")
    counter.outside.midtrans.forge(counter.order_id(payment), "none", claim="settlement")
    counter.deliver(payment)
    assert (counter.balance, counter.status(payment)) == (0, "PENDING")


@pytest.mark.parametrize(
    "fault",
    ["http_429", "http_500", "http_503", "html_502", "tcp_reset", "empty_body", "list_body", "non_numeric_code"],
)
def test_a_broken_status_api_loses_nothing(counter: Counter, fault: str) -> None:
    payment = counter.ask()
    counter.pay(payment)
    broken = counter.outside.midtrans.inject(fault)
    with pytest.raises(Unavailable):
        counter.look(payment)
    counter.outside.midtrans.heal(broken.fault_id)
    counter.look(payment)
    assert counter.balance == 50_000


def test_an_unknown_status_word_changes_nothing(counter: Counter) -> None:
    payment = counter.ask()
    counter.pay(payment)
    counter.outside.midtrans.inject("answer_says", set={"transaction_status": "expired"})
    counter.look(payment)
    assert (counter.balance, counter.status(payment)) == (0, "CREATED")


def test_status_words_in_upper_case_are_understood(counter: Counter) -> None:
    payment = counter.ask()
    counter.pay(payment)
    counter.outside.midtrans.inject("answer_says", set={"transaction_status": "SETTLEMENT"})
    counter.look(payment)
    assert counter.balance == 50_000


def test_another_orders_transaction_is_never_booked_on_this_one(counter: Counter) -> None:
    payment, other = counter.ask(), counter.ask()
    counter.pay(other)
    counter.outside.midtrans.inject("answer_says", set={"order_id": counter.order_id(other)})
    counter.look(payment)
    assert counter.balance == 0
    counter.outside.midtrans.heal()
    counter.look(other)
    assert counter.balance == 50_000


# --- asking for one -------------------------------------------------------------------------------------


def ask(counter: Counter, amount: int, method: str = "qris", key: str = "k") -> object:
    with transaction() as session:
        return actions.request_top_up(
            session, counter.customer_id, TopUp(rupiah(amount), method, key), now=clock.now()
        ).id


def test_the_same_form_twice_is_one_top_up(counter: Counter) -> None:
    assert ask(counter, 50_000, key="same") == ask(counter, 50_000, key="same")


@pytest.mark.parametrize("amount", [0, -50_000, 1, 9_999, 10_000_001])
def test_amounts_out_of_range_are_refused(counter: Counter, amount: int) -> None:
    with pytest.raises(AmountOutOfRange):
        ask(counter, amount)


@pytest.mark.parametrize("amount", [10_000, 10_000_000])
def test_the_limits_themselves_are_allowed(counter: Counter, amount: int) -> None:
    assert ask(counter, amount)


def test_an_unknown_method_is_refused(counter: Counter) -> None:
    with pytest.raises(UnknownMethod):
        ask(counter, 50_000, "cash")


def test_only_so_many_stay_open(counter: Counter) -> None:
    for number in range(5):
        ask(counter, 50_000, key=str(number))
    with pytest.raises(TooManyOpenTopUps):
        ask(counter, 50_000, key="one more")


def test_a_settled_top_up_is_not_payable_again(counter: Counter) -> None:
    payment = counter.ask()
    counter.pay(payment)
    counter.deliver(payment)
    with pytest.raises(NotPayable), transaction() as session:
        actions.payable_attempt(session, payment.id, counter.customer_id, now=clock.now())


def test_only_one_caller_may_ask_for_the_checkout(counter: Counter) -> None:
    with transaction() as session:
        payment = actions.request_top_up(
            session, counter.customer_id, TopUp(rupiah(50_000), "qris", "k"), now=clock.now()
        )
    attempt = counter.attempt(payment)
    claims = []
    for _ in range(2):
        with transaction() as session:
            claims.append(actions.claim_checkout(session, attempt.id, now=clock.now()))
    assert claims == [True, False]


def test_a_top_up_that_only_saw_refusals_ends_as_failed(counter: Counter) -> None:
    payment = counter.ask(method="credit_card")
    gateway = counter.outside.midtrans
    card = gateway.choose(counter.attempt(payment).token, "credit_card", card_number="4811111111111114")
    gateway.deny(card.transaction_id, force=True)
    counter.deliver(payment)
    counter.pass_time(timedelta(hours=25))
    counter.deliver(payment)
    assert counter.status(payment) == PaymentStatus.FAILED
    assert "top_up_failed" in told(counter)


def test_a_purchase_pays_revenue_and_ppn_from_one_entry(counter: Counter) -> None:
    payment = counter.ask(50_000)
    counter.pay(payment)
    counter.deliver(payment)
    with pytest.raises(AssertionError), transaction() as session:
        wallet.pay(
            session, counter.customer_id, rupiah(25_000), ppn=rupiah(2_477), key="k", now=clock.now(),
            about=Reference("subscription_charge", uuid4()), line=Line(TransactionType.SUBSCRIPTION, "x", {}),
        )  # fmt: skip
        raise AssertionError
    assert counter.balance == 50_000
