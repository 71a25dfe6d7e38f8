"""The business day by day, against small worlds in which the right answer is obvious."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from jobs import reports
from jobs import subscriptions as renewals
from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.insights import actions, days, measures, queries
from portal.insights.measures import Span
from portal.insights.models import BusinessDay
from portal.insights.ranges import Range
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.actions import Purchase, cancelling, changing, renewing
from portal.subscriptions.models import PlanChange, Subscription
from portal.subscriptions.rules.refunds import Agreed
from tests.books import shop
from tests.books.shop import Order
from tests.books_audit import assert_books_are_clean
from tests.personas import Person
from tests.subscriptions.course import come_up
from tests.subscriptions.upgrades import stairs

pytest_plugins = ["tests.personas"]
WIB = ZoneInfo("Asia/Jakarta")


@pytest.fixture(autouse=True)
def clean_books(portal: Flask) -> Iterator[None]:
    yield
    assert_books_are_clean()


@pytest.fixture
def plans(portal: Flask) -> dict[str, UUID]:
    """25.000, 75.000 and 150.000 a month; ten times that a year."""
    return stairs.sell_three(slots_total=20)


def at(text: str) -> None:
    """Moves the clock to a moment in Jakarta."""
    clock.advance(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=WIB) - clock.now())


def buy(plan_id: UUID, person: Person, *, interval: str = "MONTHLY", credit: int) -> UUID:
    subscription_id = stairs.subscribe(plan_id, person.customer_id, interval=interval, credit=credit)
    come_up(subscription_id)
    return subscription_id


def sum_up(since: str = "03-01") -> dict[date, dict[str, int]]:
    with transaction() as session:
        actions.sum_up(session, date.fromisoformat(f"2026-{since}"), now=clock.now())
    db.session.close()
    return {row.day: row.figures for row in queries.days(db.session(), date(2026, 1, 1), date(2027, 1, 1))}


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def span(first: str, last: str) -> Span:
    chosen = Range(day(first), day(last))
    rows = {row.day: row.figures for row in queries.days(db.session(), chosen.first - timedelta(days=1), chosen.last)}
    before = rows.pop(chosen.first - timedelta(days=1), None)
    return measures.span([rows[one] for one in sorted(rows)], chosen.days, before)


def moves(found: dict[str, int]) -> dict[str, int]:
    """Movements that are not nothing, by their short names."""
    names = {name: name.removeprefix("mrr_").removesuffix("_sum") for name in found if name.startswith("mrr_")}
    return {short: found[name] for name, short in names.items() if found[name] and name != "mrr_sum"}


# --- MRR ----------------------------------------------------------------------------------------------------


def test_each_movement_on_its_day_and_the_sum_of_all_is_what_stands(plans, ayu: Person, budi: Person) -> None:
    owned = buy(plans["BASIC"], ayu, credit=25_000)
    at("03-12T12:00")
    buy(plans["BASIC"], budi, interval="YEARLY", credit=250_000)
    at("03-15T12:00")
    shop.give(ayu.customer_id, 100_000)
    stairs.confirm(_quote(owned, ayu, plans["PRO"]))
    found = sum_up()
    assert moves(found[day("03-10")]) == {"new": 25_000}
    assert moves(found[day("03-12")]) == {"new": 20_833}  # 250.000 ÷ 12, rounded down
    assert moves(found[day("03-15")]) == {"expansion": 50_000}
    assert (found[day("03-11")]["mrr_sum"], found[day("03-15")]["mrr_sum"]) == (25_000, 95_833)
    assert [found[day(text)]["paying"] for text in ("03-10", "03-11", "03-12", "03-15")] == [1, 1, 2, 2]


def _quote(subscription_id: UUID, person: Person, plan_id: UUID) -> PlanChange:
    with transaction() as session:
        change = changing.quote(session, subscription_id, person.customer_id, plan_id, "MONTHLY", now=clock.now())
    db.session.expunge(change)
    return change


def test_grace_still_counts_suspension_churns_and_the_way_back_reactivates(plans, ayu: Person) -> None:
    buy(plans["BASIC"], ayu, credit=25_000)
    at("04-10T12:00")
    for _ in range(8):
        renewals.renew_due()
        clock.advance(timedelta(days=1))
    at("04-25T12:00")
    shop.give(ayu.customer_id, 25_000)
    with transaction() as session:
        renewing.use_credit(session, ayu.customer_id, now=clock.now())
    found = sum_up()
    assert {one: moves(figures) for one, figures in found.items() if moves(figures)} == {
        day("03-10"): {"new": 25_000},
        day("04-17"): {"churned": 25_000},
        day("04-25"): {"reactivated": 25_000},
    }
    assert [found[day(text)]["mrr_sum"] for text in ("04-16", "04-17", "04-24", "04-25")] == [25_000, 0, 0, 25_000]
    assert (found[day("04-10")]["graced"], found[day("04-10")]["recovered"]) == (1, 0)  # resumed is not recovered
    april = span("04-01", "04-30")
    assert measures.customer_churn(april) == measures.mrr_churn(april) == 1000
    assert measures.clv(april) == 25_000  # one month's ARPU ÷ a churn of all
    assert measures.recovery(april) == 0


def test_what_is_paid_in_grace_is_recovered_and_moves_nothing(plans, ayu: Person) -> None:
    buy(plans["BASIC"], ayu, credit=25_000)
    at("04-10T12:00")
    renewals.renew_due()
    at("04-12T12:00")
    shop.give(ayu.customer_id, 25_000)
    at("04-13T12:00")
    renewals.renew_due()
    found = sum_up()
    wanted = {"graced": 1, "graced_sum": 25_000, "recovered": 1, "recovered_sum": 25_000}
    assert {name: found[day("04-10")][name] for name in wanted} == wanted
    assert [one for one, figures in found.items() if moves(figures)] == [day("03-10")]
    assert measures.recovery(span("04-01", "04-13")) == 1000


def test_cancelling_at_once_churns_and_its_refund_is_off_revenue_and_ppn(plans, ayu: Person) -> None:
    owned = buy(plans["BASIC"], ayu, credit=25_000)
    at("03-26T00:00")  # half of 31 days, but for half a day
    with transaction() as session:
        agreed = Agreed(cancelling.refund_now(session, subscription_of(session, owned), now=clock.now()), clock.now())
        cancelling.cancel_now(session, owned, ayu.customer_id, agreed=agreed, now=clock.now())
    found = sum_up()
    refund = 25_000 // 2
    assert moves(found[day("03-26")]) == {"churned": 25_000}
    assert found[day("03-10")]["revenue_sum"] == 25_000 - 2_477
    assert found[day("03-26")]["refunds_sum"] == refund
    assert found[day("03-26")]["ppn_sum"] == -1_239  # 12.500 x 132 ÷ 1332
    assert found[day("03-26")]["revenue_sum"] == -(refund - 1_239)
    march = span("03-01", "03-31")
    assert march.of("revenue_sum") + march.of("ppn_sum") == 25_000 - refund
    assert found[day("03-26")]["balances_sum"] == refund


def subscription_of(session: Session, subscription_id: UUID) -> Subscription:
    return session.get_one(Subscription, subscription_id)


def test_one_of_two_apps_cancelled_is_contraction_and_nobody_churned(plans, ayu: Person) -> None:
    buy(plans["PRO"], ayu, credit=75_000)
    second = buy(shop.another_app(), ayu, credit=25_000)
    at("03-12T12:00")
    with transaction() as session:
        cancelling.cancel_now(session, second, ayu.customer_id, now=clock.now())
    found = sum_up()
    assert moves(found[day("03-10")]) == {"new": 100_000}
    assert moves(found[day("03-12")]) == {"contraction": 25_000}
    assert (found[day("03-12")]["mrr_sum"], found[day("03-12")]["paying"]) == (75_000, 1)
    assert measures.mrr_churn(span("03-11", "03-12")) == 250
    assert measures.customer_churn(span("03-11", "03-12")) == 0


def test_an_app_that_never_came_up_was_no_sale(plans, ayu: Person) -> None:
    shop.give(ayu.customer_id, 25_000)
    owned = shop.buy(ayu.customer_id, plans["BASIC"])
    assert moves(sum_up()[day("03-10")]) == {"new": 25_000}
    shop.fail(shop.instance_of(owned))
    found = sum_up()[day("03-10")]
    assert (moves(found), found["mrr_sum"], found["paying"], found["revenue_sum"]) == ({}, 0, 0, 0)
    assert found["registered_bought"] == 0


def test_a_trial_counts_from_its_first_charge(plans, ayu: Person) -> None:
    with transaction() as session:
        session.get_one(Plan, plans["BASIC"]).trial_days = 7
    with transaction() as session:
        purchase = Purchase(plans["BASIC"], "MONTHLY", rupiah(25_000), "trial", trial=True)
        started = subscriptions.subscribe(session, ayu.customer_id, purchase, now=clock.now()).id
    come_up(started)
    at("03-12T12:00")
    shop.give(ayu.customer_id, 25_000)
    at("03-17T12:00")
    renewals.renew_due()
    found = sum_up()
    assert {one: moves(figures) for one, figures in found.items() if moves(figures)} == {day("03-17"): {"new": 25_000}}


def test_a_day_ends_at_midnight_in_jakarta(plans, ayu: Person, budi: Person) -> None:
    at("03-31T23:59")
    buy(plans["BASIC"], ayu, credit=25_000)
    at("04-01T00:00")
    buy(plans["BASIC"], budi, credit=25_000)
    found = sum_up()
    assert [found[day(text)]["customers_new"] for text in ("03-31", "04-01")] == [1, 1]
    assert found[day("03-31")]["revenue_sum"] == found[day("04-01")]["revenue_sum"] == 22_523
    assert measures.arpu(span("03-01", "03-31")) == 25_000


# --- people and top-ups ---------------------------------------------------------------------------------------


def test_top_ups_by_method_count_on_the_day_they_were_asked_for(ayu: Person) -> None:
    paid, unpaid, still_open = Order(ayu.customer_id), Order(ayu.customer_id), Order(ayu.customer_id)
    unpaid.hear("expire")
    at("03-11T08:00")
    paid.hear("settlement")
    assert still_open.attempt.number == 1
    found = sum_up()[day("03-10")]
    assert {name: value for name, value in found.items() if name.endswith("_qris")} == {
        "asked_qris": 3, "paid_qris": 1, "open_qris": 1, "paid_sum_qris": 50_000,
    }  # fmt: skip
    assert measures.top_up_success(span("03-10", "03-10")) == 500
    assert sum_up()[day("03-11")]["balances_sum"] == 50_000


def test_conversion_counts_who_did_so_within_thirty_days(
    plans, ayu: Person, budi: Person, citra: Person, dewi: Person
) -> None:
    Order(ayu.customer_id).hear("settlement")
    shop.buy(ayu.customer_id, plans["BASIC"])
    at("04-09T12:00")
    Order(budi.customer_id).hear("settlement")  # too late, by the second
    at("04-09T11:59:59")
    Order(citra.customer_id).hear("settlement")
    at("04-10T12:00")
    found = sum_up()[day("03-10")]
    assert (found["registered"], found["registered_topped_up"], found["registered_bought"]) == (3, 2, 1)
    march = span("03-10", "03-31")
    assert (measures.topped_up(march), measures.bought(march)) == (667, 333)


# --- made again -----------------------------------------------------------------------------------------------


def test_made_day_by_day_or_all_at_once_the_figures_are_the_same(plans, ayu: Person, budi: Person) -> None:
    buy(plans["BASIC"], ayu, credit=75_000)
    reports.sum_up()
    buy(plans["PRO"], budi, interval="YEARLY", credit=750_000)
    for _ in range(50):
        clock.advance(timedelta(days=1))
        renewals.renew_due()
        reports.sum_up()
    bit_by_bit = sum_up("04-29")
    with transaction() as session:
        session.query(BusinessDay).delete()
    at_once = sum_up()
    seen = set(measures.SEEN)
    strip = lambda rows: {one: {k: v for k, v in row.items() if k not in seen} for one, row in rows.items()}  # noqa: E731
    assert strip(bit_by_bit) == strip(at_once)
    assert sum_up() == at_once
    assert at_once[day("04-29")]["balances_sum"] == shop.balance(ayu.customer_id) + shop.balance(budi.customer_id)


def test_what_was_seen_on_a_day_stays_when_it_is_made_anew(plans, ayu: Person) -> None:
    buy(plans["BASIC"], ayu, credit=50_000)
    assert reports.sum_up_anew() == {"days": 1}
    at("03-11T12:00")
    shop.give(ayu.customer_id, 5)
    found = sum_up()
    assert (found[day("03-10")]["slots_used"], found[day("03-10")]["slots_total"]) == (1, 60)
    assert found[day("03-10")]["forecast_due_sum"] == 25_000


def test_the_command_makes_them_anew_from_a_day_on(portal: Flask, plans, ayu: Person) -> None:
    buy(plans["BASIC"], ayu, credit=50_000)
    at("03-14T12:00")
    run = portal.test_cli_runner().invoke
    assert run(args=["insights", "rebuild"]).output.splitlines()[-1] == "5 days made anew"
    with transaction() as session:
        session.get_one(BusinessDay, day("03-13")).figures = {"mrr_sum": 1}
    assert run(args=["insights", "rebuild", "--since", "2026-03-13"]).output.splitlines()[-1] == "2 days made anew"
    db.session.close()
    assert db.session().get_one(BusinessDay, day("03-13")).figures["mrr_sum"] == 25_000


def test_nothing_is_summed_up_before_anything_happened(portal: Flask) -> None:
    assert reports.sum_up() == {"days": 0}
    assert days.FLOWS
