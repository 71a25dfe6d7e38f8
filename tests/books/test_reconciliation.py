"""The daily comparison: our top-ups, the gateway's answers, the ledger. Each check with one damage; none is mended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from config import settings
from jobs import books as jobs
from jobs import periodic
from portal.books import actions, queries, rules
from portal.books.models import BooksDifference, Reconciliation
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.job_runs import JobRun
from portal.core.outbox import OutboxMessage
from portal.notices.models import Mail
from portal.notices.wording.reports import ADVICE
from sandbox.server import SandboxServer
from tests.books import shop
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.outside import forget_settings
from tests.payments.counter import PAPERWORK, Counter

OPERATOR = "operator@example.com"


@pytest.fixture
def counter(outside: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Counter:
    monkeypatch.setenv("OPERATOR_EMAIL", OPERATOR)
    forget_settings()
    return Counter(outside, shop.open_customer())


def damage(statement: str, **values: object) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text(statement), values)


def paid(counter: Counter, amount: int = 50_000) -> str:
    """A top-up that was paid and credited; returns its order id."""
    payment = counter.ask(amount)
    counter.pay(payment)
    counter.deliver(payment)
    return counter.order_id(payment)


def next_day(counter: Counter) -> dict[str, int]:
    """The comparison at four in the night after."""
    four = clock.now().astimezone(clock.JAKARTA).replace(hour=4, minute=0) + timedelta(days=1)
    counter.pass_time(four - clock.now())
    return jobs.reconcile()


def open_ones() -> list[tuple[str, str]]:
    db.session.rollback()
    return [(each.check, each.reference) for each in queries.open_differences(db.session())]


def the_day() -> Reconciliation:
    db.session.rollback()
    return db.session().scalars(sa.select(Reconciliation).order_by(Reconciliation.day.desc()).limit(1)).one()


def mails(code: str = "books_differ") -> list[Mail]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(Mail).where(Mail.code == code)))


def test_three_sides_that_agree_are_three_equal_sums(counter: Counter) -> None:
    paid(counter)
    paid(counter, 20_000)
    counter.ask(10_000)
    assert next_day(counter) == {
        "asked": 3, "handed_over": 0, "changed_meanwhile": 0, "open_differences": 0, "finished": 1, "gateway_away": 0,
    }  # fmt: skip
    figures = the_day().figures
    assert figures["gateway"] == figures["ours"] == figures["ledger"] == {"count": 2, "sum": 70_000}
    assert mails() == []


# --- one damage, one difference ---------------------------------------------------------------------------


def credited_twice_as_much(order_id: str, counter: Counter) -> None:
    damage("UPDATE gateway_transaction SET credited = credited * 2")


def credit_removed_from_the_ledger(order_id: str, counter: Counter) -> None:
    damage("DELETE FROM posting WHERE account_id IN (SELECT id FROM ledger_account WHERE kind = 'GATEWAY_CLEARING')")


def transaction_lost(order_id: str, counter: Counter) -> None:
    damage("DELETE FROM gateway_transaction")


def order_unknown(order_id: str, counter: Counter) -> None:
    damage("UPDATE payment_attempt SET order_id = order_id || 'X'")
    damage("UPDATE gateway_transaction SET transaction_id = 'gone'")
    damage("UPDATE journal_entry SET idempotency_key = 'midtrans:gone:credit' WHERE kind = 'TOP_UP'")


def reversed_at_the_gateway(order_id: str, counter: Counter) -> None:
    counter.outside.midtrans.reverse(order_id, force=True)


def never_paid_after_all(order_id: str, counter: Counter) -> None:
    counter.outside.midtrans.expire(order_id, force=True)


def another_amount(order_id: str, counter: Counter) -> None:
    damage("UPDATE payment SET amount = 49000")
    damage("UPDATE gateway_transaction SET credited = 0")


Harm = Callable[[str, Counter], None]
DAMAGES: list[tuple[Harm, set[str]]] = [
    (credited_twice_as_much, {"ledger_differs", "day_sums_differ"}),
    (credit_removed_from_the_ledger, {"ledger_differs", "day_sums_differ"}),
    (transaction_lost, {"paid_but_not_credited", "clearing_unexplained", "day_sums_differ"}),
    (order_unknown, {"unknown_to_gateway", "day_sums_differ"}),
    (reversed_at_the_gateway, {"taken_back_differs", "day_sums_differ"}),
    (never_paid_after_all, {"credited_but_not_paid", "day_sums_differ"}),
    (another_amount, {"amount_differs", "ledger_differs"}),
]


@pytest.mark.parametrize("harm, checks", DAMAGES, ids=[harm.__name__ for harm, _ in DAMAGES])
def test_a_damage_is_found_by_its_check_told_and_not_mended(counter: Counter, harm: Harm, checks: set[str]) -> None:
    order_id = paid(counter)
    harm(order_id, counter)
    before = shop.entries(), shop.balance(counter.customer_id)
    next_day(counter)
    assert {check for check, _ in open_ones()} == checks
    assert (shop.entries(), shop.balance(counter.customer_id)) == before
    assert all(ADVICE[check] for check, _ in open_ones())


def test_every_check_of_the_comparison_has_its_advice_and_every_check_of_the_audit() -> None:
    from portal.books.audit import CHECKS

    assert {*rules.OF_ORDERS, *rules.OF_DAYS, *(check.__name__ for check in CHECKS)} == set(ADVICE)


def test_a_payment_whose_notification_was_lost_is_handed_on_noted_and_gone_again(counter: Counter) -> None:
    payment = counter.ask()
    counter.pay(payment)  # and nobody tells the portal
    assert next_day(counter)["handed_over"] == 1
    assert open_ones() == [("paid_but_not_credited", f"order {counter.order_id(payment)}"), *day_sums()]
    run_due_work(without=PAPERWORK)
    assert counter.balance == 50_000
    counter.pass_time(rules.LOOK_AGAIN_AFTER)
    run_due_work(without=PAPERWORK)
    assert (open_ones(), mails()) == ([], [])
    figures = the_day().figures
    assert figures["gateway"] == figures["ours"] == figures["ledger"] == {"count": 1, "sum": 50_000}
    assert_books_are_clean()


def test_a_settlement_that_was_denied_afterwards_is_taken_back_by_the_same_job(counter: Counter) -> None:
    counter.outside.midtrans.reverse(paid(counter), force=True)
    next_day(counter)
    run_due_work(without=PAPERWORK)
    counter.pass_time(rules.LOOK_AGAIN_AFTER)
    run_due_work(without=PAPERWORK)
    assert (counter.balance, open_ones(), mails()) == (0, [], [])


def day_sums() -> list[tuple[str, str]]:
    return [("day_sums_differ", f"day {the_day().day}")]


def test_what_is_still_different_when_looked_at_again_is_told_once(counter: Counter) -> None:
    payment = counter.ask()
    counter.pay(payment)
    next_day(counter)
    damage("DELETE FROM outbox_message WHERE name = 'payments.check'")
    counter.pass_time(rules.LOOK_AGAIN_AFTER)
    for _ in range(2):
        run_due_work(without=PAPERWORK)
    told = [mail for mail in mails() if "paid_but_not_credited" in mail.parameters["listed"]]
    assert len(told) == 1
    next_day(counter)
    run_due_work(without=("notices.deliver", "payments.check", "invoices.render"))
    assert len([mail for mail in mails() if "paid_but_not_credited" in mail.parameters["listed"]]) == 1


# --- found, seen, resolved --------------------------------------------------------------------------------


def test_a_difference_is_told_once_seen_daily_and_resolved_when_it_is_gone(counter: Counter) -> None:
    paid(counter)
    damage("UPDATE gateway_transaction SET credited = 49000")
    next_day(counter)
    found_at = clock.now()
    next_day(counter)
    row = the_difference()
    assert (row.found_at, row.seen_at, row.resolved_at) == (found_at, clock.now(), None)
    assert len([mail for mail in mails() if "ledger_differs" in mail.parameters["listed"]]) == 1
    damage("UPDATE gateway_transaction SET credited = 50000")
    next_day(counter)
    assert the_difference().resolved_at == clock.now()
    assert open_ones() == []


def the_difference() -> BooksDifference:
    db.session.rollback()
    return db.session().scalars(sa.select(BooksDifference).where(BooksDifference.check == "ledger_differs")).one()


def test_the_audit_keeps_its_differences_in_the_same_table(counter: Counter) -> None:
    paid(counter)
    run_due_work(without=PAPERWORK)
    damage("UPDATE gateway_transaction SET taken_back = 1")
    assert jobs.audit() == {"differences": 1, "told": 1}
    assert jobs.audit() == {"differences": 1, "told": 0}
    assert [check for check, _ in open_ones()] == ["settled_attempts_are_booked"]
    assert len(mails()) == len(mails("books_audited")) == 1
    damage("UPDATE gateway_transaction SET taken_back = 0")
    jobs.audit()
    assert open_ones() == []


def test_the_audit_resolves_nothing_of_the_comparison(counter: Counter) -> None:
    paid(counter)
    damage("UPDATE gateway_transaction SET credited = 49000")
    next_day(counter)
    jobs.audit()
    assert "ledger_differs" in {check for check, _ in open_ones()}


# --- the gateway is away, the worker dies -----------------------------------------------------------------


def test_a_gateway_that_is_away_is_told_and_judges_nothing(counter: Counter) -> None:
    paid(counter)
    counter.outside.midtrans.inject("http_500", endpoint="status")
    assert next_day(counter)["gateway_away"] == 1
    assert (open_ones(), the_day().ended_at) == ([], None)
    assert "GATEWAY_UNAVAILABLE" in the_day().figures["why"]
    counter.outside.midtrans.heal()
    counter.pass_time(timedelta(minutes=11))
    run_due_work(without=PAPERWORK)
    assert (open_ones(), the_day().ended_at) == ([], clock.now())
    assert the_day().figures["gateway"] == {"count": 1, "sum": 50_000}


def test_a_gateway_that_is_away_for_the_day_is_asked_by_the_next_days_run(counter: Counter) -> None:
    paid(counter)
    counter.outside.midtrans.inject("http_500", endpoint="status")
    next_day(counter)
    first = the_day().day
    next_day(counter)
    run_due_work(without=PAPERWORK)
    counter.outside.midtrans.heal()
    counter.pass_time(timedelta(minutes=11))
    run_due_work(without=PAPERWORK)
    assert (the_day().ended_at, open_ones()) == (clock.now(), [])
    db.session.rollback()
    assert db.session().get_one(Reconciliation, first).ended_at is None


def test_a_comparison_cut_off_in_the_middle_goes_on_where_it_stood(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One order fits into a stretch; each is asked about once, by however many workers."""
    orders = [paid(counter) for _ in range(3)]
    monkeypatch.setattr(jobs, "BUDGET_S", 0.0)
    counts = next_day(counter)
    assert (counts["asked"], counts["finished"]) == (0, 0)
    with transaction() as session:
        attempt = queries.next_attempt(session, None, day=the_day().day, before=the_day().started_at)
    assert jobs._compare_one(the_day().day, None, attempt)
    assert not jobs._compare_one(the_day().day, None, attempt)  # the same again, by one who was slow
    monkeypatch.setattr(jobs, "BUDGET_S", 60.0)
    counter.pass_time(timedelta(seconds=1))
    run_due_work(without=PAPERWORK)
    assert (the_day().figures["asked"], the_day().figures["gateway"]) == (len(orders), {"count": 3, "sum": 150_000})
    assert the_day().ended_at is not None


