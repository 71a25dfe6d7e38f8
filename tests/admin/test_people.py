"""One user: opening an account for them, changing it, their role, their sessions, and the page of their story."""

from __future__ import annotations

import re
from functools import partial
from uuid import UUID, uuid4

import pytest

from portal.accounts import actions as accounts
from portal.accounts import administration
from portal.accounts.errors import LastAdministrator
from portal.accounts.models import Customer, MailedLink, Membership, Role, User
from portal.audit.actions import Actor
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.notices import letters
from portal.notices.models import Mail
from tests.accounts.authenticator import switched_on
from tests.books import shop
from tests.books.crowd import all_at_once, errors
from tests.house.test_access import WRITES, _address
from tests.personas import PASSWORD, Person, register_person, sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
STORY_MAX = 14
DETAILS = {"name": "Rina Wulandari", "email": "rina@example.com", "phone": "0812 3456 7890", "language": "en"}


@pytest.fixture
def eko(portal) -> Person:
    """A second administrator."""
    return Person(*register_person("Eko Prasetyo", "eko@example.com", administrator=True))


def again(user_id: UUID) -> User:
    return db.session().get_one(User, user_id, populate_existing=True)


def by_email(email: str) -> User:
    return db.session().query(User).filter_by(email=email).one()


def noted(action: str) -> list[AuditEntry]:
    return db.session().query(AuditEntry).filter_by(action=action).order_by(AuditEntry.id).all()


def mail_of(code: str) -> Mail:
    return db.session().query(Mail).filter_by(code=code).one()


def link_in(mail: Mail) -> str:
    text = str(letters.compose(mail).get_body(("plain",)))
    found = re.search(r"https?://[^/\s]+(/(?:reset|verify)/[\w-]+)", text.replace("=\n", ""))
    assert found is not None, text
    return found.group(1)


# --- opening an account ----------------------------------------------------------------------------------


def test_an_account_is_opened_and_its_owner_sets_the_password_by_mail(client, portal, dewi):
    admin = sign_in(client, dewi.email)
    page = admin.post("/admin/users/new", data=DETAILS).location
    user = by_email("rina@example.com")
    assert page == f"/admin/users/{user.id}"
    assert (user.role, user.active, user.email_verified_at, user.phone) == ("USER", True, None, "+6281234567890")
    assert noted("user.registered")[-1].subject_id == str(dewi.user_id)  # the invited one registered nothing
    assert [(note.actor_id, note.subject_id) for note in noted("user.invited")] == [(dewi.user_id, str(user.id))]
    assert "On its way" in admin.get(page).text
    browser, link = portal.test_client(), link_in(mail_of("invitation"))
    clock.advance(administration.INVITATION_LIFETIME / 2)
    assert browser.post(link, data={"password": PASSWORD}).status_code == 303
    sign_in(browser, "rina@example.com")
    assert again(user.id).email_verified_at is not None
    assert browser.get("/dashboard/").status_code == 200


@pytest.mark.parametrize(
    "change, status",
    [
        ({"name": ""}, 422), ({"name": "x" * 101}, 422), ({"name": "<b>Rina</b>"}, 422), ({"email": "nobody"}, 422),
        ({"phone": "letters"}, 422), ({"language": "tlh"}, 422), ({"email": "AYU@example.com"}, 409),
    ],
)  # fmt: skip
def test_an_odd_account_is_not_opened(client, ayu, dewi, change, status):
    assert sign_in(client, dewi.email).post("/admin/users/new", data=DETAILS | change).status_code == status
    assert db.session().query(User).count() == 2
    assert db.session().query(Mail).count() == 0


def test_two_sending_one_form_at_once_open_one_account(portal, dewi):
    outcomes = all_at_once(portal, [partial(invite, dewi)] * 4)
    assert errors(outcomes) == ["EmailTaken"] * 3
    assert db.session().query(Customer).count() == 2


def invite(person: Person) -> UUID:
    with transaction() as session:
        return administration.invite(session, **DETAILS, actor=Actor(person.user_id), now=clock.now()).id


