"""Registering and confirming the address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.accounts import actions, queries
from portal.accounts.errors import DetailsRefused, EmailTaken, LinkSpent, PasswordRefused
from portal.accounts.models import Customer, Membership, MembershipRole, User, UserSession
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from tests.accounts import mailbox
from tests.personas import PASSWORD, register_person, sign_in

pytest_plugins = ["tests.personas"]

FORM = {"name": "Ayu Lestari", "email": "Ayu@Example.com", "phone": "0812 3456 7890", "password": PASSWORD}


def _count(table):
    db.session.rollback()
    return db.session().scalar(select(func.count()).select_from(table))


def test_registering_makes_a_user_with_a_customer_of_their_own(client, session):
    response = client.post("/register", data=FORM)
    assert (response.status_code, response.location) == (303, "/dashboard/")
    user = session.scalars(select(User)).one()
    assert (user.name, user.email, user.phone) == ("Ayu Lestari", "ayu@example.com", "+6281234567890")
    assert user.email_verified_at is None
    assert PASSWORD not in user.password_hash
    membership = session.scalars(select(Membership)).one()
    assert membership.role == MembershipRole.OWNER
    customer = queries.customer_of(session, user.id)
    assert customer is not None
    assert (customer.name, customer.billing_email) == ("Ayu Lestari", "ayu@example.com")
    assert mailbox.codes("ayu@example.com") == ["verify_email"]
    assert session.scalars(select(AuditEntry.action)).all() == ["user.registered"]


def test_the_new_customer_is_signed_in(client):
    client.post("/register", data=FORM)
    assert client.get("/profile").status_code == 200


def test_registering_leads_back_to_what_was_wanted(client):
    wanted = "/top-ups/new?amount=50000"
    response = client.post("/register", query_string={"next": wanted}, data=FORM)
    assert response.location == wanted


def test_the_pages_language_becomes_the_users(client, session):
    client.post("/register", data=FORM, headers={"Accept-Language": "en"})
    assert session.scalars(select(User.language)).one() == "en"


def test_a_phone_number_is_encrypted_at_rest(client):
    client.post("/register", data=FORM)
    stored = db.session().connection().exec_driver_sql("SELECT phone FROM user_account").scalar_one()
    assert "8123456" not in stored


def test_an_address_in_use_is_refused_and_its_owner_told_once_a_day(client, ayu):
    for _ in range(2):
        response = client.post("/register", data=FORM, headers={"Accept-Language": "en"})
        assert response.status_code == 422
        assert "already has an account" in response.text
    assert _count(User) == _count(Customer) == 1
    assert _count(UserSession) == 0
    assert mailbox.codes("ayu@example.com") == ["registration_attempt"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "Ayu\r\nBcc: citra@example.com"},
        {"name": "Ayu\x00"},
        {"name": "a" * 10_000},
        {"name": "Ayu \u202e"},
        {"email": "ayu"},
        {"email": "ayu\x00@example.com"},
        {"email": "a" * 10_000},
        {"email": "ayu@example.com\nBcc: x@example.com"},
        {"phone": "call me"},
        {"phone": "0812\x00345678"},
        {"password": "short"},
        {"password": "x" * 10_000},
        {"password": "ayu lestari"},
        {"password": "password123"},
    ],
)
def test_hostile_input_is_a_form_that_does_not_parse(client, change):
    response = client.post("/register", data=FORM | change)
    assert response.status_code == 422
    assert FORM["password"] not in response.text
    assert _count(User) == 0


def test_missing_fields_are_a_form_that_does_not_parse(client):
    assert client.post("/register", data={}).status_code == 422


@pytest.mark.parametrize(
    "change, refusal",
    [({"name": " "}, DetailsRefused), ({"email": "x"}, DetailsRefused), ({"password": "x"}, PasswordRefused),
     ({"phone": "x"}, DetailsRefused)],
)  # fmt: skip
def test_the_verb_refuses_what_the_form_refuses(portal, change, refusal):
    with pytest.raises(refusal), transaction() as session:
        actions.register(session, **(FORM | change), language="id", now=clock.now())
    assert _count(User) == 0


def test_a_signed_in_customer_has_no_use_for_the_form(client, ayu):
    sign_in(client, ayu.email)
    assert client.get("/register").location == "/dashboard/"


def test_two_registrations_of_one_address_at_once_make_one_account(app, portal):
    def register(_):
        with app.app_context():
            try:
                with transaction() as session:
                    actions.register(session, **FORM, language="id", now=clock.now())
                return "registered"
            except EmailTaken:
                return "taken"
            finally:
                db.session.remove()

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(register, range(4)))
    assert outcomes == ["registered", "taken", "taken", "taken"]
    assert _count(User) == _count(Customer) == _count(Membership) == 1


def test_opening_the_link_confirms_nothing_pressing_the_button_does(client, session):
    client.post("/register", data=FORM)
    path = f"/verify/{mailbox.token('ayu@example.com', 'verify_email')}"
    visitor = client.application.test_client()
    for _ in range(3):
        assert visitor.get(path).status_code == 200
    assert session.scalars(select(User.email_verified_at)).one() is None
    assert visitor.post(path).location == "/sign-in"
    session.expire_all()
    assert session.scalars(select(User.email_verified_at)).one() == clock.now()


def test_a_second_press_finds_it_done(client):
    client.post("/register", data=FORM)
    path = f"/verify/{mailbox.token('ayu@example.com', 'verify_email')}"
    client.post(path)
    assert client.get(path, headers={"Accept-Language": "en"}).status_code == 200
    assert client.post(path).status_code == 303


def test_a_verification_link_ends_after_two_days(client):
    client.post("/register", data=FORM)
    path = f"/verify/{mailbox.token('ayu@example.com', 'verify_email')}"
    clock.advance(timedelta(hours=48))
    visitor = client.application.test_client()
    assert visitor.get(path).status_code == 410
    assert visitor.post(path).status_code == 410


@pytest.mark.parametrize("token", ["x", "a" * 5_000, "%00", "..%2f", "%ff%fe", "'%20OR%201=1"])
def test_an_invented_link_opens_nothing(client, token):
    assert client.get(f"/verify/{token}").status_code in (404, 410)
    assert client.post(f"/verify/{token}").status_code in (404, 405, 410)
    assert client.get(f"/reset/{token}").status_code in (404, 410)


def test_a_link_of_one_purpose_does_not_serve_the_other(client, ayu):
    with transaction() as session:
        from portal.accounts.models import LinkPurpose

        _, token = actions.issue_link(session, ayu.user, LinkPurpose.VERIFY_EMAIL, now=clock.now())
    assert client.get(f"/reset/{token}").status_code == 410
    with pytest.raises(LinkSpent), transaction() as session:
        actions.reset_password(session, token, password="lima ekor kuda laut", now=clock.now())


def test_the_link_is_sent_again_a_few_times_an_hour(client):
    client.post("/register", data=FORM)
    statuses = [client.post("/verify").status_code for _ in range(4)]
    assert statuses == [303, 303, 303, 429]
    assert mailbox.codes("ayu@example.com") == ["verify_email"] * 4


def test_a_confirmed_address_gets_no_more_links(client, ayu):
    sign_in(client, ayu.email)
    client.post("/verify")
    assert "verify_email" not in mailbox.codes(ayu.email)


def test_sending_again_needs_signing_in(client):
    assert client.post("/verify").location.startswith("/sign-in")


def test_registrations_are_counted_per_caller(client):
    statuses = [client.post("/register", data=FORM | {"name": ""}).status_code for _ in range(21)]
    assert statuses == [422] * 20 + [429]


def test_a_person_registered_for_a_test_is_committed(portal):
    user, customer = register_person("Budi", "budi@example.com", language="id")
    assert customer.number >= 1001
    assert (user.language, _count(Membership)) == ("id", 1)
