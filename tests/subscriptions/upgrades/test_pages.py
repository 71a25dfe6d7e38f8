"""Choosing, the quote, confirming and watching: anonymous, stranger, owner, wrong state."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from portal.catalog.models import Plan, PlanPrice
from portal.core import clock
from portal.core.db import db, transaction
from portal.subscriptions.models import PlanChange, Subscription, WaitlistEntry
from tests.conftest import NOON
from tests.personas import sign_in
from tests.subscriptions.shop import counted_queries
from tests.subscriptions.upgrades.stairs import BASIC, PREMIUM, PRO, change_of, charges, subscription

HTMX = {"HX-Request": "true"}


@pytest.fixture
def bought(stairs, ayu):
    return stairs.buy(ayu.customer, credit=300_000)


def choose(client, stairs, bought, tier, interval="MONTHLY"):
    """Presses *show me the price*; returns the address of the quote."""
    form = {"choice": f"{stairs.plans[tier]}:{interval}"}
    answer = client.post(f"/subscriptions/{bought}/plan-changes/", data=form)
    assert answer.status_code == 303, answer.text
    return answer.location


def found(pattern, text):
    match = re.search(pattern, text)
    assert match is not None, pattern
    return match


def confirm(client, address):
    return client.post(f"{address}/confirmation")


# --- choosing -------------------------------------------------------------------------------------------


def test_a_visitor_is_asked_to_sign_in(client, stairs, bought):
    for address in (f"/subscriptions/{bought}/plan-changes/new", f"/subscriptions/{bought}/plan-changes/{uuid4()}"):
        answer = client.get(address)
        assert (answer.status_code, "/sign-in" in answer.location) == (303, True)
    assert client.post(f"/subscriptions/{bought}/plan-changes/").status_code in (303, 401, 403)


def test_a_stranger_finds_nothing_and_moves_nothing(portal, client, stairs, bought, ayu, citra):
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    client = sign_in(portal.test_client(), citra.email)
    assert client.get(f"/subscriptions/{bought}/plan-changes/new").status_code == 404
    assert client.get(address).status_code == 404
    assert confirm(client, address).status_code == 404
    form = {"choice": f"{stairs.plans[PRO]}:MONTHLY"}
    assert client.post(f"/subscriptions/{bought}/plan-changes/", data=form).status_code == 404
    assert client.post(f"{address}/waitlist").status_code == 404
    assert len(charges(bought)) == 1


def test_everything_higher_is_offered_and_the_wanted_one_is_chosen(client, stairs, bought, ayu):
    page = (
        sign_in(client, ayu.email)
        .get(f"/subscriptions/{bought}/plan-changes/new?plan={stairs.plans[PRO]}&interval=YEARLY")
        .text
    )
    values = re.findall(r'name="choice" value="([^"]+)"( checked)?', page)
    expected = [(BASIC, "YEARLY"), (PRO, "MONTHLY"), (PRO, "YEARLY"), (PREMIUM, "MONTHLY"), (PREMIUM, "YEARLY")]
    assert [value for value, _ in values] == [f"{stairs.plans[tier]}:{interval}" for tier, interval in expected]
    assert [value for value, checked in values if checked] == [f"{stairs.plans[PRO]}:YEARLY"]
    assert "Rp50.000 now" in page


@pytest.mark.parametrize("choice", ["", "x", "x:MONTHLY", "0197b2a0-0000-7000-8000-000000000001:HOURLY", "%00"])
def test_a_choice_that_is_none_is_asked_for_again(client, stairs, bought, ayu, choice):
    answer = sign_in(client, ayu.email).post(f"/subscriptions/{bought}/plan-changes/", data={"choice": choice})
    assert answer.status_code == 422
    assert "Choose one of the plans shown" in answer.text


def test_at_the_top_the_page_says_so(client, stairs, ayu):
    bought = stairs.buy(ayu.customer, PREMIUM, interval="YEARLY")
    page = sign_in(client, ayu.email).get(f"/subscriptions/{bought}/plan-changes/new").text
    assert "You are at the top" in page


def test_a_cancelled_one_is_told_to_undo_that_first(client, stairs, bought, ayu):
    with transaction() as session:
        session.get_one(Subscription, bought).cancel_requested_at = clock.now()
    page = sign_in(client, ayu.email).get(f"/subscriptions/{bought}/plan-changes/new")
    assert (page.status_code, "Undo that first" in page.text) == (200, True)
    assert 'name="choice"' not in page.text


# --- the quote ------------------------------------------------------------------------------------------


def test_the_quote_states_every_figure(client, stairs, bought, ayu):
    clock.advance(NOON + timedelta(days=15, hours=12) - clock.now())
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    page = client.get(address).text
    for said in (
        "Rp37.500",
        "-Rp12.500",
        "Rp25.000",
        "Rp2.477",
        "Rp275.000",
        "Rp250.000",
        "Next charge, on 10 April 2026",
        "Rp75.000",
    ):
        assert said in page, said
    assert "Change it for Rp25.000" in page
    assert "get everything back" in page


def test_the_price_that_was_shown_is_the_price_that_is_charged(client, stairs, bought, ayu):
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    shown = found(r"Change it for Rp([\d.]+)", client.get(address).text)
    clock.advance(timedelta(minutes=10))
    confirm(client, address)
    assert charges(bought)[-1] == ("UPGRADE", int(shown[1].replace(".", "")), 0)


def test_too_little_credit_leads_to_a_top_up_of_exactly_that(client, stairs, ayu):
    bought = stairs.buy(ayu.customer, credit=40_000)
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    page = client.get(address).text
    assert "Rp35.000" in page
    assert "/top-ups/new?amount=35000" in page
    assert "Change it for" not in page
    refused = confirm(client, address)
    assert (refused.status_code, "35000" in refused.text) == (409, True)


def test_a_quote_that_is_too_old_offers_a_fresh_one(client, stairs, bought, ayu):
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    clock.advance(timedelta(minutes=16))
    page = client.get(address).text
    assert "no longer current" in page
    assert "Change it for" not in page
    refused = confirm(client, address)
    assert refused.status_code == 409
    fresh = found(rf'action="(/subscriptions/{bought}/plan-changes/[0-9a-f-]+)/confirmation"', refused.text)
    assert fresh[1] != address
    assert confirm(client, fresh[1]).status_code == 303
    assert len(charges(bought)) == 2


def test_a_price_that_changed_shows_the_new_one(client, stairs, bought, ayu):
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    with transaction() as session:
        session.execute(sa.update(PlanPrice).where(PlanPrice.plan_id == stairs.plans[PRO]).values(amount=90_000))
    refused = confirm(client, address)
    assert (refused.status_code, "Change it for Rp65.000" in refused.text) == (409, True)
    assert len(charges(bought)) == 1


# --- sold out -------------------------------------------------------------------------------------------


def sell_out(stairs, tier, total=0):
    with transaction() as session:
        session.execute(sa.update(Plan).where(Plan.id == stairs.plans[tier]).values(slots_total=total))


def test_a_sold_out_plan_offers_its_queue_and_the_slot_that_comes_is_held_for_the_upgrade(
    client, stairs, bought, ayu, drain
):
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    sell_out(stairs, PRO)
    page = client.get(address).text
    assert "This plan is sold out" in page
    assert "Change it for" not in page
    assert confirm(client, address).status_code == 409
    assert client.post(f"{address}/waitlist").location == "/subscriptions/"
    assert "You wait for a slot" in client.get(address).text
    sell_out(stairs, PRO, total=1)
    from portal.subscriptions.actions import waiting

    with transaction() as session:
        waiting.offer_next(session, stairs.plans[PRO], now=clock.now())
    assert stairs.slots()[PRO] == 1
    assert "A slot is held for you" in client.get(address).text
    assert confirm(client, address).status_code == 303
    assert db.session().query(WaitlistEntry).one().status == "SERVED"
    stairs.settle()
    assert stairs.slots() == {BASIC: 0, PRO: 1, PREMIUM: 0}


# --- confirming and watching ----------------------------------------------------------------------------


def test_from_the_press_to_the_end_the_pages_tell_how_it_goes(client, stairs, bought, ayu):
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    assert confirm(client, address).location == address
    page = client.get(address).text
    assert "Upgrade under way" in page
    assert 'hx-trigger="every 3s"' in page
    assert "Upgrade under way" in client.get(f"/subscriptions/{bought}").text
    assert client.get(f"/subscriptions/{bought}/plan-changes/new").location == address
    stairs.settle()
    region = client.get(address, headers=HTMX).text
    assert region.lstrip().startswith('<section id="subscriptions-change"')
    assert "you are on Pro now" in region
    assert "hx-get" not in region
    own = client.get(f"/subscriptions/{bought}").text
    assert "n8n Pro" in own
    assert "subscriptions-change" not in own


def test_a_change_that_was_undone_is_explained_where_the_customer_looks(client, stairs, bought, ayu):
    stairs.cluster.add_fault("unschedulable", namespace="user-*", remaining=1)
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    confirm(client, address)
    stairs.settle()
    for page in (address, f"/subscriptions/{bought}"):
        text = client.get(page).text
        assert "our cluster had no room for it" in text
        assert "Rp50.000 was given back" in text
        assert "Try again" in text


def test_pressing_twice_is_one_change(client, stairs, bought, ayu):
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    assert confirm(client, address).location == confirm(client, address).location == address
    assert len(charges(bought)) == 2


def test_by_the_year_is_done_at_once_and_says_so(client, stairs, bought, ayu):
    address = choose(sign_in(client, ayu.email), stairs, bought, BASIC, "YEARLY")
    page = client.get(address).text
    assert "Your app does not notice" in page
    confirm(client, address)
    assert "you are on Basic now" in client.get(address).text
    assert subscription(bought).interval == "YEARLY"


def test_what_came_in_the_way_after_the_quote_is_said(client, stairs, bought, ayu):
    address = choose(sign_in(client, ayu.email), stairs, bought, PRO)
    with transaction() as session:
        session.get_one(Subscription, bought).cancel_requested_at = clock.now()
    refused = confirm(client, address)
    assert (refused.status_code, "Undo that first" in refused.text) == (409, True)


# --- the ways in ----------------------------------------------------------------------------------------


def test_a_second_purchase_leads_to_the_change_of_plan(client, stairs, bought, ayu):
    page = sign_in(client, ayu.email).get(f"/subscriptions/new?plan={stairs.plans[PRO]}&interval=MONTHLY").text
    link = f"/subscriptions/{bought}/plan-changes/new?plan={stairs.plans[PRO]}&amp;interval=MONTHLY"
    assert link in page
    form = {"plan": str(stairs.plans[PRO]), "interval": "MONTHLY", "agreed_total": "75000", "key": str(uuid4())}
    answer = client.post("/subscriptions/", data=form)
    assert (answer.status_code, "upgrade it" in answer.text) == (409, True)


def test_the_service_page_offers_the_upgrade_to_who_has_it(client, stairs, bought, ayu):
    assert "Upgrade to Pro" not in client.get("/catalog/n8n").text
    page = sign_in(client, ayu.email).get("/catalog/n8n").text
    assert "Upgrade to Pro" in page
    assert "Your plan" in page
    assert "Pay by the year" in client.get("/catalog/n8n?interval=YEARLY").text


def test_the_subscription_page_offers_a_change_only_while_there_is_one(client, stairs, bought, ayu):
    sign_in(client, ayu.email)
    assert "Change the plan" in client.get(f"/subscriptions/{bought}").text
    with transaction() as session:
        session.get_one(Subscription, bought).cancel_requested_at = clock.now()
    assert "Change the plan" not in client.get(f"/subscriptions/{bought}").text


def test_no_page_costs_more_than_its_queries(client, stairs, bought, ayu):
    sign_in(client, ayu.email)
    address = choose(client, stairs, bought, PRO)
    for page, most in ((address, 6), (f"/subscriptions/{bought}/plan-changes/new", 8), ("/catalog/n8n", 6)):
        with counted_queries() as statements:
            assert client.get(page).status_code == 200
        assert len(statements) <= most, (page, len(statements))
    confirm(client, address)
    with counted_queries() as statements:
        client.get(address)
    assert len(statements) <= 6
    assert change_of(db.session().query(PlanChange.id).scalar()).status == "RESIZING"
