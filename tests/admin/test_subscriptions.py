"""Subscriptions for an administrator: their lives on one page, and the customer's verbs with a reason."""

from __future__ import annotations

import re

import pytest

from portal.audit.models import AuditEntry
from portal.core.db import db
from portal.subscriptions.models import SubscriptionCharge
from tests.admin.test_payments import NOBODYS, admin, dewi_id  # noqa: F401 - fixtures
from tests.books_audit import assert_books_are_clean
from tests.personas import sign_in
from tests.queries import counted
from tests.subscriptions.conftest import n8n, owner, shop  # noqa: F401 - fixtures
from tests.subscriptions.owned import PRICE, balance, fall_due, now_of, told

pytest_plugins = ["tests.personas"]
LIST_MAX, PAGE_MAX = 6, 14  # the list's filter names every app
REASON = {"reason": "asked by phone"}


def agreed_on(page: str) -> str:
    found = re.search(r'name="agreed" value="([^"]+)"', page)
    assert found
    return found[1].replace("&#43;", "+")


def noted(action: str) -> AuditEntry:
    return db.session().query(AuditEntry).filter_by(action=action).one()


@pytest.mark.parametrize("address", ["", NOBODYS])
def test_only_an_administrator_knows_it_is_there(client, ayu, dewi, address):
    assert client.get(f"/admin/subscriptions/{address}").status_code == 303
    assert sign_in(client, ayu.email).get(f"/admin/subscriptions/{address}").status_code == 404
    client.post("/sign-out")
    found = sign_in(client, dewi.email).get(f"/admin/subscriptions/{address}").status_code
    assert found == (404 if address else 200)


@pytest.mark.parametrize("act", ["cancellation", "cancellation/withdrawal", "charge"])
def test_nobody_else_acts(client, dewi, n8n, act):  # noqa: F811
    assert client.post(f"/admin/subscriptions/{n8n}/{act}", data=REASON).status_code == 303
    assert sign_in(client, "ayu@example.com").post(f"/admin/subscriptions/{n8n}/{act}", data=REASON).status_code == 404
    client.post("/sign-out")
    answer = sign_in(client, "dewi@example.com").post(f"/admin/subscriptions/{NOBODYS}/{act}", data=REASON)
    assert answer.status_code == 404
    assert now_of(n8n).cancel_requested_at is None


def test_the_list_finds_and_filters_in_few_queries(admin, n8n, owner):  # noqa: F811
    shown, one = f"/admin/subscriptions/{n8n}", now_of(n8n)
    for query in ("", "search=ayu@", f"search={n8n}", "status=ACTIVE", f"service={one.service_id}", "order=ends"):
        with counted() as queries:
            assert shown in admin.get(f"/admin/subscriptions/?{query}").text, query
        assert len(queries) <= LIST_MAX + query.startswith("search")
    for query in ("search=citra", "status=EXPIRED", "search=%25"):
        assert shown not in admin.get(f"/admin/subscriptions/?{query}").text, query
    assert str(n8n) in admin.get("/admin/subscriptions/?format=csv").text


def test_its_page_tells_its_life(admin, n8n):  # noqa: F811
    with counted() as queries:
        page = admin.get(f"/admin/subscriptions/{n8n}").text
    assert len(queries) <= PAGE_MAX
    charge = db.session().query(SubscriptionCharge).one()
    assert f"/admin/ledger/entries/{charge.entry_id}" in page
    assert "Cancel now, delete the data" in page
    assert "Try to charge now" not in page


def test_cancelling_at_the_end_can_be_taken_back(admin, owner, n8n, dewi_id):  # noqa: F811
    for _ in range(2):
        assert admin.post(f"/admin/subscriptions/{n8n}/cancellation", data=REASON | {"when": "end"}).status_code == 303
    assert now_of(n8n).cancel_requested_at is not None
    assert admin.post(f"/admin/subscriptions/{n8n}/cancellation/withdrawal").status_code == 303
    assert now_of(n8n).cancel_requested_at is None
    assert told(owner) == ["cancellation_requested", "cancellation_undone"]
    first, second = db.session().query(AuditEntry).filter_by(action="subscription.cancellation_requested").all()
    assert (first.actor_id, first.facts["reason"], second.facts["after"]) == (dewi_id, "asked by phone", {})


def test_cancelling_now_gives_back_exactly_what_was_shown_and_once(admin, owner, n8n):  # noqa: F811
    had = balance(owner)
    form = REASON | {"when": "now", "agreed": agreed_on(admin.get(f"/admin/subscriptions/{n8n}").text)}
    for _ in range(2):
        assert admin.post(f"/admin/subscriptions/{n8n}/cancellation", data=form).status_code == 303
    assert (now_of(n8n).status, balance(owner)) == ("CANCELLED", had + PRICE)
    assert db.session().query(AuditEntry).filter_by(action="subscription.cancelled").first().facts["refund"] == PRICE
    assert_books_are_clean()


@pytest.mark.parametrize("agreed", ["", "nonsense", "1@2026-03-10T05:00:00+00:00", "25000@2027-01-01T00:00:00+00:00"])
def test_a_refund_that_nobody_was_shown_is_refused(admin, owner, n8n, agreed):  # noqa: F811
    form = REASON | {"when": "now", "agreed": agreed}
    assert admin.post(f"/admin/subscriptions/{n8n}/cancellation", data=form).status_code == 409
    assert now_of(n8n).status == "ACTIVE"


def test_a_cancellation_needs_a_reason(admin, n8n):  # noqa: F811
    answer = admin.post(f"/admin/subscriptions/{n8n}/cancellation", data={"when": "end", "reason": "     "})
    assert (answer.status_code, now_of(n8n).cancel_requested_at) == (422, None)


def test_charging_now_pays_what_is_overdue_once(admin, owner, n8n):  # noqa: F811
    assert admin.post(f"/admin/subscriptions/{n8n}/charge").status_code == 409
    fall_due(n8n)
    sign_in(admin, "dewi@example.com")
    had = balance(owner)
    assert "Try to charge now" in admin.get(f"/admin/subscriptions/{n8n}").text
    assert admin.post(f"/admin/subscriptions/{n8n}/charge").status_code == 303
    assert admin.post(f"/admin/subscriptions/{n8n}/charge").status_code == 409
    assert (now_of(n8n).status, balance(owner)) == ("ACTIVE", had - PRICE)
    assert noted("subscription.charged").facts["after"]["status"] == "ACTIVE"
    assert_books_are_clean()
