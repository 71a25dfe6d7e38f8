"""The gateway's own behaviour: orders become tokens, choices become transactions, moves become messages.

Merchant, customer and bank all act through here; who may do what is decided by `states` alone.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from . import messages, snap_rules
from .agenda import Agenda, Task
from .cards import LATE_ANSWER_S, Card, find_card
from .clock import WIB, SimClock
from .faults import FaultBoard
from .issuing import issue
from .journal import Journal
from .methods import METHODS, enabled_methods
from .postman import Postman
from .records import Order, Records, Session, Transaction, new_id
from .settings import Settings
from .states import PAID, may_move

SETTLE_LATENCY_MAX_S, EXPIRE_LATENCY_MAX_S = 20.0, 90.0
CARD_SETTLES_AFTER = timedelta(days=1)
REFUND_CONFIRMED_AFTER = timedelta(seconds=60)
URLS_MAX = 3


class Refused(Exception):
    """The gateway says no. `code` is the Core API's status_code, `text` its status_message."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code, self.text = code, text


class RequestRefused(Refused):
    """Snap says no: HTTP 400 with error_messages."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("400", "; ".join(reasons))
        self.reasons = reasons


NOT_FOUND = ("404", "Transaction doesn't exist.")
WRONG_STATE = ("412", "Transaction status cannot be updated.")
PROCESSED = ("406", "transaction has been processed")


class Gateway:
    """State plus the moves on it, one lock around each verb. Messages leave after the lock is let go."""

    def __init__(self, settings: Settings, *, seed: int) -> None:
        self.settings = settings
        self.clock = SimClock()
        self.faults = FaultBoard(seed)
        self.records = Records()
        self.journal = Journal(self.clock)
        self.agenda = Agenda(self.clock, self._perform)
        self.postman = Postman(settings, self.clock, self.agenda, self.faults, seed, self._note)
        self._random = random.Random(seed)
        self._lock = threading.RLock()
        self._early = threading.local()

    # -- the merchant's side ------------------------------------------------------------------------

    def create_order(self, body: Any, *, override: list[str] | None = None,
                     append: list[str] | None = None) -> Session:  # fmt: skip
        """A new token for an order, killing the older ones. Raises RequestRefused."""
        if reasons := snap_rules.problems(body):
            raise RequestRefused(reasons)
        with self._verb():
            session = self._create(body, [*(override or [self.settings.notification_url]), *(append or [])])
            self._run_ahead_of_the_answer(session)
        return session

    def cancel_session(self, token: str) -> datetime:
        """Close a token on which nothing was chosen; returns when. Raises Refused."""
        with self._verb():
            session = self.records.sessions.get(token)
            if session is None:
                raise Refused("404", "token not found")
            if session.state == "canceled":
                raise Refused("400", "token already canceled")
            if self.records.transactions_of(session.order_id):
                raise Refused("400", "Transaction is on progress")
            session.state = "canceled"
            self._note("session", session.order_id, {"token": token, "state": "canceled"})
            return self.clock.now()

    def status(self, any_id: str) -> dict[str, Any]:
        """The signed status answer for an order id or transaction id. Raises Refused 404."""
        with self._lock:
            transaction = self._find(any_id)
            return messages.status_answer(self._order(transaction), transaction, self.settings)

    def refund(self, any_id: str, *, amount: int | None = None, refund_key: str | None = None,
               reason: str = "", direct: bool = False) -> dict[str, Any]:  # fmt: skip
        """Give back `amount` (default: what is left). Raises Refused 412, 406 or 414."""
        with self._verb():
            transaction = self._find(any_id)
            left = transaction.amount - transaction.refunded
            self._check_refund(transaction, left if amount is None else amount, left, refund_key)
            given = left if amount is None else amount
            if direct and self.faults.take(modes=["refund_refused"], order_id=transaction.order_id):
                return self.status(any_id) | {"status_code": "202", "refund_amount": "0.00"}
            refund = self._book_refund(transaction, given, refund_key or new_id(), reason)
            self._move(transaction, "refund" if given == left else "partial_refund")
            self._at(REFUND_CONFIRMED_AFTER, "confirm_refund", transaction, refund_key=refund["refund_key"])
            answer = self.status(any_id) | {"status_message": "Success, refund request is approved"}
            own = {k: refund[k] for k in ("refund_chargeback_id", "refund_key")}
            return answer | own | {"refund_amount": messages.money(given)}

    # -- the customer's side ------------------------------------------------------------------------

    def choose(self, token_or_order_id: str, method_code: str, *, card_number: str = "",
               ui: str = "deeplink") -> Transaction:  # fmt: skip
        """Pick a method on the payment page: makes a transaction. `ui="qr"` reports wallets as qris.

        Raises Refused: 404 unknown or dead token, 407 page expired, 406 already paid, 402 method not offered,
        411 not a test card.
        """
        with self._verb():
            return self._choose(self.open_session(token_or_order_id), method_code, card_number, ui)

    def open_session(self, token_or_order_id: str) -> Session:
        """The live session behind a token, or an order's live session. Raises Refused 404 or 407."""
        session = self.records.sessions.get(token_or_order_id)
        if session is None:
            live = [s for s in self.records.sessions_of(token_or_order_id) if s.state == "open"]
            session = live[-1] if live else None
        if session is None or session.state != "open":
            raise Refused("404", "Transaction token is not found or no longer valid")
        if self.clock.now() >= session.expires_at:
            raise Refused("407", "Transaction has expired")
        return session

    def authenticate_card(self, transaction_id: str, *, passed: bool = True) -> Transaction:
        """The end of 3DS: the bank now decides by the card's number. Raises Refused when not pending."""
        with self._verb():
            transaction = self._find(transaction_id)
            if transaction.status != "pending":
                raise Refused(*WRONG_STATE)
            self._decide_card(transaction, passed=passed)
            return transaction

    # -- inside -------------------------------------------------------------------------------------

    @contextmanager
    def _verb(self) -> Iterator[None]:
        """Hold the lock for the change; send what must go out before the answer after letting go."""
        try:
            with self._lock:
                yield
        finally:
            early = self._early.__dict__.pop("numbers", [])
            self.postman.deliver_now(early)

    def _create(self, body: dict[str, Any], urls: list[str]) -> Session:
        details, now = body["transaction_details"], self.clock.now()
        order_id = details["order_id"]
        if self.records.paid_transaction_of(order_id):
            text = "transaction_details.order_id has been paid and utilized, please use another order ID"
            raise RequestRefused([text])
        if self.records.transactions_of(order_id):
            raise RequestRefused(["transaction_details.order_id has already been taken"])
        for older in self.records.sessions_of(order_id):
            older.state = "superseded" if older.state == "open" else older.state
        order = Order(order_id, details["gross_amount"], body, now, urls[: URLS_MAX + 1])
        session = Session(new_id(), order_id, now, snap_rules.page_expires_at(body, now=now))
        self.records.orders[order_id], self.records.sessions[session.token] = order, session
        self._note("session", order_id, {"token": session.token, "state": "open", "amount": order.amount})
        return session

    def _run_ahead_of_the_answer(self, session: Session) -> None:
        """Fault: the customer is quicker than our own HTTP answer."""
        for fault in self.faults.take(modes=["before_create_response"], order_id=session.order_id):
            self._early.forced = True
            transaction = self._choose(session, fault.params.get("method", "other_qris"))
            if fault.params.get("pay"):
                self._settle(transaction)
            self._early.forced = False

    def _choose(self, session: Session, method_code: str, card_number: str = "", ui: str = "") -> Transaction:
        order = self.records.orders[session.order_id]
        if self.records.paid_transaction_of(order.order_id) and not self.may_pay_twice(order.order_id):
            raise Refused(*PROCESSED)
        if method_code not in {m.code for m in enabled_methods(order.request.get("enabled_payments"))}:
            raise Refused("402", "Payment method is not enabled")
        card = find_card(card_number) if METHODS[method_code].family == "card" else None
        if METHODS[method_code].family == "card" and card is None:
            raise Refused("411", "Use one of the test cards")
        transaction = issue(order, METHODS[method_code], self.records, now=self.clock.now(), card=card, ui=ui)
        self._apply_promo(transaction)
        self.records.transactions[transaction.transaction_id] = transaction
        self.agenda.add(transaction.expires_at, "expire", transaction_id=transaction.transaction_id)
        self._note("move", order.order_id, self._described_move(transaction, "", "pending"))
        self._open_transaction(order, transaction, card)
        return transaction

    def _open_transaction(self, order: Order, transaction: Transaction, card: Card | None) -> None:
        if card and not (order.request.get("credit_card") or {}).get("secure"):
            self._decide_card(transaction, passed=True)
        elif self.settings.pending_notifications:
            self._announce(transaction)

    def may_pay_twice(self, order_id: str) -> bool:
        return any(f.mode == "double_pay" and order_id.startswith(f.order_prefix) for f in self.faults.active())

    def _apply_promo(self, transaction: Transaction) -> None:
        for fault in self.faults.take(modes=["promo"], order_id=transaction.order_id):
            original = messages.money(transaction.amount)
            transaction.amount -= int(fault.params.get("amount", 1000))
            code = fault.params.get("code", "PROMO")
            transaction.shown["promo"] = {"original_amount": original, "code": code}

    def _decide_card(self, transaction: Transaction, *, passed: bool) -> None:
        outcome = transaction.shown.get("card_outcome", "accept") if passed else "deny"
        order = self._order(transaction)
        if outcome == "late":
            self._at(timedelta(seconds=LATE_ANSWER_S), "late_card", transaction)
        elif outcome == "challenge":
            self._move(transaction, "capture", fraud_status="challenge")
        elif outcome in ("deny", "fraud"):
            self._move(transaction, "deny", fraud_status="deny" if outcome == "fraud" else "accept")
        elif (order.request.get("credit_card") or {}).get("type") == "authorize":
            self._move(transaction, "authorize", fraud_status="accept")
        else:
            self._move(transaction, "capture", fraud_status="accept")

    def _settle(self, transaction: Transaction, *, force: bool = False) -> None:
        """Money arrives, in the way of the method: cards are captured first."""
        if transaction.status == "pending" and transaction.method.family == "card":
            self._move(transaction, "capture", fraud_status="accept", force=force)
        else:
            self._move(transaction, "settlement", force=force)

    def _move(self, transaction: Transaction, target: str, *, force: bool = False, **changes: Any) -> None:
        """Take one step of the state machine and tell the merchant. Raises Refused 412 or 406."""
        before = transaction.status
        if not force:
            self._check_move(transaction, target)
        transaction.status = target
        for name, value in changes.items():
            setattr(transaction, name, value)
        if target == "settlement":
            transaction.settled_at = self.clock.now()
        self._note("move", transaction.order_id, self._described_move(transaction, before, target))
        self._plan_what_follows(transaction)
        self._announce(transaction)

    def _check_move(self, transaction: Transaction, target: str) -> None:
        challenged = transaction.fraud_status == "challenge"
        reversible = transaction.method.reversible
        if not may_move(transaction.status, target, challenged=challenged, reversible=reversible):
            raise Refused(*WRONG_STATE)
        paid = self.records.paid_transaction_of(transaction.order_id)
        second = target in PAID and paid is not None and paid is not transaction
        if second and not self.faults.take(modes=["double_pay"], order_id=transaction.order_id):
            raise Refused(*PROCESSED)

    def _plan_what_follows(self, transaction: Transaction) -> None:
        if transaction.status == "capture" and transaction.fraud_status == "challenge":
            tomorrow = self.clock.now().astimezone(WIB) + timedelta(days=1)
            due = tomorrow.replace(hour=16, minute=0, second=0, microsecond=0)
            self.agenda.add(due, "cancel_challenge", transaction_id=transaction.transaction_id)
        elif transaction.status == "capture":
            self._at(CARD_SETTLES_AFTER, "settle_card", transaction)
        elif transaction.status == "settlement" and transaction.method.reversible:
            for fault in self.faults.take(modes=["reversal"], order_id=transaction.order_id):
                self._at(timedelta(seconds=float(fault.params.get("seconds", 180))), "reverse", transaction)

    def _announce(self, transaction: Transaction) -> None:
        order = self._order(transaction)
        message = messages.notification(order, transaction, self.settings)
        early = self.postman.announce(
            message,
            order.notification_urls,
            self._latency_s(transaction.status),
            early=getattr(self._early, "forced", False),
        )
        self._early.__dict__.setdefault("numbers", []).extend(early)

    def _latency_s(self, status: str) -> float:
        if not self.settings.realistic_latency:
            return 0.0
        return self._random.uniform(0, EXPIRE_LATENCY_MAX_S if status == "expire" else SETTLE_LATENCY_MAX_S)

    def _check_refund(self, transaction: Transaction, amount: int, left: int, key: str | None) -> None:
        method, settled = transaction.method, transaction.settled_at
        if transaction.status not in ("settlement", "partial_refund") or not method.refund_days:
            raise Refused(*WRONG_STATE)
        if settled and self.clock.now() > settled + timedelta(days=method.refund_days):
            raise Refused(*WRONG_STATE)
        if key is not None and any(refund["refund_key"] == key for refund in transaction.refunds):
            raise Refused("406", "Duplicate refund_key")
        if amount < 1 or amount > left:
            raise Refused("414", "Refund amount is not valid")

    def _book_refund(self, transaction: Transaction, amount: int, key: str, reason: str) -> dict[str, Any]:
        refund = {
            "refund_chargeback_id": self._random.randrange(10**5, 10**6),
            "amount": amount,
            "created_at": self._wib_now(),
            "reason": reason or "refund",
            "refund_key": key,
            "bank_confirmed_at": None,
        }
        transaction.refunds.append(refund)
        return refund

    def _find(self, any_id: str) -> Transaction:
        transaction = self.records.find(any_id, rule=self.settings.status_rule)
        if transaction is None:
            raise Refused(*NOT_FOUND)
        return transaction

    def _order(self, transaction: Transaction) -> Order:
        return self.records.orders[transaction.order_id]

    def _wib_now(self) -> str:
        return messages.wib(self.clock.now())

    def _at(self, after: timedelta, kind: str, transaction: Transaction, **args: Any) -> None:
        self.agenda.add(self.clock.now() + after, kind, transaction_id=transaction.transaction_id, **args)

    def _described_move(self, transaction: Transaction, before: str, after: str) -> dict[str, Any]:
        return {
            "transaction_id": transaction.transaction_id,
            "method": transaction.method_code,
            "before": before,
            "after": after,
        }

    def _note(self, kind: str, order_id: str, detail: dict[str, Any]) -> None:
        """Write the journal; whoever persists the state hooks in here."""
        self.journal.write(kind, order_id, detail)

    # -- what the clock brings ----------------------------------------------------------------------

    def _perform(self, task: Task) -> None:
        """Run one due task. Each looks first whether there is still anything to do."""
        if task.kind == "deliver":
            self.postman.deliver_batch(task.args["numbers"], concurrent=task.args["concurrent"])
            return
        with self._verb():
            transaction = self.records.transactions.get(task.args["transaction_id"])
            if transaction is not None:
                getattr(self, f"_on_{task.kind}")(transaction, task)

    def _on_expire(self, transaction: Transaction, task: Task) -> None:
        if transaction.status in ("pending", "authorize"):
            self._move(transaction, "expire")

    def _on_settle_card(self, transaction: Transaction, task: Task) -> None:
        if transaction.status == "capture" and transaction.fraud_status != "challenge":
            self._move(transaction, "settlement", force=True)

    def _on_cancel_challenge(self, transaction: Transaction, task: Task) -> None:
        if transaction.status == "capture" and transaction.fraud_status == "challenge":
            self._move(transaction, "cancel")

    def _on_reverse(self, transaction: Transaction, task: Task) -> None:
        if transaction.status == "settlement":
            self._move(transaction, "deny")

    def _on_late_card(self, transaction: Transaction, task: Task) -> None:
        if transaction.status == "pending":
            self._move(transaction, "capture", fraud_status="accept")

    def _on_confirm_refund(self, transaction: Transaction, task: Task) -> None:
        for refund in transaction.refunds:
            if refund["refund_key"] == task.args["refund_key"] and refund["bank_confirmed_at"] is None:
                refund["bank_confirmed_at"] = self._wib_now()
                self._announce(transaction)
