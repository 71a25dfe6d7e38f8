"""The verbs of payments. Prepare (commit an attempt), call the gateway, record its answer; only `record_answer`
moves money, and it serves webhook, redirect, poller and administrator alike, so order and repetition cannot matter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from config import settings
from portal.accounts.models import Customer
from portal.core import events, outbox, switches
from portal.core.db import ROW_LOCK
from portal.core.errors import NotFound
from portal.core.ids import new_id, readable_code
from portal.core.money import Money
from portal.payments import booking, rules
from portal.payments.errors import AmountOutOfRange, NotPayable, TooManyOpenTopUps, UnknownMethod
from portal.payments.gateways import Answer, Checkout
from portal.payments.models import GatewayTransaction, Payment, PaymentAttempt, PaymentStatus
from portal.wallet import actions as wallet
from portal.wallet.models import TransactionStatus

log = structlog.get_logger()

OPEN = (PaymentStatus.CREATED, PaymentStatus.PENDING)
CHECK_AGAIN_AFTER = timedelta(seconds=3)
ASK_AGAIN_AFTER = timedelta(seconds=20)


@dataclass(frozen=True)
class TopUp:
    """What the customer asked for on the top-up form; `key` is the form's own, so a double click is one top-up."""

    amount: Money
    method: str
    key: str


@dataclass(frozen=True)
class Collection:
    """How a top-up is collected: where, for how long, the state it begins in, and an order id that means something."""

    gateway: str
    lifetime: timedelta
    begins_as: PaymentStatus = PaymentStatus.CREATED
    order_id: str | None = None


def request_top_up(
    session: Session, customer_id: UUID, wanted: TopUp, *, now: datetime, collected: Collection | None = None
) -> Payment:
    """Commits to collecting a top-up: a payment with its first attempt. A repeat of the key returns the same payment.

    Unless said otherwise Midtrans collects it.

    Raises `AmountOutOfRange`, `UnknownMethod`, `TooManyOpenTopUps`, `Unavailable` while top-ups are switched off.
    """
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    known = session.scalar(
        select(Payment).where(Payment.customer_id == customer_id, Payment.idempotency_key == wanted.key)
    )
    if known is not None:
        return known
    how = collected or Collection("midtrans", timedelta(hours=settings().top_up_expiry_hours))
    _refuse_unfit(session, customer_id, wanted, gateway=how.gateway)
    payment = Payment(
        id=new_id(),
        customer_id=customer_id,
        gateway=how.gateway,
        method=wanted.method,
        status=how.begins_as,
        amount=wanted.amount.amount,
        currency=wanted.amount.currency,
        idempotency_key=wanted.key,
        created_at=now,
        expires_at=now + how.lifetime,
    )
    session.add(payment)
    session.flush()
    add_attempt(session, payment, order_id=how.order_id, now=now)
    wallet.note_pending_top_up(
        session, customer_id, wanted.amount, payment_id=payment.id, line=booking.line(payment), now=now
    )
    outbox.enqueue(session, "payments.expire", run_at=payment.expires_at, payment_id=payment.id)
    return payment


def _refuse_unfit(session: Session, customer_id: UUID, wanted: TopUp, *, gateway: str) -> None:
    switches.refuse_when_on(session, switches.Switch.NO_TOP_UPS)
    smallest, largest = Money(settings().top_up_min), Money(settings().top_up_max)
    if not smallest <= wanted.amount <= largest:
        raise AmountOutOfRange(smallest=smallest, largest=largest)
    method = rules.METHODS.get(wanted.method)
    if method is None or method.gateway != gateway:
        raise UnknownMethod
    open_ones = session.scalar(select(func.count()).where(Payment.customer_id == customer_id, Payment.status.in_(OPEN)))
    if (open_ones or 0) >= settings().top_ups_open_max:
        raise TooManyOpenTopUps


def add_attempt(session: Session, payment: Payment, *, now: datetime, order_id: str | None = None) -> PaymentAttempt:
    """One more order id for this payment; the ones before stay valid, whatever is paid on them is credited."""
    number = session.scalar(select(func.count()).where(PaymentAttempt.payment_id == payment.id)) or 0
    attempt = PaymentAttempt(
        payment_id=payment.id,
        gateway=payment.gateway,
        number=number + 1,
        order_id=order_id or f"TOPUP-{readable_code(16)}-{number + 1}",
        created_at=now,
    )
    session.add(attempt)
    session.flush()
    return attempt


