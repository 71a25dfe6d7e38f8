"""Slots and waitlists: never fewer than are used, whoever buys meanwhile; who waits is shown, offered and removed."""

from __future__ import annotations

from functools import partial

import pytest
import sqlalchemy as sa

from portal.audit.actions import Actor
from portal.audit.models import AuditEntry
from portal.catalog import actions as catalog
from portal.catalog.models import Plan
from portal.core import clock, switches
from portal.core.db import db, transaction
from portal.core.ids import new_id
from portal.core.switches import Switch
from portal.notices.models import Notice
from tests.books import shop
from tests.books.crowd import all_at_once
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.instances.world import PRICE
from tests.personas import sign_in
from tests.queries import counted
from tests.subscriptions import line

pytest_plugins = ["tests.personas"]
BASE = "/admin/quota"
LIST_MAX = 8  # with the comparison of what is for sale and what the nodes can run
LYING = ("instances.provision",)


@pytest.fixture
def admin(client, dewi):
    return sign_in(client, dewi.email)


def plan_now(plan_id) -> Plan:
    db.session.rollback()
    return db.session().get_one(Plan, plan_id, populate_existing=True)


def acts(action: str) -> list[AuditEntry]:
    db.session.rollback()
    return db.session().query(AuditEntry).filter_by(action=action).order_by(AuditEntry.id).all()


def test_only_an_administrator_knows_it_is_there(client, ayu, dewi):
    plan = line.sold_out()
    gets = [f"{BASE}/", f"{BASE}/{plan}"]
    posts = [f"{BASE}/{plan}/slots", f"{BASE}/{plan}/offer", f"{BASE}/{plan}/entries/{new_id()}/removal"]
    for status, person in ((303, None), (404, ayu), (200, dewi)):
        if person:
            client.post("/sign-out")
            sign_in(client, person.email)
        assert {client.get(one).status_code for one in gets} == {status}
        if person is not dewi:
            assert {client.post(one).status_code for one in posts} == {status}
    assert client.get(f"{BASE}/{new_id()}").status_code == 404


def test_the_list_says_what_holds_the_slots(admin):
    plan = line.sold_out(slots=2)
    waiting = line.somebody()
    line.join(waiting, plan)
    page = admin.get(f"{BASE}/").text
    assert "2 subscriptions" in page
    assert "is-invalid" not in page
    assert "Sold out" in page
    with counted() as queries:
        admin.get(f"{BASE}/?state=waited&order=-waiting")
    assert len(queries) <= LIST_MAX
    assert ",2,2,0,2,0,0,0,1" in admin.get(f"{BASE}/?format=csv").text
    assert "Nothing matches" in admin.get(f"{BASE}/?search=zebra").text


def test_more_slots_are_shown_with_their_effect_then_set_and_offered(admin):
    plan = line.sold_out()
    people = [line.somebody() for _ in range(3)]
    entries = [line.join(one, plan) for one in people]
    form = {"total": "6"}
    page = admin.post(f"{BASE}/{plan}/slots", data=form).text
    assert "5 new slots" in page
    assert "3 people in line will be offered one" in page
    assert "2 slots are then free for anybody" in page
    assert plan_now(plan).slots_total == 1
    for _ in range(2):
        assert admin.post(f"{BASE}/{plan}/slots", data=form | {"confirmed": "yes"}).status_code == 303
    run_due_work(without=LYING)
    assert line.statuses(*entries) == ["OFFERED"] * 3
    assert (plan_now(plan).slots_total, plan_now(plan).slots_used) == (6, 4)
    assert [(note.facts["before"], note.facts["after"]) for note in acts("catalog.slots_changed")] == [
        ({"slots_total": 1}, {"slots_total": 6})
    ]
    assert "Offered until" in admin.get(f"{BASE}/{plan}").text
    assert_books_are_clean()


