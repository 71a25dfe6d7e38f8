"""Promo codes: credit once per person, never more often than promised, and books that say so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from jobs import runner
from portal.accounts.models import User
from portal.audit.actions import Actor
from portal.books import audit as books
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.core.outbox import OutboxMessage
from portal.promotions import actions, rules
from portal.promotions.actions import Terms
from portal.promotions.models import PromoClaim, PromoCode, PromoRedemption
from portal.promotions.rules import CodeState
from portal.subscriptions import intents
from portal.subscriptions.models import LaunchIntent
from portal.wallet.models import AccountKind, EntryKind, JournalEntry, LedgerAccount, Transaction
from tests.books.crowd import all_at_once, errors
from tests.books.shop import Order, balance, debt, give
from tests.books_audit import assert_books_are_clean
from tests.instances.world import PRICE, put_up_for_sale
from tests.personas import Person, register_person, sign_in

pytest_plugins = ["tests.personas"]
AMOUNT = 25_000


def make(code: str = "SELAMAT", *, amount: int = AMOUNT, begins: int = -1, ends: int | None = 30, **terms: Any) -> UUID:
    """A code that begins and ends so many days from now; by default anybody may redeem it, a hundred times."""
    now = clock.now()
    last = now + timedelta(days=ends) if ends else None
    wanted = {"note": "", "redemptions_max": 100, "newcomers_only": False} | terms
    wanted |= {"starts_at": now + timedelta(days=begins), "ends_at": last}
    with transaction() as session:
        return actions.add(session, code, amount, Terms(**wanted), actor=Actor(None), now=now).id


def redeem(person: Person, code: str = "SELAMAT") -> int:
    with transaction() as session:
        return actions.redeem(session, person.customer_id, code, now=clock.now()).amount


def refused(person: Person, code: str = "SELAMAT") -> str:
    before = balance(person.customer_id)
    with pytest.raises(PortalError) as caught:
        redeem(person, code)
    assert balance(person.customer_id) == before
    return caught.value.code


def row(promo_id: UUID) -> PromoCode:
    return db.session().get_one(PromoCode, promo_id, populate_existing=True)


def work_through(*names: str) -> None:
    """Does what is queued under these names, in their order."""
    for name in names:
        for message_id in db.session().scalars(sa.select(OutboxMessage.id).where(OutboxMessage.name == name)).all():
            runner.perform(str(message_id))


def off(promo_id: UUID) -> None:
    with transaction() as session:
        actions.set_active(session, promo_id, active=False, actor=Actor(None), now=clock.now())


@pytest.mark.parametrize(
    ("typed", "code"),
    [("selamat", "SELAMAT"), (" sela mat\n", "SELAMAT"), ("HUT-81", "HUT-81"), ("ab", None), ("", None), ("-AB", None),
     ("A" * 24, "A" * 24), ("A" * 25, None), ("SELAMAT\0", None), ("ＳＥＬＡＭＡＴ", None), ("ß" * 5, None),
     ("A'--", None)],
)  # fmt: skip
def test_a_code_has_one_spelling(typed, code):
    assert rules.normal_code(typed) == code


@pytest.mark.parametrize(
    ("changes", "state"),
    [({}, CodeState.OPEN), ({"active": False}, CodeState.OFF), ({"redemptions": 5}, CodeState.USED_UP),
     ({"starts_at": timedelta(seconds=1)}, CodeState.PLANNED), ({"starts_at": timedelta(0)}, CodeState.OPEN),
     ({"ends_at": timedelta(0)}, CodeState.ENDED), ({"ends_at": timedelta(seconds=1)}, CodeState.OPEN),
     ({"ends_at": timedelta(0), "redemptions": 5}, CodeState.ENDED)],
)  # fmt: skip
def test_a_code_is_open_from_its_beginning_until_the_instant_it_ends(changes, state):
    now = clock.now()
    facts = {
        "active": True,
        "redemptions": 0,
        "redemptions_max": 5,
        "starts_at": now - timedelta(days=1),
        "ends_at": None,
    }
    moved = {name: now + value if isinstance(value, timedelta) else value for name, value in changes.items()}
    assert rules.state_of(PromoCode(**facts | moved), now=now) is state


def test_it_gives_credit_out_of_promotions(ayu):
    promo_id = make()
    assert redeem(ayu) == AMOUNT
    assert balance(ayu.customer_id) == AMOUNT
    line = db.session().scalars(sa.select(Transaction)).one()
    assert (line.type, line.amount, line.code, line.parameters) == ("PROMO", AMOUNT, "promo", {"code": "SELAMAT"})
    account = sa.select(LedgerAccount).where(LedgerAccount.kind == AccountKind.PROMOTIONS)
    assert db.session().scalars(account).one().customer_id is None
    assert db.session().scalars(sa.select(JournalEntry.kind)).all() == [EntryKind.PROMO]
    assert row(promo_id).redemptions == 1
    assert_books_are_clean()


def test_each_customer_redeems_it_once(ayu, budi):
    make()
    redeem(ayu, "selamat")
    assert refused(ayu) == "PROMO_CODE_USED_BY_YOU"
    redeem(budi)
    assert_books_are_clean()


@pytest.mark.parametrize("email", ["ayu+lagi@example.com", "AYU+2@example.com"])
def test_a_second_account_of_the_same_person_gains_nothing(ayu, email):
    make()
    redeem(ayu)
    again = Person(*register_person("Ayu lagi", email))
    assert refused(again) == "PROMO_CODE_USED_BY_YOU"
    assert db.session().query(PromoRedemption).count() == 1


def test_an_address_that_nobody_confirmed_gets_nothing(portal):
    make()
    person = Person(*register_person("Eko", "eko@example.com", verified=False))
    assert refused(person) == "PROMO_CODE_NEEDS_EMAIL"
    assert db.session().query(PromoClaim).count() == 0


@pytest.mark.parametrize(
    ("terms", "code"),
    [({"begins": 1}, "PROMO_CODE_REFUSED"), ({"begins": -9, "ends": -1}, "PROMO_CODE_ENDED")],
)
def test_it_counts_only_in_its_time(ayu, terms, code):
    make(**terms)
    assert refused(ayu) == code


def test_a_code_that_is_off_is_as_unknown_as_one_that_never_was(ayu):
    off(make())
    assert refused(ayu) == refused(ayu, "NEVER-WAS") == refused(ayu, "%") == "PROMO_CODE_REFUSED"


def test_one_for_newcomers_is_refused_after_the_first_top_up(ayu, budi):
    make(newcomers_only=True)
    give(budi.customer_id, 5_000)  # a present of ours makes nobody an old customer
    assert redeem(budi) == AMOUNT
    Order(ayu.customer_id).hear("settlement")
    assert refused(ayu) == "PROMO_CODE_FOR_NEWCOMERS"


def test_the_last_one_goes_to_one_of_many_who_want_it_at_once(portal):
    promo_id = make(redemptions_max=3)
    crowd = [Person(*register_person(f"Orang {number}", f"orang{number}@example.com")) for number in range(8)]
    outcomes = all_at_once(portal, [lambda one=one: redeem(one) for one in crowd])
    assert sum(outcome == AMOUNT for outcome in outcomes) == 3
    assert errors(outcomes) == ["CodeUsedUp"] * 5
    assert row(promo_id).redemptions == db.session().query(PromoRedemption).count() == 3
    assert_books_are_clean()


def test_one_person_pressing_twenty_times_at_once_gets_it_once(portal, ayu):
    make()
    outcomes = all_at_once(portal, [lambda: redeem(ayu)] * 20)
    assert sum(outcome == AMOUNT for outcome in outcomes) == 1
    assert balance(ayu.customer_id) == AMOUNT
    assert_books_are_clean()


def test_its_credit_pays_a_debt_first(ayu):
    order = Order(ayu.customer_id)
    order.hear("settlement")
    give(ayu.customer_id, -40_000)
    order.hear("chargeback", taken_back=50_000)
    make()
    redeem(ayu)
    assert (balance(ayu.customer_id), debt(ayu.customer_id)) == (0, 15_000)
    assert_books_are_clean()


def test_what_waits_for_credit_starts_by_it(ayu):
    plan_id = put_up_for_sale()
    with transaction() as session:
        intents.note_intent(session, ayu.customer_id, plan_id, "MONTHLY", now=clock.now())
    make(amount=PRICE)
    redeem(ayu)
    work_through("reactions.react", "subscriptions.use_credit")
    intent = db.session().scalars(sa.select(LaunchIntent).execution_options(populate_existing=True)).one()
    assert (intent.status, balance(ayu.customer_id)) == ("FULFILLED", 0)
    assert_books_are_clean()


def test_the_audit_names_a_code_that_counts_wrong_and_a_gift_without_its_entry(ayu):
    promo_id = make()
    redeem(ayu)
    with transaction() as session:
        session.execute(sa.update(PromoCode).values(redemptions=7).where(PromoCode.id == promo_id))
        session.execute(sa.update(PromoRedemption).values(amount=1))
    found = {(one.check, one.reason) for one in books.differences(db.session())}
    assert found == {
        ("codes_count_their_redemptions", "says 7, has 1"),
        ("redemptions_have_their_entries", f"gave 1, booked {AMOUNT}"),
    }


def test_it_is_redeemed_on_its_page_and_seen_in_the_wallet(client, ayu):
    make()
    browser = sign_in(client, ayu.email)
    assert "Promo code" in browser.get("/promo-codes/").text
    answer = browser.post("/promo-codes/", data={"code": "selamat"})
    assert (answer.status_code, answer.location) == (303, "/wallet/")
    page = browser.get("/wallet/").text
    assert "Rp25.000" in page
    assert "Promo code SELAMAT" in page


def test_from_a_purchase_it_leads_back_to_it(client, ayu):
    plan_id = put_up_for_sale()
    make()
    browser = sign_in(client, ayu.email)
    page = browser.get(f"/subscriptions/new?plan={plan_id}").text
    assert f"/promo-codes/?plan={plan_id}&amp;interval=MONTHLY" in page
    filled = {"code": "SELAMAT", "plan": str(plan_id), "interval": "MONTHLY"}
    answer = browser.post("/promo-codes/", data=filled)
    assert answer.location == f"/subscriptions/new?plan={plan_id}&interval=MONTHLY"
    odd = browser.post("/promo-codes/", data=filled | {"interval": "//evil.example", "code": "X"})
    assert odd.status_code == 422
    assert 'href="//evil' not in odd.text


@pytest.mark.parametrize("code", ["", " ", "NEVER-WAS", "\0", "x" * 5_000, "'; DROP TABLE promo_code; --", "😀" * 10])
def test_what_is_no_code_is_refused_beside_the_field(client, ayu, code):
    answer = sign_in(client, ayu.email).post("/promo-codes/", data={"code": code})
    assert answer.status_code == 422
    assert 'id="code-error"' in answer.text


def test_guessing_ends_soon(client, ayu):
    browser = sign_in(client, ayu.email)
    answers = [browser.post("/promo-codes/", data={"code": f"GUESS{number}"}).status_code for number in range(11)]
    assert answers == [422] * 10 + [429]


def test_a_closed_account_leaves_its_claim_behind(ayu):
    make()
    redeem(ayu)
    with transaction() as session:
        session.execute(sa.update(User).where(User.id == ayu.user_id).values(email=f"{uuid4().hex}@gone.example"))
    assert refused(Person(*register_person("Ayu", "ayu@example.com"))) == "PROMO_CODE_USED_BY_YOU"
