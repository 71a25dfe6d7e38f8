"""The made-up business: its books audit clean, it is the same for the same seed, and never in production."""

from __future__ import annotations

from itertools import islice
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.admin.seeding import writing
from portal.admin.seeding.lives import Offer, people
from portal.core import clock
from portal.core.db import db, transaction
from portal.insights import queries
from portal.insights.models import BusinessDay
from portal.notices.models import Notice
from portal.notices.wording import word
from portal.subscriptions.models import Subscription
from portal.subscriptions.terms import terms
from portal.wallet.models import LedgerAccount, Posting, Transaction
from tests.books_audit import assert_books_are_clean
from tests.outside import forget_settings
from tests.subscriptions.shop import stock_catalog

FILLED = (
    "user_account", "customer", "membership", "subscription", "instance", "payment", "payment_attempt", "business_day",
    "gateway_transaction", "gateway_event", "subscription_charge", "renewal_attempt", "document", "document_line",
    "notice", "outbox_message", "audit_entry",
)  # fmt: skip


def seed(portal, *arguments: str):
    return portal.test_cli_runner().invoke(args=["seed", *arguments])


def heads() -> list[str]:
    """The end of every wallet's chain: one of them differs as soon as one line anywhere does."""
    db.session.close()
    return sorted(db.session().scalars(sa.select(LedgerAccount.chain_hash).where(LedgerAccount.chain_hash != "")))


def test_a_made_up_business_is_whole_and_its_books_are_clean(portal):
    stock_catalog()
    done = seed(portal, "--rows", "3000")
    assert done.exit_code == 0, done.output
    assert_books_are_clean()
    session = db.session()
    assert 3000 <= session.query(Transaction).filter(Transaction.unique_key.is_not(None)).count() < 3200
    for table in FILLED:
        assert session.scalar(sa.text(f"SELECT count(*) FROM {table}")), table
    statuses = set(session.scalars(sa.select(Subscription.status)))
    assert statuses == {"ACTIVE", "PAST_DUE", "SUSPENDED", "EXPIRED", "CANCELLED"}
    for notice in session.query(Notice).limit(20):
        assert word(notice.code, notice.parameters).title


def test_its_figures_agree_with_its_books(portal):
    stock_catalog()
    seed(portal, "--rows", "1500")
    last = queries.days(db.session(), clock.today(), clock.today())[-1].figures
    held = db.session().scalar(sa.select(sa.func.sum(LedgerAccount.balance)))
    assert last["balances_sum"] == held
    paying = db.session().scalar(
        sa.select(sa.func.count(sa.distinct(Subscription.customer_id))).where(Subscription.holds_slot)
    )
    assert last["paying"] == paying
    rows = db.session().scalars(sa.select(BusinessDay)).all()
    assert sum(row.figures["revenue_sum"] + row.figures["ppn_sum"] for row in rows) == -db.session().scalar(
        sa.select(sa.func.sum(Posting.amount))
        .join(Transaction, Transaction.entry_id == Posting.entry_id)
        .where(Posting.sequence.is_not(None), Transaction.type != "TOP_UP")
    )


def test_the_same_seed_makes_the_same_business_and_another_adds_to_it(portal):
    stock_catalog()
    seed(portal, "--rows", "300", "--seed", "7")
    first = heads()
    done = seed(portal, "--rows", "300", "--seed", "8")
    assert done.exit_code == 0, done.output
    assert set(first) < set(heads())
    assert_books_are_clean()
    assert seed(portal, "--rows", "300", "--seed", "7").exit_code != 0


def test_lives_are_the_same_for_the_same_seed_and_differ_for_another(portal):
    offers = [Offer(UUID(int=1), UUID(int=2), "n8n", "MONTHLY", 25_000, 0)]

    def lived(seed: int) -> list[str]:
        return [one.head for one in islice(people(seed, offers, now=clock.now(), terms=terms()), 50)]

    assert lived(1) == lived(1) != lived(2)


def test_nothing_is_made_up_in_production_or_of_nothing(portal, monkeypatch):
    assert "nothing is for sale" in seed(portal, "--rows", "10").output
    monkeypatch.setattr("portal.admin.commands.settings", lambda: type("S", (), {"production": True})())
    done = seed(portal, "--rows", "10")
    assert done.exit_code == 1
    assert "production" in done.output
    with transaction() as session, pytest.raises(writing.NothingForSale):
        writing.fill(session, 10, seed=1, now=clock.now())
    forget_settings()
