"""Trials: who is the same person, who may have one, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.identities import identities, normal_address
from portal.accounts.models import User
from portal.catalog import actions as catalog
from portal.catalog.models import Plan
from portal.catalog.template_files import load_app_templates, load_categories
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.invoices.models import Document
from portal.subscriptions import actions
from portal.subscriptions.actions import Purchase
from portal.subscriptions.errors import NoTrial, TrialNeedsEmail, TrialUsed
from portal.subscriptions.models import Subscription, SubscriptionCharge, TrialClaim
from tests.books_audit import assert_books_are_clean
from tests.personas import Person, register_person, sign_in
from tests.subscriptions.owned import apps, balance, cancel, come_up, now_of, told
from tests.subscriptions.shop import counted_queries, credit, plan_of

PRICE = 15_000


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("ayu@example.com", "AYU@Example.COM", True),
        ("ayu@example.com", " ayu@example.com ", True),
        ("ayu@example.com", "ayu+n8n@example.com", True),
        ("ayu.lestari@gmail.com", "ayulestari@gmail.com", True),
        ("a.y.u+x.y@gmail.com", "ayu@googlemail.com", True),
        ("ayu.lestari@example.com", "ayulestari@example.com", False),  # dots count elsewhere
        ("ayu@example.com", "ayu@example.org", False),
        ("ayu@example.com", "budi@example.com", False),
        ("+@example.com", "@example.com", False),
    ],
)
def test_spellings_of_one_mailbox_are_one_address(left: str, right: str, same: bool) -> None:
    assert (normal_address(left) == normal_address(right)) is same


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("0812 3456 7890", "+62 812-3456-7890", True),
        ("0062 812 3456 7890", "(0812) 3456.7890", True),
        ("0812 3456 7890", "0812 3456 7891", False),
    ],
)
def test_spellings_of_one_number_are_one_number(left: str, right: str, same: bool) -> None:
    one, other = (identities("x@example.com", phone) for phone in (left, right))
    assert (one == other) is same


def test_without_a_number_the_address_alone_stands_for_a_person() -> None:
    assert identities("ayu@example.com", None) == identities("ayu@example.com", "call me") == {"email:ayu@example.com"}


@given(local=st.text("abc.+", min_size=1), domain=st.sampled_from(["gmail.com", "example.com"]))
def test_a_normal_address_stays_as_it_is(local: str, domain: str) -> None:
    once = normal_address(f"{local}@{domain}")
    assert normal_address(once) == once


@pytest.fixture
def kuma(portal: object) -> Iterator[UUID]:
    """Uptime Kuma Basic: 14 days to try."""
    wanted = {slug: one for slug, one in load_app_templates().items() if slug in ("uptime-kuma", "n8n")}
    with transaction() as session:
        catalog.sync(session, wanted, load_categories(), now=clock.now())
    yield plan_of("uptime-kuma")
    assert_books_are_clean()


def try_it(customer_id: UUID, plan_id: UUID, *, key: str | None = None) -> UUID:
    with transaction() as session:
        plan = actions.sold_plan(session, plan_id)
        price = plan.price("MONTHLY")
        assert price is not None
        purchase = Purchase(plan_id, "MONTHLY", rupiah(price.amount + plan.setup_fee), key or str(uuid4()), trial=True)
        return actions.subscribe(session, customer_id, purchase, now=clock.now()).id


def count(model: type, *conditions: object) -> int:
    db.session.close()
    return db.session().scalar(sa.select(sa.func.count()).select_from(model).where(*conditions)) or 0


def test_a_trial_costs_nothing_takes_a_slot_and_ends_in_two_weeks(kuma, owner) -> None:
    subscription_id = try_it(owner.customer_id, kuma)
    subscription = now_of(subscription_id)
    assert (subscription.status, subscription.period_number, subscription.price) == ("TRIALING", 0, PRICE)
    assert subscription.period_ends_at == subscription.due_at == clock.now() + timedelta(days=14)
    assert subscription.remind_at == clock.now() + timedelta(days=7)
    assert db.session().get_one(Plan, kuma).slots_used == 1
    assert (count(SubscriptionCharge), count(Document), balance(owner)) == (0, 0, 0)
    assert told(owner) == ["trial_started"]
    assert len(apps(subscription_id)) == 1


def test_a_repeat_of_the_key_is_the_same_trial(kuma, owner) -> None:
    key = str(uuid4())
    assert try_it(owner.customer_id, kuma, key=key) == try_it(owner.customer_id, kuma, key=key)
    assert count(Subscription) == 1


def test_a_second_trial_is_refused_after_cancelling(kuma, owner) -> None:
    first = try_it(owner.customer_id, kuma)
    come_up(first)
    cancel(owner, first)
    with pytest.raises(TrialUsed):
        try_it(owner.customer_id, kuma)


def test_another_account_with_the_same_mailbox_or_number_has_no_second_trial(kuma, owner) -> None:
    with transaction() as session:
        session.execute(sa.update(User).values(phone="+6281234567890"))
    try_it(owner.customer_id, kuma)
    _, tagged = register_person("Ayu Dua", "ayu+2@example.com")
    with pytest.raises(TrialUsed):
        try_it(tagged.id, kuma)
    _, other = register_person("Ayu Tiga", "tiga@example.org")
    other_id = other.id
    with transaction() as session:
        session.scalars(sa.select(User).where(User.email == "tiga@example.org")).one().phone = "+6281234567890"
    with pytest.raises(TrialUsed):
        try_it(other_id, kuma)
    assert count(Subscription) == 1


def test_who_had_the_app_before_has_no_trial(kuma, owner) -> None:
    credit(owner.customer_id, 50_000)
    with transaction() as session:
        bought = actions.subscribe(
            session, owner.customer_id, Purchase(kuma, "MONTHLY", rupiah(PRICE), "k"), now=clock.now()
        ).id
    come_up(bought)
    cancel(owner, bought)
    with pytest.raises(TrialUsed):
        try_it(owner.customer_id, kuma)


def test_an_unconfirmed_address_waits(kuma, owner) -> None:
    with transaction() as session:
        session.execute(sa.update(User).values(email_verified_at=None))
    with pytest.raises(TrialNeedsEmail):
        try_it(owner.customer_id, kuma)


def test_a_plan_without_a_trial_has_none(kuma, owner) -> None:
    with pytest.raises(NoTrial):
        try_it(owner.customer_id, plan_of("n8n"))


def test_what_never_came_up_was_no_trial(kuma, owner) -> None:
    first = try_it(owner.customer_id, kuma)
    with transaction() as session:
        app_id = apps(first)[0].id
        actions.fail_provisioning(session, app_id, code="crash_loop", parameters={}, now=clock.now())
    with transaction() as session:
        actions.confirm_clean_up(session, app_id, now=clock.now())
    assert count(TrialClaim) == 0
    try_it(owner.customer_id, kuma)
    assert count(TrialClaim) == 1


def test_ending_a_trial_gives_nothing_back(kuma, owner) -> None:
    trial = try_it(owner.customer_id, kuma)
    come_up(trial)
    cancel(owner, trial)
    assert (now_of(trial).status, balance(owner)) == ("CANCELLED", 0)


# --- the pages ----------------------------------------------------------------------------------------


def test_the_page_offers_the_trial_and_starts_it_without_credit(kuma, client, ayu: Person) -> None:
    sign_in(client, ayu.email)
    assert "14 days free to try" in client.get("/catalog/uptime-kuma").text
    with counted_queries() as statements:
        page = client.get(f"/subscriptions/new?plan={kuma}").text
    assert len(statements) <= 6, statements
    assert "Try it free for 14 days" in page
    assert "24 March 2026" in page
    form = {"plan": str(kuma), "interval": "MONTHLY", "agreed_total": str(PRICE), "key": str(uuid4()), "trial": "yes"}
    assert client.post("/subscriptions/", data=form).location.startswith("/instances/")
    subscription = db.session().scalars(sa.select(Subscription)).one()
    page = client.get(f"/subscriptions/{subscription.id}").text
    for said in ("Trial", "Your trial runs until 24 March 2026", "Rp15.000 on 24 March 2026"):
        assert said in page, said


def test_who_used_the_trial_is_offered_the_purchase_alone(kuma, client, ayu: Person, owner) -> None:
    trial = try_it(owner.customer_id, kuma)
    come_up(trial)
    cancel(owner, trial)
    page = sign_in(client, owner.email).get(f"/subscriptions/new?plan={kuma}").text
    assert "Try it free" not in page
    form = {"plan": str(kuma), "interval": "MONTHLY", "agreed_total": str(PRICE), "key": str(uuid4()), "trial": "yes"}
    refused = client.post("/subscriptions/", data=form)
    assert refused.status_code == 409
    assert "never had it" in refused.text


def test_an_unconfirmed_address_is_asked_to_confirm(kuma, client, owner) -> None:
    with transaction() as session:
        session.execute(sa.update(User).values(email_verified_at=None))
    page = sign_in(client, owner.email).get(f"/subscriptions/new?plan={kuma}").text
    assert "Confirm your e-mail address first" in page
    assert "Start the trial" not in page
