"""The handle tests and the control page hold: the bank's side, the clock, faults and messages."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from . import messages
from .faults import Fault
from .gateway import PROCESSED, Gateway, Refused
from .methods import enabled_methods
from .postman import Notification
from .records import Session, Transaction, new_id
from .settings import Settings
from .store import StateFile, restore, snapshot


class Simulator(Gateway):
    """`start` before use, `stop` after. Verbs that change a transaction return it and raise Refused.

    Wherever a verb takes an id, an order id and a transaction id both do. `force=True` makes moves the real
    gateway never would (a settlement after expiry, say).
    """

    def __init__(self, settings: Settings, *, state_file: Path | None = None, seed: int = 0) -> None:
        super().__init__(settings, seed=seed)
        self._seed = seed
        self._state_file = StateFile(state_file, lambda: snapshot(self)) if state_file else None

    def start(self) -> Simulator:
        if self._state_file:
            restore(self, self._state_file.load())
            self._state_file.start()
        self.agenda.start()
        return self

    def stop(self) -> None:
        """Let go whatever hangs, stop the background threads and save."""
        self.faults.clear()
        self.agenda.stop()
        if self._state_file:
            self._state_file.stop()

    # -- the bank -----------------------------------------------------------------------------------

    def pay(self, reference: str, *, method: str | None = None, force: bool = False) -> Transaction:
        """Pay by VA number, bill key, payment code, QR text, transaction id or order id.

        An order on which nothing was chosen yet is first given `method` (default: its first).
        """
        with self._verb():
            transaction = self._payable(reference, method, force=force)
            self._settle(transaction, force=force)
            return transaction

    def settle(self, any_id: str, *, force: bool = False) -> Transaction:
        """pending or capture -> settlement, for a card too."""
        return self._step(any_id, "settlement", force=force)

    def deny(self, any_id: str, *, force: bool = False) -> Transaction:
        """pending, authorize or a challenged capture -> deny."""
        return self._step(any_id, "deny", force=force)

    def fail(self, any_id: str, *, force: bool = False) -> Transaction:
        return self._step(any_id, "failure", force=force)

    def expire(self, any_id: str, *, force: bool = False) -> Transaction:
        return self._step(any_id, "expire", force=force)

    def cancel(self, any_id: str, *, force: bool = False) -> Transaction:
        return self._step(any_id, "cancel", force=force)

    def authorize(self, any_id: str, *, force: bool = False) -> Transaction:
        return self._step(any_id, "authorize", force=force, fraud_status="accept")

    def capture(self, any_id: str, *, amount: int | None = None, force: bool = False) -> Transaction:
        """authorize (or pending) -> capture of `amount` (default: all). Raises Refused 414 for too much."""
        with self._verb():
            transaction = self._find(any_id)
            if amount is not None and not 1 <= amount <= transaction.amount:
                raise Refused("414", "Capture amount is not valid")
            taken = transaction.amount if amount is None else amount
            self._move(transaction, "capture", force=force, fraud_status="accept", amount=taken)
            return transaction

    def challenge(self, any_id: str, *, force: bool = False) -> Transaction:
        """pending -> capture held for review; approve or deny it, else it is cancelled next day at 16:00."""
        return self._step(any_id, "capture", force=force, fraud_status="challenge")

    def approve(self, any_id: str) -> Transaction:
        return self._answer_challenge(any_id, "accept")

    def deny_challenge(self, any_id: str) -> Transaction:
        return self._answer_challenge(any_id, "deny")

    def reverse(self, any_id: str, *, force: bool = False) -> Transaction:
        """settlement -> deny: permata, echannel and indomaret take money back within minutes."""
        with self._verb():
            transaction = self._find(any_id)
            if transaction.status != "settlement" and not force:
                raise Refused("412", "Only a settled transaction can be reversed.")
            self._move(transaction, "deny", force=force)
            return transaction

    def chargeback(self, any_id: str, *, amount: int | None = None, force: bool = False) -> Transaction:
        """settlement -> chargeback, or partial_chargeback for less than everything."""
        with self._verb():
            transaction = self._find(any_id)
            left = transaction.amount - sum(c["amount"] for c in transaction.chargebacks)
            taken = left if amount is None else amount
            if not 1 <= taken <= left:
                raise Refused("414", "Chargeback amount is not valid")
            target = "chargeback" if taken == left else "partial_chargeback"
            if not force:
                self._check_move(transaction, target)
            transaction.chargebacks.append({"amount": taken, "created_at": self._wib_now()})
            self._move(transaction, target, force=True)
            return transaction

    def expire_page(self, token_or_order_id: str) -> Session:
        """The token dies now; an issued number stays payable and no notification is sent."""
        with self._verb():
            session = self.open_session(token_or_order_id)
            session.expires_at = self.clock.now()
            self._note("session", session.order_id, {"token": session.token, "state": "expired"})
            return session

    # -- the clock ----------------------------------------------------------------------------------

    def freeze(self) -> None:
        self.clock.freeze()
        self.agenda.wake()

    def resume(self, scale: float = 1.0) -> None:
        self.clock.run_at(scale)
        self.agenda.wake()

    def advance(self, seconds: float, *, timeout_s: float = 30.0) -> None:
        """Move time on and run, in order and to the end, everything that falls due on the way."""
        self.agenda.advance_to(self.clock.now() + timedelta(seconds=seconds), timeout_s)

    def drain(self, timeout_s: float = 30.0) -> None:
        """Wait until all that is due now is done and delivered. Raises TimeoutError."""
        self.agenda.drain(timeout_s)

    # -- faults and messages ------------------------------------------------------------------------

    def inject(self, mode: str, *, order_prefix: str = "", event: str = "*", endpoint: str = "*",
               times: int | None = None, probability: float = 1.0, **params: Any) -> Fault:  # fmt: skip
        """Make something go wrong from now on; see faults.MODES. Raises UnknownFault."""
        return self.faults.inject(
            mode, order_prefix=order_prefix, event=event, endpoint=endpoint, times=times,
            probability=probability, **params,
        )  # fmt: skip

    def heal(self, fault_id: int | None = None) -> None:
        """Take down one fault, or all; what hangs on them is let go."""
        if fault_id is None:
            self.faults.clear()
        else:
            self.faults.remove(fault_id)

    def notifications(self, *, order_id: str = "", state: str = "") -> list[Notification]:
        """Every notification planned so far, oldest first."""
        return [
            n for n in list(self.postman.notifications.values())
            if order_id in ("", n.order_id) and state in ("", n.state)
        ]  # fmt: skip

    def edit(self, number: int, *, resign: bool = True, raw: str | None = None, **changes: Any) -> None:
        """Change an undelivered notification: fields, signed again unless told not to, or the raw body."""
        if raw is None:
            message = json.loads(self.postman.notifications[number].body) | changes
            raw = json.dumps(self._signed(message) if resign else message)
        self.postman.edit(number, raw.encode())

    def forge(self, order_id: str, mode: str = "wrong_signature", *, claim: str | None = None,
              **params: Any) -> list[int]:  # fmt: skip
        """Send a spoiled message about an order now, besides the true ones; returns its numbers.

        `claim` is the transaction_status it pretends; without one it is the true status. `mode` is any
        message fault, or `none` for a correctly signed one.
        """
        message = self._message_about(order_id)
        if claim:
            message = self._signed(message | {"transaction_status": claim, "status_code": _code_for(claim)})
        spoils = [] if mode == "none" else [Fault(0, mode, params=params)]
        return self.postman.send(message, self._urls_for(order_id), spoils)

    def send_test_ping(self) -> list[int]:
        """What the dashboard's "test notification" button sends: an order id nobody has."""
        order_id = f"payment_notif_test_{self.settings.merchant_id}_{new_id()}"
        return self.send_unknown_order(order_id)

    def send_unknown_order(self, order_id: str | None = None, amount: int = 10000) -> list[int]:
        """A correctly signed settlement for an order that was never created."""
        message = self._invented(order_id or f"unknown-{new_id()}", amount)
        return self.postman.send(message, [self.settings.notification_url])

    def reset(self) -> None:
        """Forget orders, messages, faults and journal; keep settings, start the clock again at real time."""
        with self._lock:
            self.faults.clear()
            self.agenda.clear()
            self.records.clear()
            self.postman.forget()
            self.journal.clear()
            self.clock.restart()
        self._note("reset", "", {})

    # -- inside -------------------------------------------------------------------------------------

    def _step(self, any_id: str, target: str, *, force: bool, **changes: Any) -> Transaction:
        with self._verb():
            transaction = self._find(any_id)
            if target == "deny" and transaction.status == "settlement" and not force:
                raise Refused("412", "A settled transaction is reversed, not denied.")
            self._move(transaction, target, force=force, **changes)
            return transaction

    def _answer_challenge(self, any_id: str, answer: str) -> Transaction:
        with self._verb():
            transaction = self._find(any_id)
            if transaction.fraud_status != "challenge" or transaction.status != "capture":
                raise Refused("412", "Transaction status cannot be updated.")
            if answer == "accept":
                self._move(transaction, "capture", force=True, fraud_status="accept")
            else:
                self._move(transaction, "deny", fraud_status="deny")
            return transaction

    def _payable(self, reference: str, method: str | None, *, force: bool) -> Transaction:
        found = self.records.find_by_reference(reference)
        if found is not None:
            return found
        tries = self.records.transactions_of(reference)
        open_tries = [t for t in tries if t.status == "pending"]
        if open_tries and method is None:
            return open_tries[-1]
        if force and tries:
            return tries[-1]
        if self.records.paid_transaction_of(reference) and not self.may_pay_twice(reference):
            raise Refused(*PROCESSED)
        return self._choose(self.open_session(reference), method or self._first_method(reference), ANY_CARD)

    def _first_method(self, order_id: str) -> str:
        order = self.records.orders[order_id]
        return enabled_methods(order.request.get("enabled_payments"))[0].code

    def _message_about(self, order_id: str) -> dict[str, Any]:
        transaction = self.records.find(order_id, rule=self.settings.status_rule)
        if transaction is not None:
            return messages.notification(self._order(transaction), transaction, self.settings)
        order = self.records.orders.get(order_id)
        return self._invented(order_id, order.amount if order else 10000)

    def _invented(self, order_id: str, amount: int) -> dict[str, Any]:
        return self._signed({
            "transaction_time": self._wib_now(),
            "transaction_status": "settlement",
            "transaction_id": new_id(),
            "status_message": messages.NOTIFICATION_TEXT,
            "status_code": "200",
            "payment_type": "qris",
            "order_id": order_id,
            "merchant_id": self.settings.merchant_id,
            "gross_amount": messages.money(amount),
            "fraud_status": "accept",
            "currency": "IDR",
        })  # fmt: skip

    def _signed(self, message: dict[str, Any]) -> dict[str, Any]:
        return message | {"signature_key": messages.sign_message(message, self.settings.server_key)}

    def _urls_for(self, order_id: str) -> list[str]:
        order = self.records.orders.get(order_id)
        return order.notification_urls if order else [self.settings.notification_url]

    def _note(self, kind: str, order_id: str, detail: dict[str, Any]) -> None:
        super()._note(kind, order_id, detail)
        if self._state_file:
            self._state_file.touch()


ANY_CARD = "4811111111111114"


def _code_for(status: str) -> str:
    return messages.notification_code(status.lower(), None)