def test_the_link_is_mailed_again_as_what_it_still_is(client, ayu, dewi):
    admin = sign_in(client, dewi.email)
    invited = invite(dewi)
    admin.post(f"/admin/users/{invited}/password-link")
    assert mail_of("invitation").to_address == "rina@example.com"
    sign_in(client.application.test_client(), ayu.email)
    admin.post(f"/admin/users/{ayu.user_id}/password-link")
    assert mail_of("reset_password").to_address == ayu.email
    assert len(noted("user.password_link_sent")) == 2
    admin.post(f"/admin/users/{ayu.user_id}/closing")
    assert admin.post(f"/admin/users/{ayu.user_id}/password-link").status_code == 409


# --- changing it -----------------------------------------------------------------------------------------


def test_details_are_changed_and_written_down_without_the_phone(client, ayu, dewi):
    form = DETAILS | {"email": ayu.email}
    assert sign_in(client, dewi.email).post(f"/admin/users/{ayu.user_id}/edit", data=form).status_code == 303
    user = again(ayu.user_id)
    assert (user.name, user.phone, user.email_verified_at is None) == ("Rina Wulandari", "+6281234567890", False)
    assert db.session().get_one(Customer, ayu.customer_id, populate_existing=True).name == "Rina Wulandari"
    (note,) = noted("user.details_changed")
    assert note.facts == {
        "before": {"name": "Ayu Lestari"}, "after": {"name": "Rina Wulandari"}, "phone_changed": True,
    }  # fmt: skip
    client.post(f"/admin/users/{ayu.user_id}/edit", data=form)
    assert len(noted("user.details_changed")) == 1
    assert noted("user.email_changed") == []


def test_a_new_address_is_unconfirmed_and_the_old_one_is_told(client, portal, ayu, dewi):
    portal.test_client().post("/forgot", data={"email": ayu.email})
    old_link = link_in(mail_of("reset_password"))
    admin = sign_in(client, dewi.email)
    admin.post(f"/admin/users/{ayu.user_id}/edit", data=DETAILS)
    user = again(ayu.user_id)
    assert (user.email, user.email_verified_at) == ("rina@example.com", None)
    told, asked = mail_of("email_changed"), mail_of("verify_email")
    assert (told.to_address, asked.to_address) == ("ayu@example.com", "rina@example.com")
    assert "rina@example.com" in str(letters.compose(told).get_body(("plain",)))
    assert portal.test_client().get(old_link).status_code == 410
    assert db.session().query(MailedLink).filter_by(used_at=None).count() == 1
    customer = db.session().get_one(Customer, ayu.customer_id, populate_existing=True)
    assert customer.billing_email == "rina@example.com"
    assert noted("user.email_changed")[0].facts == {
        "before": {"email": "ayu@example.com"}, "after": {"email": "rina@example.com"},
    }  # fmt: skip
    assert portal.test_client().post(link_in(asked)).status_code == 303
    assert again(ayu.user_id).email_verified_at is not None


def test_an_address_somebody_has_is_refused_and_nothing_else_is_saved(client, ayu, budi, dewi):
    answer = sign_in(client, dewi.email).post(f"/admin/users/{ayu.user_id}/edit", data=DETAILS | {"email": budi.email})
    assert answer.status_code == 409
    assert (again(ayu.user_id).name, again(ayu.user_id).email) == ("Ayu Lestari", "ayu@example.com")


def test_many_addresses_are_taken_as_confirmed(client, dewi):
    users = [register_person(f"Orang {n}", f"orang{n}@example.com", verified=False)[0] for n in range(3)]
    form = {"act": "confirm", "ids": [str(user.id) for user in users], "confirmed": "yes"}
    admin = sign_in(client, dewi.email)
    admin.post("/admin/users/bulk", data=form)
    admin.post("/admin/users/bulk", data=form)
    assert all(again(user.id).email_verified_at for user in users)
    assert len(noted("user.email_confirmed")) == 3


# --- role and access -------------------------------------------------------------------------------------


def test_a_role_is_changed_and_they_sign_in_anew(client, portal, ayu, dewi):
    person = sign_in(portal.test_client(), ayu.email)
    admin = sign_in(client, dewi.email)
    admin.post(f"/admin/users/{ayu.user_id}/role", data={"role": "ADMINISTRATOR"})
    assert person.get("/dashboard/").status_code == 303
    assert sign_in(person, ayu.email).get("/admin/users/").status_code == 200
    admin.post(f"/admin/users/{ayu.user_id}/role", data={"role": "USER"})
    assert sign_in(person, ayu.email).get("/admin/users/").status_code == 404
    assert [note.facts["after"] for note in noted("user.role_changed")] == [{"role": "ADMINISTRATOR"}, {"role": "USER"}]
    assert admin.post(f"/admin/users/{ayu.user_id}/role", data={"role": "KING"}).status_code == 404


