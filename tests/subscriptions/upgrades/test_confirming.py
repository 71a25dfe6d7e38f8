"""Quotes and their confirmation: what is refused, what a repeat does, and that the quoted sum is the charged sum."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.catalog.errors import PlanNotSold, QuotaExceeded
from portal.catalog.models import Plan, PlanPrice
from portal.core import clock, switches
from portal.core.db import db, transaction
from portal.core.errors import NotFound, Unavailable
from portal.core.money import rupiah
from portal.instances.models import Instance
from portal.invoices.models import Document, DocumentLine
from portal.subscriptions import actions
from portal.subscriptions.actions import changing
from portal.subscriptions.errors import (
    CannotChangePlan,
    NotAnUpgrade,
    PlanChangeUnderWay,
    PriceChanged,
    QuoteExpired,
)
from portal.subscriptions.models import PlanChange, Subscription
from portal.wallet import queries as wallet
from portal.wallet.errors import InsufficientCredit
from portal.wallet.models import Transaction
from tests.conftest import run_due_work
from tests.subscriptions.upgrades.stairs import (
    BASIC,
    CREDIT,
    MONTHLY_PRICES,
    PAPERWORK,
    PREMIUM,
    PRO,
    YEARLY_PRICES,
    change_of,
    charges,
    confirm,
    mailed,
    subscription,
)


@pytest.fixture
def bought(stairs, ayu):
    return stairs.buy(ayu.customer)


def put(bought, **columns):
    with transaction() as session:
        session.execute(sa.update(Subscription).where(Subscription.id == bought).values(**columns))


def balance(person):
    db.session.rollback()
    return wallet.available(db.session(), person.customer_id).amount


# --- the quote ------------------------------------------------------------------------------------------


def test_a_quote_takes_the_change_apart_and_takes_nothing(stairs, ayu, bought):
    half = subscription(bought)
    clock.advance((half.period_ends_at - clock.now()) / 2)
    before = balance(ayu)
    quote = stairs.quote(bought, PRO)
    left = (half.period_ends_at - quote.quoted_at) / (half.period_ends_at - half.period_started_at)
    assert quote.unused_value == pytest.approx(25_000 * left, abs=1)
    assert quote.cost == pytest.approx(75_000 * left, abs=1)
    assert quote.total == quote.cost - quote.unused_value
    assert quote.period_ends_at == half.period_ends_at
    assert quote.expires_at - quote.quoted_at == timedelta(minutes=15)
    assert (balance(ayu), stairs.slots()[PRO]) == (before, 0)


def test_by_the_year_a_whole_new_period_begins_now(stairs, bought):
    quote = stairs.quote(bought, PRO, "YEARLY")
    assert quote.cost == YEARLY_PRICES[PRO]
    assert quote.period_started_at == clock.now()
    assert (quote.period_ends_at - quote.period_started_at).days == 365


def test_a_newer_quote_lets_the_earlier_one_lapse(stairs, bought):
    earlier = stairs.quote(bought, PRO)
    stairs.quote(bought, PREMIUM)
    assert change_of(earlier.id).status == "LAPSED"
    with pytest.raises(QuoteExpired):
        confirm(earlier)


def test_quotes_that_nobody_took_are_forgotten_after_a_day(stairs, bought):
    stairs.quote(bought, PRO)
    clock.advance(timedelta(days=2))
    stairs.quote(bought, PRO)
    assert db.session().query(PlanChange).count() == 1


@pytest.mark.parametrize("tier, interval", [(BASIC, "MONTHLY"), (PRO, "MONTHLY")])
def test_a_lower_tier_and_the_same_plan_are_no_upgrade(stairs, ayu, tier, interval):
    bought = stairs.buy(ayu.customer, PRO)
    with pytest.raises(NotAnUpgrade):
        stairs.quote(bought, tier, interval)


def test_from_the_year_back_to_the_month_is_no_upgrade(stairs, ayu):
    bought = stairs.buy(ayu.customer, BASIC, interval="YEARLY")
    for tier in (BASIC, PRO):
        with pytest.raises(NotAnUpgrade):
            stairs.quote(bought, tier, "MONTHLY")


def in_the_way(name):
    def hinder(bought):
        now = clock.now()
        match name:
            case "PAST_DUE":
                put(bought, status="PAST_DUE", grace_ends_at=now + timedelta(days=7))
            case "TRIALING":
                put(bought, status="TRIALING")
            case "CANCELLATION_REQUESTED":
                put(bought, cancel_requested_at=now)
            case "RENEWAL_DUE":
                clock.advance(timedelta(days=40))
            case "UPDATING":
                with transaction() as session:
                    session.execute(sa.update(Instance).values(update_from_version="0"))
            case "FIRST_ROLL_OUT":
                with transaction() as session:
                    session.execute(sa.update(Instance).values(ready_at=None))
            case "MAINTENANCE":
                with transaction() as session:
                    session.execute(sa.update(Instance).values(state="MAINTENANCE"))

    return hinder


HURDLES = [
    ("PAST_DUE", "NOT_ACTIVE"),
    ("TRIALING", "NOT_ACTIVE"),
    ("CANCELLATION_REQUESTED", "CANCELLATION_REQUESTED"),
    ("RENEWAL_DUE", "RENEWAL_DUE"),
    ("UPDATING", "APP_BUSY"),
    ("FIRST_ROLL_OUT", "APP_BUSY"),
    ("MAINTENANCE", "APP_BUSY"),
]


@pytest.mark.parametrize("what, hurdle", HURDLES)
def test_what_is_in_the_way_is_named_before_and_after_the_quote(stairs, ayu, bought, what, hurdle):
    quote = stairs.quote(bought, PRO)
    in_the_way(what)(bought)
    for attempt in (lambda: stairs.quote(bought, PRO), lambda: confirm(quote)):
        with pytest.raises(CannotChangePlan) as refusal:
            attempt()
        assert refusal.value.details["hurdle"] == hurdle
    assert charges(bought) == [("FIRST", 25_000, 0)]
    put(bought, status="ACTIVE", grace_ends_at=None)


def test_a_plan_that_is_not_sold_is_not_quoted(stairs, bought):
    with transaction() as session:
        session.execute(sa.update(Plan).where(Plan.id == stairs.plans[PRO]).values(active=False))
    with pytest.raises(PlanNotSold):
        stairs.quote(bought, PRO)


def test_a_stranger_gets_neither_quote_nor_confirmation(stairs, citra, bought):
    with pytest.raises(NotFound), transaction() as session:
        changing.quote(session, bought, citra.customer_id, stairs.plans[PRO], "MONTHLY", now=clock.now())
    quote = stairs.quote(bought, PRO)
    with pytest.raises(NotFound), transaction() as session:
        changing.confirm(session, quote.id, citra.customer_id, now=clock.now())


# --- the confirmation -----------------------------------------------------------------------------------


def test_the_quoted_sum_is_charged_and_invoiced_line_by_line(stairs, ayu, bought):
    clock.advance(timedelta(days=11, hours=3))
    quote, before = stairs.quote(bought, PRO), balance(ayu)
    clock.advance(timedelta(minutes=14))
    assert confirm(quote) == "RESIZING"
    assert before - balance(ayu) == quote.total
    newest = sa.select(Document).order_by(Document.created_at.desc()).limit(1)
    invoice = db.session().scalars(newest).one()
    statement = sa.select(DocumentLine.code, DocumentLine.amount).where(DocumentLine.document_id == invoice.id)
    lines = dict(db.session().execute(statement).tuples().all())
    assert lines == {"upgrade": quote.cost, "unused_value": -quote.unused_value}
    assert (invoice.total, invoice.ppn) == (quote.total, round(quote.total * 11 / 111))
    line = db.session().scalars(sa.select(Transaction).where(Transaction.type == "UPGRADE")).one()
    assert line.amount == -quote.total


def test_pressing_again_returns_the_same_change_whatever_it_has_become(stairs, bought):
    quote = stairs.quote(bought, PRO)
    assert [confirm(quote), confirm(quote)] == ["RESIZING", "RESIZING"]
    stairs.settle()
    clock.advance(timedelta(days=2))
    assert confirm(quote) == "DONE"
    assert len(charges(bought)) == 2


def test_a_quote_whose_time_is_up_is_refused(stairs, bought):
    quote = stairs.quote(bought, PRO)
    clock.advance(timedelta(minutes=15))
    with pytest.raises(QuoteExpired):
        confirm(quote)


def test_a_quote_of_another_period_is_refused(stairs, bought):
    quote = stairs.quote(bought, PRO)
    put(bought, period_number=2)
    with pytest.raises(QuoteExpired):
        confirm(quote)
    put(bought, period_number=1)


def test_a_quote_of_another_price_of_the_old_plan_is_refused(stairs, bought):
    quote = stairs.quote(bought, PRO)
    put(bought, price=26_000)
    with pytest.raises(QuoteExpired):
        confirm(quote)


def test_a_price_that_changed_meanwhile_is_not_charged(stairs, ayu, bought):
    quote, before = stairs.quote(bought, PRO), balance(ayu)
    with transaction() as session:
        session.execute(sa.update(PlanPrice).where(PlanPrice.plan_id == stairs.plans[PRO]).values(amount=80_000))
    with pytest.raises(PriceChanged):
        confirm(quote)
    assert balance(ayu) == before


def test_too_little_credit_is_refused_with_exactly_what_is_missing(stairs, ayu):
    bought = stairs.buy(ayu.customer, credit=25_000 + 10_000)
    quote = stairs.quote(bought, PRO)
    with pytest.raises(InsufficientCredit) as refusal:
        confirm(quote)
    assert refusal.value.shortfall == rupiah(quote.total - 10_000)
    assert (change_of(quote.id).status, stairs.slots()[PRO]) == ("QUOTED", 0)


def test_without_a_free_slot_nothing_is_charged(stairs, ayu, bought):
    quote, before = stairs.quote(bought, PRO), balance(ayu)
    with transaction() as session:
        session.execute(sa.update(Plan).where(Plan.id == stairs.plans[PRO]).values(slots_total=0))
    with pytest.raises(QuotaExceeded):
        confirm(quote)
    assert balance(ayu) == before


def test_while_launches_are_held_back_only_the_year_can_be_chosen(stairs, bought):
    bigger = stairs.quote(bought, PRO)
    with transaction() as session:
        switches.set_value(session, switches.Switch.NO_PROVISIONING, "on", now=clock.now())
    with pytest.raises(Unavailable):
        confirm(bigger)
    yearly = stairs.quote(bought, BASIC, "YEARLY")
    assert confirm(yearly) == "DONE"


def test_an_unpaid_quote_blocks_nothing(stairs, ayu, bought):
    stairs.quote(bought, PRO)
    with transaction() as session:
        actions.cancel_now(session, bought, ayu.customer_id, now=clock.now())
    stairs.settle()
    assert subscription(bought).status == "CANCELLED"


def test_a_change_under_way_holds_up_deletion_cancellation_and_further_apps(stairs, ayu, bought):
    stairs.upgrade(bought, PRO)
    app_id = db.session().scalars(sa.select(Instance.id)).one()
    db.session.rollback()
    now = clock.now()
    for attempt in (
        lambda session: actions.cancel_now(session, bought, ayu.customer_id, now=now),
        lambda session: actions.delete_instance(session, app_id, now=now),
        lambda session: actions.add_instance(session, bought, ayu.customer_id, running=1, now=now),
    ):
        with pytest.raises(PlanChangeUnderWay), transaction() as session:
            attempt(session)
    with pytest.raises(CannotChangePlan):
        stairs.quote(bought, PREMIUM)
    stairs.settle()
    assert subscription(bought).status == "ACTIVE"


def test_by_the_year_the_same_plan_is_done_at_once_without_slot_or_cluster(stairs, ayu, bought):
    clock.advance(timedelta(days=7))
    quote = stairs.quote(bought, BASIC, "YEARLY")
    begun = clock.now()
    stairs.cluster.journal.clear()
    assert confirm(quote) == "DONE"
    run_due_work(without=PAPERWORK)
    now_on = subscription(bought)
    assert (now_on.interval, now_on.price, now_on.plan_id) == ("YEARLY", YEARLY_PRICES[BASIC], stairs.plans[BASIC])
    assert (now_on.period_started_at, now_on.anchor_day) == (begun, 17)
    assert now_on.due_at == now_on.period_ends_at == quote.period_ends_at
    assert now_on.remind_at == now_on.period_ends_at - timedelta(days=7)
    assert stairs.slots()[BASIC] == 1
    assert list(stairs.cluster.journal) == []
    assert charges(bought)[-1] == ("UPGRADE", quote.total, 0)


def test_a_second_and_third_upgrade_in_a_period_stay_exact(stairs, ayu, bought):
    """Basic, Pro and Premium each for their part of the month, and Premium by the year at its end."""
    started = subscription(bought).period_started_at
    length = subscription(bought).period_ends_at - started
    paid, begins, price = 25_000, started, 25_000
    weighted = 0.0
    for tier, day in ((PRO, 9), (PREMIUM, 20)):
        clock.advance(started + timedelta(days=day) - clock.now())
        change = change_of(stairs.upgrade(bought, tier))
        weighted += price * ((change.quoted_at - begins) / length)
        paid, begins, price = paid + change.total, change.quoted_at, MONTHLY_PRICES[tier]
        stairs.settle()
    weighted += price * ((started + length - begins) / length)
    assert paid == pytest.approx(weighted, abs=2)
    assert CREDIT - balance(ayu) == paid
    assert [kind for kind, _, _ in charges(bought)] == ["FIRST", "UPGRADE", "UPGRADE"]
    yearly = change_of(stairs.upgrade(bought, PREMIUM, "YEARLY"))
    assert yearly.total == YEARLY_PRICES[PREMIUM] - yearly.unused_value
    assert subscription(bought).interval == "YEARLY"


def test_a_price_announced_for_the_old_plan_is_void_with_the_new_one(stairs, bought):
    put(bought, next_price=30_000, next_price_from=clock.now() + timedelta(days=30))
    stairs.upgrade(bought, PRO)
    stairs.settle()
    assert (subscription(bought).next_price, subscription(bought).next_price_from) == (None, None)


def test_a_price_that_rises_while_the_work_goes_on_is_announced_at_its_end(stairs, bought):
    stairs.upgrade(bought, PRO)
    with transaction() as session:
        session.execute(sa.update(PlanPrice).where(PlanPrice.plan_id == stairs.plans[PRO]).values(amount=80_000))
    stairs.settle()
    now_on = subscription(bought)
    assert (now_on.price, now_on.next_price) == (MONTHLY_PRICES[PRO], 80_000)
    assert mailed("price_announced") == 1
