"""Leaving at the period's end or at once, undoing it, auto-renew, and what one credit keeps alive first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.invoices.models import Document
from portal.notices.models import Mail
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
from tests.books_audit import assert_books_are_clean
from tests.subscriptions.owned import (
    MONTH,
    PRICE,
    Owner,
    apps,
    balance,
    cancel,
    come_up,
    fall_asleep,
    fall_due,
    now_of,
    order,
    put,
    quoted,
    renew,
    request,
    running,
    told,
    undo,
)  # fmt: skip
from tests.subscriptions.shop import buy, credit, plan_of


@pytest.fixture(autouse=True)
def clean_books(shop: None) -> Iterator[None]:
    yield
    assert_books_are_clean()


# --- at the period's end ------------------------------------------------------------------------------


def test_a_cancellation_is_noted_once_and_changes_nothing_else(owner, n8n) -> None:
    for _ in range(3):
        request(owner, n8n)
        clock.advance(timedelta(hours=1))
    subscription = now_of(n8n)
    assert subscription.cancel_requested_at == subscription.created_at
    assert (subscription.status, subscription.holds_slot, balance(owner)) == ("ACTIVE", True, 375_000)
    assert told(owner) == ["cancellation_requested"]


def test_a_cancellation_is_undone_until_it_takes_effect(owner, n8n) -> None:
    request(owner, n8n)
    clock.advance(MONTH - timedelta(seconds=1))
    undo(owner, n8n)
    undo(owner, n8n)
    assert now_of(n8n).cancel_requested_at is None
    assert told(owner) == ["cancellation_requested", "cancellation_undone"]


def test_what_was_undone_can_be_asked_for_again_and_is_told_again(owner, n8n) -> None:
    request(owner, n8n)
    undo(owner, n8n)
    clock.advance(timedelta(minutes=1))
    request(owner, n8n)
    assert told(owner).count("cancellation_requested") == 2


@pytest.mark.parametrize("state", [fall_due, fall_asleep])
def test_without_a_running_period_there_is_no_end_to_wait_for(owner, n8n, state) -> None:
    state(n8n)
    with pytest.raises(CannotCancelLater):
        request(owner, n8n)
    assert now_of(n8n).cancel_requested_at is None


# --- at once ------------------------------------------------------------------------------------------


def test_cancelling_now_gives_back_what_is_unused_and_ends_the_app(owner, n8n) -> None:
    clock.advance(MONTH / 2)
    cancel(owner, n8n)
    subscription, [app] = now_of(n8n), apps(n8n)
    assert (subscription.status, subscription.end_reason, subscription.due_at) == ("CANCELLED", "cancelled", None)
    assert (app.wanted, app.fenced_at is not None) == ("ABSENT", True)
    assert balance(owner) == 400_000 - PRICE + PRICE // 2
    assert told(owner) == ["subscription_cancelled"]


def test_the_slot_is_freed_by_the_clean_up(owner, n8n) -> None:
    cancel(owner, n8n)
    assert now_of(n8n).holds_slot
    with transaction() as session:
        actions.confirm_clean_up(session, apps(n8n)[0].id, now=clock.now())
    assert not now_of(n8n).holds_slot


def test_the_quoted_refund_is_the_refund(owner, n8n) -> None:
    clock.advance(timedelta(days=3, hours=5))
    seen = quoted(n8n)
    clock.advance(timedelta(minutes=14))
    cancel(owner, n8n, seen)
    assert balance(owner) == 400_000 - PRICE + seen.refund.amount


@pytest.mark.parametrize("forged", [1, -1, 100_000])
def test_another_refund_than_the_one_due_is_refused(owner, n8n, forged) -> None:
    clock.advance(timedelta(days=3))
    seen = quoted(n8n)
    with pytest.raises(RefundChanged):
        cancel(owner, n8n, Agreed(seen.refund + rupiah(forged), seen.quoted_at))
    assert now_of(n8n).live


def test_a_quote_of_long_ago_is_refused(owner, n8n) -> None:
    seen = quoted(n8n)
    clock.advance(timedelta(minutes=16))
    with pytest.raises(RefundChanged):
        cancel(owner, n8n, seen)


def test_with_the_rule_none_nothing_is_given_back(owner, n8n, monkeypatch) -> None:
    from config import settings

    monkeypatch.setattr(settings(), "refund_rule", "none")
    assert quoted(n8n).refund == rupiah(0)
    cancel(owner, n8n)
    assert balance(owner) == 375_000
    assert db.session().scalar(sa.select(sa.func.count()).where(Document.series == "CREDIT_NOTE")) == 0


def test_cancelling_again_changes_nothing(owner, n8n) -> None:
    cancel(owner, n8n)
    before = balance(owner)
    clock.advance(timedelta(days=1))
    cancel(owner, n8n)
    assert balance(owner) == before == 400_000
    assert told(owner) == ["subscription_cancelled"]


def test_a_setup_fee_is_not_given_back(owner) -> None:
    large = running(owner, "n8n", "ENTERPRISE")
    cancel(owner, large)
    assert balance(owner) == 400_000 - 100_000


def test_an_overdue_app_ends_without_a_refund_and_without_a_debt(owner, n8n) -> None:
    fall_due(n8n)
    cancel(owner, n8n)
    assert (now_of(n8n).status, balance(owner)) == ("CANCELLED", 375_000)


def test_a_suspended_app_ends_with_its_data_and_frees_no_slot_twice(owner, n8n) -> None:
    fall_asleep(n8n)
    cancel(owner, n8n)
    with transaction() as session:
        actions.confirm_clean_up(session, apps(n8n)[0].id, now=clock.now())
    assert (now_of(n8n).status, now_of(n8n).holds_slot) == ("CANCELLED", False)


def test_what_is_set_up_for_the_first_time_is_not_cancelled(owner) -> None:
    credit(owner.customer_id, 50_000)
    subscription = buy(owner.customer_id, plan_of("n8n"))
    with pytest.raises(StillBeingSetUp):
        cancel(owner, subscription.id)


def test_while_the_plan_is_changing_nothing_is_cancelled(owner, n8n) -> None:
    change_under_way(n8n, owner)
    with pytest.raises(PlanChangeUnderWay):
        cancel(owner, n8n)
    with pytest.raises(PlanChangeUnderWay), transaction() as session:
        actions.delete_instance(session, apps(n8n)[0].id, now=clock.now())
    with transaction() as session:
        session.execute(sa.delete(PlanChange))


def change_under_way(subscription_id: UUID, person: Owner) -> None:
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


def test_every_move_after_the_end_is_refused(owner, n8n) -> None:
    put(n8n, status="EXPIRED", ended_at=clock.now(), end_reason="not_resumed", due_at=None)
    for move in (request, undo, cancel):
        with pytest.raises(SubscriptionEnded):
            move(owner, n8n)
    with pytest.raises(SubscriptionEnded):
        renew(owner, n8n, on=False)


def test_a_strangers_subscription_is_not_found(owner, stranger, n8n) -> None:
    for move in (request, undo, cancel):
        with pytest.raises(SubscriptionNotFound):
            move(stranger, n8n)
    with pytest.raises(SubscriptionNotFound):
        renew(stranger, n8n, on=False)
    with pytest.raises(SubscriptionNotFound):
        order(stranger, n8n, place=1)


# --- the last app goes --------------------------------------------------------------------------------


def test_deleting_the_last_app_follows_the_same_refund_rule(owner, n8n) -> None:
    clock.advance(MONTH / 2)
    with transaction() as session:
        assert actions.delete_instance(session, apps(n8n)[0].id, agreed=quoted(n8n), now=clock.now())
    assert (now_of(n8n).end_reason, balance(owner)) == ("deleted", 400_000 - PRICE + PRICE // 2)
    assert told(owner) == ["instance_deleted"]
    with transaction() as session:
        assert not actions.delete_instance(session, apps(n8n)[0].id, now=clock.now())


def test_deleting_one_of_several_apps_gives_nothing_back_and_ends_nothing(owner) -> None:
    large = running(owner, "n8n", "ENTERPRISE")
    with transaction() as session:
        actions.add_instance(session, large, owner.customer_id, running=1, now=clock.now())
    come_up(large)
    with transaction() as session:
        actions.delete_instance(session, apps(large)[0].id, now=clock.now())
    assert (now_of(large).status, balance(owner)) == ("ACTIVE", 75_000)
    assert told(owner) == ["instance_deleted_alone"]


def test_the_credit_note_of_a_cancellation_goes_out_with_the_news(owner, n8n) -> None:
    cancel(owner, n8n)
    db.session.close()
    note = db.session().scalars(sa.select(Document.id).where(Document.series == "CREDIT_NOTE")).one()
    mail = db.session().scalars(sa.select(Mail).where(Mail.code == "subscription_cancelled")).one()
    assert mail.document_id == note


# --- several refunds of one charge --------------------------------------------------------------------


def test_a_charge_is_given_back_in_parts_each_with_a_note_of_its_own(owner, n8n) -> None:
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
    assert balance(owner) == 400_000
    assert quoted(n8n).refund == rupiah(0)


# --- auto-renew ---------------------------------------------------------------------------------------


def test_auto_renew_is_switched_off_and_on(owner, n8n) -> None:
    for on in (False, False, True, True):
        renew(owner, n8n, on=on)
        assert now_of(n8n).auto_renew is on
    assert told(owner) == ["auto_renew_off", "auto_renew_on"]


def test_what_is_cancelled_or_overdue_has_no_switch(owner, n8n) -> None:
    request(owner, n8n)
    with pytest.raises(CannotSwitchAutoRenew):
        renew(owner, n8n, on=False)
    undo(owner, n8n)
    fall_due(n8n)
    with pytest.raises(CannotSwitchAutoRenew):
        renew(owner, n8n, on=False)


def test_a_suspended_app_may_be_told_to_wait_for_a_word(owner, n8n) -> None:
    fall_asleep(n8n)
    renew(owner, n8n, on=False)
    with pytest.raises(CannotSwitchAutoRenew):
        renew(owner, n8n, on=True)
    assert now_of(n8n).auto_renew is False


# --- kept alive first ---------------------------------------------------------------------------------


def test_the_order_is_the_customers_own(owner, n8n) -> None:
    ghost, memos = running(owner, "ghost"), running(owner, "memos")
    first, second, third = order(owner, memos, place=1)
    assert first == memos
    assert order(owner, memos, place=1) == [first, second, third]  # pressed twice
    assert order(owner, memos, place=2) == [second, first, third]
    assert order(owner, memos, place=99) == [second, third, first]
    assert order(owner, memos, place=-5) == [first, second, third]
    assert {now_of(each).renewal_order for each in (n8n, ghost, memos)} == {1, 2, 3}


def test_what_has_ended_has_no_place(owner, n8n) -> None:
    cancel(owner, n8n)
    with pytest.raises(SubscriptionNotFound):
        order(owner, n8n, place=1)
