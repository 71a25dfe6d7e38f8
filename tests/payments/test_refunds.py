"""Money sent back the way it came: held first, sent once, and the books follow the gateway alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from jobs import payments as payment_jobs
from portal.audit.actions import Actor
from portal.books import audit as books
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.core.money import rupiah
from portal.core.outbox import OutboxMessage
from portal.payments import refunding, rules
from portal.payments.errors import CannotRefund
from portal.payments.models import GatewayTransaction, Payment, PaymentAttempt, PaymentRefund
from portal.wallet import actions as wallet
from portal.wallet import queries
from portal.wallet.errors import InsufficientCredit
from portal.wallet.models import Transaction
from tests.books.crowd import all_at_once, errors
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work, settle
from tests.payments.counter import PAPERWORK, Counter
from tests.personas import Person, sign_in


@pytest.fixture
def paid(counter: Counter) -> Iterator[Payment]:
    """A GoPay top-up of 50.000 that is credited; the books are audited at the end."""
    payment = counter.ask(method="gopay")
    counter.pay(payment)
    counter.deliver(payment)
    yield payment
    assert_books_are_clean()


def row_of(payment: Payment) -> GatewayTransaction:
    db.session.close()
    statement = sa.select(GatewayTransaction).join(PaymentAttempt).where(PaymentAttempt.payment_id == payment.id)
    return db.session().scalars(statement).one()


def ask(payment: Payment, admin: Person, amount: int = 20_000, *, key: str | None = None) -> UUID:
    transaction_id = row_of(payment).id
    with transaction() as session:
        return refunding.request(
            session, payment.id, transaction_id, amount=rupiah(amount), reason="Paid twice", key=key or uuid4().hex,
            actor=Actor(admin.user_id), now=clock.now(),
        ).id  # fmt: skip


def refund(refund_id: UUID) -> PaymentRefund:
    db.session.close()
    return db.session().get_one(PaymentRefund, refund_id)


def held(counter: Counter) -> int:
    db.session.close()
    return queries.overview(db.session(), counter.customer_id, now=clock.now()).held.amount


def work() -> None:
    run_due_work(without=PAPERWORK)


def sent(counter: Counter, payment: Payment) -> list[int]:
    """What the gateway itself has refunded."""
    found = counter.outside.midtrans.records.transactions[row_of(payment).transaction_id]
    return [one["amount"] for one in found.refunds]


def test_it_is_held_sent_and_booked_once(counter, paid, dewi):
    refund_id = ask(paid, dewi)
    assert (counter.balance, held(counter), sent(counter, paid)) == (30_000, 20_000, [])
    work()
    assert (counter.balance, held(counter), sent(counter, paid)) == (30_000, 0, [20_000])
    assert (refund(refund_id).status, counter.status(paid), row_of(paid).taken_back) == (
        "DONE", "PARTIALLY_REFUNDED", 20_000,
    )  # fmt: skip
    counter.deliver(paid)  # the gateway's two notifications about it
    assert (counter.balance, sent(counter, paid)) == (30_000, [20_000])


def test_the_rest_follows_and_the_top_up_is_refunded(counter, paid, dewi):
    ask(paid, dewi)
    work()
    ask(paid, dewi, 30_000)
    work()
    assert (counter.balance, counter.status(paid), sent(counter, paid)) == (0, "REFUNDED", [20_000, 30_000])
    with pytest.raises(CannotRefund):
        ask(paid, dewi, 1)


def test_the_customer_reads_each_step(counter, paid, dewi):
    ask(paid, dewi)
    work()
    lines = db.session().scalars(sa.select(Transaction).order_by(Transaction.id)).all()
    assert [(one.code, one.amount) for one in lines] == [
        ("top_up", 50_000), ("refund_hold", -20_000), ("refund_sent", 20_000), ("top_up_refunded", -20_000),
    ]  # fmt: skip


def test_the_wallet_says_why_it_is_set_aside(client, counter, paid, dewi, ayu):
    ask(paid, dewi)
    browser = sign_in(client, ayu.email)
    assert "sent back to you the way you paid" in browser.get("/wallet/").text
    work()
    page = browser.get("/wallet/").text
    assert "sent back to you the way you paid" not in page
    assert "Set aside to go back to you by GoPay" in page


def test_a_double_click_is_one_refund(counter, paid, dewi):
    key = uuid4().hex
    assert ask(paid, dewi, key=key) == ask(paid, dewi, key=key)
    work()
    assert ask(paid, dewi, key=key) is not None
    assert sent(counter, paid) == [20_000]


def test_a_form_that_was_used_is_not_used_for_another_sum(counter, paid, dewi):
    key = uuid4().hex
    ask(paid, dewi, key=key)
    work()
    with pytest.raises(CannotRefund):
        ask(paid, dewi, 10_000, key=key)
    assert sent(counter, paid) == [20_000]


def test_a_gateway_that_takes_it_and_does_not_show_it_is_looked_at_for_ever(counter, paid, dewi):
    lie = counter.outside.midtrans.inject(
        "answer_says", set={"transaction_status": "settlement", "refund_amount": None}
    )
    refund_id = ask(paid, dewi)
    settle(for_at_most=timedelta(hours=5))
    assert (refund(refund_id).status, held(counter), sent(counter, paid)) == ("REQUESTED", 20_000, [20_000])
    counter.outside.midtrans.faults.remove(lie.fault_id)
    settle(for_at_most=timedelta(hours=2))
    assert (refund(refund_id).status, held(counter), counter.balance) == ("DONE", 0, 30_000)


def test_what_it_took_is_not_given_back_by_a_later_no(counter, paid, dewi):
    """Shown after the time in which GoPay sends back: every further try would be refused."""
    lie = counter.outside.midtrans.inject(
        "answer_says", set={"transaction_status": "settlement", "refund_amount": None}
    )
    refund_id = ask(paid, dewi)
    work()
    counter.pass_time(timedelta(days=46))
    work()
    assert (refund(refund_id).status, held(counter), sent(counter, paid)) == ("REQUESTED", 20_000, [20_000])
    counter.outside.midtrans.faults.remove(lie.fault_id)
    settle(for_at_most=timedelta(hours=2))
    assert (refund(refund_id).status, held(counter), counter.balance) == ("DONE", 0, 30_000)


def test_a_no_after_a_lost_answer_is_believed_once_the_status_was_silent_for_a_day(counter, paid, dewi):
    counter.pass_time(timedelta(days=44, hours=23))  # GoPay sends back within 45 days
    lost = counter.outside.midtrans.inject("tcp_reset", endpoint="refund")
    refund_id = ask(paid, dewi)
    work()
    counter.pass_time(timedelta(hours=2))
    counter.outside.midtrans.faults.remove(lost.fault_id)
    settle(for_at_most=timedelta(hours=12))
    assert (refund(refund_id).status, held(counter)) == ("REQUESTED", 20_000)
    settle(for_at_most=timedelta(hours=14))
    assert (refund(refund_id).status, held(counter), counter.balance) == ("REFUSED", 0, 50_000)
    assert sent(counter, paid) == []


def test_a_gateway_that_is_away_for_days_is_asked_when_it_is_back(counter, paid, dewi):
    counter.outside.midtrans.inject("http_503")
    refund_id = ask(paid, dewi)
    settle(for_at_most=timedelta(days=2))
    given_up = sa.select(sa.func.count()).where(
        OutboxMessage.name == "payments.refund", OutboxMessage.failed_at.is_not(None)
    )
    assert db.session().scalar(given_up) == 1
    counter.outside.midtrans.heal()
    payment_jobs.sync()
    payment_jobs.sync()
    work()
    assert (refund(refund_id).status, sent(counter, paid), counter.balance) == ("DONE", [20_000], 30_000)


@pytest.mark.parametrize(("waited", "pause"), [(0, 60), (240, 60), (2_400, 600), (10**6, 3_600)])
def test_it_is_looked_at_less_and_less(waited, pause):
    now = clock.now()
    assert rules.refund_pause(since=now - timedelta(seconds=waited), now=now) == timedelta(seconds=pause)


def test_twenty_at_once_are_one(portal, counter, paid, dewi):
    outcomes = all_at_once(portal, [lambda: ask(paid, dewi, 30_000)] * 20)
    assert errors(outcomes) == ["CannotRefund"] * 19
    work()
    assert (counter.balance, sent(counter, paid)) == (20_000, [30_000])


@pytest.mark.parametrize("amount", [50_001, 0, -1])
def test_no_more_than_the_gateway_holds(counter, paid, dewi, amount):
    with pytest.raises(CannotRefund):
        ask(paid, dewi, amount)
    assert counter.balance == 50_000


def test_no_more_than_the_customer_has_left(counter, paid, dewi):
    with transaction() as session:
        wallet.adjust(session, counter.customer_id, rupiah(-40_000), key="spent", reason="spent", now=clock.now())
    with pytest.raises(InsufficientCredit):
        ask(paid, dewi)
    assert db.session().query(PaymentRefund).count() == 0


@pytest.mark.parametrize("method", ["bca_va", "echannel", "permata_va"])
def test_what_midtrans_cannot_send_back_is_not_asked_for(counter, dewi, method):
    payment = counter.ask(method=method)
    counter.pay(payment)
    counter.deliver(payment)
    with pytest.raises(CannotRefund):
        ask(payment, dewi)


def test_another_payments_transaction_is_not_found(counter, paid, dewi):
    with pytest.raises(NotFound), transaction() as session:
        refunding.request(
            session, uuid4(), row_of(paid).id, amount=rupiah(1), reason="No such", key="k", actor=Actor(dewi.user_id),
            now=clock.now(),
        )  # fmt: skip


def test_a_refusal_gives_the_credit_back(counter, paid, dewi):
    counter.pass_time(timedelta(days=46))  # GoPay sends back within 45 days
    refund_id = ask(paid, dewi)
    work()
    assert (counter.balance, held(counter), sent(counter, paid)) == (50_000, 0, [])
    assert (refund(refund_id).status, refund(refund_id).gateway_code) == ("REFUSED", "412")
    assert ask(paid, dewi) != refund_id, "another try is another refund"


@pytest.mark.parametrize("fault", ["http_503", "html_502", "empty_body", "tcp_reset"])
def test_a_lost_answer_sends_nothing_twice(counter, paid, dewi, fault):
    counter.outside.midtrans.inject(fault, endpoint="refund", times=2, applied=True)
    refund_id = ask(paid, dewi)
    settle(for_at_most=timedelta(minutes=10))
    assert (refund(refund_id).status, sent(counter, paid), counter.balance) == ("DONE", [20_000], 30_000)


@pytest.mark.parametrize("fault", ["http_503", "tcp_reset"])
def test_a_gateway_away_is_asked_again_and_the_credit_stays_held(counter, paid, dewi, fault):
    counter.outside.midtrans.inject(fault)
    refund_id = ask(paid, dewi)
    work()
    assert (refund(refund_id).status, held(counter), counter.balance) == ("REQUESTED", 20_000, 30_000)
    counter.outside.midtrans.heal()
    settle(for_at_most=timedelta(minutes=30))
    assert (refund(refund_id).status, sent(counter, paid), held(counter)) == ("DONE", [20_000], 0)


def test_a_notification_that_is_faster_than_the_job_books_it(counter, paid, dewi):
    refund_id = ask(paid, dewi)
    transaction_id = row_of(paid).transaction_id
    counter.outside.midtrans.refund(transaction_id, amount=20_000, refund_key=str(refund_id))
    counter.look(paid)
    assert (refund(refund_id).status, counter.balance, held(counter)) == ("DONE", 30_000, 0)
    assert sent(counter, paid) == [20_000]


def test_a_chargeback_in_between_is_covered_by_what_was_held(counter, paid, dewi):
    refund_id = ask(paid, dewi, 50_000)
    db.session.close()
    counter.outside.midtrans.chargeback(row_of(paid).transaction_id)
    counter.look(paid)
    assert (refund(refund_id).status, counter.balance, held(counter)) == ("DONE", 0, 0)
    assert sent(counter, paid) == []


def test_the_audit_names_a_refund_whose_credit_is_not_held(counter, paid, dewi):
    refund_id = ask(paid, dewi)
    with transaction() as session:
        session.execute(sa.update(PaymentRefund).values(amount=19_000))
    found = [(one.check, one.row) for one in books.differences(db.session())]
    assert found == [("held_is_set_aside", f"payment_refund {refund_id}")]
    with transaction() as session:
        session.execute(sa.update(PaymentRefund).values(amount=20_000))


def test_an_administrator_asks_for_it_on_the_top_ups_page(client, counter, paid, dewi, ayu):
    path = f"/admin/top-ups/{paid.id}"
    admin = sign_in(client, dewi.email)
    page = admin.get(path).text
    assert "Send money back" in page
    address = f"{path}/transactions/{row_of(paid).id}/refund"
    for wrong in ({"amount": ""}, {"amount": "0"}, {"reason": "x"}, {"key": "no"}, {"amount": "9" * 30}):
        answer = admin.post(address, data={"amount": "20000", "reason": "Paid twice", "key": uuid4().hex} | wrong)
        assert answer.status_code == 422, wrong
    assert db.session().query(PaymentRefund).count() == 0
    answer = admin.post(address, data={"amount": "20000", "reason": "Paid twice", "key": uuid4().hex})
    assert answer.status_code == 303
    assert "The gateway is being asked" in admin.get(path).text
    assert "Send money back" not in admin.get(path).text
    work()
    page = admin.get(path).text
    assert "Sent back" in page
    assert "Send money back" in page
    client.post("/sign-out")
    assert sign_in(client, ayu.email).post(address, data={"amount": "1"}).status_code == 404