def test_a_second_run_of_a_day_takes_the_place_of_the_first(counter: Counter) -> None:
    paid(counter)
    next_day(counter)
    jobs.reconcile()
    assert the_day().figures["asked"] == 1
    assert len(open_ones()) == 0


def test_a_run_made_up_for_at_noon_is_about_the_day_before_its_moment(counter: Counter) -> None:
    moment = clock.now().astimezone(clock.JAKARTA).replace(hour=4) - timedelta(days=2)
    periodic.make_up("reconciliation", moment.isoformat())
    assert the_day().day == moment.date() - timedelta(days=1)
    assert db.session().scalars(sa.select(JobRun.error)).all() == [None]


# --- which orders are asked about -------------------------------------------------------------------------


def asked_at_age(counter: Counter, days: int) -> bool:
    counter.pass_time(timedelta(days=days))
    with transaction() as session:
        day = clock.today() - timedelta(days=1)
        return queries.next_attempt(session, None, day=day, before=clock.now()) is not None


@pytest.mark.parametrize("days, asked", [(1, True), (13, True), (20, False), (31, True), (61, True), (200, False)])
def test_credited_orders_are_asked_about_for_a_fortnight_then_each_thirty_days(
    counter: Counter, days: int, asked: bool
) -> None:
    paid(counter)
    assert asked_at_age(counter, days) is asked


