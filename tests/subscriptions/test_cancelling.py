"""Leaving at the period's end or at once, undoing it, auto-renew, and what one credit keeps alive first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.instances import actions as instances
from portal.instances.models import Instance
from portal.invoices.models import Document
from portal.notices.models import Mail, Notice
from portal.subscriptions import actions
from portal.subscriptions.errors import (
    CannotCancelLater,
    CannotSwitchAutoRenew,
    PlanChangeUnderWay,
    RefundChanged,
    StillBeingSetUp,
    SubscriptionEnded,
    SubscriptionNotFound,
)
from portal.subscriptions.models import PlanChange, Subscription, SubscriptionCharge
from portal.subscriptions.rules.refunds import Agreed
from portal.wallet import queries as wallet
from tests.books_audit import assert_books_are_clean
from tests.personas import Person
from tests.subscriptions.shop import buy, credit, plan_of

MONTH = timedelta(days=31)  # bought on 10 March
PRICE = 25_000


@pytest.fixture(autouse=True)
def clean_books(shop: None) -> Iterator[None]:
    yield
    assert_books_are_clean()


@pytest.fixture
def ayu(ayu: Person) -> SimpleNamespace:
    """Plain: a refused move expires every row of its session."""
    return SimpleNamespace(customer_id=ayu.customer_id)


@pytest.fixture
def citra(citra: Person) -> SimpleNamespace:
    return SimpleNamespace(customer_id=citra.customer_id)


@pytest.fixture
def n8n(ayu: SimpleNamespace) -> UUID:
    """Ayu's n8n, bought at noon for a month and running."""
    return running(ayu, "n8n")


def running(person: SimpleNamespace, slug: str, tier: str = "BASIC") -> UUID:
    credit(person.customer_id, 400_000)
    subscription_id = buy(person.customer_id, plan_of(slug, tier)).id
    come_up(subscription_id)
    return subscription_id


def come_up(subscription_id: UUID) -> None:
    for app in apps(subscription_id):
        with transaction() as session:
            locked = instances.locked(session, app.id)
            instances.begin_roll_out(session, locked, now=clock.now())
            instances.mark_ready(session, locked, now=clock.now())


def apps(subscription_id: UUID) -> list[Instance]:
    db.session.close()
    statement = sa.select(Instance).where(Instance.subscription_id == subscription_id).order_by(Instance.id)
    return list(db.session().scalars(statement))


def now_of(subscription_id: UUID) -> Subscription:
    db.session.close()
    return db.session().get_one(Subscription, subscription_id)


def put(subscription_id: UUID, **columns: object) -> None:
    """Another state, by hand."""
    with transaction() as session:
        session.execute(sa.update(Subscription).where(Subscription.id == subscription_id).values(**columns))


def fall_due(subscription_id: UUID) -> None:
    clock.advance(MONTH)
    put(subscription_id, status="PAST_DUE", grace_ends_at=clock.now() + timedelta(days=7), due_at=clock.now())


def fall_asleep(subscription_id: UUID) -> None:
    """Suspended, as the run leaves it: no slot, apps at zero."""
    clock.advance(MONTH)
    with transaction() as session:
        subscription = session.get_one(Subscription, subscription_id)
        session.execute(sa.update(Plan).where(Plan.id == subscription.plan_id).values(slots_used=Plan.slots_used - 1))
        session.execute(
            sa.update(Instance)
            .where(Instance.subscription_id == subscription_id)
            .values(state="SUSPENDED", wanted="SUSPENDED", wanted_before_suspension="RUNNING")
        )
    kept = clock.now() + timedelta(days=30)
    put(
        subscription_id, status="SUSPENDED", suspended_at=clock.now(), suspend_reason="UNPAID", data_kept_until=kept,
        due_at=kept, holds_slot=False,
    )  # fmt: skip


def balance(person: SimpleNamespace) -> int:
    db.session.close()
    return wallet.available(db.session(), person.customer_id).amount


def told(person: SimpleNamespace) -> list[str]:
    db.session.close()
    statement = sa.select(Notice.code).where(Notice.customer_id == person.customer_id).order_by(Notice.id)
    return [code for code in db.session().scalars(statement) if code != "subscription_started"]


def request(person: SimpleNamespace, subscription_id: UUID) -> None:
    with transaction() as session:
        actions.request_cancellation(session, subscription_id, person.customer_id, now=clock.now())


