"""Ranges of days, measures and the forecast: pure, by hand-computed tables."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from portal.insights import measures, ranges
from portal.insights.forecast import Due, Renewing, due_in
from portal.insights.measures import Span
from portal.insights.ranges import Range
from tests.subscriptions.lives import TERMS, life

TODAY = date(2026, 3, 10)
WIB = ZoneInfo("Asia/Jakarta")
ME, YOU = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("word", "first", "last"),
    [
        ("7d", "2026-03-04", "2026-03-10"),
        ("30d", "2026-02-09", "2026-03-10"),
        ("90d", "2025-12-11", "2026-03-10"),
        ("month", "2026-03-01", "2026-03-10"),
        ("last_month", "2026-02-01", "2026-02-28"),
        ("year", "2026-01-01", "2026-03-10"),
        ("nonsense", "2026-02-09", "2026-03-10"),
        ("custom", "2026-02-09", "2026-03-10"),  # without days
    ],
)
def test_a_word_is_a_range_that_ends_today_at_the_latest(word: str, first: str, last: str) -> None:
    found = ranges.read(word, None, None, today=TODAY)[1]
    assert (str(found.first), str(found.last)) == (first, last)


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        ("2026-01-05", "2026-01-05", ("2026-01-05", "2026-01-05")),
        ("2026-03-01", "2030-01-01", ("2026-03-01", "2026-03-10")),
        ("2026-03-09", "2026-03-01", ("2026-02-09", "2026-03-10")),  # the wrong way round
        ("2027-01-01", "2027-02-01", ("2026-02-09", "2026-03-10")),  # to come
        ("0001-01-01", "9999-12-31", ("2023-03-07", "2026-03-10")),
    ],
)
def test_days_of_ones_own_are_kept_within_reason(first: str, last: str, wanted: tuple[str, str]) -> None:
    found = ranges.read("custom", date.fromisoformat(first), date.fromisoformat(last), today=TODAY)[1]
    assert (str(found.first), str(found.last)) == wanted


def test_the_range_before_touches_this_one_and_is_as_long() -> None:
    february = Range(date(2028, 2, 1), date(2028, 2, 29))
    assert february.before == Range(date(2028, 1, 3), date(2028, 1, 31))


def test_a_long_range_is_shown_by_month_cut_at_both_ends() -> None:
    pieces = Range(date(2025, 12, 20), date(2026, 4, 5)).pieces()
    assert [(str(one.first), str(one.last)) for one in (pieces[0], pieces[2], pieces[-1])] == [
        ("2025-12-20", "2025-12-31"), ("2026-02-01", "2026-02-28"), ("2026-04-01", "2026-04-05"),
    ]  # fmt: skip
    assert sum(one.days for one in pieces) == 107
    assert len(Range(date(2026, 1, 1), date(2026, 4, 2)).pieces()) == 92


def test_what_happened_is_summed_and_what_stands_is_the_last() -> None:
    days = [{"mrr_sum": 10, "revenue_sum": 3, "slots_used": 1}, {"mrr_sum": 20, "revenue_sum": 4}]
    found = measures.span(days, 2, {"mrr_sum": 5, "revenue_sum": 100})
    assert (found.flows["revenue_sum"], found.before["mrr_sum"], found.after["mrr_sum"]) == (7, 5, 20)
    assert "slots_used" not in found.flows


@pytest.mark.parametrize(
    ("found", "name", "value"),
    [
        (Span(30, {}, {}, {"mrr_sum": 100_000, "paying": 3}), "arpu", 33_333),
        (Span(30, {"customers_churned": 1}, {"paying": 40}, {"mrr_sum": 100, "paying": 1}), "customer_churn", 25),
        (Span(30, {"mrr_churned_sum": 30, "mrr_contraction_sum": 20}, {"mrr_sum": 1000}, {}), "mrr_churn", 50),
        (Span(30, {"customers_churned": 2}, {"paying": 10}, {"mrr_sum": 500_000, "paying": 10}), "clv", 250_000),
        (Span(60, {"customers_churned": 2}, {"paying": 10}, {"mrr_sum": 500_000, "paying": 10}), "clv", 500_000),
        (Span(30, {"asked_qris": 5, "paid_qris": 3, "open_qris": 1}), "top_up_success", 750),
        (Span(30, {"graced": 3, "recovered": 2}), "recovery", 667),
        (Span(30, {"registered": 8, "registered_bought": 1}), "bought", 125),
        (Span(30, {}, {}, {"slots_used": 1, "slots_total": 3}), "quota", 333),
    ],
)
def test_a_measure_is_what_its_definition_says(found: Span, name: str, value: int) -> None:
    assert measures.BY_NAME[name].value(found) == value


def test_nothing_is_divided_by_nothing() -> None:
    shares = [one for one in measures.MEASURES if one.unit == "share" or one.name in ("arpu", "clv")]
    assert {one.name: one.value(Span(30)) for one in shares} == dict.fromkeys(one.name for one in shares)


def app(day: int, customer: UUID = ME, *, balance: int = 0, setup_fee: int = 0, **changes: Any) -> Renewing:
    return Renewing(customer, life(datetime(2026, 3, day, 12, tzinfo=WIB), **changes), setup_fee, balance)


@pytest.mark.parametrize(
    ("apps", "wanted"),
    [
        ([], Due()),
        ([app(20)], Due(25_000, 0, 1)),  # this March's renewal is not counted, April's is
        ([app(20, balance=49_999)], Due(25_000, 0, 1)),  # March takes the credit
        ([app(20, balance=50_000)], Due(25_000, 25_000, 1)),
        ([app(20, interval="YEARLY")], Due()),
        ([app(20, auto_renew=False)], Due()),
        ([app(20, cancel_requested_at=datetime(2026, 3, 9, tzinfo=WIB))], Due()),
        ([app(20, price=0)], Due()),
        ([app(20, balance=75_000), app(25, balance=75_000)], Due(50_000, 25_000, 2)),
        ([app(20, balance=50_000), app(20, YOU)], Due(50_000, 25_000, 2)),
        ([app(20, balance=90_000, status="TRIALING", setup_fee=10_000)], Due(25_000, 25_000, 1)),
    ],
)
def test_the_real_rules_are_run_forward_over_the_month(apps: list[Renewing], wanted: Due) -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=WIB)
    assert due_in(apps, date(2026, 4, 1), now=now, terms=TERMS) == wanted


def test_the_month_begins_and_ends_at_midnight_in_jakarta() -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=WIB)
    first = Renewing(ME, life(datetime(2026, 4, 1, 0, 0, tzinfo=WIB)), 0, 0)
    last = Renewing(YOU, life(datetime(2026, 3, 31, 23, 59, tzinfo=WIB)), 0, 0)
    assert due_in([first], date(2026, 4, 1), now=now, terms=TERMS).renewals == 1
    assert due_in([last], date(2026, 4, 1), now=now, terms=TERMS).renewals == 1  # the one of 30 April
    assert due_in([first], date(2026, 3, 1), now=now, terms=TERMS).renewals == 0


@pytest.mark.parametrize(
    ("due", "lately", "wanted"),
    [
        ({}, Span(90), None),
        ({"forecast_due_sum": 100, "forecast_covered_sum": 60}, Span(90), 60),
        ({"forecast_due_sum": 100, "forecast_covered_sum": 60}, Span(90, {"graced_sum": 8, "recovered_sum": 2}), 70),
    ],
)
def test_what_the_credit_does_not_cover_recovers_as_it_did(due: dict[str, int], lately: Span, wanted: int) -> None:
    assert measures.forecast(due, lately) == wanted
