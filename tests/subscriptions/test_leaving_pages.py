"""The pages of leaving, staying and coming back: anonymous, stranger, owner, wrong state."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest

from portal.core import clock
from tests.books_audit import assert_books_are_clean
from tests.personas import sign_in
from tests.subscriptions.owned import MONTH, apps, balance, cancel, fall_asleep, fall_due, now_of, put, running
from tests.subscriptions.shop import counted_queries, credit, plan_of, sell_out

NOBODYS = "0197b2a0-0000-7000-8000-000000000001"
HTMX = {"HX-Request": "true"}
READS = ["", "/leaving", "/resumption"]
WRITES = ["/cancellation", "/cancellation/withdrawal", "/auto-renewal", "/order", "/resumption", "/resumption/place"]


@pytest.fixture(autouse=True)
def clean_books(shop):
    yield
    assert_books_are_clean()


class Hers:
    """The owner's browser; she signs in again when months have passed."""

    def __init__(self, client, email):
        self.client, self.email = client, email

    def get(self, address, **more):
        return self._ask(self.client.get, address, **more)

    def post(self, address, **more):
        return self._ask(self.client.post, address, **more)

    def _ask(self, verb, address, **more):
        if self.client.get("/profile").status_code == 303:
            sign_in(self.client, self.email)
        return verb(address, **more)


@pytest.fixture
def hers(client, owner):
    return Hers(client, owner.email)


def at(subscription_id: UUID, part: str = "") -> str:
    return f"/subscriptions/{subscription_id}{part}"


def agreed_on(page) -> str:
    return re.search(r'name="agreed" value="([^"]+)"', page.text).group(1)


def spend(owner, leave: int = 0) -> None:
    credit(owner.customer_id, leave - balance(owner))


# --- the ladder ---------------------------------------------------------------------------------------


def test_a_visitor_is_asked_to_sign_in(client, n8n):
    assert [client.get(at(n8n, part)).status_code for part in READS] == [303] * len(READS)
    assert [client.post(at(n8n, part)).status_code for part in WRITES] == [303] * len(WRITES)
    assert now_of(n8n).cancel_requested_at is None


def test_a_stranger_finds_nothing_and_changes_nothing(client, n8n, stranger):
    sign_in(client, stranger.email)
    for one in (n8n, NOBODYS):
        assert [client.get(at(one, part)).status_code for part in READS] == [404] * len(READS)
        assert [client.post(at(one, part)).status_code for part in WRITES] == [404] * len(WRITES)
    assert (now_of(n8n).status, now_of(n8n).cancel_requested_at) == ("ACTIVE", None)


def test_a_page_costs_at_most_six_queries(hers, owner, n8n):
    fall_asleep(n8n)
    for part in READS:
        hers.get("/profile")
        with counted_queries() as statements:
            assert hers.client.get(at(n8n, part)).status_code == 200
        assert len(statements) <= 6, (part, statements)


# --- cancelling ---------------------------------------------------------------------------------------


def test_the_page_says_both_ways_and_the_refund(hers, n8n):
    clock.advance(MONTH / 2)
    page = hers.get(at(n8n, "/leaving"))
    for said in ("Cancel on 10 April 2026", "Rp12.500 goes back to your credit", "deleted for good", "undo"):
        assert said in page.text, said


def test_cancelling_at_the_end_is_shown_with_its_undo(hers, n8n):
    assert hers.post(at(n8n, "/cancellation"), data={"when": "period_end"}).location == at(n8n)
    page = hers.get(at(n8n)).text
    assert "It ends on 10 April 2026" in page
    assert "Keep it after all" in page
    assert "ends on 10 April 2026" in hers.get("/subscriptions/").text
    assert hers.post(at(n8n, "/cancellation/withdrawal")).status_code == 303
    assert "Keep it after all" not in hers.get(at(n8n)).text


def test_what_the_page_quotes_is_what_comes_back(hers, owner, n8n):
    clock.advance(timedelta(days=4, hours=7))
    agreed, before = agreed_on(hers.get(at(n8n, "/leaving"))), balance(owner)
    clock.advance(timedelta(minutes=10))
    for _ in range(10):
        assert hers.post(at(n8n, "/cancellation"), data={"when": "now", "agreed": agreed}).status_code == 303
    assert balance(owner) - before == int(agreed.partition("@")[0])
    page = hers.get(at(n8n)).text
    assert "This subscription has ended" in page
    assert "Credit note" in page


