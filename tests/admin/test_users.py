"""The list of users: who may see it, what it finds, its pages, its file, its acts."""

from __future__ import annotations

import csv
import io
import re

import pytest

from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.core.db import db
from portal.web import listings
from tests.personas import register_person, sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
LIST_MAX = 5  # who asks, the banner, the frame's figures, the rows, their count


def names_in(page: str) -> list[str]:
    return re.findall(r'<td class="cell-title"><a href="[^"]+">([^<]+?)\s*<', page)


def test_only_an_administrator_knows_it_is_there(client, ayu, dewi):
    assert client.get("/admin/users/").status_code == 303
    assert sign_in(client, ayu.email).get("/admin/users/").status_code == 404
    client.post("/sign-out")
    assert sign_in(client, dewi.email).get("/admin/users/").status_code == 200


def test_it_finds_people_by_name_and_address(client, ayu, budi, dewi):
    admin = sign_in(client, dewi.email)
    assert names_in(admin.get("/admin/users/").text) == ["Dewi Anggraini", "Budi Santoso", "Ayu Lestari"]
    assert names_in(admin.get("/admin/users/?search=LESTARI").text) == ["Ayu Lestari"]
    assert names_in(admin.get("/admin/users/?search=budi@").text) == ["Budi Santoso"]
    assert names_in(admin.get("/admin/users/?search=%25").text) == []
    assert names_in(admin.get("/admin/users/?role=ADMINISTRATOR").text) == ["Dewi Anggraini"]
    assert names_in(admin.get("/admin/users/?order=name").text) == ["Ayu Lestari", "Budi Santoso", "Dewi Anggraini"]
    with counted() as queries:
        admin.get("/admin/users/?search=a")
    assert len(queries) <= LIST_MAX


@pytest.mark.parametrize(
    "address",
    [
        "?order=nothing",
        "?after=xyz",
        "?before=bm9uZQ",
        "?role=KING",
        "?after=W10",
        "?order=-name&after=WyJcdTAwMDAiLCIwMTk3YjJhMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDEiXQ",
    ],
)
def test_an_address_that_makes_no_sense_shows_the_beginning(client, ayu, dewi, address):
    assert names_in(sign_in(client, dewi.email).get(f"/admin/users/{address}").text)[0] == "Dewi Anggraini"


def test_pages_follow_each_other_and_lead_back(client, dewi, monkeypatch):
    monkeypatch.setattr(listings, "PAGE_SIZE", 2)
    for number in range(4):
        register_person(f"Orang {number}", f"orang{number}@example.com")
    admin = sign_in(client, dewi.email)
    seen, address = [], "/admin/users/?order=name"
    while address:
        page = admin.get(address).text
        seen.append(names_in(page))
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = following.group(1).replace("&amp;", "&") if following else ""
    assert seen == [["Dewi Anggraini", "Orang 0"], ["Orang 1", "Orang 2"], ["Orang 3"]]
    back = re.search(r'rel="prev" href="([^"]+)"', page).group(1).replace("&amp;", "&")
    assert names_in(admin.get(back).text) == ["Orang 1", "Orang 2"]


def test_all_of_it_as_a_file(client, ayu, budi, dewi):
    answer = sign_in(client, dewi.email).get("/admin/users/?format=csv&search=ayu")
    assert answer.headers["Content-Disposition"] == "attachment; filename=users-2026-03-10.csv"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["email"] for row in rows] == [ayu.email]


def test_closing_accounts_is_shown_first_then_done_and_written_down(client, portal, ayu, budi, dewi):
    customer = portal.test_client()
    sign_in(customer, ayu.email)
    admin = sign_in(client, dewi.email)
    form = {"act": "close", "ids": [str(ayu.user_id), str(dewi.user_id), "nonsense"]}
    preview = admin.post("/admin/users/bulk", data=form).text
    assert "ayu@example.com" in preview
    assert "This is your own account" in preview
    assert db.session().get_one(User, ayu.user_id, populate_existing=True).active
    assert customer.get("/dashboard/").status_code == 200
    admin.post("/admin/users/bulk", data=form | {"confirmed": "yes"})
    assert customer.get("/dashboard/").status_code == 303
    notes = db.session().query(AuditEntry).filter_by(action="user.closed").all()
    assert [(note.actor_id, note.subject_id, note.facts) for note in notes] == [
        (dewi.user_id, str(ayu.user_id), {"before": {"active": True}, "after": {"active": False}})
    ]
    admin.post("/admin/users/bulk", data=form | {"act": "open", "confirmed": "yes"})
    assert sign_in(customer, ayu.email).get("/dashboard/").status_code == 200