@pytest.mark.parametrize(
    ("total", "status"), [("1", 409), ("0", 409), ("-1", 422), ("x", 422), ("", 422), ("9" * 30, 422)]
)
def test_never_below_what_is_used(admin, total, status):
    plan = line.sold_out(slots=2)
    for confirmed in ({}, {"confirmed": "yes"}):
        answer = admin.post(f"{BASE}/{plan}/slots", data={"total": total} | confirmed)
        assert answer.status_code == status
    assert plan_now(plan).slots_total == 2
    if status == 409:
        assert "2 slots are in use" in answer.text


def test_never_below_what_is_used_while_everybody_buys(portal, dewi):
    """Eight buyers and eight cuts to three at one moment: whoever comes first, used never passes total."""
    plan = shop.sell(slots=8)
    buyers = [line.somebody() for _ in range(8)]

    def cut() -> None:
        with transaction() as session:
            catalog.change_slots(session, plan, 3, actor=Actor(dewi.user_id), now=clock.now())

    wishes = [wish for buyer in buyers for wish in (partial(shop.buy, buyer, plan), cut)]
    all_at_once(portal, wishes)
    found = plan_now(plan)
    assert found.slots_used <= found.slots_total
    assert found.slots_total in (3, 8)
    assert (found.slots_total == 3) == (len(acts("catalog.slots_changed")) == 1)
    assert_books_are_clean()


def test_the_line_is_in_order_and_somebody_is_removed_and_told_why(admin):
    plan = line.sold_out()
    first, second = line.somebody(), line.somebody()
    entry = line.join(first, plan, automatic=True)
    line.join(second, plan)
    page = admin.get(f"{BASE}/{plan}").text
    assert page.index(str(entry)) < page.index("2. ")
    assert shop.balance(first) == 0
    removal = f"{BASE}/{plan}/entries/{entry}/removal"
    assert admin.post(removal, data={"reason": " "}).status_code == 409
    for _ in range(2):
        assert admin.post(removal, data={"reason": "This plan <b>ends</b>"}).status_code == 303
    assert line.statuses(entry) == ["LEFT"]
    assert shop.balance(first) == PRICE
    notice = db.session().scalars(sa.select(Notice).where(Notice.code == "waitlist_removed")).one()
    assert (notice.customer_id, notice.parameters["why"]) == (first, "This plan <b>ends</b>")
    assert [note.facts["reason"] for note in acts("waitlist.removed")] == ["This plan <b>ends</b>"]
    assert admin.post(f"{BASE}/{plan}/entries/{new_id()}/removal", data={"reason": "x"}).status_code == 404
    assert_books_are_clean()


def test_an_offer_that_is_taken_back_frees_its_slot(admin):
    plan = line.sold_out()
    first, second = line.somebody(), line.somebody()
    offered, waiting = line.join(first, plan), line.join(second, plan)
    line.free(plan)
    line.offer(plan)
    assert line.statuses(offered, waiting) == ["OFFERED", "WAITING"]
    admin.post(f"{BASE}/{plan}/entries/{offered}/removal", data={"reason": "a mistake"})
    run_due_work(without=LYING)
    assert line.statuses(offered, waiting) == ["LEFT", "OFFERED"]
    assert_books_are_clean()


def test_a_slot_is_offered_now_in_the_lines_order(admin):
    plan = line.sold_out()
    entries = [line.join(line.somebody(), plan) for _ in range(2)]
    assert admin.post(f"{BASE}/{plan}/offer").status_code == 409
    line.free(plan)
    with transaction() as session:
        switches.set_value(session, Switch.NO_PROVISIONING, "on", now=clock.now())
    assert admin.post(f"{BASE}/{plan}/offer").status_code == 503
    with transaction() as session:
        switches.set_value(session, Switch.NO_PROVISIONING, "", now=clock.now())
    assert admin.post(f"{BASE}/{plan}/offer").status_code == 303
    assert line.statuses(*entries) == ["OFFERED", "WAITING"]
    assert admin.post(f"{BASE}/{plan}/offer").status_code == 409
    assert len(acts("waitlist.offered")) == 1
    assert_books_are_clean()
