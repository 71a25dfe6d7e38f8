"""Administrators who need a second factor set it up first, and come back to where they were."""

from __future__ import annotations

import pytest

from config import settings
from portal.web.guards import Access, declared
from tests.accounts.authenticator import ENGLISH, SET_UP, scan, switched_on
from tests.house.test_access import _address
from tests.personas import sign_in

pytest_plugins = ["tests.personas"]


@pytest.fixture
def needed(monkeypatch):
    monkeypatch.setattr(settings(), "administrators_need_second_factor", True)


def test_every_page_of_administration_waits_for_it(client, portal, dewi, needed):
    admin = sign_in(client, dewi.email)
    seen = 0
    for rule in portal.url_map.iter_rules():
        if declared(portal, rule.endpoint) is not Access.ADMINISTRATOR:
            continue
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            answer = admin.open(_address(portal, rule), method=method)
            assert answer.status_code == 303, rule.rule
            assert answer.location.startswith(f"{SET_UP}?next=/admin/"), rule.rule
            seen += 1
    assert seen > 2


def test_the_way_back_leads_to_the_page_asked_for(client, dewi, needed):
    admin = sign_in(client, dewi.email)
    answer = admin.get("/admin/users/?search=ayu")
    assert answer.location == f"{SET_UP}?next=/admin/users/?search%3Dayu"
    assert "Administrators need a second factor here." in admin.get(answer.location, headers=ENGLISH).text
    phone = scan(admin)
    page = admin.post(f"{SET_UP}/confirmation?next=/admin/users/?search%3Dayu", data={"code": phone.code()}).text
    assert 'href="/admin/users/?search=ayu"' in page
    assert admin.get("/admin/users/?search=ayu").status_code == 200


def test_with_one_nothing_is_asked(client, dewi, needed):
    admin = sign_in(client, dewi.email)
    switched_on(admin)
    assert admin.get("/admin/users/").status_code == 200


def test_a_form_leads_back_to_the_first_page(client, dewi, needed):
    answer = sign_in(client, dewi.email).post("/admin/users/bulk", data={"act": "close"})
    assert answer.location == f"{SET_UP}?next=/admin/"


def test_customers_still_find_nothing_there_and_visitors_sign_in(client, ayu, needed):
    assert client.get("/admin/users/").location.startswith("/sign-in")
    assert sign_in(client, ayu.email).get("/admin/users/").status_code == 404


def test_pages_of_customers_ask_for_nothing(client, dewi, needed):
    assert sign_in(client, dewi.email).get("/dashboard/").status_code == 200


def test_who_switches_it_off_is_told_what_follows(client, dewi, needed):
    admin = sign_in(client, dewi.email)
    switched_on(admin)
    assert "Administrators need one here" in admin.get(f"{SET_UP}/removal", headers=ENGLISH).text


def test_without_the_setting_they_may_do_without(client, dewi):
    assert sign_in(client, dewi.email).get("/admin/users/").status_code == 200