def test_an_order_that_differs_is_asked_about_until_it_does_not(counter: Counter) -> None:
    order_id = paid(counter)
    damage(
        "INSERT INTO books_difference (id, \"check\", reference, found, found_at, seen_at)"
        " VALUES (:id, 'ledger_differs', :reference, 'x', now(), now())",
        id=uuid4(), reference=f"order {order_id}",
    )  # fmt: skip
    assert asked_at_age(counter, 20)


def test_an_answer_older_than_what_we_know_judges_nothing(counter: Counter) -> None:
    paid(counter)
    with transaction() as session:
        attempt_id: UUID = session.scalars(sa.text("SELECT id FROM payment_attempt")).one()
        order = queries.order(session, attempt_id)
    assert not rules.changed_since(order, clock.now())
    assert rules.changed_since(order, clock.now() - timedelta(seconds=1))


# --- what an operator sees --------------------------------------------------------------------------------


def test_commands_show_the_sides_the_differences_and_what_to_do(portal: Flask, counter: Counter) -> None:
    paid(counter)
    counter.pass_time(timedelta(days=1))
    clean = portal.test_cli_runner().invoke(args=["books", "reconcile"])
    assert (clean.exit_code, "the gateway  1 top-ups, 50000" in clean.output) == (0, True)
    damage("UPDATE gateway_transaction SET credited = 49000")
    broken = portal.test_cli_runner().invoke(args=["books", "reconcile", str(clock.today() - timedelta(days=1))])
    assert broken.exit_code == 1
    assert "ledger_differs: order" in broken.output
    shown = portal.test_cli_runner().invoke(args=["books", "differences"])
    assert (shown.exit_code, str(ADVICE["ledger_differs"]) in shown.output) == (1, True)
    counter.outside.midtrans.inject("http_500", endpoint="status")
    away = portal.test_cli_runner().invoke(args=["books", "reconcile"])
    assert (away.exit_code, "not finished: GATEWAY_UNAVAILABLE" in away.output) == (2, True)


