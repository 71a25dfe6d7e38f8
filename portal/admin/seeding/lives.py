"""What made-up customers do: they register, top up, buy, renew, fall short, recover or leave. Pure, and the same for
the same seed.

Wallets are kept as the ledger keeps them: every line has its number, its balance and its hash (`wallet.rules`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from portal.core.clock import JAKARTA
from portal.invoices.actions import split_price
from portal.payments.rules import METHODS
from portal.subscriptions.rules.life import Terms
from portal.subscriptions.rules.periods import period_end
from portal.wallet.rules import chain_hash

HISTORY = timedelta(days=720)
GIVEN = ("Ayu", "Budi", "Citra", "Dewi", "Eka", "Fajar", "Gita", "Hadi", "Indah", "Joko", "Kartika", "Lestari", "Made",
         "Nadia", "Oki", "Putri", "Rina", "Sari", "Tono", "Wayan", "Yusuf")  # fmt: skip
FAMILY = ("Anggraini", "Cahyono", "Firmansyah", "Gunawan", "Halim", "Hidayat", "Kusuma", "Lestari", "Maharani",
          "Nugroho", "Pratama", "Rahmawati", "Santoso", "Siregar", "Susanto", "Wibowo", "Wijaya")  # fmt: skip
TOP_UPS = (50_000, 100_000, 200_000, 500_000)
MONTHLY, YEARLY = "MONTHLY", "YEARLY"


@dataclass(frozen=True)
class Offer:
    """A plan for sale, by the month or by the year."""

    plan_id: UUID
    service_id: UUID
    slug: str
    interval: str
    price: int
    setup_fee: int


@dataclass
class Subscribed:
    """A subscription as it stands; its columns are those of the table."""

    id: UUID
    offer: Offer
    name: str
    started_at: datetime
    anchor_day: int
    begins_at: datetime
    ends_at: datetime
    number: int = 1
    status: str = "ACTIVE"
    grace_ends_at: datetime | None = None
    suspended_at: datetime | None = None
    kept_until: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None


@dataclass(frozen=True)
class Line:
    """A happening in a wallet. Without an entry nothing was booked: a top-up that nobody paid."""

    kind: str  # TOP_UP | UNPAID | FIRST | RENEWAL | REFUND
    at: datetime
    reference_id: UUID
    amount: int
    ppn: int = 0
    entry_id: UUID | None = None
    sequence: int | None = None
    before: int | None = None
    after: int | None = None
    chain_hash: str | None = None
    subscribed: Subscribed | None = None
    number: int | None = None
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    setup_fee: int = 0
    method: str = ""


@dataclass(frozen=True)
class Short:
    """A try to renew that found too little credit."""

    subscribed: Subscribed
    number: int
    amount: int
    missing: int
    at: datetime


@dataclass
class Person:
    """A made-up customer with all they did until now."""

    number: int
    user_id: UUID
    customer_id: UUID
    accounts: tuple[UUID, UUID, UUID]  # available, held, receivable
    name: str
    created_at: datetime
    balance: int = 0
    sequence: int = 0
    head: str = ""
    lines: list[Line] = field(default_factory=list)
    shorts: list[Short] = field(default_factory=list)
    subscribed: list[Subscribed] = field(default_factory=list)


def people(seed: int, offers: list[Offer], *, now: datetime, terms: Terms) -> Iterator[Person]:
    """Customers without end, each wholly lived up to `now`; the same ones for the same seed, offers and moment."""
    rng = Random(seed)
    for number in count():
        yield _Life(rng, number, offers, now, terms).lived()


class _Life:
    """One customer's course: what happens next is taken from a heap, so that the wallet's lines are in order."""

    def __init__(self, rng: Random, number: int, offers: list[Offer], now: datetime, terms: Terms) -> None:
        self.rng, self.offers, self.now, self.terms = rng, offers, now, terms
        created_at = now - HISTORY * rng.random() ** 0.8
        self.at = created_at
        self.person = Person(
            number, self._id(), self._id(), (self._id(), self._id(), self._id()),
            f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}", created_at,
        )  # fmt: skip
        self._heap: list[tuple[datetime, int, Callable[..., None], tuple[Any, ...]]] = []
        self._places = count()

    def lived(self) -> Person:
        if self.rng.random() < 0.85:
            for _ in range(1 if self.rng.random() < 0.8 else 2):
                self._later(self._after(hours=120), self._buy)
        while self._heap and self._heap[0][0] <= self.now:
            at, _, act, given = heapq.heappop(self._heap)
            self.at = max(at, self.at)
            act(*given)
        return self.person

    # -- what they do ---------------------------------------------------------------------------------

    def _buy(self) -> None:
        taken = {one.offer.service_id for one in self.person.subscribed if one.ended_at is None}
        offer = self.rng.choice(self.offers)
        if (offer.interval == YEARLY and self.rng.random() < 0.6) or offer.service_id in taken:
            return
        total = offer.price + offer.setup_fee
        self._have(total)
        day = self.at.astimezone(JAKARTA).day
        ends_at = period_end(self.at, offer.interval, anchor_day=day)
        name = f"{offer.slug[:18]}-{self.person.number}-{len(self.person.subscribed)}"
        one = Subscribed(self._id(), offer, name, self.at, day, self.at, ends_at)
        self.person.subscribed.append(one)
        charge_id = self._charge(one, "FIRST", total, offer.setup_fee)
        if self.rng.random() < 0.01:
            self._later(self.at + timedelta(minutes=5), self._fail, one, charge_id, total)
        else:
            self._later(ends_at, self._renew, one)

    def _fail(self, one: Subscribed, charge_id: UUID, total: int) -> None:
        self._end(one, "provisioning_failed")
        self._book("REFUND", charge_id, total, split_price(total).ppn, one)

    def _renew(self, one: Subscribed) -> None:
        if self.rng.random() < 0.03:
            self._end(one, "cancelled")
        elif self.person.balance < one.offer.price and self.rng.random() < 0.15:
            self._fall_short(one)
        else:
            self._pay(one)

    def _fall_short(self, one: Subscribed) -> None:
        missing = one.offer.price - self.person.balance
        self.person.shorts.append(Short(one, one.number + 1, one.offer.price, missing, self.at))
        one.status, one.grace_ends_at = "PAST_DUE", one.ends_at + self.terms.grace
        if self.rng.random() < 0.6:
            self._later(self.at + self.terms.grace * self.rng.random() * 0.9, self._pay, one)
        else:
            self._later(one.grace_ends_at, self._suspend, one)

    def _pay(self, one: Subscribed) -> None:
        self._have(one.offer.price)
        one.status, one.grace_ends_at = "ACTIVE", None
        one.number, one.begins_at = one.number + 1, one.ends_at
        one.ends_at = period_end(one.begins_at, one.offer.interval, anchor_day=one.anchor_day)
        self._charge(one, "RENEWAL", one.offer.price, 0)
        self._later(one.ends_at, self._renew, one)

    def _suspend(self, one: Subscribed) -> None:
        one.status, one.grace_ends_at, one.suspended_at = "SUSPENDED", None, self.at
        one.kept_until = self.at + self.terms.data_kept
        self._later(one.kept_until, self._end, one, "not_resumed")

    def _end(self, one: Subscribed, reason: str) -> None:
        one.status = "EXPIRED" if reason == "not_resumed" else "CANCELLED"
        one.grace_ends_at, one.ended_at, one.end_reason = None, self.at, reason
        if self.rng.random() < 0.3:
            self._later(self._after(hours=1500), self._buy)

    # -- their wallet ---------------------------------------------------------------------------------

    def _have(self, amount: int) -> None:
        """Tops up until there is enough; now and then one of the top-ups is not paid."""
        while self.person.balance < amount:
            short = amount - self.person.balance
            sizes = [size for size in TOP_UPS if size >= short] or [-(-short // 50_000) * 50_000]
            size, method = sizes[0] if self.rng.random() < 0.7 else self.rng.choice(sizes), self._method()
            if self.rng.random() < 0.12:
                self.person.lines.append(Line("UNPAID", self.at, self._id(), size, method=method))
            else:
                self._book("TOP_UP", self._id(), size, 0, method=method)

    def _method(self) -> str:
        return "qris" if self.rng.random() < 0.5 else self.rng.choice(tuple(METHODS))

    def _charge(self, one: Subscribed, kind: str, amount: int, setup_fee: int) -> UUID:
        charge_id = self._id()
        self._book(kind, charge_id, -amount, split_price(amount).ppn, one, setup_fee=setup_fee)
        return charge_id

    def _book(
        self, kind: str, reference_id: UUID, amount: int, ppn: int, one: Subscribed | None = None, **more: Any
    ) -> None:
        me, entry_id = self.person, self._id()
        before, after, sequence = me.balance, me.balance + amount, me.sequence + 1
        me.head = chain_hash(
            me.head, account_id=me.accounts[0], sequence=sequence, entry_id=entry_id, amount=amount, currency="IDR",
            balance_after=after,
        )  # fmt: skip
        me.balance, me.sequence = after, sequence
        period: dict[str, Any] = {}
        if one:
            period = {"number": one.number, "begins_at": one.begins_at, "ends_at": one.ends_at}
        me.lines.append(
            Line(kind, self.at, reference_id, amount, ppn, entry_id, sequence, before, after, me.head, one,
                 **period, **more)
        )  # fmt: skip

    # -- time and ids ---------------------------------------------------------------------------------

    def _after(self, *, hours: float) -> datetime:
        return self.at + timedelta(hours=hours * self.rng.random())

    def _later(self, at: datetime, act: Callable[..., None], *given: Any) -> None:
        heapq.heappush(self._heap, (at, next(self._places), act, given))

    def _id(self) -> UUID:
        """A UUIDv7 of the moment at hand, from the seed. Source: RFC 9562, section 5.7."""
        moment_ms = int(self.at.timestamp() * 1000)
        bits = self.rng.getrandbits(74)
        return UUID(int=moment_ms << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (2**62 - 1))