def undo(person: SimpleNamespace, subscription_id: UUID) -> None:
    with transaction() as session:
        actions.undo_cancellation(session, subscription_id, person.customer_id, now=clock.now())


def cancel(person: SimpleNamespace, subscription_id: UUID, agreed: Agreed | None = None) -> None:
    with transaction() as session:
        actions.cancel_now(session, subscription_id, person.customer_id, agreed=agreed, now=clock.now())


def renew(person: SimpleNamespace, subscription_id: UUID, *, on: bool) -> None:
    with transaction() as session:
        actions.set_auto_renew(session, subscription_id, person.customer_id, on=on, now=clock.now())


def quoted(subscription_id: UUID) -> Agreed:
    """What the page shows now."""
    db.session.close()
    session, now = db.session(), clock.now()
    return Agreed(actions.refund_now(session, session.get_one(Subscription, subscription_id), now=now), now)


# --- at the period's end ------------------------------------------------------------------------------


def test_a_cancellation_is_noted_once_and_changes_nothing_else(ayu, n8n) -> None:
    for _ in range(3):
        request(ayu, n8n)
        clock.advance(timedelta(hours=1))
    subscription = now_of(n8n)
    assert subscription.cancel_requested_at == subscription.created_at
    assert (subscription.status, subscription.holds_slot, balance(ayu)) == ("ACTIVE", True, 375_000)
    assert told(ayu) == ["cancellation_requested"]


def test_a_cancellation_is_undone_until_it_takes_effect(ayu, n8n) -> None:
    request(ayu, n8n)
    clock.advance(MONTH - timedelta(seconds=1))
    undo(ayu, n8n)
    undo(ayu, n8n)
    assert now_of(n8n).cancel_requested_at is None
    assert told(ayu) == ["cancellation_requested", "cancellation_undone"]


def test_what_was_undone_can_be_asked_for_again_and_is_told_again(ayu, n8n) -> None:
    request(ayu, n8n)
    undo(ayu, n8n)
    clock.advance(timedelta(minutes=1))
    request(ayu, n8n)
    assert told(ayu).count("cancellation_requested") == 2


@pytest.mark.parametrize("state", [fall_due, fall_asleep])
def test_without_a_running_period_there_is_no_end_to_wait_for(ayu, n8n, state) -> None:
    state(n8n)
    with pytest.raises(CannotCancelLater):
        request(ayu, n8n)
    assert now_of(n8n).cancel_requested_at is None


# --- at once ------------------------------------------------------------------------------------------


def test_cancelling_now_gives_back_what_is_unused_and_ends_the_app(ayu, n8n) -> None:
    clock.advance(MONTH / 2)
    cancel(ayu, n8n)
    subscription, [app] = now_of(n8n), apps(n8n)
    assert (subscription.status, subscription.end_reason, subscription.due_at) == ("CANCELLED", "cancelled", None)
    assert (app.wanted, app.fenced_at is not None) == ("ABSENT", True)
    assert balance(ayu) == 400_000 - PRICE + PRICE // 2
    assert told(ayu) == ["subscription_cancelled"]


def test_the_slot_is_freed_by_the_clean_up(ayu, n8n) -> None:
    cancel(ayu, n8n)
    assert now_of(n8n).holds_slot
    with transaction() as session:
        actions.confirm_clean_up(session, apps(n8n)[0].id, now=clock.now())
    assert not now_of(n8n).holds_slot


def test_the_quoted_refund_is_the_refund(ayu, n8n) -> None:
    clock.advance(timedelta(days=3, hours=5))
    seen = quoted(n8n)
    clock.advance(timedelta(minutes=14))
    cancel(ayu, n8n, seen)
    assert balance(ayu) == 400_000 - PRICE + seen.refund.amount


@pytest.mark.parametrize("forged", [1, -1, 100_000])
def test_another_refund_than_the_one_due_is_refused(ayu, n8n, forged) -> None:
    clock.advance(timedelta(days=3))
    seen = quoted(n8n)
    with pytest.raises(RefundChanged):
        cancel(ayu, n8n, Agreed(seen.refund + rupiah(forged), seen.quoted_at))
    assert now_of(n8n).live


def test_a_quote_of_long_ago_is_refused(ayu, n8n) -> None:
    seen = quoted(n8n)
    clock.advance(timedelta(minutes=16))
    with pytest.raises(RefundChanged):
        cancel(ayu, n8n, seen)


