"""Which mails people get: a choice for each kind that may be declined, and one click in the mails themselves."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.core import clock
from portal.core.db import db, transaction
from portal.notices import actions, letters, queries, unsubscribing
from portal.notices.models import Mail, MailPreference, Notice
from portal.notices.wording import WORDINGS
from portal.notices.wording.categories import OPTIONAL, OTHERS, WORDS, Category, category_of
from tests.personas import Person, sign_in

BY_KIND = {Category.REMINDERS: "renewal_soon", Category.HEALTH: "app_silent", Category.ROUTINE: "instance_stopped"}


def tell(person: Person, code: str) -> None:
    with transaction() as session:
        actions.tell(
            session, customer_id=person.customer_id, code=code, parameters=dict(WORDINGS[code].sample),
            unique_key=uuid4().hex, now=clock.now(),
        )  # fmt: skip


def mails() -> list[Mail]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(Mail).order_by(Mail.id)))


def declined(person: Person) -> set[str]:
    db.session.rollback()
    return set(Category) & set(
        db.session().scalars(sa.select(MailPreference.category).where(MailPreference.user_id == person.user_id))
    )


def path_of(url: str) -> str:
    return url.removeprefix("http://127.0.0.1:8000")


# --- the kinds ------------------------------------------------------------------------------------------


def test_every_code_is_of_one_kind() -> None:
    listed = [code for codes in OTHERS.values() for code in codes]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(WORDINGS)
    assert {category_of(code) for code in WORDINGS} == set(Category)


def test_every_kind_that_people_choose_has_its_words() -> None:
    assert set(WORDS) == set(Category) - {Category.OPERATOR}


MONEY = {"amount", "missing", "debt", "balance", "refund", "kept_until_at"}


def test_no_mail_about_money_data_or_safety_may_be_declined() -> None:
    safety = {"verify_email", "reset_password", "password_changed", "new_sign_in", "account_deactivated"}
    choices = {code for code in WORDINGS if category_of(code) in OPTIONAL}
    assert choices & safety == set()
    assert {code for code in choices if MONEY & set(WORDINGS[code].sample)} == set()


# --- what is mailed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", OPTIONAL)
def test_who_declined_a_kind_gets_the_notice_but_no_mail(ayu: Person, category: Category) -> None:
    with transaction() as session:
        actions.decline_mails(session, ayu.user_id, category, now=clock.now())
    for code in (*BY_KIND.values(), "top_up_expired"):
        tell(ayu, code)
    wanted = {code for kind, code in BY_KIND.items() if kind is not category} | {"top_up_expired"}
    assert {mail.code for mail in mails()} == wanted
    assert db.session().scalar(sa.select(sa.func.count(Notice.id))) == 4


def test_one_owner_declines_for_themselves_alone(ayu: Person, budi: Person) -> None:
    with transaction() as session:
        actions.decline_mails(session, ayu.user_id, Category.HEALTH, now=clock.now())
    for person in (ayu, budi):
        tell(person, "app_silent")
    assert [mail.to_address for mail in mails()] == [budi.email]


def test_a_choice_that_was_stored_for_what_must_be_mailed_counts_for_nothing(ayu: Person) -> None:
    with transaction() as session:
        session.add(MailPreference(user_id=ayu.user_id, category="ACCOUNT", declined_at=clock.now()))
    tell(ayu, "top_up_expired")
    assert len(mails()) == 1


# --- the page ---------------------------------------------------------------------------------------------


def test_a_visitor_is_sent_to_sign_in(client) -> None:
    assert "/sign-in" in client.get("/notices/preferences").location
    assert "/sign-in" in client.post("/notices/preferences").location


def test_boxes_show_and_change_what_is_wanted(client, ayu: Person) -> None:
    sign_in(client, ayu.email)
    assert client.get("/notices/preferences").text.count("checked") == 3
    assert client.post("/notices/preferences", data={"health": "y"}).status_code == 303
    assert declined(ayu) == {Category.REMINDERS, Category.ROUTINE}
    page = client.get("/notices/preferences").text
    assert re.search(r'<input[^>]*checked[^>]*name="health"', page)
    assert page.count("checked") == 1
    client.post("/notices/preferences", data={"health": "y", "reminders": "y", "routine": "y"})
    assert declined(ayu) == set()


def test_choices_are_each_persons_own(client, ayu: Person, citra: Person) -> None:
    sign_in(client, citra.email)
    client.post("/notices/preferences", data={"nothing": "ticked"})
    assert (declined(ayu), len(declined(citra))) == (set(), 3)
    assert queries.wanted_mails(db.session(), ayu.user_id) == set(OPTIONAL)


# --- one click --------------------------------------------------------------------------------------------


def letter_of(person: Person, code: str = "app_silent"):  # type: ignore[no-untyped-def]
    tell(person, code)
    return letters.compose(mails()[-1])


def link_of(letter) -> str:  # type: ignore[no-untyped-def]
    return path_of(letter["List-Unsubscribe"].strip("<>"))


def test_a_mail_that_may_be_declined_carries_the_headers_and_the_link(ayu: Person) -> None:
    letter = letter_of(ayu)
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = letter["List-Unsubscribe"].strip("<>")
    for part in letter.walk():
        if part.get_content_maintype() == "text":
            assert url in part.get_content()


def test_the_header_travels_as_it_is(ayu: Person) -> None:
    """No mail program would find an address in an encoded word or in two pieces."""
    letter = letter_of(ayu)
    header = re.search(rb"^List-Unsubscribe: <([^>\r\n]+)>\r$", bytes(letter), flags=re.MULTILINE)
    assert header is not None, [line for line in bytes(letter).splitlines() if b"nsubscribe" in line]
    assert header.group(1).decode() == letter["List-Unsubscribe"].strip("<>")


def test_a_mail_about_money_carries_neither(ayu: Person) -> None:
    letter = letter_of(ayu, "top_up_expired")
    assert letter["List-Unsubscribe"] is None
    assert "unsubscribe" not in str(letter)


def test_opening_the_link_decides_nothing(client, ayu: Person) -> None:
    link = link_of(letter_of(ayu))
    assert client.get(link).status_code == 200
    assert declined(ayu) == set()


def test_one_click_needs_no_sign_in_and_no_form_token_and_may_be_repeated(portal: Flask, ayu: Person) -> None:
    portal.config["WTF_CSRF_ENABLED"] = True
    link, browser = link_of(letter_of(ayu)), portal.test_client()
    for _ in range(2):
        answer = browser.post(link, data={"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, answer.location) == (200, None)
    assert declined(ayu) == {Category.HEALTH}
    tell(ayu, "app_silent")
    assert len(mails()) == 1


@pytest.mark.parametrize("token", ["x", "x.y", "W10.x", "%00", "a" * 3000])
def test_made_up_links_lead_nowhere(client, token: str) -> None:
    assert client.get(f"/notices/unsubscribe/{token}").status_code == 404
    assert client.post(f"/notices/unsubscribe/{token}").status_code == 404


def test_a_link_to_decline_what_must_be_mailed_cannot_even_be_signed(client, ayu: Person) -> None:
    forged = unsubscribing._signer().dumps([ayu.user_id.hex, "ACCOUNT"])
    assert client.post(f"/notices/unsubscribe/{forged}").status_code == 404
    with pytest.raises(AssertionError):
        unsubscribing.address(ayu.user_id, Category.ACCOUNT)


def test_a_link_of_somebody_who_is_gone_leads_nowhere(client, portal: Flask) -> None:
    link = path_of(unsubscribing.address(UUID(int=7), Category.HEALTH))
    assert client.post(link).status_code == 404


def test_the_one_click_is_limited_per_link(client, ayu: Person, citra: Person) -> None:
    link = link_of(letter_of(ayu))
    assert [client.post(link).status_code for _ in range(21)][-1] == 429
    other = path_of(unsubscribing.address(citra.user_id, Category.HEALTH))
    assert client.post(other).status_code == 200
