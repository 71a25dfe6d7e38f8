"""The catalog's pages: what they show, what they cost, and what they make of hostile input."""

from __future__ import annotations

import pytest

from tests.catalog import rows
from tests.queries import CATALOG_MAX, SIGNED_IN_MAX, counted

pytest_plugins = ["tests.personas"]
ENGLISH = {"Accept-Language": "en"}
HTMX = {**ENGLISH, "HX-Request": "true"}


@pytest.fixture
def shop(portal):
    """Two shelves, three services; Ghost is sold out, and one service is withdrawn."""
    publishing, automation = rows.category("publishing", "Websites"), rows.category("automation", "Automation")
    ghost = rows.service(publishing, "ghost", "Ghost", tags=("blog", "cms"))
    rows.plan(ghost, "BASIC", 35_000, slots=2, used=2)
    n8n = rows.service(automation, "n8n", "n8n", tags=("workflow",), featured=True)
    rows.plan(n8n, "BASIC", 25_000, slots=10, used=6)
    rows.plan(n8n, "PRO", 55_000, slots=10, popular=True, sort_order=1, setup_fee=10_000)
    percent = rows.service(automation, "percent", "100%_sure", tags=("workflow",))
    rows.plan(percent, "BASIC", 120_000)
    rows.plan(rows.service(automation, "gone", "Gone", active=False), "BASIC", 1_000)


def names(page):
    return [name for name in ("Ghost", "n8n", "100%_sure", "Gone") if f">{name}</a>" in page.text]


def test_index_shows_what_is_sold_with_price_and_slots(client, shop):
    page = client.get("/catalog/", headers=ENGLISH)
    assert names(page) == ["Ghost", "n8n", "100%_sure"]
    assert "Rp25.000" in page.text
    assert "14 slots left" in page.text
    assert "Sold out: join later" in page.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=GHOST", ["Ghost"]),
        ("q=workflow+n8n", ["n8n"]),
        ("q=blog+n8n", []),
        ("q=%25", ["100%_sure"]),
        ("q=_", ["100%_sure"]),
        ("q=%25_sure", ["100%_sure"]),
        ("q=%27+OR+1%3D1", []),
        ("q=%5C", []),
        ("category=automation", ["n8n", "100%_sure"]),
        ("category=nowhere", []),
        ("tag=cms", ["Ghost"]),
        ("price=25000", ["n8n"]),
        ("price=50000&available=1", ["n8n"]),
        ("price=999", ["Ghost", "n8n", "100%_sure"]),
    ],
)
def test_filters_narrow(client, shop, query, found):
    assert sorted(names(client.get(f"/catalog/?{query}", headers=ENGLISH))) == sorted(found)


@pytest.mark.parametrize(
    "hostile", ["a" * 10_000, "%00", "\"'><script>alert(1)</script>", "%ED%A0%80", "[]", "{{7*7}}"]
)
def test_hostile_input_finds_nothing_and_breaks_nothing(client, shop, hostile):
    for name in ("q", "category", "tag", "price", "available"):
        page = client.get(f"/catalog/?{name}={hostile}", headers=ENGLISH)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "49" not in page.text.partition('id="catalog-query"')[2].partition(">")[0]


def test_an_empty_result_says_what_to_do(client, shop):
    page = client.get("/catalog/?q=zebra", headers=ENGLISH)
    assert "No app fits" in page.text
    assert "Show all apps" in page.text


def test_htmx_gets_the_results_alone(client, shop):
    region = client.get("/catalog/?q=ghost", headers=HTMX)
    assert region.text.lstrip().startswith('<div id="catalog-results"')
    assert "<html" not in region.text
    assert "HX-Request" in region.headers["Vary"]


def test_a_history_restore_gets_the_whole_page(client, shop):
    page = client.get("/catalog/", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in page.text


def test_service_page_compares_plans(client, shop):
    page = client.get("/catalog/n8n", headers=ENGLISH)
    assert page.status_code == 200
    for shown in ("Rp25.000", "Rp55.000", "Recommended", "4 slots left", "Rp10.000 once", "n8n at length"):
        assert shown in page.text
    assert 'property="og:title"' in page.text
    assert '<meta name="description"' in page.text


def test_yearly_prices_show_what_is_saved(client, shop):
    page = client.get("/catalog/n8n?interval=YEARLY", headers=ENGLISH)
    assert "Rp250.000" in page.text
    assert "Rp50.000 less than twelve months" in page.text
    assert "interval=YEARLY" in page.text


def test_an_interval_that_is_none_is_monthly(client, shop):
    assert "/month" in client.get("/catalog/n8n?interval=WEEKLY", headers=ENGLISH).text


def test_a_sold_out_plan_says_so_before_payment(client, shop):
    page = client.get("/catalog/ghost", headers=ENGLISH)
    assert "Sold out" in page.text
    assert "Choose Basic" not in page.text


def test_live_plans_are_one_region_that_looks_again(client, shop):
    region = client.get("/catalog/n8n", headers=HTMX)
    assert region.text.lstrip().startswith('<section id="catalog-plans"')
    assert 'hx-trigger="every 20s"' in region.text


@pytest.mark.parametrize("slug", ["gone", "nothing", "%00", "a" * 500, "..%2f..", "N8N", "n8n'--"])
def test_what_is_not_sold_is_not_found(client, shop, slug):
    assert client.get(f"/catalog/{slug}").status_code == 404


@pytest.mark.parametrize("path", ["/catalog/", "/catalog/?q=n8n&tag=workflow&price=50000", "/catalog/n8n", "/"])
def test_pages_keep_to_their_budget(client, shop, path):
    with counted() as sent:
        client.get(path)
    assert len(sent) <= CATALOG_MAX, sent


@pytest.mark.parametrize("path", ["/catalog/", "/catalog/n8n", "/"])
def test_pages_keep_to_their_budget_for_customers(client, shop, ayu, path):
    from tests.personas import sign_in

    sign_in(client, ayu.email)
    with counted() as sent:
        page = client.get(path)
    assert page.status_code == 200
    assert len(sent) <= SIGNED_IN_MAX, sent


def test_texts_follow_the_readers_language(client, shop):
    assert "n8n singkat" in client.get("/catalog/", headers={"Accept-Language": "id"}).text
    assert "n8n in short" in client.get("/catalog/", headers=ENGLISH).text