def payable_attempt(session: Session, payment_id: UUID, customer_id: UUID, *, now: datetime) -> PaymentAttempt:
    """The latest attempt of a payment that may still be paid; raises `NotFound` or `NotPayable`."""
    payment = session.scalar(select(Payment).where(Payment.id == payment_id, Payment.customer_id == customer_id))
    if payment is None:
        raise NotFound
    at_a_gateway = payment.gateway != rules.BANK_TRANSFER
    if not at_a_gateway or not rules.may_pay(payment.status, expires_at=payment.expires_at, now=now):
        raise NotPayable
    statement = select(PaymentAttempt).where(PaymentAttempt.payment_id == payment_id)
    return session.scalars(statement.order_by(PaymentAttempt.number.desc()).limit(1)).one()


def claim_checkout(session: Session, attempt_id: UUID, *, now: datetime) -> bool:
    """True for the one caller who may ask the gateway now: a second token would kill the first one."""
    statement = update(PaymentAttempt).where(
        PaymentAttempt.id == attempt_id,
        PaymentAttempt.token.is_(None),
        or_(PaymentAttempt.asked_at.is_(None), PaymentAttempt.asked_at < now - ASK_AGAIN_AFTER),
    )
    result = session.execute(statement.values(asked_at=now).execution_options(synchronize_session=False))
    return result.rowcount == 1  # type: ignore[attr-defined]


def store_checkout(session: Session, attempt_id: UUID, checkout: Checkout) -> None:
    """Keeps how the customer gets to pay this attempt; a newer token replaces the older, which is dead by then."""
    attempt = session.get_one(PaymentAttempt, attempt_id)
    attempt.token, attempt.redirect_url, attempt.last_error = checkout.token, checkout.redirect_url, None


def note_attempt_error(session: Session, attempt_id: UUID, code: str) -> None:
    """Keeps why no checkout could be made, and lets the next caller try at once."""
    attempt = session.get_one(PaymentAttempt, attempt_id, populate_existing=True)
    attempt.last_error, attempt.asked_at = code, None


def request_check(session: Session, payment_id: UUID, customer_id: UUID, *, now: datetime) -> Payment:
    """Queues a look at the gateway's status: at once, or one for all who ask within seconds of the last look."""
    payment = _own_payment(session, payment_id, customer_id)
    queue_check(session, payment, now=now)
    return payment


def queue_check(session: Session, payment: Payment, *, now: datetime) -> None:
    """`request_check` of a payment whose row is held, whoever asks."""
    last = payment.last_checked_at
    if last is None or now - last >= CHECK_AGAIN_AFTER:
        payment.last_checked_at = now
        outbox.enqueue(session, "payments.check", queue="urgent", payment_id=payment.id)
    else:
        key = f"payments.check:{payment.id}:after:{last.isoformat()}"
        outbox.enqueue(
            session, "payments.check", run_at=last + CHECK_AGAIN_AFTER, queue="urgent", unique_key=key,
            payment_id=payment.id,
        )  # fmt: skip


def cancel(session: Session, payment_id: UUID, customer_id: UUID, *, now: datetime) -> Payment:
    """Stops waiting for a top-up and tells the gateway; a repeat changes nothing. Money that comes is credited."""
    payment = _own_payment(session, payment_id, customer_id)
    if payment.status == PaymentStatus.CANCELLED:
        return payment
    if not rules.may_cancel(payment.status):
        raise NotPayable
    close(session, payment, PaymentStatus.CANCELLED, now=now)
    outbox.enqueue(session, "payments.cancel_at_gateway", payment_id=payment.id)
    return payment


def expire(session: Session, payment_id: UUID, *, now: datetime) -> bool:
    """Marks an unpaid payment past its time as expired, or as failed when every try was refused. True if it did."""
    payment = session.get_one(Payment, payment_id, with_for_update=ROW_LOCK, populate_existing=True)
    if payment.status not in OPEN or payment.expires_at > now:
        return False
    statuses = set(
        session.scalars(
            select(GatewayTransaction.status).join(PaymentAttempt).where(PaymentAttempt.payment_id == payment_id)
        )
    )
    refused = bool(statuses) and statuses <= {"deny", "failure"}
    close(session, payment, PaymentStatus.FAILED if refused else PaymentStatus.EXPIRED, now=now)
    booking.tell_closed(session, payment, now=now)
    return True


@dataclass(frozen=True)
class Recorded:
    """What recording an answer did; `stale` asks the caller to fetch again."""

    status: str
    moved: bool = False
    stale: bool = False


