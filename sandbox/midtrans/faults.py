"""Everything that can be made to go wrong, and the board on which active faults hang."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# mode -> (group, what it does). The group says which part of the simulator asks for it.
MODES: dict[str, tuple[str, str]] = {
    "duplicate": ("delivery", "send n copies (default 2) in turn, or with concurrent=true all at once"),
    "near_duplicate": ("delivery", "send n variants: key order, white space and unknown fields differ"),
    "reorder": ("delivery", "keep the notification back until the order's next one was sent"),
    "delay": ("delivery", "send `seconds` later on the sandbox clock"),
    "drop": ("delivery", "never send"),
    "hold": ("delivery", "keep until released on the control page"),
    "before_response": ("delivery", "deliver before the HTTP answer that caused it returns"),
    "wrong_signature": ("message", "64 bytes of nonsense as the signature"),
    "other_key": ("message", "signed with another server key"),
    "signature_absent": ("message", "no signature_key"),
    "signature_null": ("message", "signature_key is null"),
    "signature_number": ("message", "signature_key is a number"),
    "signature_list": ("message", "signature_key is a list holding the right one"),
    "signature_upper": ("message", "the right signature in upper-case hex"),
    "replay_tamper": ("message", "fields in `set` changed under the old signature (settlement<->refund)"),
    "cross_env": ("message", "another merchant_id and the signature of another environment's key"),
    "other_merchant": ("message", "another merchant_id, correctly signed"),
    "amount_drift": ("message", "gross_amount becomes `value`, any JSON type, correctly signed"),
    "lying_webhook": ("message", "transaction_status becomes `status` (settlement), correctly signed"),
    "case_drift": ("message", "transaction_status in upper case"),
    "rewrite": ("message", "fields in `set` changed, correctly signed afterwards"),
    "malformed": ("message", "`kind`: empty, get, form, truncated, huge, deep, nan, bom, latin1, nul or"
                  " duplicate_keys"),
    "before_create_response": ("business", "choose `method` (other_qris), with pay=true also pay, and"
                               " notify, all before the create answer returns"),
    "reversal": ("business", "deny `seconds` (180) after settlement; permata, echannel, indomaret"),
    "double_pay": ("business", "let a second transaction of a paid order succeed too"),
    "promo": ("business", "charge `amount` less than asked, with promo_details"),
    "refund_refused": ("business", "the bank refuses an online refund: 202, still settlement"),
    "http_429": ("api", "rate limited"),
    "http_500": ("api", "internal server error"),
    "http_503": ("api", "unavailable"),
    "html_502": ("api", "a proxy's HTML page"),
    "tcp_reset": ("api", "connection reset by peer"),
    "hang": ("api", "no answer for `seconds` (default 60) or until the fault is removed"),
    "drip": ("api", "the true answer one byte per `interval_s` (default 0.2)"),
    "no_token": ("api", "201 with an empty object"),
    "string_errors": ("api", "400 with error_messages as a string"),
    "empty_body": ("api", "200 with nothing"),
    "list_body": ("api", "200 with a JSON list"),
    "non_numeric_code": ("api", "200 with status_code A00"),
    "not_found": ("api", "the transaction does not exist"),
    "answer_says": ("api", "the true JSON answer with the fields in `set` changed: a lying status"),
    "list_status_message": ("browser", "the page ends in onError with a list as status_message"),
    "lying_result": ("browser", "onSuccess although nothing was paid"),
}  # fmt: skip


class UnknownFault(ValueError):
    """No such mode."""


@dataclass
class Fault:
    """One injected fault. Empty `order_prefix` and `*` match everything; `times` None means until removed."""

    fault_id: int
    mode: str
    order_prefix: str = ""
    event: str = "*"
    endpoint: str = "*"
    times: int | None = None
    probability: float = 1.0
    params: dict[str, Any] = field(default_factory=dict)
    removed: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    @property
    def group(self) -> str:
        return MODES[self.mode][0]

    def described(self) -> dict[str, Any]:
        names = ("fault_id", "mode", "order_prefix", "event", "endpoint", "times", "probability", "params")
        return {name: getattr(self, name) for name in names}

    def matches(self, *, order_id: str, event: str, endpoint: str) -> bool:
        return (
            order_id.startswith(self.order_prefix)
            and (self.event == "*" or event == self.event or not event)
            and (self.endpoint == "*" or endpoint == self.endpoint or not endpoint)
        )


class FaultBoard:
    """Active faults in the order they were hung up. Randomness comes from the seed alone."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._next_id = 1

    def inject(self, mode: str, *, order_prefix: str = "", event: str = "*", endpoint: str = "*",
               times: int | None = None, probability: float = 1.0, **params: Any) -> Fault:  # fmt: skip
        """Hang up a fault. Raises UnknownFault; unknown keywords are the mode's own parameters."""
        if mode not in MODES:
            raise UnknownFault(mode)
        with self._lock:
            fault = Fault(self._next_id, mode, order_prefix, event, endpoint, times, probability, params)
            self._next_id += 1
            self._faults.append(fault)
        return fault

    def active(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def remove(self, fault_id: int) -> bool:
        """Take one down and let go whatever hangs on it. False when there is no such fault."""
        gone = [fault for fault in self.active() if fault.fault_id == fault_id]
        self._take_down(gone)
        return bool(gone)

    def clear(self) -> None:
        self._take_down(self.active())

    def take(self, groups: Iterable[str] = (), *, modes: Iterable[str] = (), order_id: str = "",
             event: str = "", endpoint: str = "") -> list[Fault]:  # fmt: skip
        """The faults that strike here and now; each one's `times` is counted down."""
        wanted_groups, wanted_modes = set(groups), set(modes)
        with self._lock:
            return [
                fault
                for fault in list(self._faults)
                if (fault.group in wanted_groups or fault.mode in wanted_modes)
                and fault.matches(order_id=order_id, event=event, endpoint=endpoint)
                and self._strikes(fault)
            ]

    def _strikes(self, fault: Fault) -> bool:
        if self._random.random() >= fault.probability:
            return False
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
        return True

    def _take_down(self, faults: list[Fault]) -> None:
        with self._lock:
            self._faults = [fault for fault in self._faults if fault not in faults]
        for fault in faults:
            fault.removed.set()
