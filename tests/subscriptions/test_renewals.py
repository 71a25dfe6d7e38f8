"""Renewals from credit: once a period, on the anchor day, in the customer's own order; one failure stops no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from jobs import subscriptions as jobs
from portal.core import clock
from portal.core.clock import today
from portal.core.db import db, transaction
from portal.invoices.models import Document, DocumentLine
from portal.subscriptions.actions import renewing
from portal.subscriptions.models import Subscription, SubscriptionCharge
from portal.wallet.models import Transaction
from tests.books_audit import assert_books_are_clean
from tests.personas import Person, register_person
from tests.subscriptions.course import attempts, balance, change, charges, go_to, now_of, pass_days, pass_time, told
from tests.subscriptions.shop import buy, credit, plan_of

N8N = 25_000

pytestmark = pytest.mark.usefixtures("shop", "clean_books")


@pytest.fixture
def clean_books(portal):
    yield
    assert_books_are_clean()


@pytest.fixture
def n8n(shop, ayu: Person) -> Subscription:
    """Ayu's n8n at `NOON`, 10 March, and nothing left in her wallet."""
    return subscribed(ayu)


def subscribed(person: Person, slug: str = "n8n", *, interval: str = "MONTHLY") -> Subscription:
    credit(person.customer_id, 2_000_000)
    subscription = buy(person.customer_id, plan_of(slug), interval)
    db.session.close()
    credit(person.customer_id, -balance(person.customer_id))
    return subscription


def test_a_period_is_paid_from_credit_with_everything_that_belongs_to_it(n8n, ayu) -> None:
    credit(ayu.customer_id, 30_000)
    pass_time(days=31)
    assert jobs.renew_due() == {"renewed": 1}
    after = now_of(n8n.id)
    assert (after.status, after.period_number, balance(ayu.customer_id)) == ("ACTIVE", 2, 30_000 - N8N)
    assert (after.period_started_at, today(after.period_ends_at).isoformat()) == (n8n.period_ends_at, "2026-05-10")
    assert (after.due_at, after.remind_at) == (after.period_ends_at, after.period_ends_at - timedelta(days=7))
    assert charges(n8n.id)[1:] == [(2, "RENEWAL", N8N)]
    assert attempts(n8n.id) == [("PAID", 0)]
    line = db.session().scalars(sa.select(Transaction).where(Transaction.type == "RENEWAL")).one()
    assert (line.code, line.amount, line.balance_before, line.balance_after) == ("renewal", -N8N, 30_000, 5_000)
    assert [notice.parameters["amount"] for notice in told("renewed")] == [N8N]


def test_the_invoice_names_the_days_and_is_issued_and_mailed_by_its_own_job(n8n, ayu, drain) -> None:
    credit(ayu.customer_id, N8N)
    pass_time(days=31)
    jobs.renew_due()
    line = db.session().scalars(sa.select(DocumentLine).where(DocumentLine.code == "renewal")).one()
    assert (line.parameters["from"], line.parameters["to"], line.amount) == ("2026-04-10", "2026-05-10", N8N)
    from tests.conftest import run_due_work

    run_due_work(without=("instances.provision", "invoices.render", "notices.deliver"))
    db.session.close()
    document = db.session().get_one(Document, line.document_id)
    assert (document.status, document.total, document.buyer["name"]) == ("ISSUED", N8N, "Ayu Lestari")


def test_nothing_is_charged_before_its_time_or_twice(n8n, ayu) -> None:
    credit(ayu.customer_id, 3 * N8N)
    assert jobs.renew_due() == {}
    pass_time(days=31)
    assert [jobs.renew_due() for _ in range(3)] == [{"renewed": 1}, {}, {}]
    assert balance(ayu.customer_id) == 2 * N8N


def test_a_run_that_was_missed_for_months_catches_up_once_per_period(n8n, ayu) -> None:
    credit(ayu.customer_id, 5 * N8N)
    pass_time(days=100)  # 18 June: the periods of April, May and June have begun
    assert jobs.renew_due() == {"renewed": 3}
    assert [number for number, _, _ in charges(n8n.id)] == [1, 2, 3, 4]
    assert today(now_of(n8n.id).period_ends_at).isoformat() == "2026-07-10"


def test_a_free_app_renews_without_money_invoice_or_news(shop, ayu) -> None:
    memos = buy(ayu.customer_id, plan_of("memos", "FREE"))
    db.session.close()
    pass_time(days=31)
    assert jobs.renew_due() == {"renewed": 1}
    assert charges(memos.id) == [(1, "FIRST", 0), (2, "RENEWAL", 0)]
    assert (db.session().scalar(sa.select(sa.func.count(Document.id))), told("renewed")) == (0, [])


def test_a_year_renews_for_a_year(shop, ayu) -> None:
    yearly = subscribed(ayu, interval="YEARLY")
    credit(ayu.customer_id, 2 * yearly.price)
    pass_time(days=364)
    assert jobs.renew_due() == {}
    pass_time(days=1)
    assert jobs.renew_due() == {"renewed": 1}
    assert today(now_of(yearly.id).period_ends_at).isoformat() == "2028-03-10"


def test_one_who_began_on_the_31st_is_charged_on_the_last_or_31st_of_every_month(shop, ayu) -> None:
    go_to(datetime(2027, 1, 31, 5, tzinfo=UTC))
    subscription = subscribed(ayu)
    credit(ayu.customer_id, 14 * N8N)
    days = []
    for _ in range(14):
        go_to(now_of(subscription.id).period_ends_at)
        days.append(today().isoformat()[5:])
        assert jobs.renew_due() == {"renewed": 1}
    assert days == [
        "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30", "12-31", "01-31",
        "02-29", "03-31",
    ]  # fmt: skip