@pytest.mark.parametrize(
    "agreed", ["", "x", "1@", "@", "1@now", "1@2026-03-10T05:00:00", "25001@2026-03-10T05:00:00+00:00"]
)
def test_a_refund_that_was_not_shown_is_not_paid(hers, owner, n8n, agreed):
    refused = hers.post(at(n8n, "/cancellation"), data={"when": "now", "agreed": agreed})
    assert refused.status_code == 409
    assert "What you get back has changed" in refused.text
    assert (now_of(n8n).status, balance(owner)) == ("ACTIVE", 375_000)


def test_an_old_page_is_shown_again_with_the_figure_of_today(hers, n8n):
    agreed = agreed_on(hers.get(at(n8n, "/leaving")))
    clock.advance(MONTH / 2)
    refused = hers.post(at(n8n, "/cancellation"), data={"when": "now", "agreed": agreed})
    assert refused.status_code == 409
    assert "Rp12.500 goes back" in refused.text


def test_what_has_ended_has_nothing_to_cancel(hers, owner, n8n):
    cancel(owner, n8n)
    assert hers.get(at(n8n, "/leaving")).status_code == 409
    assert hers.post(at(n8n, "/cancellation"), data={"when": "period_end"}).status_code == 409
    assert hers.get(at(n8n, "/resumption")).location == at(n8n)


def test_a_suspended_one_can_only_be_ended_now(hers, n8n):
    fall_asleep(n8n)
    page = hers.get(at(n8n, "/leaving")).text
    assert "Cancel on" not in page
    assert "No paid time is left" in page
    assert hers.post(at(n8n, "/cancellation"), data={"when": "period_end"}).status_code == 409


def test_the_apps_own_page_says_the_same_refund(hers, owner, n8n):
    clock.advance(MONTH / 2)
    [app] = apps(n8n)
    page = hers.get(f"/instances/{app.id}/deletion")
    assert "Rp12.500 goes back to your credit" in page.text
    form = {"name": app.name, "agreed": agreed_on(page)}
    assert hers.post(f"/instances/{app.id}/deletion", data=form | {"agreed": ""}).status_code == 409
    assert hers.post(f"/instances/{app.id}/deletion", data=form).status_code == 303
    assert balance(owner) == 387_500


# --- auto-renew and the order -------------------------------------------------------------------------


def test_the_switch_answers_with_its_region(hers, n8n):
    region = hers.post(at(n8n, "/auto-renewal"), data={"on": "0"}, headers=HTMX)
    assert region.text.lstrip().startswith('<div id="subscriptions-life"')
    assert "none: it is suspended on 10 April 2026" in region.text
    assert "Renew by itself" in region.text
    assert hers.post(at(n8n, "/auto-renewal"), data={"on": "1"}).location == at(n8n)
    assert now_of(n8n).auto_renew


def test_a_forbidden_switch_says_why(hers, n8n):
    fall_due(n8n)
    refused = hers.post(at(n8n, "/auto-renewal"), data={"on": "0"})
    assert refused.status_code == 409
    assert "cannot be switched" in refused.text


def test_the_list_is_in_the_order_that_keeps_alive(hers, owner, n8n):
    memos = running(owner, "memos")
    assert hers.post(at(memos, "/order"), data={"place": "1"}).location == "/subscriptions/"
    listed = hers.get("/subscriptions/").text
    assert listed.index(str(memos)) < listed.index(str(n8n))
    region = hers.post(at(n8n, "/order"), data={"place": "1"}, headers=HTMX).text
    assert region.lstrip().startswith('<div id="subscriptions-listing"')
    assert region.index(str(n8n)) < region.index(str(memos))


@pytest.mark.parametrize("place", ["", "x", "-1", "0", "99999999999"])
def test_an_odd_place_is_one_of_the_ends(hers, n8n, place):
    assert hers.post(at(n8n, "/order"), data={"place": place}).status_code == 303


# --- grace and suspension -----------------------------------------------------------------------------


def test_grace_names_the_missing_sum_and_fills_in_the_top_up(hers, owner, n8n):
    fall_due(n8n)
    spend(owner, 10_000)
    page = hers.get(at(n8n)).text
    assert "Rp25.000 is due for n8n" in page
    assert "Rp15.000 is missing" in page
    assert "/top-ups/new?amount=15000" in page
    assert "to be paid by" in hers.get("/subscriptions/").text