def test_with_the_rule_none_nothing_is_given_back(ayu, n8n, monkeypatch) -> None:
    from config import settings

    monkeypatch.setattr(settings(), "refund_rule", "none")
    assert quoted(n8n).refund == rupiah(0)
    cancel(ayu, n8n)
    assert balance(ayu) == 375_000
    assert db.session().scalar(sa.select(sa.func.count()).where(Document.series == "CREDIT_NOTE")) == 0


def test_cancelling_again_changes_nothing(ayu, n8n) -> None:
    cancel(ayu, n8n)
    before = balance(ayu)
    clock.advance(timedelta(days=1))
    cancel(ayu, n8n)
    assert balance(ayu) == before == 400_000
    assert told(ayu) == ["subscription_cancelled"]


def test_a_setup_fee_is_not_given_back(ayu) -> None:
    large = running(ayu, "n8n", "ENTERPRISE")
    cancel(ayu, large)
    assert balance(ayu) == 400_000 - 100_000


def test_an_overdue_app_ends_without_a_refund_and_without_a_debt(ayu, n8n) -> None:
    fall_due(n8n)
    cancel(ayu, n8n)
    assert (now_of(n8n).status, balance(ayu)) == ("CANCELLED", 375_000)


def test_a_suspended_app_ends_with_its_data_and_frees_no_slot_twice(ayu, n8n) -> None:
    fall_asleep(n8n)
    cancel(ayu, n8n)
    with transaction() as session:
        actions.confirm_clean_up(session, apps(n8n)[0].id, now=clock.now())
    assert (now_of(n8n).status, now_of(n8n).holds_slot) == ("CANCELLED", False)


def test_what_is_set_up_for_the_first_time_is_not_cancelled(ayu) -> None:
    credit(ayu.customer_id, 50_000)
    subscription = buy(ayu.customer_id, plan_of("n8n"))
    with pytest.raises(StillBeingSetUp):
        cancel(ayu, subscription.id)


def test_while_the_plan_is_changing_nothing_is_cancelled(ayu, n8n) -> None:
    change_under_way(n8n, ayu)
    with pytest.raises(PlanChangeUnderWay):
        cancel(ayu, n8n)
    with pytest.raises(PlanChangeUnderWay), transaction() as session:
        actions.delete_instance(session, apps(n8n)[0].id, now=clock.now())
    with transaction() as session:
        session.execute(sa.delete(PlanChange))


def change_under_way(subscription_id: UUID, person: SimpleNamespace) -> None:
    with transaction() as session:
        one = session.get_one(Subscription, subscription_id)
        session.add(
            PlanChange(
                subscription_id=one.id, customer_id=person.customer_id, from_plan_id=one.plan_id,
                to_plan_id=one.plan_id, from_interval="MONTHLY", to_interval="YEARLY", from_price=one.price,
                to_price=250_000, unused_value=0, cost=0, total=0, period_number=1, period_started_at=clock.now(),
                period_ends_at=clock.now(), status="RESIZING", quoted_at=clock.now(), expires_at=clock.now(),
            )
        )  # fmt: skip


def test_every_move_after_the_end_is_refused(ayu, n8n) -> None:
    put(n8n, status="EXPIRED", ended_at=clock.now(), end_reason="not_resumed", due_at=None)
    for move in (request, undo, cancel):
        with pytest.raises(SubscriptionEnded):
            move(ayu, n8n)
    with pytest.raises(SubscriptionEnded):
        renew(ayu, n8n, on=False)


def test_a_strangers_subscription_is_not_found(ayu, citra, n8n) -> None:
    for move in (request, undo, cancel):
        with pytest.raises(SubscriptionNotFound):
            move(citra, n8n)
    with pytest.raises(SubscriptionNotFound):
        renew(citra, n8n, on=False)
    with pytest.raises(SubscriptionNotFound):
        order(citra, n8n, place=1)


# --- the last app goes --------------------------------------------------------------------------------


