"""Approving, rejecting and taking back: booked once, by the right people, with the books clean whatever happens."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from config import settings
from jobs import payments as payment_jobs
from portal.accounts.models import Membership
from portal.books.audit import differences
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, NotFound, PortalError
from portal.core.money import rupiah
from portal.core.outbox import OutboxMessage
from portal.invoices.models import Document, DocumentLine
from portal.notices.models import Mail
from portal.payments.errors import AmountOutOfRange, UnknownMethod
from portal.payments.models import Payment, PaymentStatus
from portal.transfers import actions
from portal.transfers.errors import (
    AlreadyDecided,
    BankLineTaken,
    NothingToTakeBack,
    OwnTransfer,
    ReasonNeeded,
    WrongFacts,
)
from portal.transfers.rules import TransferState
from portal.wallet import actions as wallet
from portal.wallet.models import Transaction, TransactionStatus
from tests.conftest import NOON, run_due_work
from tests.transfers.desk import A_DAY, Asked
from tests.transfers.pictures import picture

BIG = 6_000_000


def test_an_approved_transfer_is_credit_with_a_receipt_and_a_line_and_who_did_it(desk, dewi):
    payment = desk.proven(50_000)
    assert desk.balance == 0
    desk.approve(payment)
    desk.settle()
    assert desk.balance == 50_000
    assert desk.state(payment) is TransferState.APPROVED
    receipt = db.session().query(Document).one()
    assert (receipt.label, receipt.total, receipt.reference_id) == ("RCP/2026/000001", 50_000, desk.row(payment).id)
    line = db.session().query(Transaction).one()
    assert (line.status, line.amount, line.balance_after) == (TransactionStatus.COMPLETED, 50_000, 50_000)
    assert desk.told == ["transfer_proof_received", "transfer_credited"]
    [(actor, facts)] = desk.noted("transfer.approved")
    assert actor == dewi.user_id
    assert facts["after"] == {
        "state": "APPROVED", "received_amount": 50_000, "bank_reference": "FT26068", "received_on": "2026-03-09",
    }  # fmt: skip
    assert facts["before"]["state"] == "IN_REVIEW"


def test_the_money_is_on_our_own_account_and_not_at_the_gateway(desk):
    desk.approve(desk.proven(70_000))
    rows = db.session().execute(
        sa.text(
            "SELECT a.qualifier, sum(p.amount) FROM posting p JOIN ledger_account a ON a.id = p.account_id"
            " WHERE a.kind = 'GATEWAY_CLEARING' GROUP BY a.qualifier"
        )
    )
    assert [tuple(row) for row in rows] == [("bank_transfer", -70_000)]


def test_a_second_press_and_a_second_administrator_book_nothing(desk, eka):
    payment = desk.proven()
    desk.approve(payment)
    for by in (None, eka):
        with pytest.raises(AlreadyDecided):
            desk.approve(payment, by=by)
    assert (desk.balance, desk.entries) == (50_000, 1)


def at_once(portal, deeds):
    """Does all of it in threads that start together; what each came to, sorted."""
    outcomes, start = [], threading.Barrier(len(deeds))

    def run(deed):
        with portal.app_context(), clock.at(NOON):
            start.wait()
            try:
                deed()
                outcomes.append("done")
            except PortalError as refusal:
                outcomes.append(refusal.code)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_two_administrators_at_once_book_once(portal, desk, dewi, eka):
    payment = desk.proven()
    outcomes = at_once(portal, [lambda who=who: desk.approve(payment, by=who) for who in (dewi, eka)])
    assert outcomes == ["ALREADY_DECIDED", "done"]
    assert (desk.balance, desk.entries) == (50_000, 1)


def test_one_line_claimed_for_two_transfers_at_once_is_credited_once(portal, desk, dewi, eka):
    pairs = list(zip([desk.proven(), desk.proven()], (dewi, eka), strict=True))
    outcomes = at_once(portal, [lambda one=one, who=who: desk.approve(one, line="FT1", by=who) for one, who in pairs])
    assert outcomes == ["BANK_LINE_TAKEN", "done"]
    assert (desk.balance, desk.entries) == (50_000, 1)


def test_a_customer_who_cancels_while_somebody_credits_loses_nothing(portal, desk, ayu):
    payment = desk.proven()

    def withdraw():
        with transaction() as session:
            actions.cancel(session, payment.id, payment.customer_id, now=clock.now())

    outcomes = at_once(portal, [lambda: desk.approve(payment), withdraw])
    assert outcomes in (["NOT_CANCELLABLE", "done"], ["done", "done"])
    assert (desk.balance, desk.state(payment)) == (50_000, TransferState.APPROVED)


def test_the_owner_is_mailed_that_we_have_the_proof_and_the_receipt(desk):
    desk.approve(desk.proven())
    run_due_work(without=("notices.deliver",))
    mails = db.session().query(Mail).filter(Mail.customer_id.is_not(None)).order_by(Mail.created_at, Mail.id).all()
    assert [mail.code for mail in mails] == ["transfer_proof_received", "receipt_issued"]
    assert mails[1].document_id is not None


def test_the_operator_is_mailed_once_that_somebody_waits(desk, monkeypatch):
    monkeypatch.setenv("OPERATOR_EMAIL", "operator@example.com")
    settings.cache_clear()
    payment = desk.proven()
    desk.prove(payment, picture(colour="red"))
    [mail] = db.session().query(Mail).filter_by(to_address="operator@example.com").all()
    assert (mail.code, mail.parameters["reference"]) == ("transfer_to_check", desk.transfer(payment).reference)


def test_credit_wakes_what_waits_for_it(desk):
    desk.approve(desk.proven())
    run_due_work(without=("invoices.render", "notices.deliver", "subscriptions.use_credit"))
    assert db.session().query(OutboxMessage).filter_by(name="subscriptions.use_credit").count() == 1


def test_what_arrived_is_credited_even_if_it_is_not_what_was_announced(desk):
    payment = desk.proven(50_000)
    desk.approve(payment, 45_000)
    desk.settle()
    assert desk.balance == 45_000
    assert db.session().query(Document).one().total == 45_000
    assert db.session().query(DocumentLine).one().amount == 45_000
    assert db.session().query(Transaction).one().amount == 45_000
    assert desk.told[-1] == "transfer_credited_differs"


def test_nobody_decides_about_money_of_a_customer_they_belong_to(desk, ayu, dewi, eka):
    with transaction() as session:
        session.add(Membership(user_id=dewi.user_id, customer_id=ayu.customer_id, role="MEMBER"))
    payment = desk.proven()
    for attempt in (
        lambda: desk.approve(payment),
        lambda: desk.reject(payment),
        lambda: desk.take_back(payment, 50_000),
    ):
        with pytest.raises(OwnTransfer) as refusal:
            attempt()
        assert isinstance(refusal.value, Forbidden)
    assert desk.balance == 0
    desk.approve(payment, by=eka)
    assert desk.balance == 50_000


def test_a_large_one_needs_two_administrators_who_read_the_same(desk, dewi, eka):
    payment = desk.proven(BIG)
    for _ in range(3):
        desk.approve(payment)
    assert (desk.balance, desk.state(payment)) == (0, TransferState.IN_REVIEW)
    assert [actor for actor, _ in desk.noted("transfer.approval_proposed")] == [dewi.user_id]
    desk.approve(payment, BIG + 1, by=eka)
    assert desk.balance == 0, "another figure is another proposal"
    desk.approve(payment, BIG + 1, by=eka)
    assert desk.balance == 0, "and cannot be confirmed by who made it"
    desk.approve(payment, BIG + 1, by=dewi)
    assert desk.balance == BIG + 1
    transfer = desk.transfer(payment)
    assert (transfer.proposed_by, transfer.decided_by) == (eka.user_id, dewi.user_id)


def test_a_customer_changes_nothing_once_the_first_of_two_has_approved(desk):
    payment = desk.proven(BIG)
    desk.approve(payment)
    with pytest.raises(Conflict):
        desk.prove(payment, picture(colour="red"))


def test_the_limit_is_of_what_arrived(desk):
    payment = desk.proven(BIG)
    desk.approve(payment)
    desk.approve(payment, 5_000_000)
    assert desk.balance == 5_000_000
    assert desk.transfer(payment).proposed_by is None


def test_a_proposal_can_be_rejected_by_whoever_made_it(desk):
    payment = desk.proven(BIG)
    desk.approve(payment)
    desk.reject(payment)
    assert desk.state(payment) is TransferState.REJECTED
    assert desk.transfer(payment).received_amount is None


def test_one_line_of_the_bank_account_is_credited_once(desk):
    first, second = desk.proven(), desk.proven()
    desk.approve(first, line="FT1")
    with pytest.raises(BankLineTaken):
        desk.approve(second, line="FT1")
    desk.approve(second, line="FT2")
    assert desk.balance == 100_000


def test_a_line_that_was_credited_to_the_wrong_one_may_go_to_the_right_one(desk):
    wrong, right = desk.proven(), desk.proven()
    desk.approve(wrong, line="FT1")
    desk.take_back(wrong, 50_000)
    desk.approve(right, line="FT1")
    assert desk.balance == 50_000


@pytest.mark.parametrize(
    "amount, line, day", [(-5, "X", A_DAY), (10**12, "X", A_DAY), (5, "", A_DAY), (5, "x" * 61, A_DAY),
                          (5, "X", A_DAY + timedelta(days=30))],
)  # fmt: skip
def test_facts_that_no_bank_states_are_refused(desk, amount, line, day):
    payment = desk.proven()
    with pytest.raises(WrongFacts):
        desk.approve(payment, amount, line=line, on=day)
    assert desk.balance == 0


def test_a_rejection_says_why_and_books_nothing(desk):
    payment = desk.proven()
    desk.reject(payment, "The picture shows another account.")
    with pytest.raises(AlreadyDecided):
        desk.reject(payment)
    assert (desk.balance, desk.entries, desk.state(payment)) == (0, 0, TransferState.REJECTED)
    assert db.session().query(Transaction).one().status == TransactionStatus.FAILED
    assert desk.transfer(payment).reason == "The picture shows another account"
    assert desk.told[-1] == "transfer_rejected"
    with pytest.raises(Conflict):
        desk.prove(payment, picture(colour="red"))


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301])
def test_a_reason_is_needed_and_short(desk, reason):
    payment = desk.proven()
    with pytest.raises(ReasonNeeded):
        desk.reject(payment, reason)


def test_money_found_after_a_transfer_was_closed_is_credited_late(desk):
    payment = desk.proven()
    desk.reject(payment)
    desk.approve(payment)
    assert desk.balance == 50_000
    assert db.session().get_one(Payment, payment.id, populate_existing=True).status == PaymentStatus.PAID_LATE
    assert desk.transfer(payment).reason is None


def test_money_without_a_proof_may_be_credited(desk):
    payment = desk.ask()
    desk.approve(payment)
    assert desk.balance == 50_000


def test_taking_back_leaves_a_debt_of_what_was_spent(desk, ayu):
    payment = desk.proven(50_000)
    desk.approve(payment)
    with transaction() as session:
        wallet.adjust(session, ayu.customer_id, rupiah(-30_000), key="spent", reason="spent", now=clock.now())
    desk.take_back(payment, 50_000)
    assert desk.balance == 0
    assert desk.debt == 30_000
    assert desk.state(payment) is TransferState.TAKEN_BACK
    assert desk.told[-1] == "transfer_taken_back"
    [(_, facts)] = desk.noted("transfer.taken_back")
    assert (facts["amount"], facts["reason"]) == (50_000, "Another customer's money")


def test_part_may_be_taken_back_and_a_double_press_is_one(desk):
    payment = desk.proven(50_000)
    desk.approve(payment)
    desk.take_back(payment, 10_000)
    with pytest.raises(NothingToTakeBack):
        desk.take_back(payment, 10_000)
    assert (desk.balance, desk.state(payment)) == (40_000, TransferState.PARTLY_TAKEN_BACK)
    for too_much in (40_001, 0, -1):
        with pytest.raises(NothingToTakeBack):
            desk.take_back(payment, too_much, so_far=10_000)
    desk.take_back(payment, 40_000, so_far=10_000)
    assert (desk.balance, desk.row(payment).taken_back) == (0, 50_000)


def test_nothing_is_taken_back_that_was_not_credited(desk):
    with pytest.raises(NothingToTakeBack):
        desk.take_back(desk.proven(), 50_000)


def test_a_transfer_that_is_none_is_not_found(desk, ayu):
    with pytest.raises(NotFound):
        desk.approve(Asked(uuid4(), ayu.customer_id, 5))


def test_after_seven_days_without_a_proof_it_expires_and_with_one_it_does_not(desk):
    bare, proven = desk.ask(), desk.proven()
    clock.advance(timedelta(days=6, hours=23))
    payment_jobs.expire_due()
    run_due_work(without=("invoices.render", "notices.deliver"))
    assert desk.state(bare) is TransferState.WAITING_FOR_PROOF
    clock.advance(timedelta(hours=2))
    payment_jobs.expire_due()
    run_due_work(without=("invoices.render", "notices.deliver"))
    assert desk.state(bare) is TransferState.EXPIRED
    assert desk.state(proven) is TransferState.IN_REVIEW
    assert desk.told == ["transfer_proof_received", "transfer_expired"]


def test_the_poller_never_asks_a_gateway_about_it(desk):
    desk.approve(desk.proven())
    desk.proven()
    assert payment_jobs.sync() == "0 payments"


def test_a_repeat_of_the_form_is_one_transfer_and_the_limits_are_those_of_top_ups(desk):
    first = desk.ask(key="0197b2a0-0000-7000-8000-000000000001")
    assert desk.ask(key="0197b2a0-0000-7000-8000-000000000001").id == first.id
    for amount in (9_999, 10_000_001):
        with pytest.raises(AmountOutOfRange):
            desk.ask(amount)


def test_without_an_account_nobody_can_ask(desk, monkeypatch):
    monkeypatch.setenv("BANK_ACCOUNTS", "")
    settings.cache_clear()
    with pytest.raises(UnknownMethod):
        desk.ask()


def test_the_audit_of_the_books_notices_a_credit_without_its_transfer(desk):
    """It has been seen to fail: a proof that cannot is none."""
    payment = desk.proven()
    desk.approve(payment)
    with transaction() as session:
        session.execute(sa.text("UPDATE gateway_transaction SET credited = 49999 WHERE gateway = 'bank_transfer'"))
    assert {found.check for found in differences(db.session())} == {"settled_attempts_are_booked", "receipts_agree"}
    db.session.rollback()
    with transaction() as session:
        session.execute(sa.text("UPDATE gateway_transaction SET credited = 50000 WHERE gateway = 'bank_transfer'"))