def test_what_is_paid_first_is_part_of_the_missing_sum(hers, owner, n8n):
    ghost = running(owner, "ghost")
    fall_due(n8n)
    put(ghost, status="PAST_DUE", grace_ends_at=clock.now() + timedelta(days=7), due_at=clock.now())
    put(ghost, renewal_order=1)
    spend(owner)
    both = now_of(ghost).price + 25_000
    assert f"amount={both}" in hers.get(at(n8n)).text


def test_a_suspended_page_tells_the_way_back(hers, owner, n8n):
    fall_asleep(n8n)
    spend(owner)
    page = hers.get(at(n8n)).text
    assert "n8n is suspended" in page
    assert "could not be paid" in page
    assert at(n8n, "/resumption") in page
    assert "amount=25000" in page


def test_the_apps_page_and_the_dashboard_say_why_it_rests(hers, owner, n8n):
    fall_asleep(n8n)
    page = hers.get(f"/instances/{apps(n8n)[0].id}").text
    assert "its renewal could not be paid" in page
    assert at(n8n, "/resumption") in page
    overview = hers.get("/dashboard/").text
    assert "n8n is suspended" in overview
    assert at(n8n, "/resumption") in overview


def test_the_dashboard_says_what_is_due_and_what_ends(hers, owner, n8n):
    clock.advance(MONTH - timedelta(days=3))
    assert "Rp25.000" in hers.get("/dashboard/").text
    hers.post(at(n8n, "/cancellation"), data={"when": "period_end"})
    assert "ends, as you asked" in hers.get("/dashboard/").text
    hers.post(at(n8n, "/cancellation/withdrawal"))
    fall_due(n8n)
    assert "Rp25.000 is due for n8n" in hers.get("/dashboard/").text


def test_an_announced_price_is_shown_and_charged_next(hers, n8n):
    put(n8n, next_price=30_000, next_price_from=clock.now() + timedelta(days=30))
    page = hers.get(at(n8n)).text
    assert "The price changes to Rp30.000" in page
    assert "Rp30.000 on 10 April 2026" in page


# --- coming back --------------------------------------------------------------------------------------


def test_coming_back_is_confirmed_with_every_figure(hers, owner, n8n):
    fall_asleep(n8n)
    page = hers.get(at(n8n, "/resumption")).text
    for said in ("Bring it back for Rp25.000", "Rp375.000", "Rp350.000", "10 May 2026"):
        assert said in page, said
    for _ in range(3):
        assert hers.post(at(n8n, "/resumption"), data={"agreed_total": "25000"}).location == at(n8n)
    assert (now_of(n8n).status, balance(owner)) == ("ACTIVE", 350_000)


@pytest.mark.parametrize("total", ["", "x", "-1", "24999", "999999999"])
def test_another_price_than_the_one_shown_is_refused(hers, owner, n8n, total):
    fall_asleep(n8n)
    assert hers.post(at(n8n, "/resumption"), data={"agreed_total": total}).status_code == 409
    assert (now_of(n8n).status, balance(owner)) == ("SUSPENDED", 375_000)


def test_too_little_credit_leads_to_the_top_up_of_what_is_missing(hers, owner, n8n):
    fall_asleep(n8n)
    spend(owner, 5_000)
    refused = hers.post(at(n8n, "/resumption"), data={"agreed_total": "25000"})
    assert refused.status_code == 409
    assert "amount=20000" in refused.text


def test_without_a_slot_the_queue_is_offered(hers, owner, n8n):
    from sqlalchemy import update

    from portal.catalog.models import Plan
    from portal.core.db import transaction

    fall_asleep(n8n)
    sell_out(plan_of("n8n"))
    assert "No slot of this plan is free" in hers.get(at(n8n, "/resumption")).text
    assert hers.post(at(n8n, "/resumption"), data={"agreed_total": "25000"}).status_code == 409
    for _ in range(2):
        assert hers.post(at(n8n, "/resumption/place")).status_code == 303
    assert "You wait for a free slot" in hers.get(at(n8n, "/resumption")).text
    with transaction() as session:
        session.execute(update(Plan).values(slots_used=0))


def test_what_runs_has_no_way_back(hers, n8n):
    assert hers.get(at(n8n, "/resumption")).location == at(n8n)
    assert hers.post(at(n8n, "/resumption/place")).status_code == 409
