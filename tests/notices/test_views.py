"""The page of notices, and the samples a developer looks at."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from config import settings
from portal.core import clock
from portal.core.db import db, transaction
from portal.notices import actions
from portal.notices.models import Notice
from portal.notices.wording import WORDINGS
from tests.personas import sign_in


def tell(person, position: int = 1, code: str = "top_up_settled") -> None:
    with transaction() as session:
        actions.tell(
            session,
            customer_id=person.customer_id,
            code=code,
            parameters={"amount": 50_000, "balance": 75_000},
            unique_key=f"{code}:{person.customer_id}:{position}",
            now=clock.now(),
            mail=False,
        )


def test_a_visitor_is_sent_to_sign_in(client, portal):
    assert "/sign-in" in client.get("/notices/").location
    assert "/sign-in" in client.post("/notices/reading").location


def test_a_stranger_sees_only_their_own(client, ayu, citra):
    tell(ayu)
    sign_in(client, "citra@example.com")
    assert "Rp50.000" not in client.get("/notices/").text


def test_the_reader_gets_their_own_language(client, ayu):
    tell(ayu)
    sign_in(client, "ayu@example.com")
    page = client.get("/notices/").text
    assert "Your top-up of Rp50.000 was added to your credit." in page
    assert "Your credit is now Rp75.000." in page


def test_reading_all_takes_the_marks_away(client, ayu):
    tell(ayu)
    sign_in(client, "ayu@example.com")
    assert "New" in client.get("/notices/").text
    assert client.post("/notices/reading").status_code == 303
    page = client.get("/notices/").text
    assert "state-busy" not in page
    assert "Mark all as read" not in page


def test_a_code_from_a_newer_release_does_not_break_the_page(client, ayu):
    tell(ayu, code="from_a_newer_release")
    sign_in(client, "ayu@example.com")
    assert "Something changed in your account" in client.get("/notices/").text


def test_pages_of_twenty_and_odd_page_numbers(client, ayu):
    for position in range(21):
        tell(ayu, position)
    sign_in(client, "ayu@example.com")
    assert client.get("/notices/").text.count("has arrived") == 20
    assert client.get("/notices/?page=2").text.count("has arrived") == 1
    for odd in ("0", "-1", "x", "99999999999999999999"):
        assert client.get(f"/notices/?page={odd}").status_code == 200


def test_an_empty_page_says_when_it_fills(client, ayu):
    sign_in(client, "ayu@example.com")
    assert "Nothing yet" in client.get("/notices/").text


def notice_of(person) -> str:
    db.session.rollback()
    return str(
        db.session()
        .scalars(sa.select(Notice.id).where(Notice.customer_id == person.customer_id).order_by(Notice.id))
        .first()
    )


def test_reading_one_marks_it_alone_and_leads_to_its_page(client, ayu):
    tell(ayu)
    tell(ayu, 2)
    sign_in(client, "ayu@example.com")
    for _ in range(2):
        assert client.post(f"/notices/{notice_of(ayu)}/reading").location == "/wallet/"
    assert client.get("/notices/").text.count("state-busy") == 1


def test_one_without_a_page_leads_back_to_the_list(client, ayu):
    tell(ayu, code="account_deactivated")
    sign_in(client, "ayu@example.com")
    assert client.post(f"/notices/{notice_of(ayu)}/reading").location == "/notices/"


def test_nobody_reads_for_somebody_else(client, ayu, citra):
    tell(ayu)
    assert "/sign-in" in client.post(f"/notices/{notice_of(ayu)}/reading").location
    sign_in(client, "citra@example.com")
    assert client.post(f"/notices/{notice_of(ayu)}/reading").status_code == 404
    assert db.session().scalars(sa.select(Notice.read_at)).all() == [None]


@pytest.mark.parametrize("form", ["html", "text"])
def test_developers_see_every_mail(client, portal, form):
    listing = client.get("/dev/mails").text
    assert [code for code in WORDINGS if f"/dev/mails/{code}?" not in listing] == []
    response = client.get(f"/dev/mails/top_up_settled?language=en&form={form}")
    assert "Your top-up of Rp50.000" in response.text
    assert client.get("/dev/mails/unknown").status_code == 404


def test_production_has_no_samples(client, portal, monkeypatch):
    monkeypatch.setattr(settings(), "environment", "production")
    assert client.get("/dev/mails").status_code == 404
    assert client.get("/dev/mails/welcome").status_code == 404
