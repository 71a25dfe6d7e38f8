"""Visitors' pages are remembered until what they show has changed: never old, never somebody else's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import DictLoader
from sqlalchemy import delete, update

from portal.catalog import queries
from portal.catalog.models import Category, Plan
from portal.core import clock
from portal.core.db import transaction
from portal.core.switches import Switch, set_value
from portal.web import remembered
from tests.catalog import rows
from tests.personas import register_person, sign_in

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def plan(client):
    remembered._pages.clear()
    return rows.plan(rows.service(rows.category("automation", "Automation"), "n8n", "n8n"), "BASIC", 25_000)


def test_a_page_is_rendered_once_for_the_same_values(client, plan):
    first, second = client.get("/catalog/"), client.get("/catalog/")
    assert first.text == second.text
    assert len(remembered._pages) == 1


def test_a_sale_and_a_banner_show_at_once(client, plan):
    client.get("/catalog/", headers=ENGLISH)
    with transaction() as session:
        sold = session.get_one(Plan, plan.id)
        sold.slots_used = sold.slots_total
        set_value(session, Switch.BANNER, "We are moving house", now=clock.now())
    page = client.get("/catalog/", headers=ENGLISH).text
    assert "Sold out" in page
    assert "We are moving house" in page


def test_language_and_theme_each_have_their_own_page(client, plan):
    pages = [client.get("/catalog/"), client.get("/catalog/", headers=ENGLISH)]
    client.set_cookie("theme", "dark")
    pages.append(client.get("/catalog/"))
    assert len({page.text for page in pages}) == 3


@pytest.mark.parametrize("columns", [{"slots_used": 3}, {"active": False}, {"name": "Small"}])
def test_a_change_of_a_row_that_is_shown_is_another_stamp(session, plan, columns):
    before = queries.stamp(session)
    session.rollback()
    with transaction() as unit:
        unit.execute(update(Plan).where(Plan.id == plan.id).values(**columns))
    assert queries.stamp(session) != before


def test_a_new_row_and_a_lost_one_are_other_stamps(session, plan):
    seen = [queries.stamp(session)]
    session.rollback()
    shelf = rows.category("blog", "Blog")
    seen.append(queries.stamp(session))
    session.rollback()
    with transaction() as unit:
        unit.execute(delete(Category).where(Category.id == shelf.id))
    assert queries.stamp(session) == seen[0] != seen[1]


def test_a_customers_page_is_not_kept(client, plan):
    register_person("Ayu Lestari", "ayu@example.com")
    sign_in(client, "ayu@example.com")
    remembered._pages.clear()
    assert "Ayu" in client.get("/catalog/").text
    assert not remembered._pages


def test_a_waiting_message_is_shown_once_and_not_kept(client, plan):
    client.get("/dashboard/", headers=ENGLISH)  # sends to sign in, with a message
    assert "Sign in to see this page." in client.get("/catalog/", headers=ENGLISH).text
    assert "Sign in to see this page." not in client.get("/catalog/", headers=ENGLISH).text


def test_odd_addresses_do_not_fill_the_memory(client, plan, monkeypatch):
    monkeypatch.setattr(remembered, "PAGES_MAX", 3)
    for word in "abcdefgh":
        client.get(f"/catalog/?q={word}")
        client.get(f"/catalog/?{word}=1")
    assert 0 < len(remembered._pages) <= 3


def test_templates_read_nothing_of_a_request_that_the_key_does_not_hold():
    sources = "\n".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    read = set(re.findall(r"\brequest\.(\w+)", sources))
    assert read <= remembered.REQUEST_FACTS
    assert set(re.findall(r"cookies\W+(?:get\W+)?(\w+)", sources)) <= remembered.COOKIES


def test_a_page_with_a_form_of_its_own_is_not_kept(portal, monkeypatch):
    remembered._pages.clear()
    monkeypatch.setattr(portal.jinja_env, "loader", DictLoader({"form.html": "{{ csrf_token() }}"}))
    with portal.test_request_context("/"):
        assert remembered.rendered("form.html", stamp=lambda: 1, inputs=dict)
    assert not remembered._pages