def test_metrics_count_what_is_open(portal: Flask, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "sesame")
    forget_settings()
    paid(counter)
    damage("UPDATE gateway_transaction SET credited = 49000")
    next_day(counter)
    page = portal.test_client().get("/metrics", headers={"Authorization": "Bearer sesame"}).text
    assert f"minispod_books_differences_open {float(len(open_ones()))}" in page


def test_without_an_operators_address_nothing_is_mailed(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPERATOR_EMAIL")
    settings.cache_clear()
    paid(counter)
    damage("UPDATE gateway_transaction SET credited = 49000")
    next_day(counter)
    assert (len(open_ones()), db.session().scalar(sa.select(sa.func.count(Mail.id)))) == (2, 0)


def test_the_same_difference_again_later_is_another_one(portal: Flask) -> None:
    from portal.wallet.proofs import Difference

    once = [Difference("ledger_differs", "order X", "1 and 2")]
    for found in (once, [], once, once):
        with transaction() as session:
            actions.keep(session, found, checks=rules.OF_ORDERS, only="order X", now=clock.now())
    rows = db.session().scalars(sa.select(BooksDifference)).all()
    assert sorted(row.resolved_at is None for row in rows) == [False, True]
    assert db.session().scalar(sa.select(sa.func.count(OutboxMessage.id))) == 0