def test_nobody_changes_their_own_role(client, dewi, eko):
    admin = sign_in(client, dewi.email)
    assert admin.post(f"/admin/users/{dewi.user_id}/role", data={"role": "USER"}).status_code == 409
    assert admin.post(f"/admin/users/{dewi.user_id}/closing").status_code == 409
    assert again(dewi.user_id).is_administrator
    assert "Another administrator changes its role" in admin.get(f"/admin/users/{dewi.user_id}").text


def test_an_unconfirmed_or_closed_account_is_not_made_an_administrator(client, ayu, dewi):
    unconfirmed, _ = register_person("Fajar", "fajar@example.com", verified=False)
    admin = sign_in(client, dewi.email)
    admin.post(f"/admin/users/{ayu.user_id}/closing")
    for user_id in (unconfirmed.id, ayu.user_id):
        assert admin.post(f"/admin/users/{user_id}/role", data={"role": "ADMINISTRATOR"}).status_code == 409
        assert not again(user_id).is_administrator


def demote(who: Person, by: Person) -> None:
    with transaction() as session:
        administration.set_role(session, who.user_id, Role.USER, actor=Actor(by.user_id), now=clock.now())


def close(who: Person, by: Person) -> None:
    with transaction() as session:
        administration.set_active(session, who.user_id, active=False, actor=Actor(by.user_id), now=clock.now())


@pytest.mark.parametrize("first, second", [(demote, demote), (close, close), (demote, close)])
def test_two_administrators_cannot_do_away_with_each_other(portal, dewi, eko, first, second):
    outcomes = all_at_once(portal, [partial(first, dewi, eko), partial(second, eko, dewi)])
    assert errors(outcomes) == ["LastAdministrator"]
    left = [one for one in (again(dewi.user_id), again(eko.user_id)) if one.is_administrator and one.active]
    assert len(left) == 1


def test_the_last_administrator_does_not_leave(client, ayu, dewi):
    admin = sign_in(client, dewi.email)
    answer = admin.post("/profile/deactivation", data={"current": PASSWORD})
    assert answer.status_code == LastAdministrator.status
    assert again(dewi.user_id).active


def test_sessions_are_ended_one_and_all(client, portal, ayu, dewi):
    browsers = [sign_in(portal.test_client(), ayu.email) for _ in range(3)]
    admin = sign_in(client, dewi.email)
    page = admin.get(f"/admin/users/{ayu.user_id}").text
    one = re.findall(r'name="session_id" value="([^"]+)"', page)[0]
    address = f"/admin/users/{ayu.user_id}/sessions/revocation"
    assert admin.post(address, data={"session_id": one}).status_code == 303
    assert sorted(browser.get("/dashboard/").status_code for browser in browsers) == [200, 200, 303]
    assert admin.post(address, data={"session_id": "all of them"}).status_code == 400
    admin.post(address)
    assert [browser.get("/dashboard/").status_code for browser in browsers] == [303] * 3
    assert [note.facts["ended"] for note in noted("user.sessions_ended")] == [1, 2]
    assert client.get("/admin/users/").status_code == 200


# --- the page --------------------------------------------------------------------------------------------


def test_only_an_administrator_sees_the_page(client, ayu, dewi):
    page = f"/admin/users/{ayu.user_id}"
    assert client.get(page).status_code == 303
    assert sign_in(client, ayu.email).get(page).status_code == 404
    client.post("/sign-out")
    admin = sign_in(client, dewi.email)
    assert admin.get(page).status_code == 200
    assert admin.get(f"/admin/users/{uuid4()}").status_code == 404
    for act in (
        "closing",
        "opening",
        "confirmation",
        "password-link",
        "sessions/revocation",
        "second-factor/clearing",
        "viewing",
    ):
        assert admin.post(f"/admin/users/{uuid4()}/{act}").status_code == 404, act