def test_deleting_the_last_app_follows_the_same_refund_rule(ayu, n8n) -> None:
    clock.advance(MONTH / 2)
    with transaction() as session:
        assert actions.delete_instance(session, apps(n8n)[0].id, agreed=quoted(n8n), now=clock.now())
    assert (now_of(n8n).end_reason, balance(ayu)) == ("deleted", 400_000 - PRICE + PRICE // 2)
    assert told(ayu) == ["instance_deleted_last"]
    with transaction() as session:
        assert not actions.delete_instance(session, apps(n8n)[0].id, now=clock.now())


def test_deleting_one_of_several_apps_gives_nothing_back_and_ends_nothing(ayu) -> None:
    large = running(ayu, "n8n", "ENTERPRISE")
    with transaction() as session:
        actions.add_instance(session, large, ayu.customer_id, running=1, now=clock.now())
    come_up(large)
    with transaction() as session:
        actions.delete_instance(session, apps(large)[0].id, now=clock.now())
    assert (now_of(large).status, balance(ayu)) == ("ACTIVE", 75_000)
    assert told(ayu) == ["instance_deleted"]


def test_the_credit_note_of_a_cancellation_goes_out_with_the_news(ayu, n8n) -> None:
    cancel(ayu, n8n)
    db.session.close()
    note = db.session().scalars(sa.select(Document.id).where(Document.series == "CREDIT_NOTE")).one()
    mail = db.session().scalars(sa.select(Mail).where(Mail.code == "subscription_cancelled")).one()
    assert mail.document_id == note


# --- several refunds of one charge --------------------------------------------------------------------


def test_a_charge_is_given_back_in_parts_each_with_a_note_of_its_own(ayu, n8n) -> None:
    from portal.subscriptions.actions.refunding import refund_charge

    for part in (1, 10_000, 14_999):
        with transaction() as session:
            subscription = session.get_one(Subscription, n8n)
            charge = session.scalars(sa.select(SubscriptionCharge).with_for_update()).one()
            refund_charge(session, subscription, charge, rupiah(part), code="cancellation_refund", now=clock.now())
        assert_books_are_clean()
    db.session.close()
    notes = db.session().scalars(sa.select(Document).where(Document.series == "CREDIT_NOTE")).all()
    assert sorted(note.total for note in notes) == [1, 10_000, 14_999]
    assert balance(ayu) == 400_000
    assert quoted(n8n).refund == rupiah(0)


# --- auto-renew ---------------------------------------------------------------------------------------


def test_auto_renew_is_switched_off_and_on(ayu, n8n) -> None:
    for on in (False, False, True, True):
        renew(ayu, n8n, on=on)
        assert now_of(n8n).auto_renew is on
    assert told(ayu) == ["auto_renew_off", "auto_renew_on"]


def test_what_is_cancelled_or_overdue_has_no_switch(ayu, n8n) -> None:
    request(ayu, n8n)
    with pytest.raises(CannotSwitchAutoRenew):
        renew(ayu, n8n, on=False)
    undo(ayu, n8n)
    fall_due(n8n)
    with pytest.raises(CannotSwitchAutoRenew):
        renew(ayu, n8n, on=False)


def test_a_suspended_app_may_be_told_to_wait_for_a_word(ayu, n8n) -> None:
    fall_asleep(n8n)
    renew(ayu, n8n, on=False)
    with pytest.raises(CannotSwitchAutoRenew):
        renew(ayu, n8n, on=True)
    assert now_of(n8n).auto_renew is False


# --- kept alive first ---------------------------------------------------------------------------------


def order(person: SimpleNamespace, subscription_id: UUID, *, place: int) -> list[UUID]:
    with transaction() as session:
        ordered = actions.set_order(session, subscription_id, person.customer_id, place=place, now=clock.now())
        return [one.id for one in ordered]


def test_the_order_is_the_customers_own(ayu, n8n) -> None:
    ghost, memos = running(ayu, "ghost"), running(ayu, "memos")
    first, second, third = order(ayu, memos, place=1)
    assert first == memos
    assert order(ayu, memos, place=1) == [first, second, third]  # pressed twice
    assert order(ayu, memos, place=2) == [second, first, third]
    assert order(ayu, memos, place=99) == [second, third, first]
    assert order(ayu, memos, place=-5) == [first, second, third]
    assert {now_of(each).renewal_order for each in (n8n, ghost, memos)} == {1, 2, 3}


def test_what_has_ended_has_no_place(ayu, n8n) -> None:
    cancel(ayu, n8n)
    with pytest.raises(SubscriptionNotFound):
        order(ayu, n8n, place=1)
