"""Pages of web, and the frame around every page."""

from __future__ import annotations

import pytest

from portal.core import clock
from portal.core.db import transaction
from portal.core.switches import Switch, set_value
from tests.catalog import rows
from tests.personas import register_person, sign_in

ENGLISH = {"Accept-Language": "en"}


def test_home_says_what_this_is_without_any_service(client):
    page = client.get("/", headers=ENGLISH)
    assert page.status_code == 200
    assert "running as your own" in page.text


def test_home_shows_featured_services_and_the_lowest_price(client):
    shelf = rows.category("automation", "Automation")
    rows.plan(rows.service(shelf, "n8n", "n8n", featured=True), "BASIC", 25_000)
    rows.plan(rows.service(shelf, "ghost", "Ghost"), "BASIC", 15_000)
    page = client.get("/", headers=ENGLISH)
    assert "from Rp15.000 a month" in page.text
    assert page.text.index(">n8n</a>") < page.text.index(">Ghost</a>")


def test_help_names_every_method_and_whom_to_ask(client):
    page = client.get("/help", headers=ENGLISH)
    for shown in ("QRIS", "GoPay", "BCA", "Rp10.000", "support@minispod.example"):
        assert shown in page.text


def test_status_follows_the_switches(client):
    assert "Everything works" in client.get("/status", headers=ENGLISH).text
    with transaction() as session:
        set_value(session, Switch.NO_TOP_UPS, "on", now=clock.now())
        set_value(session, Switch.BANNER, "Bank <b>transfers</b> are late", now=clock.now())
    page = client.get("/status", headers=ENGLISH)
    assert "Paused by us" in page.text
    assert "Bank &lt;b&gt;transfers&lt;/b&gt; are late" in page.text
    assert "Bank &lt;b&gt;" in client.get("/", headers=ENGLISH).text


def test_robots_and_sitemap_name_public_pages(client):
    rows.service(rows.category("automation", "Automation"), "n8n", "n8n")
    assert "Sitemap: http" in client.get("/robots.txt").text
    page = client.get("/sitemap.xml")
    assert page.mimetype == "application/xml"
    assert "/catalog/n8n</loc>" in page.text
    assert "/dashboard" not in page.text


def test_the_browsers_own_wishes_are_met(client):
    assert client.get("/favicon.ico").status_code == 200


@pytest.mark.parametrize("language", ["en", "id"])
def test_the_chosen_language_is_remembered(client, language):
    assert client.get(f"/language/{language}?next=/help").location == "/help"
    assert f'<html lang="{language}"' in client.get("/help").text


def test_a_language_or_theme_we_do_not_have_is_not_found(client):
    assert client.get("/language/xx").status_code == 404
    assert client.get("/theme/pink").status_code == 404


def test_the_theme_is_drawn_by_the_server(client):
    assert "data-bs-theme" not in client.get("/").text
    client.get("/theme/dark?next=/")
    assert '<html lang="id" data-bs-theme="dark">' in client.get("/").text
    client.set_cookie("theme", '"><script>')
    assert "<script>" not in client.get("/").text


def test_an_error_page_says_what_to_do_and_carries_a_number(client):
    page = client.get("/nothing", headers=ENGLISH)
    assert page.status_code == 404
    assert "Nothing here" in page.text
    assert page.headers["X-Request-ID"] in page.text


def test_a_customer_sees_balance_notices_and_the_way_out(client):
    register_person("Ayu Lestari", "ayu@example.com")
    sign_in(client, "ayu@example.com")
    page = client.get("/help")
    for shown in ('id="web-balance-chip"', "Rp0", 'action="/sign-out"', 'href="/wallet/"', 'aria-current="page"'):
        assert shown in client.get("/wallet/").text, shown
    assert "Confirm your e-mail" not in page.text


def test_an_unconfirmed_address_is_asked_for(client):
    register_person("Budi", "budi@example.com", verified=False)
    sign_in(client, "budi@example.com")
    assert "Confirm your e-mail address" in client.get("/help").text


def test_every_page_works_from_the_keyboard_on(client):
    page = client.get("/help").text
    assert 'class="skip-link" href="#content"' in page
    assert 'id="content" tabindex="-1"' in page
    assert 'id="toasts" role="status" aria-live="polite"' in page
