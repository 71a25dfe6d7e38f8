"""The confirmation, buying, pay and launch, and the pages of subscriptions: anonymous, stranger, owner, wrong state."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import sqlalchemy as sa

from portal.catalog.models import Plan, PlanPrice
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances.models import Instance
from portal.subscriptions import intents, queries, queues
from portal.subscriptions.models import IntentStatus, LaunchIntent, Subscription, SubscriptionCharge
from portal.wallet import queries as wallet
from tests.books_audit import assert_books_are_clean
from tests.personas import sign_in
from tests.subscriptions.shop import buy, counted_queries, credit, plan_of, sell_out, withdraw

N8N = 25_000
NOBODYS = "0197b2a0-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def clean_books(shop):
    """Whatever a test does, the books stay whole."""
    yield
    assert_books_are_clean()


def order(plan_id, total=N8N, *, key=None, interval="MONTHLY"):
    return {"plan": str(plan_id), "interval": interval, "agreed_total": str(total), "key": key or str(uuid4())}


def confirmation(client, plan_id, interval="MONTHLY"):
    return client.get(f"/subscriptions/new?plan={plan_id}&interval={interval}")


def count(model, *conditions):
    found = db.session().scalar(sa.select(sa.func.count()).select_from(model).where(*conditions))
    db.session.rollback()
    return found


def balance(person):
    db.session.rollback()
    return wallet.available(db.session(), person.customer_id).amount


# --- the confirmation ---------------------------------------------------------------------------------


def test_a_visitor_signs_in_and_comes_back_to_the_same_order(client, ayu):
    address = f"/subscriptions/new?plan={plan_of('n8n')}&interval=YEARLY"
    asked = client.get(address)
    assert asked.status_code == 303
    form = {"email": ayu.email, "password": "tujuh gajah menari di pasar"}
    assert client.post(asked.location, data=form).location == address


def test_the_confirmation_states_every_figure(client, ayu):
    credit(ayu.customer_id, 60_000)
    page = confirmation(sign_in(client, ayu.email), plan_of("n8n")).text
    for said in ("Rp25.000", "Rp2.477", "Rp60.000", "Rp35.000", "10 April 2026", "within 5 minutes", "unused part"):
        assert said in page, said
    assert "Launch for Rp25.000" in page


def test_the_yearly_price_is_a_page_of_its_own(client, ayu):
    credit(ayu.customer_id, 300_000)
    page = confirmation(sign_in(client, ayu.email), plan_of("n8n"), "YEARLY").text
    assert "Launch for Rp250.000" in page
    assert "Rp50.000 less than twelve months" in page
    assert "10 March 2027" in page


def test_an_unknown_interval_shows_the_monthly_price(client, ayu):
    page = confirmation(sign_in(client, ayu.email), plan_of("n8n"), "HOURLY")
    assert page.status_code == 200
    assert "Rp25.000" in page.text


@pytest.mark.parametrize("plan", ["", "x", NOBODYS, "%00", "1" * 5000, "'; drop table plan"])
def test_a_plan_that_is_none_is_not_found(client, ayu, plan):
    sign_in(client, ayu.email)
    assert client.get("/subscriptions/new", query_string={"plan": plan}).status_code == 404


def test_a_withdrawn_plan_is_not_found_and_not_sold(client, ayu):
    plan_id = plan_of("n8n")
    credit(ayu.customer_id, 50_000)
    withdraw(plan_id)
    sign_in(client, ayu.email)
    assert confirmation(client, plan_id).status_code == 404
    assert client.post("/subscriptions/", data=order(plan_id)).status_code == 404
    assert balance(ayu) == 50_000


def test_without_a_free_slot_the_page_says_so_and_sells_nothing(client, ayu):
    plan_id = plan_of("n8n")
    sell_out(plan_id)
    page = confirmation(sign_in(client, ayu.email), plan_id).text
    assert "This plan is sold out" in page
    assert "Pay and launch" not in page
    assert "Join the waitlist" in page
    assert "/subscriptions/waitlist" in page
    with transaction() as session:
        session.execute(sa.update(Plan).values(slots_used=0))


def test_who_has_the_app_is_shown_the_subscription(client, ayu):
    credit(ayu.customer_id, 100_000)
    owned = buy(ayu.customer_id, plan_of("n8n"))
    page = confirmation(sign_in(client, ayu.email), plan_of("n8n", "PRO")).text
    assert "You have n8n already" in page
    assert f"/subscriptions/{owned.id}" in page
    assert 'name="agreed_total"' not in page


def test_someone_elses_app_is_no_obstacle(client, ayu, budi):
    credit(budi.customer_id, 25_000)
    buy(budi.customer_id, plan_of("n8n"))
    credit(ayu.customer_id, 25_000)
    assert "Launch for" in confirmation(sign_in(client, ayu.email), plan_of("n8n")).text


@pytest.mark.parametrize("path", ["new", "list", "show"])
def test_a_page_costs_at_most_six_queries(client, ayu, path):
    credit(ayu.customer_id, 200_000)
    owned = [buy(ayu.customer_id, plan_of(slug)) for slug in ("n8n", "memos")]
    _wait_for_credit(ayu, plan_of("ghost"))
    addresses = {
        "new": f"/subscriptions/new?plan={plan_of('ghost')}",
        "list": "/subscriptions/",
        "show": f"/subscriptions/{owned[0].id}",
    }
    sign_in(client, ayu.email)
    with counted_queries() as statements:
        assert client.get(addresses[path]).status_code == 200
    assert len(statements) <= 6, statements


# --- buying -------------------------------------------------------------------------------------------


def test_buying_charges_once_and_leads_to_the_app(client, ayu):
    credit(ayu.customer_id, 60_000)
    bought = sign_in(client, ayu.email).post("/subscriptions/", data=order(plan_of("n8n")))
    instance = db.session().scalars(sa.select(Instance)).one()
    assert (bought.status_code, bought.location) == (303, f"/instances/{instance.id}")
    assert balance(ayu) == 35_000


def test_the_form_on_the_page_is_the_form_that_buys(client, ayu):
    credit(ayu.customer_id, 60_000)
    page = confirmation(sign_in(client, ayu.email), plan_of("n8n")).text
    fields = dict(re.findall(r'name="(plan|interval|agreed_total|key)" type="hidden" value="([^"]+)"', page))
    assert client.post("/subscriptions/", data=fields).status_code == 303
    assert client.post("/subscriptions/", data=fields).status_code == 303
    assert (count(Subscription), count(SubscriptionCharge), balance(ayu)) == (1, 1, 35_000)


def test_a_free_plan_costs_nothing(client, ayu):
    plan_id = plan_of("memos", "FREE")
    page = confirmation(sign_in(client, ayu.email), plan_id).text
    assert "Launch for free" in page
    assert client.post("/subscriptions/", data=order(plan_id, 0)).status_code == 303
    assert (count(Subscription), balance(ayu)) == (1, 0)
    assert client.get(f"/subscriptions/{_only_subscription().id}").status_code == 200


def test_a_setup_fee_is_part_of_the_total(client, ayu):
    plan_id = plan_of("n8n", "ENTERPRISE")
    credit(ayu.customer_id, 400_000)
    page = confirmation(sign_in(client, ayu.email), plan_id).text
    assert "Setup, once" in page
    assert "Launch for Rp325.000" in page
    assert client.post("/subscriptions/", data=order(plan_id, 325_000)).status_code == 303
    assert balance(ayu) == 75_000


@pytest.mark.parametrize("total", [0, 1, 24_999, 25_001, 999_999_999_999])
def test_a_total_that_was_tampered_with_buys_nothing(client, ayu, total):
    credit(ayu.customer_id, 60_000)
    refused = sign_in(client, ayu.email).post("/subscriptions/", data=order(plan_of("n8n"), total))
    assert refused.status_code == 409
    assert "The price has changed" in refused.text
    assert "Launch for Rp25.000" in refused.text
    assert (count(Subscription), balance(ayu)) == (0, 60_000)


def test_a_price_that_rose_meanwhile_is_shown_before_it_is_charged(client, ayu):
    plan_id, key = plan_of("n8n"), str(uuid4())
    credit(ayu.customer_id, 60_000)
    with transaction() as session:
        session.execute(
            sa.update(PlanPrice)
            .where(PlanPrice.plan_id == plan_id, PlanPrice.interval == "MONTHLY")
            .values(amount=30_000)
        )
    refused = sign_in(client, ayu.email).post("/subscriptions/", data=order(plan_id, key=key))
    assert refused.status_code == 409
    assert "Launch for Rp30.000" in refused.text
    assert key in refused.text
    assert balance(ayu) == 60_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"agreed_total": "-25000"}, {"agreed_total": "25000.00"}, {"agreed_total": ""}, {"agreed_total": "9" * 40},
        {"key": ""}, {"key": "again"}, {"key": "\x00"}, {"interval": "HOURLY"}, {"interval": ""},
    ],
)  # fmt: skip
def test_a_form_that_does_not_parse_shows_the_page_again(client, ayu, wrong):
    credit(ayu.customer_id, 60_000)
    refused = sign_in(client, ayu.email).post("/subscriptions/", data=order(plan_of("n8n")) | wrong)
    assert refused.status_code == 422
    assert "Launch for Rp25.000" in refused.text
    assert (count(Subscription), balance(ayu)) == (0, 60_000)


@pytest.mark.parametrize("plan", ["", "x", NOBODYS, "\x00"])
def test_buying_what_does_not_exist_is_not_found(client, ayu, plan):
    sign_in(client, ayu.email)
    for address in ("/subscriptions/", "/subscriptions/launches"):
        assert client.post(address, data=order(plan)).status_code == 404


def test_the_last_slot_that_went_meanwhile_is_told_and_nothing_charged(client, ayu):
    plan_id = plan_of("n8n")
    credit(ayu.customer_id, 60_000)
    sell_out(plan_id)
    refused = sign_in(client, ayu.email).post("/subscriptions/", data=order(plan_id))
    assert refused.status_code == 409
    assert "This plan is sold out" in refused.text
    assert balance(ayu) == 60_000
    with transaction() as session:
        session.execute(sa.update(Plan).values(slots_used=0))


def test_too_little_credit_names_the_shortfall_to_the_rupiah(client, ayu):
    credit(ayu.customer_id, 24_999)
    refused = sign_in(client, ayu.email).post("/subscriptions/", data=order(plan_of("n8n")))
    assert refused.status_code == 409
    assert "Rp1 short" in refused.text
    assert "Pay and launch" in refused.text
    assert (count(Subscription), balance(ayu)) == (0, 24_999)


def test_two_presses_at_the_same_moment_are_one_purchase(client, ayu):
    credit(ayu.customer_id, 100_000)
    form = order(plan_of("n8n"))
    answers = _together(client, ayu, [form, form])
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].location == answers[1].location
    assert (count(Subscription), count(SubscriptionCharge), balance(ayu)) == (1, 1, 75_000)


def test_ten_windows_at_the_same_moment_leave_one_live_subscription(client, ayu):
    credit(ayu.customer_id, 500_000)
    answers = _together(client, ayu, [order(plan_of("n8n")) for _ in range(10)])
    assert sorted(answer.status_code for answer in answers) == [303] + [409] * 9
    assert (count(Subscription), count(SubscriptionCharge), count(Instance)) == (1, 1, 1)
    assert balance(ayu) == 475_000


def _together(client, person, forms):
    """Every form at the same moment, each from a browser window of its own."""
    windows = [sign_in(client.application.test_client(), person.email) for _ in forms]
    starting_line = Barrier(len(forms))

    def send(window, form):
        starting_line.wait()
        return window.post("/subscriptions/", data=form)

    with ThreadPoolExecutor(len(forms)) as threads:
        return list(threads.map(send, windows, forms))


# --- pay and launch -----------------------------------------------------------------------------------


def _wait_for_credit(person, plan_id):
    with transaction() as session:
        return intents.note_intent(session, person.customer_id, plan_id, "MONTHLY", now=clock.now()).id


def _launch(client, plan_id, total=N8N, **changes):
    return client.post("/subscriptions/launches", data=order(plan_id, total, **changes))


def _only_subscription():
    db.session.rollback()
    return db.session().scalars(sa.select(Subscription)).one()


@pytest.mark.parametrize(("has", "asks"), [(0, 25_000), (5_000, 20_000), (20_000, 10_000), (24_999, 10_000)])
def test_pay_and_launch_asks_for_the_shortfall_or_the_smallest_top_up(client, ayu, has, asks):
    if has:
        credit(ayu.customer_id, has)
    left = _launch(sign_in(client, ayu.email), plan_of("n8n"))
    address = urlsplit(left.location)
    asked = parse_qs(address.query)
    intent = db.session().scalars(sa.select(LaunchIntent)).one()
    assert (left.status_code, address.path) == (303, "/top-ups/new")
    assert (asked["amount"], asked["intent"]) == ([str(asks)], [str(intent.id)])
    assert client.get(left.location).status_code == 200


def test_credit_that_arrives_launches_by_itself(client, ayu, drain):
    _launch(sign_in(client, ayu.email), plan_of("n8n"))
    credit(ayu.customer_id, 25_000)
    _run_reactions()
    assert (count(Subscription), balance(ayu)) == (1, 0)


def test_pressing_twice_keeps_one_wish(client, ayu):
    sign_in(client, ayu.email)
    for _ in range(2):
        assert _launch(client, plan_of("n8n")).status_code == 303
    assert count(LaunchIntent) == 1


def test_a_changed_total_is_shown_before_it_is_agreed(client, ayu):
    refused = _launch(sign_in(client, ayu.email), plan_of("n8n"), 20_000)
    assert refused.status_code == 409
    assert "The price has changed" in refused.text
    assert count(LaunchIntent) == 0


def test_enough_credit_needs_no_top_up(client, ayu):
    credit(ayu.customer_id, 25_000)
    page = _launch(sign_in(client, ayu.email), plan_of("n8n"))
    assert page.status_code == 200
    assert "Launch for Rp25.000" in page.text
    assert count(LaunchIntent) == 0


def test_nothing_is_noted_for_a_plan_without_slots(client, ayu):
    sell_out(plan_of("n8n"))
    page = _launch(sign_in(client, ayu.email), plan_of("n8n"))
    assert "This plan is sold out" in page.text
    assert count(LaunchIntent) == 0
    with transaction() as session:
        session.execute(sa.update(Plan).values(slots_used=0))


def test_what_waits_is_listed_and_can_be_forgotten(client, ayu):
    intent_id = _wait_for_credit(ayu, plan_of("n8n"))
    page = sign_in(client, ayu.email).get("/subscriptions/").text
    assert "n8n Basic waits for credit" in page
    assert client.post(f"/subscriptions/launches/{intent_id}/cancellation").status_code == 303
    assert "waits for credit" not in client.get("/subscriptions/").text
    credit(ayu.customer_id, 25_000)
    _run_reactions()
    assert (count(Subscription), balance(ayu)) == (0, 25_000)


def test_a_stranger_cannot_forget_what_waits(client, ayu, citra):
    intent_id = _wait_for_credit(ayu, plan_of("n8n"))
    sign_in(client, citra.email).post(f"/subscriptions/launches/{intent_id}/cancellation")
    assert count(LaunchIntent, LaunchIntent.status == IntentStatus.WAITING) == 1


def test_buying_by_hand_ends_what_waits_so_that_no_later_top_up_launches_it_again(client, ayu):
    _wait_for_credit(ayu, plan_of("n8n"))
    _wait_for_credit(ayu, plan_of("n8n", "PRO"))
    elsewhere = _wait_for_credit(ayu, plan_of("ghost"))
    credit(ayu.customer_id, 25_000)
    bought = buy(ayu.customer_id, plan_of("n8n"))
    found = dict(db.session().execute(sa.select(LaunchIntent.plan_id, LaunchIntent.status)).all())
    assert found[bought.plan_id] == IntentStatus.FULFILLED
    assert found[plan_of("n8n", "PRO")] == IntentStatus.CANCELLED
    assert [intent.id for intent in queues.waits(db.session(), ayu.customer_id)[0]] == [elsewhere]


def _run_reactions():
    """Runs what credit wakes, and leaves the launched app to the cluster's tests."""
    from tests.conftest import run_due_work

    run_due_work(without=("instances.provision", "notices.deliver", "invoices.issue"))


