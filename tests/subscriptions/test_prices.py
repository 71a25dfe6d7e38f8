"""A price of the catalog changes: who is told what, from when it counts, and that nobody is told twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.catalog.models import PlanPrice
from portal.core import clock
from portal.core.db import db, transaction
from portal.notices.models import Mail
from portal.subscriptions.actions import pricing
from portal.subscriptions.rules.life import life_of, price_from
from portal.subscriptions.rules.prices import News, announcement
from tests.books_audit import assert_books_are_clean
from tests.subscriptions.lives import NOW
from tests.subscriptions.owned import cancel, now_of, put, running, told
from tests.subscriptions.shop import plan_of

NOTICE = timedelta(days=30)
SOON = NOW + timedelta(days=10)


@pytest.mark.parametrize(
    ("price", "announced", "new_price", "wanted"),
    [
        (25, None, 25, None),
        (25, None, 30, (News.DEARER, 30, NOW + NOTICE)),
        (25, None, 20, (News.CHEAPER, 20, NOW)),
        (25, 30, 30, None),  # told already
        (25, 30, 40, (News.DEARER, 40, NOW + NOTICE)),
        (25, 30, 28, (News.DEARER, 28, SOON)),  # they were ready for worse by then
        (25, 30, 25, (News.KEPT, None, None)),
        (25, 30, 20, (News.CHEAPER, 20, NOW)),
        (25, 20, 30, (News.DEARER, 30, NOW + NOTICE)),
        (25, 20, 22, (News.CHEAPER, 22, NOW)),
        (25, 20, 25, (News.KEPT, None, None)),
        (0, None, 10, (News.DEARER, 10, NOW + NOTICE)),
        (25, None, 0, (News.CHEAPER, 0, NOW)),
    ],
)
def test_what_a_new_price_means(price: int, announced: int | None, new_price: int, wanted: object) -> None:
    said = announcement(
        price, announced, SOON if announced is not None else None, new_price=new_price, now=NOW, notice=NOTICE
    )
    assert (said and (said.news, said.next_price, said.next_price_from)) == wanted


def test_every_change_arrives_at_the_new_price_and_a_repeat_says_nothing() -> None:
    for price, announced, new_price in product((0, 10, 20), (None, 0, 10, 20), (0, 10, 20)):
        known = SOON if announced is not None else None
        said = announcement(price, announced, known, new_price=new_price, now=NOW, notice=NOTICE)
        after, since = (said.next_price, said.next_price_from) if said else (announced, known)
        assert (price if after is None else after) == new_price
        assert announcement(price, after, since, new_price=new_price, now=NOW, notice=NOTICE) is None
        if after is not None and after > price:
            assert since, "it has a day"
            assert since >= SOON, "a dearer price never comes sooner than it was said to"


# --- the command --------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def clean_books(shop: None) -> Iterator[None]:
    yield
    assert_books_are_clean()


def change(portal, amount: int, *options: str, slug: str = "n8n", answer: str | None = None):
    return portal.test_cli_runner().invoke(
        args=["catalog", "price", slug, "basic", "monthly", str(amount), *options], input=answer
    )


def catalog_price() -> int:
    db.session.close()
    statement = sa.select(PlanPrice.amount).where(PlanPrice.plan_id == plan_of("n8n"), PlanPrice.interval == "MONTHLY")
    return db.session().scalars(statement).one()


def test_a_dearer_price_waits_for_the_notice_and_a_renewal(portal, owner, n8n: UUID) -> None:
    done = change(portal, 30_000, "--yes")
    assert (done.exit_code, catalog_price()) == (0, 30_000), done.output
    subscription = now_of(n8n)
    assert (subscription.price, subscription.next_price) == (25_000, 30_000)
    assert subscription.next_price_from == clock.now() + NOTICE
    life = life_of(subscription)
    assert price_from(life, life.period_ends_at) == 30_000  # in 31 days
    assert price_from(life, clock.now() + timedelta(days=29)) == 25_000
    assert told(owner) == ["price_announced"]
    assert db.session().query(Mail).filter_by(code="price_announced").count() == 1


def test_running_it_again_tells_nobody_twice(portal, owner, n8n) -> None:
    for _ in range(3):
        assert change(portal, 30_000, "--yes").exit_code == 0
        clock.advance(timedelta(days=1))
    assert told(owner) == ["price_announced"]
    assert now_of(n8n).next_price_from == clock.now() - timedelta(days=3) + NOTICE


def test_it_says_how_many_it_concerns_and_asks(portal, owner, n8n) -> None:
    asked = change(portal, 30_000, answer="n\n")
    assert asked.exit_code == 1
    assert "1 running subscriptions" in asked.output
    assert (catalog_price(), now_of(n8n).next_price) == (25_000, None)
    assert change(portal, 30_000, answer="y\n").exit_code == 0


def test_a_cheaper_price_comes_with_the_next_renewal(portal, owner, n8n) -> None:
    change(portal, 20_000, "--yes")
    life = life_of(now_of(n8n))
    assert price_from(life, life.period_ends_at) == 20_000
    assert told(owner) == ["price_lowered"]


def test_what_was_announced_may_be_taken_back(portal, owner, n8n) -> None:
    change(portal, 30_000, "--yes")
    change(portal, 25_000, "--yes")
    assert now_of(n8n).next_price is None
    assert told(owner) == ["price_announced", "price_kept"]


def test_others_are_left_alone(portal, owner, n8n) -> None:
    memos = running(owner, "memos")
    yearly = running(owner, "ghost")
    put(yearly, interval="YEARLY", plan_id=now_of(yearly).plan_id)
    cancel(owner, n8n)
    before = told(owner)
    assert change(portal, 30_000, "--yes").exit_code == 0
    assert {now_of(each).next_price for each in (n8n, memos, yearly)} == {None}
    assert told(owner) == before


def test_an_interrupted_run_goes_on_where_it_stopped(portal, owner, n8n) -> None:
    ghost = running(owner, "ghost")
    plan_id = plan_of("n8n")
    put(ghost, plan_id=plan_id)
    for expected in (1, 1, 0):
        with transaction() as session:
            assert pricing.announce(session, plan_id, "MONTHLY", 30_000, now=clock.now(), limit=1) == expected
    assert now_of(ghost).next_price == now_of(n8n).next_price == 30_000
    put(ghost, plan_id=plan_of("ghost"))


@pytest.mark.parametrize("wrong", [["nothing", "basic", "monthly", "1"], ["n8n", "free", "monthly", "1"],
                                   ["n8n", "basic", "weekly", "1"], ["n8n", "basic", "monthly", "-1"]])  # fmt: skip
def test_what_is_not_sold_has_no_price(portal, wrong) -> None:
    refused = portal.test_cli_runner().invoke(args=["catalog", "price", *wrong, "--yes"])
    assert refused.exit_code != 0
    assert "Traceback" not in refused.output