def record_answer(session: Session, attempt_id: UUID, answer: Answer, *, asked_at: datetime, now: datetime) -> Recorded:
    """Books what a gateway says of one transaction: credits it once, takes back what was taken back, moves the state.

    `asked_at` is when the question left. An answer that contradicts something recorded after that moment may be older
    than it: nothing is booked and `stale` is True. Repeats change nothing.
    """
    attempt = session.get_one(PaymentAttempt, attempt_id)
    assert answer.order_id == attempt.order_id, "an answer belongs to its attempt"
    payment = session.get_one(Payment, attempt.payment_id, with_for_update=ROW_LOCK, populate_existing=True)
    row = _gateway_transaction(session, attempt, answer, now)
    if row.updated_at > asked_at and row.status != answer.status:
        return Recorded(payment.status, stale=True)
    found = rules.meaning(answer, expected=payment.money)
    _note_oddities(payment, row, answer, found)
    if not row.credited:
        row.gross_amount, row.currency = _figures(answer)
    moved = booking.book(session, payment, row, answer, found, now=now)
    found = rules.after_rejection(found, answer) if row.rejected_at else found
    _follow(session, payment, answer, found, now=now)
    if row.status != answer.status:
        row.updated_at = now
    row.status, row.fraud_status, row.payment_type = answer.status, answer.fraud_status, answer.payment_type
    row.instructions = answer.instructions or row.instructions
    payment.last_checked_at = now
    return Recorded(payment.status, moved=moved)


def _gateway_transaction(
    session: Session, attempt: PaymentAttempt, answer: Answer, now: datetime
) -> GatewayTransaction:
    """The row of the answer's transaction, written on first sight. The payment's lock is held."""
    gross_amount, currency = _figures(answer)
    values = {
        "id": new_id(),
        "attempt_id": attempt.id,
        "gateway": attempt.gateway,
        "transaction_id": answer.transaction_id,
        "status": answer.status,
        "payment_type": answer.payment_type,
        "gross_amount": gross_amount,
        "currency": currency,
        "credited": 0,
        "taken_back": 0,
        "instructions": answer.instructions,
        "first_seen_at": now,
        "updated_at": now,
    }
    statement = upsert(GatewayTransaction).values(values)
    session.execute(statement.on_conflict_do_nothing(index_elements=["gateway", "transaction_id"]))
    row = session.scalars(
        select(GatewayTransaction)
        .where(
            GatewayTransaction.gateway == attempt.gateway,
            GatewayTransaction.transaction_id == answer.transaction_id,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    assert row.attempt_id == attempt.id, "a transaction id belongs to one order"
    return row


def _figures(answer: Answer) -> tuple[int, str]:
    """Amount and currency as the gateway says them; what is not readable as money is kept as none."""
    return (answer.amount.amount, answer.amount.currency) if answer.amount else (0, "???")


def _note_oddities(payment: Payment, row: GatewayTransaction, answer: Answer, found: rules.Meaning) -> None:
    """Logs what an operator should look at; the log is what alerts are made from."""
    if found is rules.Meaning.UNKNOWN:
        log.error("payment.unknown_status", payment_id=str(payment.id), status=answer.status)
    if answer.amount != payment.money and not row.credited and not row.rejected_at:
        log.error("payment.amount_differs", payment_id=str(payment.id), wanted=payment.amount, got=answer.amount_text)
    if answer.status == "partial_chargeback" and not answer.taken_back:
        log.error("payment.chargeback_without_figure", payment_id=str(payment.id))
    if row.taken_back and answer.status in rules.PAID and row.status != answer.status:  # a dispute won, say
        log.error("payment.paid_after_taken_back", payment_id=str(payment.id), taken_back=row.taken_back)


def _follow(session: Session, payment: Payment, answer: Answer, found: rules.Meaning, *, now: datetime) -> None:
    """Moves the payment's state after its books, tells the customer, wakes who waits."""
    credited, taken = session.execute(
        select(
            func.coalesce(func.sum(GatewayTransaction.credited), 0),
            func.coalesce(func.sum(GatewayTransaction.taken_back), 0),
        )
        .join(PaymentAttempt)
        .where(PaymentAttempt.payment_id == payment.id)
    ).one()
    before = PaymentStatus(payment.status)
    after = rules.next_status(before, found, credited=int(credited), taken=int(taken), taken_by=answer.status)
    if after is before:
        return
    payment.status = after
    if after in rules.SHUT:
        close(session, payment, after, now=now)
        booking.tell_closed(session, payment, now=now)
    if after is PaymentStatus.IN_REVIEW:
        booking.tell_review(session, payment, now=now)
        events.record(session, "payment.needs_review", payment_id=payment.id)


def close(session: Session, payment: Payment, status: PaymentStatus, *, now: datetime) -> None:
    """Ends a locked payment on which nothing was booked, and its line on the customer's list."""
    payment.status = status
    shown = TransactionStatus.FAILED if status is PaymentStatus.FAILED else TransactionStatus.CANCELLED
    wallet.close_pending_top_up(session, payment.id, shown, now=now)


def _own_payment(session: Session, payment_id: UUID, customer_id: UUID) -> Payment:
    statement = select(Payment).where(Payment.id == payment_id, Payment.customer_id == customer_id)
    payment = session.scalar(statement.with_for_update(key_share=True).execution_options(populate_existing=True))
    if payment is None:
        raise NotFound
    return payment