# --- pages of subscriptions ---------------------------------------------------------------------------


def test_the_list_shows_live_and_ended_ones(client, ayu):
    credit(ayu.customer_id, 100_000)
    buy(ayu.customer_id, plan_of("n8n"))
    page = sign_in(client, ayu.email).get("/subscriptions/")
    assert "n8n Basic" in page.text
    assert "next charge on 10 April 2026" in page.text


def test_an_empty_list_says_what_to_do(client, ayu):
    assert "Choose an app" in sign_in(client, ayu.email).get("/subscriptions/").text


@pytest.mark.parametrize("page", ["0", "-1", "x", "999999999999", "2"])
def test_a_page_that_is_none_is_the_first(client, ayu, page):
    answer = sign_in(client, ayu.email).get(f"/subscriptions/?page={page}", follow_redirects=True)
    assert answer.status_code == 200


def test_the_owner_sees_terms_app_and_charges(client, ayu):
    credit(ayu.customer_id, 100_000)
    owned = buy(ayu.customer_id, plan_of("n8n"))
    page = sign_in(client, ayu.email).get(f"/subscriptions/{owned.id}").text
    for said in ("Rp25.000", "10 March 2026 to 10 April 2026", "Active", "being issued", "PPN included"):
        assert said in page, said


@pytest.mark.parametrize("part", ["{}", "charges/{}/invoice", "charges/{}/credit-note"])
def test_a_stranger_finds_nothing(client, ayu, citra, part):
    credit(ayu.customer_id, 100_000)
    owned = buy(ayu.customer_id, plan_of("n8n"))
    charge_id = db.session().scalars(sa.select(SubscriptionCharge.id)).one()
    address = "/subscriptions/" + part.format(charge_id if "charges" in part else owned.id)
    assert client.get(address).status_code == 303
    assert sign_in(client, citra.email).get(address).status_code == 404
    assert client.get("/subscriptions/" + part.format(NOBODYS)).status_code == 404


