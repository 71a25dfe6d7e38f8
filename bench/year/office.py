"""The operator's year: promo codes, refunds at the gateway, corrections of wallets, new prices."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa

from bench.year.town import Town
from portal.accounts import actions as accounts
from portal.audit.actions import Actor
from portal.catalog import actions as catalog
from portal.catalog.models import PlanPrice
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.core.money import rupiah
from portal.payments import refunding
from portal.payments.models import GatewayTransaction, Payment, PaymentAttempt
from portal.payments.rules import REFUNDABLE_STATES, REFUNDABLE_TYPES, refundable
from portal.promotions import actions as promotions
from portal.promotions.actions import Terms
from portal.wallet import actions as wallet
from portal.wallet.models import AccountKind, LedgerAccount

GIFT = 15_000


class Office:
    """One administrator, once a day; one chance decides it all."""

    def __init__(self, town: Town, *, customers: int, seed: int) -> None:
        self.town, self.chance, self.customers = town, random.Random(f"office:{seed}"), customers
        with transaction() as session:
            user = accounts.register(
                session, name="Dewi", email="dewi@year.minispod.example", password="tujuh gajah menari di pasar",
                phone=None, language="id", now=clock.now(),
            )  # fmt: skip
            self.actor = Actor(user.id)

    def work(self, today: date) -> None:
        """A new code every month; and now and then one of the rest."""
        if today.day == 1:
            self._attempt(self._make_a_code, today)
        for likely, deed in ((0.2, self._refund), (0.1, self._correct_a_wallet), (0.03, self._change_a_price)):
            if self.chance.random() < likely:
                self._attempt(deed)

    def _attempt(self, deed: Callable[..., object], *arguments: object) -> None:
        name = deed.__name__.removeprefix("_")
        try:
            done = deed(*arguments)
            self.town.tally[f"office: {name}" if done is not False else f"office: nothing to do: {name}"] += 1
        except PortalError as refusal:
            self.town.tally[f"office: refused: {name}: {refusal.code}"] += 1
        finally:
            db.session.close()

    def _make_a_code(self, today: date) -> None:
        """For 40 days, so that two overlap; fewer than want it; every other one for newcomers only."""
        now = clock.now()
        terms = Terms(
            note="", starts_at=now, ends_at=now + timedelta(days=40), redemptions_max=max(1, self.customers // 15),
            newcomers_only=today.month % 2 == 0,
        )  # fmt: skip
        with transaction() as session:
            promotions.add(session, f"BULAN-{today:%Y-%m}", GIFT, terms, actor=self.actor, now=now)

    def _refund(self) -> bool | None:
        """Some of a top-up goes back the way it came, as far as it is not spent."""
        row = GatewayTransaction
        statement = (
            sa.select(row, Payment.id, LedgerAccount.balance)
            .join(PaymentAttempt, PaymentAttempt.id == row.attempt_id)
            .join(Payment, Payment.id == PaymentAttempt.payment_id)
            .join(LedgerAccount, LedgerAccount.customer_id == Payment.customer_id)
            .where(
                LedgerAccount.kind == AccountKind.AVAILABLE, LedgerAccount.balance > 1_000,
                row.status.in_(REFUNDABLE_STATES), row.payment_type.in_(REFUNDABLE_TYPES),
                row.credited > row.taken_back,
            )
            .order_by(row.id.desc())
            .limit(50)
        )  # fmt: skip
        found = db.session().execute(statement).all()
        if not found:
            return False
        taken, payment_id, balance = self.chance.choice(found)
        whole = min(refundable(taken), balance)
        db.session.close()
        amount = whole if self.chance.random() < 0.5 else self.chance.randint(1, whole)
        with transaction() as session:
            refunding.request(
                session, payment_id, taken.id, amount=rupiah(amount), reason="Asked for", key=uuid4().hex,
                actor=self.actor, now=clock.now(),
            )  # fmt: skip
        return None

    def _correct_a_wallet(self) -> bool | None:
        customer_id = self._somebody()
        if customer_id is None:
            return False
        amount = rupiah(self.chance.randint(-20_000, 20_000) or 1)
        with transaction() as session:
            wallet.adjust(session, customer_id, amount, key=uuid4().hex, reason="Goodwill", now=clock.now())
        return None

    def _somebody(self) -> UUID | None:
        account = LedgerAccount
        statement = sa.select(account.customer_id).where(account.kind == AccountKind.AVAILABLE, account.sequence > 0)
        found = db.session().scalars(statement.order_by(account.id)).all()
        db.session.close()
        return self.chance.choice(found) if found else None

    def _change_a_price(self) -> None:
        """A tenth dearer or cheaper; whoever pays the old price is told, and pays the new one when it is time."""
        statement = sa.select(PlanPrice.plan_id, PlanPrice.interval, PlanPrice.amount).where(
            PlanPrice.active, PlanPrice.amount > 0
        )
        found = db.session().execute(statement.order_by(PlanPrice.plan_id, PlanPrice.interval)).tuples().all()
        db.session.close()
        plan_id, interval, amount = self.chance.choice(found)
        dearer = amount * self.chance.choice([9, 11]) // 10
        with transaction() as session:
            catalog.change_price(session, plan_id, interval, dearer, actor=self.actor, now=clock.now())
            outbox.enqueue(session, "prices.announce", plan_id=plan_id, interval=interval)
