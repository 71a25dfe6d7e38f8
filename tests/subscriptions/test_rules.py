"""How far credit reaches: the runway, by playing the coming renewals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.core.clock import JAKARTA
from portal.core.money import rupiah
from portal.subscriptions.rules import RUNWAY_MONTHS_MAX, Renewal, runway

NOW = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)


def renewal(app="n8n", price=25_000, *, days=10, interval="MONTHLY", anchor_day=None):
    due_at = NOW + timedelta(days=days)
    return Renewal(app, rupiah(price), due_at, interval, anchor_day or due_at.astimezone(JAKARTA).day)


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
    first = Renewal("n8n", rupiah(25_000), datetime(2026, 1, 31, 5, tzinfo=UTC), "MONTHLY", 31)
    assert day(runway(rupiah(50_000), [first], now=datetime(2026, 1, 1, tzinfo=UTC))) == "2026-03-31"


def test_credit_for_years_has_no_end_worth_telling():
    found = runway(rupiah(25_000 * (RUNWAY_MONTHS_MAX + 1)), [renewal()], now=NOW)
    assert (found.until, found.first_to_stop, found.missing) == (None, None, rupiah(0))
