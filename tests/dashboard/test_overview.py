"""The customer's home page: what a newcomer and a returning customer see, and what it costs."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from portal.core import clock
from portal.core.db import transaction
from portal.core.money import rupiah
from portal.dashboard import queries
from portal.instances.models import Instance
from portal.payments.models import Payment
from portal.subscriptions.models import ENDED, Subscription
from tests.catalog import rows
from tests.personas import register_person, sign_in
from tests.queries import SIGNED_IN_MAX, counted


@pytest.fixture
def ayu(client):
    _, customer = register_person("Ayu Lestari", "ayu@example.com")
    sign_in(client, "ayu@example.com")
    return customer


@pytest.fixture
def plan(portal):
    return rows.plan(rows.service(rows.category("automation", "Automation"), "n8n", "n8n"), "BASIC", 25_000)


def subscribed(
    customer, plan, *, state: str = "RUNNING", due_in: timedelta = timedelta(days=3), status: str = "ACTIVE"
):
    now = clock.now()
    with transaction() as session:
        ended = status in ENDED
        subscription = Subscription(
            customer_id=customer.id,
            service_id=plan.service_id,
            plan_id=plan.id,
            status=status,
            price=25_000,
            anchor_day=5,
            started_at=now,
            period_started_at=now,
            period_ends_at=now + due_in,
            due_at=None if ended else now + due_in,
            ended_at=now if ended else None,
            holds_slot=not ended,
            grace_ends_at=now + timedelta(days=5) if status == "PAST_DUE" else None,
            data_kept_until=now + timedelta(days=30) if status == "SUSPENDED" else None,
            idempotency_key=uuid4().hex,
            created_at=now,
        )
        session.add(subscription)
        session.flush()
        session.add(
            Instance(
                customer_id=customer.id,
                subscription_id=subscription.id,
                service_slug="n8n",
                service_name="n8n",
                name=f"n8n-{uuid4().hex[:6]}",
                namespace=customer.namespace,
                state=state,
                cpu_millicores=500,
                memory_mib=512,
                storage_gib=5,
                created_at=now,
            )
        )
    return subscription


def open_top_up(customer):
    now = clock.now()
    with transaction() as session:
        payment = Payment(
            customer_id=customer.id,
            method="bca_va",
            amount=100_000,
            idempotency_key=uuid4().hex,
            created_at=now,
            expires_at=now + timedelta(hours=24),
        )
        session.add(payment)
    return payment


def test_a_newcomer_is_told_the_three_steps(client, ayu):
    page = client.get("/dashboard/").text
    assert "Three steps to your first app" in page
    assert "Nothing is charged before you launch an app." in page
    assert "Recent activity" not in page


def test_visitors_are_sent_to_sign_in(client):
    assert client.get("/dashboard/").status_code == 303


def test_a_customer_sees_apps_what_is_due_and_how_far_credit_reaches(client, ayu, plan):
    subscribed(ayu, plan)
    page = client.get("/dashboard/").text
    for shown in ("n8n", "Running", "Rp25.000", "13 March 2026", "n8n stops first", "Top up Rp25.000"):
        assert shown in page, shown
    assert "hx-trigger" not in page.partition('id="dashboard-apps"')[2].partition(">")[0]


def test_an_open_top_up_can_be_continued(client, ayu):
    payment = open_top_up(ayu)
    page = client.get("/dashboard/").text
    assert f"/top-ups/{payment.id}" in page
    assert "Continue payment" in page


def test_apps_look_again_only_while_one_is_unfinished(client, ayu, plan):
    subscribed(ayu, plan, state="PROVISIONING")
    region = client.get("/dashboard/", headers={"HX-Request": "true"}).text
    assert region.lstrip().startswith('<section id="dashboard-apps"')
    assert "every 5s" in region
    assert "<html" not in region


def test_nobody_sees_the_apps_of_others(client, ayu, plan):
    _, budi = register_person("Budi", "budi@example.com")
    subscribed(budi, plan)
    open_top_up(budi)
    page = client.get("/dashboard/").text
    assert "Three steps to your first app" in page
    assert "Continue payment" not in page


def test_ended_subscriptions_leave_the_page_once_cleaned_up(session, ayu, plan):
    subscribed(ayu, plan, status="EXPIRED", state="TERMINATED")
    assert len(queries.apps(session, ayu.id)) == 1
    with transaction() as writing:
        writing.query(Instance).update({"cleaned_up_at": clock.now()})
    assert queries.apps(session, ayu.id) == []


def test_credit_that_covers_everything_says_so(session, ayu, plan):
    subscribed(ayu, plan)
    runway = queries.runway(queries.apps(session, ayu.id), rupiah(10_000_000), now=clock.now())
    assert runway is not None
    assert runway.until is None


def test_the_page_keeps_to_its_budget_however_many_apps(client, ayu, plan):
    shelf = rows.category("more", "More")
    for number in range(6):
        other = rows.plan(rows.service(shelf, f"app-{number}", f"App {number}"), "BASIC", 10_000)
        subscribed(ayu, other, state="PROVISIONING" if number else "RUNNING")
        open_top_up(ayu)
    with counted() as sent:
        page = client.get("/dashboard/")
    assert page.status_code == 200
    assert len(sent) <= SIGNED_IN_MAX, sent