def test_a_charge_leads_to_its_invoice_once_it_is_issued(client, ayu):
    from portal.invoices import actions as invoices
    from portal.invoices.models import Document

    credit(ayu.customer_id, 100_000)
    owned = buy(ayu.customer_id, plan_of("n8n"))
    charge_id = db.session().scalars(sa.select(SubscriptionCharge.id)).one()
    address = f"/subscriptions/charges/{charge_id}/invoice"
    assert sign_in(client, ayu.email).get(address).location == f"/subscriptions/{owned.id}"
    document_id = db.session().scalars(sa.select(Document.id)).one()
    with transaction() as session:
        invoices.issue(session, document_id, now=clock.now())
    assert client.get(address).location == f"/invoices/{document_id}"


def test_runway_and_live_count_are_the_customers_own(ayu, budi):
    credit(ayu.customer_id, 60_000)
    buy(ayu.customer_id, plan_of("n8n"))
    session, now = db.session(), clock.now()
    found = queries.runway(session, ayu.customer_id, now=now)
    assert (found.first_to_stop, found.missing.amount) == ("n8n", 15_000)
    assert queries.runway(session, budi.customer_id, now=now) is None
    assert [queries.live_count(session, who.customer_id) for who in (ayu, budi)] == [1, 0]
    assert queries.due_soon(session, ayu.customer_id, now=now) == []
