"""The one box: what it finds, where it leads, and what it does with nonsense."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from portal.admin.queries import search
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances.models import InstanceDomain
from portal.invoices import actions as invoices
from portal.invoices.models import Document
from tests.books import shop
from tests.books.shop import Order
from tests.personas import sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
SEARCH_MAX = 4  # who asks, the banner, the frame's figures, all of it


def kinds(typed: str) -> list[tuple[str, bool]]:
    """Kind and exactness of what is found."""
    return [(hit.kind, hit.exact) for hit in search.found(db.session(), typed)]


@pytest.fixture
def world(ayu):
    """Ayu with an order, an app, its domain and a numbered invoice."""
    order = Order(ayu.customer_id)
    order.hear("settlement")
    owned = shop.buy(ayu.customer_id, shop.sell())
    with transaction() as session:
        app = session.get_one(shop.Instance, shop.instance_of(owned))
        session.add(InstanceDomain(instance_id=app.id, host="kopi.example.com", token="t", created_at=clock.now()))
        document = session.query(Document).filter_by(series="INVOICE").one()
        invoices.issue(session, document.id, now=clock.now())
    return {"order": order, "app": app, "document": document, "subscription": owned}


def test_it_finds_each_thing_by_its_name_and_by_its_beginning(world, ayu):
    app, order = world["app"].name, world["order"].attempt.order_id
    assert kinds(ayu.email) == [("user", True)]
    assert kinds("AYU@ex") == [("user", False)]
    assert kinds("ayu les") == [("user", False), ("customer", False)]
    assert kinds(order) == kinds(order.lower()) == [("payment", True)]
    assert kinds(order[:12]) == [("payment", False)]
    assert kinds(app)[0] == ("instance", True)
    assert kinds(f"https://{app}.apps.localhost/login?x=1") == [("instance", True)]
    assert ("instance", False) in kinds(app[:4])
    assert kinds("kopi.example.com") == [("domain", True)]
    assert kinds("kopi") == [("domain", False)]
    assert kinds("INV/2026/000001") == kinds("inv-2026-000001.pdf") == [("document", True)]
    number = ayu.customer.number
    assert ("customer", True) in kinds(f"user-{number}")
    assert ("customer", True) in kinds(str(number))


def test_it_finds_anything_by_its_id(world, ayu):
    wanted = {
        ayu.user_id: "user", ayu.customer_id: "customer", world["order"].payment_id: "payment",
        world["order"].attempt.id: "payment", world["app"].id: "instance", world["document"].id: "document",
        world["subscription"]: "subscription",
    }  # fmt: skip
    for thing_id, kind in wanted.items():
        assert kinds(str(thing_id)) == [(kind, True)]
    assert kinds(str(uuid4())) == []


def test_what_is_called_exactly_that_is_gone_to_and_the_rest_is_listed(client, world, ayu, dewi):
    admin = sign_in(client, dewi.email)
    answer = admin.get("/admin/search/", query_string={"q": f" {ayu.email} "})
    assert answer.status_code == 303
    assert answer.location.startswith("/admin/users/")
    with counted() as queries:
        page = admin.get("/admin/search/?q=ayu").text
    assert len(queries) <= SEARCH_MAX
    assert re.findall(r"<h2>.*?</svg> (.+?)</h2>", page) == ["Users", "Customers"]
    assert "Nothing is called that" in admin.get("/admin/search/?q=qwertz").text


@pytest.mark.parametrize(
    "typed",
    ["", " ", "%", "_", "\\", "'", "';--", "\x00", "a" * 5000, "http://[", "user-99999999999999999999", "９９", "🐘",
     "INV/9999/999999999", "TOPUP-%", "<script>alert(1)</script>", "\u202e", "0" * 36, "https://"],
)  # fmt: skip
def test_nonsense_finds_nothing_and_breaks_nothing(client, world, dewi, typed):
    answer = sign_in(client, dewi.email).get("/admin/search/", query_string={"q": typed})
    assert answer.status_code == 200
    assert "search-hits" not in answer.text
    assert "<script>alert" not in answer.text


def test_of_each_kind_a_few_are_enough(portal):
    for number in range(12):
        shop.open_customer(f"Sama {number}")
    assert kinds("sama") == [("customer", False)] * search.EACH_MAX
