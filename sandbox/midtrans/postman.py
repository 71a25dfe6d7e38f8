"""Delivery of notifications: planning with faults, sending in threads, retrying by reply code.

Source of the retry table and back-off: docs.midtrans.com, "HTTP(S) notification / webhooks".
"""

from __future__ import annotations

import base64
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

import requests

from .agenda import Agenda
from .clock import SimClock
from .faults import Fault, FaultBoard
from .forgery import Wire, disguise, near_copy
from .settings import Settings

BACKOFF_S = (120, 600, 1800, 5400, 12600)
FIRST_SHIFT = 0.28  # the first retry may come as early as 33 s instead of 2 min
RETRIES_BY_CODE = {500: 1, 503: 4, 400: 2, 404: 2, 301: 0, 302: 0, 303: 0}
RETRIES_ELSE = 5
HOPS_MAX = 5
HEADERS = {"Accept": "application/json", "User-Agent": "Veritrans"}


@dataclass
class Notification:
    """One message to one URL. States: scheduled, held, sending, delivered, given_up, dropped."""

    number: int
    order_id: str
    transaction_id: str
    event: str
    url: str
    body: bytes
    created_at: datetime
    method: str = "POST"
    content_type: str = "application/json"
    state: str = "scheduled"
    faults: list[str] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        """For the control surface: plain JSON values, the body as text where it is text."""
        shown = self.body[:20_000].decode("utf-8", errors="replace")
        return asdict(self) | {"body": shown, "created_at": self.created_at.isoformat()}

    def stored(self) -> dict[str, Any]:
        return asdict(self) | {
            "body": base64.b64encode(self.body).decode(),
            "created_at": self.created_at.isoformat(),
        }

    @classmethod
    def restored(cls, fields: dict[str, Any]) -> Notification:
        moment = datetime.fromisoformat(fields["created_at"])
        return cls(**fields | {"body": base64.b64decode(fields["body"]), "created_at": moment})


