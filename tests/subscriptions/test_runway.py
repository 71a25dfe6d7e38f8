"""How far credit reaches: the runway, by playing the coming renewals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.core.clock import JAKARTA
from portal.core.ids import new_id
from portal.core.money import rupiah
from portal.subscriptions import rules
from portal.subscriptions.rules import RUNWAY_MONTHS_MAX, Running
from tests.subscriptions.lives import NOW, TERMS, life


def renewal(app="n8n", price=25_000, *, days=10, interval="MONTHLY", **changes):
    ends_at = changes.pop("ends_at", NOW + timedelta(days=days))
    return Running(new_id(), app, life(ends_at, price=price, interval=interval, **changes))


def runway(balance, apps, *, now):
    return rules.runway(balance, apps, now=now, terms=TERMS)


def day(found):
    return found.until.astimezone(JAKARTA).date().isoformat()


def test_nothing_that_renews_has_no_runway():
    assert runway(rupiah(50_000), [], now=NOW) is None


def test_free_apps_alone_have_no_runway():
    assert runway(rupiah(0), [renewal(price=0)], now=NOW) is None


@pytest.mark.parametrize(
    ("balance", "until", "missing"),
    [
        (0, "2026-03-20", 25_000),
        (24_999, "2026-03-20", 1),
        (25_000, "2026-04-20", 25_000),
        (60_000, "2026-05-20", 15_000),
    ],
)
def test_credit_reaches_until_the_renewal_it_cannot_pay(balance, until, missing):
    found = runway(rupiah(balance), [renewal()], now=NOW)
    assert (day(found), found.first_to_stop, found.missing) == (until, "n8n", rupiah(missing))


def test_the_app_whose_turn_finds_too_little_stops_first():
    found = runway(rupiah(30_000), [renewal("Ghost", 45_000, days=20), renewal("n8n", 25_000, days=5)], now=NOW)
    assert (day(found), found.first_to_stop) == ("2026-03-30", "Ghost")


def test_missing_is_what_pays_everything_due_on_that_day():
    found = runway(rupiah(30_000), [renewal("Ghost", 45_000), renewal("n8n", 25_000)], now=NOW)
    assert found.missing == rupiah(40_000)


def test_a_free_app_among_paid_ones_never_stops_first():
    found = runway(rupiah(0), [renewal("Memos", 0, days=1), renewal("n8n", days=5)], now=NOW)
    assert found.first_to_stop == "n8n"


def test_a_yearly_app_renews_once_a_year():
    found = runway(rupiah(250_000), [renewal(price=250_000, interval="YEARLY")], now=NOW)
    assert day(found) == "2027-03-20"


def test_the_anchor_day_survives_a_short_month():
    first = renewal(ends_at=datetime(2026, 1, 31, 5, tzinfo=UTC))
    assert day(runway(rupiah(50_000), [first], now=datetime(2026, 1, 1, tzinfo=UTC))) == "2026-03-31"


def test_credit_for_years_has_no_end_worth_telling():
    found = runway(rupiah(25_000 * (RUNWAY_MONTHS_MAX + 1)), [renewal()], now=NOW)
    assert (found.until, found.first_to_stop, found.missing) == (None, None, rupiah(0))


def test_what_will_be_cancelled_or_not_renewed_costs_nothing():
    leaving = [renewal(cancel_requested_at=NOW), renewal("Ghost", auto_renew=False)]
    assert runway(rupiah(0), leaving, now=NOW) is None


def test_an_overdue_app_stops_the_runway_at_the_day_it_fell_due():
    overdue = renewal(
        days=-2, status="PAST_DUE", due_at=NOW + timedelta(hours=20), grace_ends_at=NOW + timedelta(days=5)
    )
    found = runway(rupiah(10_000), [overdue, renewal("Ghost", 45_000)], now=NOW)
    assert (day(found), found.first_to_stop, found.missing) == ("2026-03-08", "n8n", rupiah(15_000))


def test_an_announced_price_counts_from_its_day():
    dearer = renewal(next_price=40_000, next_price_from=NOW + timedelta(days=20))
    found = runway(rupiah(60_000), [dearer], now=NOW)
    assert (day(found), found.missing) == ("2026-04-20", rupiah(5_000))


def test_the_customers_own_order_decides_what_is_kept_alive():
    first = Running(new_id(), "Ghost", life(NOW + timedelta(days=5), price=45_000), order=1)
    found = runway(rupiah(45_000), [renewal("n8n", days=5), first], now=NOW)
    assert found.first_to_stop == "n8n"
