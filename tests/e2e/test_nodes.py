"""An operator's day with nodes, in a browser: the list lives, one is cordoned, its emptying is previewed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Customer
from tests.e2e.stack import until
from tests.e2e.test_accessibility import violations

pytestmark = pytest.mark.browser

PROMOTED = "UPDATE user_account SET role = 'ADMINISTRATOR', email_verified_at = now() WHERE email = :email"
PLACED = "SELECT node_name FROM node_app WHERE instance_id = :id AND ready"


@pytest.fixture
def operator(customer: Customer) -> Customer:
    """A customer with an app who administers the portal as well."""
    customer.have_running("memos")
    customer.stack.change(PROMOTED, email=customer.email)
    return customer


def asked(operator: Customer) -> str:
    """Has the cluster asked now; the name of the node that holds the app."""
    page = operator.page
    page.goto("/admin/nodes/")
    page.get_by_role("button", name="Ask the cluster now").click()
    expect(page.get_by_text("The cluster is being asked")).to_be_visible()
    instance = operator.instance("id")
    return str(until(lambda: operator.stack.one(PLACED, id=instance), "the app has its place"))


def test_nodes_are_listed_cordoned_and_the_way_out_of_one_is_previewed(operator: Customer) -> None:
    page, home = operator.page, asked(operator)
    page.goto("/admin/nodes/")
    expect(page.get_by_role("row")).to_have_count(4)
    assert violations(page, "/admin/nodes/") == []
    page.get_by_role("link", name=home).click()
    expect(page.get_by_role("heading", name=home)).to_be_visible()
    page.get_by_text("Keep new apps away", exact=True).click()
    page.get_by_role("button", name="Yes, keep them away").click()
    expect(page.get_by_text("Takes no new apps")).to_be_visible()
    assert violations(page, f"/admin/nodes/{home}") == []
    page.goto(f"/admin/nodes/{home}")
    page.get_by_role("link", name="Empty it").click()
    expect(page.get_by_text("Nothing is done yet.")).to_be_visible()
    name = operator.instance("name")
    expect(page.get_by_role("row", name=name)).to_contain_text("node-")
    assert violations(page, page.url) == []
    page.get_by_role("button", name="Move").click()
    mine = page.locator("#nodes-drain").get_by_role("listitem").filter(has_text=name)
    expect(mine.get_by_text("Moved", exact=True)).to_be_visible(timeout=60_000)  # a worker moves it, and it comes up
    expect(page.get_by_text(re.compile(r"(\d+) of \1 moved"))).to_be_visible(timeout=120_000)  # whatever else ran there
    page.goto(f"/admin/nodes/{home}")
    page.get_by_role("button", name="Let apps come again").click()
    expect(page.get_by_text("Active", exact=True)).to_be_visible()


def test_an_app_is_compared_with_the_cluster_and_applied_again(operator: Customer) -> None:
    page = operator.page
    page.goto("/admin/instances/")
    page.get_by_role("link", name=operator.instance("name")).click()
    region = page.locator("#instances-compared")
    expect(region.get_by_text("as wanted").first).to_be_visible()
    assert violations(page, f"/admin/instances/{operator.instance('id')}") == []
    page.get_by_role("button", name="Apply again").click()
    expect(page.get_by_text("is being applied again")).to_be_visible()
