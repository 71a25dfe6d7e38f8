"""The waitlist's pages: anonymous, stranger, owner, wrong state; what stands on them, and what they cost."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from jobs import waitlist as jobs
from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.subscriptions.actions import waiting
from portal.subscriptions.models import Subscription, WaitlistEntry
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.personas import Person, register_person, sign_in
from tests.subscriptions import line
from tests.subscriptions.shop import buy, counted_queries, credit, plan_of
from tests.subscriptions.test_waiting import OTHER_WORK

N8N = 25_000


@pytest.fixture(autouse=True)
def clean_books(shop):
    yield
    assert_books_are_clean()


@pytest.fixture
def plan(shop, citra) -> UUID:
    """n8n Basic with one slot, which Citra has."""
    plan_id = plan_of("n8n")
    with transaction() as session:
        session.execute(sa.update(Plan).where(Plan.id == plan_id).values(slots_total=1))
    credit(citra.customer_id, N8N)
    buy(citra.customer_id, plan_id)
    return plan_id


def form(plan_id, *, automatic=False, total=N8N, **changes):
    fields = {"plan": str(plan_id), "interval": "MONTHLY", "agreed_total": str(total), "key": str(uuid4())}
    return fields | ({"automatic": "y"} if automatic else {}) | changes


def join(client, plan_id, **changes):
    return client.post("/subscriptions/waitlist", data=form(plan_id, **changes))


def confirmation(client, plan_id):
    return client.get(f"/subscriptions/new?plan={plan_id}&interval=MONTHLY")


def free(plan_id):
    line.free(plan_id)
    run_due_work(without=OTHER_WORK)


def entry_of(person):
    db.session.rollback()
    return db.session().scalars(sa.select(WaitlistEntry).where(WaitlistEntry.customer_id == person.customer_id)).one()


# --- the ladder -----------------------------------------------------------------------------------------


def test_a_visitor_signs_in_first(client, plan):
    for answer in (join(client, plan), client.get(f"/subscriptions/waitlist/{uuid4()}")):
        assert answer.status_code == 303
        assert "/sign-in" in answer.location
    assert db.session().scalar(sa.select(sa.func.count()).select_from(WaitlistEntry)) == 0


def test_who_has_not_confirmed_the_address_may_wait_and_is_reminded_to(client, plan):
    rina = Person(*register_person("Rina", "rina@example.com", verified=False))
    sign_in(client, rina.email)
    assert join(client, plan).status_code == 303
    page = confirmation(client, plan).text
    assert "number 1 in the queue" in page
    assert "Confirm your e-mail address" in page or "confirm" in page.lower()


def test_a_stranger_sees_and_moves_nobodys_place(client, plan, ayu, budi):
    join(sign_in(client, ayu.email), plan)
    entry = entry_of(ayu)
    other = sign_in(client.application.test_client(), budi.email)
    assert other.get(f"/subscriptions/waitlist/{entry.id}").status_code == 404
    assert other.post(f"/subscriptions/waitlist/{entry.id}/leaving").status_code == 404
    assert entry_of(ayu).status == "WAITING"


# --- the sold-out page is the waitlist's page -----------------------------------------------------------


def test_the_sold_out_page_says_how_waiting_goes(client, plan, ayu):
    credit(ayu.customer_id, N8N)
    page = confirmation(sign_in(client, ayu.email), plan).text
    for said in ("This plan is sold out", "Join the waitlist", "How the waitlist works", "24 hours", "set aside"):
        assert said in page, said
    assert 'name="automatic"' in page


def test_who_is_short_of_credit_is_told_what_automatic_needs(client, plan, ayu):
    credit(ayu.customer_id, 5_000)
    page = confirmation(sign_in(client, ayu.email), plan).text
    assert "With Rp20.000 more credit" in page
    assert 'name="automatic"' not in page
    assert "/top-ups/new?amount=20000" in page


def test_joining_shows_the_place_and_leaving_gives_it_up(client, plan, ayu, budi):
    join(sign_in(client.application.test_client(), budi.email), plan)
    sign_in(client, ayu.email)
    joined = join(client, plan)
    assert joined.status_code == 303
    page = client.get(joined.location).text
    assert "You are number 2 in the queue" in page
    assert "1 person waits before you" in page
    assert "Join the waitlist</span>" not in page
    left = client.post(f"/subscriptions/waitlist/{entry_of(ayu).id}/leaving")
    assert left.status_code == 303
    assert "You no longer wait for it" in client.get(left.location).text
    assert entry_of(ayu).status == "LEFT"


def test_pressed_twice_it_is_one_place(client, plan, ayu):
    sign_in(client, ayu.email)
    sent = form(plan)
    assert [client.post("/subscriptions/waitlist", data=sent).status_code for _ in range(2)] == [303, 303]
    assert entry_of(ayu).status == "WAITING"


def test_the_automatic_choice_is_shown_with_the_credit_it_holds(client, plan, ayu):
    credit(ayu.customer_id, 60_000)
    sign_in(client, ayu.email)
    page = client.get(join(client, plan, automatic=True).location).text
    assert "starts by itself for Rp25.000" in page
    assert "Rp25.000 of your credit is set aside" in page
    assert "checked" in page
    wallet = client.get("/wallet/").text
    assert "Set aside" in wallet
    assert "n8n Basic" in wallet
    assert "Set aside for n8n Basic, which you wait for" in wallet
    assert "and Rp25.000 set aside" in client.get("/dashboard/").text
    back = client.get(join(client, plan).location).text
    assert "is set aside for it" not in back


@pytest.mark.parametrize(
    "wrong", [{"agreed_total": "1"}, {"agreed_total": "24999"}, {"agreed_total": "x"}, {"interval": "HOURLY"}]
)
def test_a_form_that_does_not_fit_changes_nothing(client, plan, ayu, wrong):
    answer = join(sign_in(client, ayu.email), plan, **wrong)
    assert answer.status_code in (409, 422)
    assert db.session().scalar(sa.select(sa.func.count()).select_from(WaitlistEntry)) == 0


def test_automatic_without_the_credit_says_what_is_missing(client, plan, ayu):
    credit(ayu.customer_id, N8N - 1)
    refused = join(sign_in(client, ayu.email), plan, automatic=True)
    assert refused.status_code == 409
    assert "Rp1 short" in refused.text


def test_a_plan_with_a_free_slot_is_bought_and_not_waited_for(client, shop, ayu):
    refused = join(sign_in(client, ayu.email), plan_of("n8n"))
    assert refused.status_code == 409
    assert "you need not wait" in refused.text
    assert "Pay and launch" in refused.text


def test_who_has_the_app_is_shown_it(client, plan, citra):
    refused = join(sign_in(client, citra.email), plan)
    assert refused.status_code == 409
    assert "You have n8n already" in refused.text


def test_a_plan_that_is_none_is_not_found(client, plan, ayu):
    sign_in(client, ayu.email)
    assert join(client, uuid4()).status_code == 404


# --- everybody else -------------------------------------------------------------------------------------


def test_a_passer_by_is_shown_the_queue_while_a_slot_is_free(client, plan, ayu, budi):
    join(sign_in(client.application.test_client(), budi.email), plan)
    line.free(plan)
    credit(ayu.customer_id, N8N)
    sign_in(client, ayu.email)
    assert "This plan is sold out" in confirmation(client, plan).text
    refused = client.post("/subscriptions/", data=form(plan))
    assert refused.status_code == 409
    assert "This plan is sold out" in refused.text
    catalog = client.get("/catalog/n8n").text
    assert "Join the waitlist" in catalog
    assert "1 person waits" in catalog


def test_a_sold_out_plan_offers_the_waitlist_in_the_catalog(client, plan):
    page = client.get("/catalog/n8n", headers={"Accept-Language": "en"}).text
    assert f"/subscriptions/new?plan={plan}" in page
    assert "Join the waitlist" in page


# --- an offer -------------------------------------------------------------------------------------------


def test_an_offer_stands_on_every_page_that_matters_and_is_taken_by_buying(client, plan, ayu):
    credit(ayu.customer_id, N8N)
    sign_in(client, ayu.email)
    join(client, plan)
    free(plan)
    entry = entry_of(ayu)
    dashboard = client.get("/dashboard/").text
    assert "A slot for n8n Basic is held for you" in dashboard
    assert f"/subscriptions/waitlist/{entry.id}" in dashboard
    assert "A slot is held for you" in client.get("/subscriptions/").text
    page = client.get(client.get(f"/subscriptions/waitlist/{entry.id}").location).text
    assert "Your turn: a slot is held for you" in page
    assert "data-countdown-to" in page
    assert "Launch for Rp25.000" in page
    bought = client.post("/subscriptions/", data=form(plan))
    assert bought.status_code == 303
    assert entry_of(ayu).status == "SERVED"
    led = client.get(f"/subscriptions/waitlist/{entry.id}")
    assert led.location == f"/subscriptions/{entry_of(ayu).subscription_id}"
    assert "is held for you" not in client.get("/dashboard/").text


def test_who_is_short_pays_and_launches_into_the_offered_slot(client, plan, ayu):
    sign_in(client, ayu.email)
    join(client, plan)
    free(plan)
    page = confirmation(client, plan).text
    assert "Your turn: a slot is held for you" in page
    assert "Pay and launch" in page
    assert 'name="hold"' not in page
    assert client.post("/subscriptions/launches", data=form(plan)).status_code == 303
    credit(ayu.customer_id, N8N)
    run_due_work(without=OTHER_WORK)
    assert entry_of(ayu).status == "SERVED"


def test_an_offer_that_was_missed_leads_back_to_the_queue(client, plan, ayu, budi):
    sign_in(client, ayu.email)
    join(client, plan)
    entry_id = entry_of(ayu).id
    join(sign_in(client.application.test_client(), budi.email), plan)
    free(plan)
    clock.advance(timedelta(hours=24))
    jobs.expire_offers()
    run_due_work(without=OTHER_WORK)
    sign_in(client, "ayu@example.com")
    page = client.get(client.get(f"/subscriptions/waitlist/{entry_id}").location).text
    assert "Join the waitlist" in page


def test_who_resumes_is_led_to_the_subscription(client, plan, citra):
    subscription_id = db.session().scalars(sa.select(Subscription.id)).one()
    with transaction() as session:
        subscription = session.get_one(Subscription, subscription_id)
        entry_id = waiting.join_to_resume(session, subscription, now=clock.now()).id
    led = sign_in(client, citra.email).get(f"/subscriptions/waitlist/{entry_id}")
    assert led.location == f"/subscriptions/{subscription_id}"


# --- pay and launch with a hold -------------------------------------------------------------------------


def test_pay_and_launch_holds_the_slot_on_request(client, shop, ayu):
    plan_id = plan_of("n8n")
    sign_in(client, ayu.email)
    page = confirmation(client, plan_id).text
    assert "Hold the slot for me while I pay" in page
    assert "For 30 minutes nobody else can take it" in page
    top_up = client.post("/subscriptions/launches", data=form(plan_id, hold="y"))
    assert top_up.status_code == 303
    assert "A slot is held for you" in client.get(top_up.location).text
    assert "A slot is held for you" in client.get("/subscriptions/").text
    again = confirmation(client, plan_id).text
    assert 'name="hold"' not in again
    assert "data-countdown-to" in again
    assert db.session().scalar(sa.select(Plan.slots_used).where(Plan.id == plan_id)) == 1


def test_a_third_hold_is_refused_and_the_launch_may_go_on_without(client, shop, ayu):
    sign_in(client, ayu.email)
    for slug in ("n8n", "memos"):
        assert client.post("/subscriptions/launches", data=form(plan_of(slug), hold="y", total=price(slug)))
    refused = client.post("/subscriptions/launches", data=form(plan_of("ghost"), hold="y", total=price("ghost")))
    assert refused.status_code == 409
    assert "You hold as many slots as you may" in refused.text
    without = client.post("/subscriptions/launches", data=form(plan_of("ghost"), total=price("ghost")))
    assert without.status_code == 303


def price(slug):
    found = db.session().scalar(
        sa.text("SELECT amount FROM plan_price WHERE plan_id = :p AND interval = 'MONTHLY'"), {"p": plan_of(slug)}
    )
    db.session.rollback()
    return found


# --- what pages cost ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/subscriptions/", "/dashboard/", "/wallet/", "/subscriptions/new?plan={plan}"])
def test_a_page_with_queues_costs_no_more_than_others(client, plan, ayu, path):
    credit(ayu.customer_id, 100_000)
    sign_in(client, ayu.email)
    join(client, plan, automatic=True)
    client.get("/dashboard/")
    with counted_queries() as statements:
        assert client.get(path.format(plan=plan)).status_code == 200
    assert len(statements) <= 6, statements


def test_closing_the_account_leaves_the_queue_with_the_credit_that_was_aside(client, plan, ayu):
    credit(ayu.customer_id, N8N)
    sign_in(client, ayu.email)
    join(client, plan, automatic=True)
    page = client.get("/profile/deactivation").text
    assert "You have Rp25.000 left" in page
    fields = {"current": "tujuh gajah menari di pasar", "choice": "FORFEIT", "confirmation": ayu.email}
    answer = client.post("/profile/deactivation", data=fields)
    assert answer.status_code == 303, answer.text[:3000]
    assert entry_of(ayu).status == "LEFT"
    assert line.shop.balance(ayu.customer_id) == 0