def test_an_announced_price_is_charged_from_its_day_on(n8n, ayu) -> None:
    change(n8n.id, next_price=40_000, next_price_from=clock.now() + timedelta(days=40))
    credit(ayu.customer_id, N8N + 40_000)
    pass_days(62)
    assert [amount for _, _, amount in charges(n8n.id)[1:]] == [N8N, 40_000]
    assert (now_of(n8n.id).price, now_of(n8n.id).next_price) == (40_000, None)


@pytest.mark.parametrize(("order", "kept"), [((None, None), "n8n"), ((2, 1), "ghost"), ((None, 1), "ghost")])
def test_one_credit_keeps_alive_what_the_customer_put_first_then_the_oldest_debt(shop, ayu, order, kept) -> None:
    apps = {"n8n": subscribed(ayu), "ghost": None}
    pass_time(hours=1)
    apps["ghost"] = subscribed(ayu, "ghost")
    for slug, place in zip(apps, order, strict=True):
        change(apps[slug].id, renewal_order=place)
    credit(ayu.customer_id, apps[kept].price)
    pass_time(days=31)
    assert jobs.renew_due() == {"renewed": 1, "fell_due": 1}
    assert {slug: now_of(apps[slug].id).status for slug in apps} == {
        slug: "ACTIVE" if slug == kept else "PAST_DUE" for slug in apps
    }


def test_a_batch_cut_short_takes_all_that_is_due_of_each_customer(shop, ayu, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 1)
    first = subscribed(ayu)
    pass_time(hours=1)
    wanted = subscribed(ayu, "ghost")
    change(wanted.id, renewal_order=1)
    credit(ayu.customer_id, wanted.price)
    pass_time(days=31)
    jobs.renew_due()
    assert (now_of(first.id).status, now_of(wanted.id).status) == ("PAST_DUE", "ACTIVE")


def test_one_that_fails_stops_no_other_and_waits_an_hour(shop, ayu) -> None:
    """A charge of the coming period stands already, which cannot be: the constraint refuses that row alone."""
    broken = subscribed(ayu)
    others = [subscribed(Person(*register_person(f"Person {n}", f"p{n}@example.com"))) for n in range(4)]
    for one in (broken, *others):
        credit(one.customer_id, N8N)
    with transaction() as session:
        session.add(SubscriptionCharge(subscription_id=broken.id, period_number=2, kind="RENEWAL", amount=0,
                                       charged_at=clock.now()))  # fmt: skip
    pass_time(days=31)
    assert jobs.renew_due() == {"renewed": 4, "failed": 1}
    assert attempts(broken.id) == [("FAILED", 0)]
    assert (balance(ayu.customer_id), now_of(broken.id).due_at) == (N8N, clock.now() + timedelta(hours=1))
    assert jobs.renew_due() == {}
    with transaction() as session:
        session.execute(sa.delete(SubscriptionCharge).where(SubscriptionCharge.amount == 0))
    pass_time(hours=1)
    assert jobs.renew_due() == {"renewed": 1}
    assert attempts(broken.id) == [("FAILED", 0), ("PAID", 0)]


def test_a_change_of_plan_under_way_is_waited_for(n8n, ayu) -> None:
    credit(ayu.customer_id, N8N)
    change_id = under_way(n8n)
    pass_time(days=31)
    assert jobs.renew_due() == {}
    with transaction() as session:
        session.execute(sa.text("DELETE FROM plan_change WHERE id = :id"), {"id": change_id})
    assert jobs.renew_due() == {"renewed": 1}


def under_way(subscription: Subscription):
    from portal.core.ids import new_id
    from portal.subscriptions.models import PlanChange

    with transaction() as session:
        change = PlanChange(
            id=new_id(), subscription_id=subscription.id, customer_id=subscription.customer_id,
            from_plan_id=subscription.plan_id, to_plan_id=subscription.plan_id, from_interval="MONTHLY",
            to_interval="YEARLY", from_price=1, to_price=1, unused_value=0, cost=0, total=0, period_number=1,
            period_started_at=subscription.period_started_at, period_ends_at=subscription.period_ends_at,
            status="RESIZING", quoted_at=clock.now(), expires_at=clock.now(),
        )  # fmt: skip
        session.add(change)
        return change.id


def test_the_run_ends_though_everything_it_finds_fails(shop, ayu, monkeypatch) -> None:
    subscribed(ayu)
    pass_time(days=31)
    monkeypatch.setattr(renewing, "_carry_out", lambda *_, **__: 1 / 0)
    assert jobs.renew_due() == {"failed": 1}
    monkeypatch.undo()
    pass_time(hours=1)
    assert jobs.renew_due() == {"fell_due": 1}


def test_the_run_tells_how_far_it_has_come(n8n, ayu) -> None:
    from jobs import periodic
    from portal.core.job_runs import JobRun

    credit(ayu.customer_id, N8N)
    pass_time(days=31)
    periodic.run("renewals")
    run = db.session().scalars(sa.select(JobRun).where(JobRun.name == "renewals")).one()
    assert (run.counts, run.result, run.error) == ({"renewed": 1}, "renewed 1", None)


def test_memory_of_the_session_does_not_grow_with_the_run(shop, ayu) -> None:
    subscribed(ayu)
    pass_time(days=31)
    jobs.renew_due()
    db.session.rollback()
    assert len(list(db.session().identity_map.values())) < 10