def test_no_address_of_this_section_is_there_for_customers(client, portal, ayu):
    browser, wrong = sign_in(client, ayu.email), []
    for rule in portal.url_map.iter_rules():
        if rule.endpoint.startswith(("admin_users.", "admin_adjustments.")):
            for method in sorted((rule.methods or set()) & ({"GET"} | WRITES)):
                answer = browser.open(_address(portal, rule), method=method)
                wrong += [f"{method} {rule.rule}"] if answer.status_code != 404 else []
    assert wrong == []


def test_a_lost_second_factor_is_taken_off_with_a_reason(client, portal, ayu, dewi):
    sign_in(portal.test_client(), ayu.email)
    switched_on(sign_in(portal.test_client(), ayu.email))
    admin, address = sign_in(client, dewi.email), f"/admin/users/{ayu.user_id}/second-factor/clearing"
    assert admin.post(address, data={"reason": " "}).status_code == 400
    assert admin.post(address, data={"reason": "phone lost, called back"}).status_code == 303
    db.session.rollback()
    assert not db.session().get_one(User, ayu.user_id, populate_existing=True).has_second_factor
    (note,) = db.session().query(AuditEntry).filter_by(action="user.second_factor_cleared").all()
    assert (note.actor_id, note.facts["reason"]) == (dewi.user_id, "phone lost, called back")
    assert admin.post(address, data={"reason": "again"}).status_code == 409


def test_a_user_of_two_customers_shows_both_wallets(client, ayu, dewi):
    with transaction() as session:
        other = Customer(name="PT Lestari", billing_email="pt@example.com", created_at=clock.now())
        session.add(other)
        session.flush()
        session.add(Membership(user_id=ayu.user_id, customer_id=other.id, role="MEMBER"))
    shop.give(other.id, 77_000)
    page = sign_in(client, dewi.email).get(f"/admin/users/{ayu.user_id}").text
    assert "PT Lestari" in page
    assert "Rp77.000" in page


def test_the_page_tells_the_whole_story_in_few_queries(client, portal, ayu, dewi):
    shop.Order(ayu.customer_id).hear("settlement")
    shop.buy(ayu.customer_id, shop.sell())
    sign_in(portal.test_client(), ayu.email)
    admin = sign_in(client, dewi.email)
    admin.post(f"/admin/users/{ayu.user_id}/edit", data={"name": "Ayu Putri", "email": ayu.email, "language": "en"})
    with counted() as queries:
        page = admin.get(f"/admin/users/{ayu.user_id}").text
    assert len(queries) <= STORY_MAX
    told = [
        ayu.email, f"user-{ayu.customer.number}", "Rp25.000", "Top-up with QRIS", "n8n", "Being issued",
        "Rp50.000 has arrived", "Signed in", "Changed a user&#39;s details", "by Dewi Anggraini", "Subscribed to",
    ]  # fmt: skip
    assert [words for words in told if words not in page] == []


def test_a_page_without_a_story_says_so(client, ayu, dewi):
    page = sign_in(client, dewi.email).get(f"/admin/users/{ayu.user_id}").text
    for words in ("No movement yet", "No subscription yet", "No app yet", "No mail yet", "Signed in nowhere"):
        assert words in page


def test_hostile_words_are_shown_as_words(client, ayu, dewi):
    with transaction() as session:
        accounts.note_refused_sign_in(session, email=ayu.email, now=clock.now(), ip_address="<script>x")
    assert "<script>x" not in sign_in(client, dewi.email).get(f"/admin/users/{ayu.user_id}").text


def test_a_customer_leads_to_its_owner_and_a_number_finds_them(client, ayu, budi, dewi):
    admin = sign_in(client, dewi.email)
    answer = admin.get(f"/admin/users/customers/{ayu.customer_id}")
    assert answer.location == f"/admin/users/{ayu.user_id}"
    assert admin.get(f"/admin/users/customers/{uuid4()}").status_code == 404
    for words in (str(ayu.customer.number), f"user-{ayu.customer.number}"):
        page = admin.get(f"/admin/users/?search={words}").text
        assert "Ayu Lestari" in page
        assert "Budi Santoso" not in page
    for odd in ("9" * 40, "user-", "%00", "١٢٣"):
        assert admin.get(f"/admin/users/?search={odd}").status_code == 200, odd


def test_no_filter_is_a_mistake_that_nobody_made(client, dewi):
    page = sign_in(client, dewi.email).get("/admin/users/").text
    assert "is-invalid" not in page
