"""Daily summaries and monthly reports: which hours they cover, what they count, each made and mailed once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask

from jobs import periodic, reports
from portal.core import clock, job_runs
from portal.core.db import db, transaction
from portal.insights import queries, rules
from portal.insights.models import Report
from portal.notices import letters
from portal.notices.models import Mail
from portal.notices.wording.reports import BY_METHOD, FIGURES
from tests.books import shop
from tests.books.shop import Order
from tests.outside import forget_settings
from tests.personas import Person, ayu  # noqa: F401 - a fixture

WIB = ZoneInfo("Asia/Jakarta")
PRICE = 25_000


def wib(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=WIB)


@pytest.fixture
def operator(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_EMAIL", "operator@example.com")
    forget_settings()


def made() -> dict[str, dict[str, int]]:
    db.session.rollback()
    return {f"{each.kind} {each.begins_on}": each.figures for each in db.session().scalars(sa.select(Report))}


def mails() -> list[Mail]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(Mail).where(Mail.code.in_(["daily_summary", "monthly_report"]))))


# --- which hours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment, last",
    [
        ("2026-03-10T22:59:59", date(2026, 3, 9)),
        ("2026-03-10T23:00:00", date(2026, 3, 10)),
        ("2026-03-11T00:00:00", date(2026, 3, 10)),
        ("2026-03-01T02:00:00", date(2026, 2, 28)),
    ],
)
def test_a_day_ends_at_eleven_at_night(moment: str, last: date) -> None:
    assert rules.days_due(wib(moment))[-1].begins_on == last


def test_days_follow_each_other_without_a_gap() -> None:
    days = rules.days_due(wib("2028-03-05T23:00"))
    assert [a.ends_at for a in days[:-1]] == [b.begins_at for b in days[1:]]
    assert date(2028, 2, 29) in {day.begins_on for day in days}


@pytest.mark.parametrize(
    "moment, months",
    [
        ("2026-03-01T02:00", ["2025-12", "2026-01", "2026-02"]),
        ("2026-03-31T23:59:59", ["2025-12", "2026-01", "2026-02"]),
        ("2027-01-01T00:00", ["2026-10", "2026-11", "2026-12"]),
    ],
)
def test_a_month_is_over_at_midnight_of_the_first(moment: str, months: list[str]) -> None:
    assert [f"{month.begins_on:%Y-%m}" for month in rules.months_due(wib(moment))] == months


def test_months_follow_each_other_without_a_gap() -> None:
    months = [rules.month_of(date(2026 + number // 12, number % 12 + 1, 15)) for number in range(48)]
    assert [a.ends_at for a in months[:-1]] == [b.begins_at for b in months[1:]]


def test_what_happens_at_the_stroke_belongs_to_the_next_day(ayu: Person) -> None:  # noqa: F811
    customer = ayu.customer_id
    for moment in ("2026-03-11T22:59:59", "2026-03-11T23:00:00"):
        with clock.at(wib(moment)):
            Order(customer).hear("settlement")
    with clock.at(wib("2026-03-12T23:00")):
        reports.daily()
    counts = {name: figures["top_ups"] for name, figures in made().items()}
    assert (counts["DAY 2026-03-11"], counts["DAY 2026-03-12"]) == (1, 1)


# --- what is counted --------------------------------------------------------------------------------------


def test_a_day_with_a_bit_of_everything(ayu: Person, operator: None) -> None:  # noqa: F811
    plan = shop.sell()
    shop.give(ayu.customer_id, PRICE)
    Order(ayu.customer_id).hear("settlement")
    taken = Order(ayu.customer_id)
    taken.hear("settlement")
    taken.hear("partial_refund", taken_back=10_000)
    shop.fail(shop.instance_of(shop.buy(ayu.customer_id, plan)))
    shop.buy(ayu.customer_id, plan)
    with clock.at(wib("2026-03-10T23:00")):
        assert reports.daily() == {"made": 1}
    figures = made()["DAY 2026-03-10"]
    wanted = {
        "sign_ups": 1, "top_ups": 2, "top_ups_sum": 100_000, "top_ups_by_qris": 2, "top_ups_by_qris_sum": 100_000,
        "taken_back": 1, "taken_back_sum": 10_000, "purchases": 2, "purchases_sum": 2 * PRICE, "refunds": 1,
        "refunds_sum": PRICE, "failures": 1, "ended": 0, "running": 1, "slots_total": 5, "debts_sum": 0,
        "balances_sum": PRICE + 90_000 - PRICE,
    }  # fmt: skip
    assert {name: figures[name] for name in wanted} == wanted
    assert figures["revenue_sum"] + figures["ppn_sum"] == PRICE
    assert figures["ppn_sum"] > 0


def test_every_figure_has_its_label_and_every_label_its_figure(portal: Flask) -> None:
    figures = queries.figures(db.session(), clock.now() - timedelta(days=1), clock.now())
    names = {name if name in FIGURES else name.removesuffix("_sum") for name in figures}
    assert {name for name in names if not name.startswith(BY_METHOD)} == set(FIGURES)


def test_nothing_is_reported_of_the_time_before_the_first_user(ayu: Person) -> None:  # noqa: F811
    with clock.at(wib("2026-03-11T23:00")):
        assert reports.daily() == {"made": 2}
        assert reports.monthly() == {"made": 0}
    with clock.at(wib("2026-04-01T02:00")):
        assert reports.monthly() == {"made": 1}
    assert sorted(made()) == ["DAY 2026-03-10", "DAY 2026-03-11", "MONTH 2026-03-01"]


def test_an_empty_portal_has_nothing_to_report(portal: Flask) -> None:
    assert (reports.daily(), reports.monthly()) == ({"made": 0}, {"made": 0})


# --- once -------------------------------------------------------------------------------------------------


def test_a_repeat_makes_and_mails_nothing_and_a_report_stays_as_it_was(ayu: Person, operator: None) -> None:  # noqa: F811
    with clock.at(wib("2026-03-10T23:00")):
        reports.daily()
        before = made()
        shop.give(ayu.customer_id, 5)
        assert reports.daily() == {"made": 0}
    assert (made(), len(mails())) == (before, 1)


def test_days_that_nobody_summed_up_are_made_up_for(ayu: Person, operator: None) -> None:  # noqa: F811
    with clock.at(wib("2026-03-10T23:00")):
        reports.daily()
        clock.advance(timedelta(days=4))
        assert reports.daily() == {"made": 4}
    assert len(mails()) == 5


def test_a_run_made_up_for_in_the_morning_sums_up_the_day_it_was_meant_for(ayu: Person, operator: None) -> None:  # noqa: F811
    with clock.at(wib("2026-03-11T07:30")):
        periodic.make_up("daily-summary", wib("2026-03-10T23:00").isoformat())
    assert sorted(made()) == ["DAY 2026-03-10"]


def test_one_killed_between_two_days_leaves_the_first_and_makes_the_second(ayu: Person, operator: None) -> None:  # noqa: F811
    from portal.insights import actions

    with clock.at(wib("2026-03-11T23:00")):
        with transaction() as session:
            actions.make(session, rules.day_of(date(2026, 3, 10)), now=clock.now())  # and killed here
        assert reports.daily() == {"made": 1}
    assert len(mails()) == 2


def test_two_at_once_make_and_mail_one(portal: Flask, ayu: Person, operator: None) -> None:  # noqa: F811
    counts: list[dict[str, int]] = []

    def one() -> None:
        with portal.app_context():
            counts.append(reports.daily())

    with clock.at(wib("2026-03-10T23:00")):
        threads = [Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(each["made"] for each in counts) == len(mails()) == 1


# --- how it reads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_mail_lists_every_figure_in_the_operators_language(
    ayu: Person,  # noqa: F811
    operator: None,
    language: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPERATOR_LANGUAGE", language)
    forget_settings()
    Order(ayu.customer_id).hear("settlement")
    with clock.at(wib("2026-03-10T23:00")):
        reports.daily()
    [mail] = mails()
    assert mail.language == language
    words = letters.word(mail.code, mail.parameters, language=language)
    assert "Rp50.000" in words.subject
    for form in (words.text, words.html):
        assert "· qris" in form
        assert form.count("Rp50.000") >= 3


def test_the_command_prints_a_month_as_made_or_as_it_stands(portal: Flask, ayu: Person) -> None:  # noqa: F811
    Order(ayu.customer_id).hear("settlement")
    shown = portal.test_cli_runner().invoke(args=["insights", "report", "2026-03"]).output
    assert "not final" in shown
    assert "Rp50.000" in shown
    with clock.at(wib("2026-04-01T02:00")), job_runs.running("monthly-reports", clock.now()):
        reports.monthly()
    assert "not final" not in portal.test_cli_runner().invoke(args=["insights", "report", "2026-03"]).output
    assert "not final" in portal.test_cli_runner().invoke(args=["insights", "day", "2026-03-10"]).output