class Postman:
    """Owns every notification ever planned. Deliveries run outside any lock of the simulator."""

    def __init__(self, settings: Settings, clock: SimClock, agenda: Agenda, faults: FaultBoard, seed: int,
                 on_change: Callable[[str, str, dict[str, Any]], None]) -> None:  # fmt: skip
        self._settings, self._clock, self._agenda, self._faults = settings, clock, agenda, faults
        self._random = random.Random(seed)
        self._on_change = on_change
        self._lock = threading.RLock()
        self.notifications: dict[int, Notification] = {}
        self._last_number = 0
        self._lanes: dict[str, deque[int]] = {}

    def announce(
        self, message: dict[str, Any], urls: list[str], latency_s: float = 0.0, *, early: bool = False
    ) -> list[int]:
        """Plan delivery of one event to each URL. Returns what must go out before the HTTP answer does."""
        order_id, event = message["order_id"], message["transaction_status"]
        spoils = self._faults.take(["message"], order_id=order_id, event=event)
        faults = self._faults.take(["delivery"], order_id=order_id, event=event)
        wire = disguise(message, spoils, self._settings.server_key)
        modes = [fault.mode for fault in spoils + faults]
        plan = {fault.mode: fault for fault in faults}
        if early:
            plan["before_response"] = Fault(0, "before_response")
        firsts = [self._add(message, url, wire, modes) for url in urls]
        return [number for first in firsts for number in self._plan(first, plan, latency_s)]

    def send(self, message: dict[str, Any], urls: list[str], spoils: list[Fault] | None = None) -> list[int]:
        """Queue a crafted message for delivery now, whatever delivery faults hang."""
        wire = disguise(message, spoils or [], self._settings.server_key)
        modes = ["crafted", *(fault.mode for fault in spoils or [])]
        numbers = [self._add(message, url, wire, modes).number for url in urls]
        self._schedule(numbers, 0.0)
        return numbers

    def replay(self, number: int) -> int:
        """Send the same bytes once more; returns the number of the copy."""
        copy = self._copy(self.notifications[number], ["replay"])
        self._schedule([copy.number], 0.0)
        return copy.number

    def edit(self, number: int, body: bytes) -> None:
        """Change the bytes of a notification that is not delivered yet."""
        self.notifications[number].body = body

    def hold(self, number: int) -> None:
        self.notifications[number].state = "held"

    def drop(self, number: int) -> None:
        self.notifications[number].state = "dropped"

    def release(self, number: int) -> None:
        """Send a held (or dropped) one now."""
        self.notifications[number].state = "scheduled"
        self._schedule([number], 0.0)

    def forget(self) -> None:
        """Drop everything; numbers go on, so that a late thread finds nothing to send."""
        self.notifications.clear()

    def take_up(self, notifications: list[Notification]) -> None:
        """After a restart: deliveries that were under way start again."""
        for notification in notifications:
            self.notifications[notification.number] = notification
            if notification.state == "sending":
                self.release(notification.number)
        self._last_number = max(self.notifications, default=0)

    def deliver_batch(self, numbers: list[int], *, concurrent: bool = False) -> None:
        """Deliver in the background: in turn behind the order's earlier ones, or all at the same instant."""
        if concurrent:
            gate = threading.Barrier(len(numbers))
            for number in numbers:
                self._in_background(self._deliver_at_once, number, gate)
            return
        order_id = self.notifications[numbers[0]].order_id if numbers[0] in self.notifications else ""
        with self._lock:
            idle = order_id not in self._lanes
            self._lanes.setdefault(order_id, deque()).extend(numbers)
        if idle:
            self._in_background(self._run_lane, order_id)

    def deliver_now(self, numbers: list[int]) -> None:
        """Deliver in this thread and return when every one was answered or failed."""
        for number in numbers:
            self._attempt(number)

    def _plan(self, first: Notification, faults: dict[str, Fault], latency_s: float) -> list[int]:
        if "drop" in faults:
            first.state = "dropped"
            return []
        if "hold" in faults or "reorder" in faults:
            first.state = "held"
            return []
        numbers = [first.number, *self._copies(first, faults)]
        numbers += self._let_go(first.order_id)
        if "before_response" in faults:
            return numbers
        delay_s = float(faults["delay"].params.get("seconds", 60)) if "delay" in faults else latency_s
        concurrent = "duplicate" in faults and bool(faults["duplicate"].params.get("concurrent"))
        self._schedule(numbers, delay_s, concurrent=concurrent)
        return []

    def _copies(self, first: Notification, faults: dict[str, Fault]) -> list[int]:
        numbers = []
        if duplicate := faults.get("duplicate"):
            numbers += [self._copy(first, []).number for _ in range(int(duplicate.params.get("n", 2)) - 1)]
        if near := faults.get("near_duplicate"):
            for number in range(1, int(near.params.get("n", 2))):
                copy = self._copy(first, [])
                copy.body = near_copy(Wire(first.body), number).body
                numbers.append(copy.number)
        return numbers

    def _let_go(self, order_id: str) -> list[int]:
        """Reordered messages leave right after the order's next one."""
        kept_back = [
            n for n in self.notifications.values()
            if n.order_id == order_id and n.state == "held" and "reorder" in n.faults
        ]  # fmt: skip
        for notification in kept_back:
            notification.state = "scheduled"
        return [notification.number for notification in kept_back]

    def _add(self, message: dict[str, Any], url: str, wire: Wire, faults: list[str]) -> Notification:
        with self._lock:
            self._last_number = number = self._last_number + 1
            added = Notification(
                number, message["order_id"], message.get("transaction_id", ""), message["transaction_status"],
                url, wire.body, self._clock.now(), wire.method, wire.content_type, faults=faults,
            )  # fmt: skip
            self.notifications[number] = added
        return added

    def _copy(self, original: Notification, faults: list[str]) -> Notification:
        message = {
            "order_id": original.order_id,
            "transaction_id": original.transaction_id,
            "transaction_status": original.event,
        }
        wire = Wire(original.body, original.method, original.content_type)
        return self._add(message, original.url, wire, original.faults + faults)

    def _schedule(self, numbers: list[int], delay_s: float, *, concurrent: bool = False) -> None:
        due = self._clock.now() + timedelta(seconds=delay_s)
        self._agenda.add(due, "deliver", numbers=numbers, concurrent=concurrent)

    def _in_background(self, work: Callable[..., None], *args: Any) -> None:
        def run() -> None:
            try:
                work(*args)
            finally:
                self._agenda.work_ends()

        self._agenda.work_begins()
        threading.Thread(target=run, daemon=True).start()

    def _deliver_at_once(self, number: int, gate: threading.Barrier) -> None:
        gate.wait(timeout=5)
        self._attempt(number)

    def _run_lane(self, order_id: str) -> None:
        """One order's messages go out one at a time, so that only a fault can turn their order round."""
        while True:
            with self._lock:
                if not self._lanes[order_id]:
                    del self._lanes[order_id]
                    return
                number = self._lanes[order_id].popleft()
            self._attempt(number)

    def _attempt(self, number: int) -> None:
        notification = self.notifications.get(number)
        if notification is None or notification.state != "scheduled":
            return
        notification.state = "sending"
        started = time.monotonic()
        code, error = self._post(notification)
        attempt = {
            "at": self._clock.now().isoformat(),
            "code": code,
            "error": error,
            "took_ms": round((time.monotonic() - started) * 1000),
        }
        notification.attempts.append(attempt)
        self._decide(notification, code)
        detail = {"number": number, "state": notification.state, "event": notification.event} | attempt
        self._on_change("notification", notification.order_id, detail)

    def _decide(self, notification: Notification, code: int | None) -> None:
        """Settle what the reply means: done, given up, or one more attempt later."""
        if code is not None and 200 <= code < 300:
            notification.state = "delivered"
            return
        made = len(notification.attempts)
        if made > RETRIES_BY_CODE.get(code or 0, RETRIES_ELSE) or made > len(BACKOFF_S):
            notification.state = "given_up"
            return
        notification.state = "scheduled"
        self._schedule([notification.number], BACKOFF_S[made - 1] * self._random.uniform(FIRST_SHIFT, 1.0))

    def _post(self, notification: Notification) -> tuple[int | None, str | None]:
        try:
            return self._follow(notification).status_code, None
        except requests.RequestException as error:
            return None, type(error).__name__

    def _follow(self, notification: Notification) -> requests.Response:
        """307 and 308 are followed with the body; 301 to 303 become an empty GET that decides nothing."""
        with requests.Session() as session:
            session.trust_env = False
            url = notification.url
            reply = self._request(session, notification.method, url, notification)
            for _ in range(HOPS_MAX):
                if reply.status_code not in (307, 308):
                    break
                url = urljoin(url, reply.headers.get("Location", ""))
                reply = self._request(session, notification.method, url, notification)
            url = urljoin(url, reply.headers.get("Location", ""))
            if reply.status_code in (301, 302, 303) and "Location" in reply.headers:
                timeout_s = self._settings.delivery_timeout_s
                session.get(url, headers=HEADERS, timeout=timeout_s, allow_redirects=False)
            return reply

    def _request(self, session: requests.Session, method: str, url: str, sent: Notification) -> requests.Response:
        return session.request(
            method,
            url,
            data=sent.body or None,
            headers=HEADERS | {"Content-Type": sent.content_type},
            timeout=self._settings.delivery_timeout_s,
            allow_redirects=False,
        )
