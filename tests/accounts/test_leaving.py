"""Closing an account: never with running apps, never with credit lost unasked."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import new_id
from portal.core.money import rupiah
from portal.notices.models import Notice
from portal.payments import actions as payments
from portal.payments.actions import TopUp
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.actions import Purchase
from portal.wallet import actions as wallet_actions
from portal.wallet import queries as wallet
from tests.accounts import mailbox
from tests.instances.world import PRICE, put_up_for_sale
from tests.personas import PASSWORD, sign_in

pytest_plugins = ["tests.personas"]

ENGLISH = {"Accept-Language": "en"}


def _give(person, amount):
    with transaction() as session:
        wallet_actions.adjust(
            session, person.customer_id, rupiah(amount), reason="test", key=str(new_id()), now=clock.now()
        )


def _leave(client, **form):
    return client.post("/profile/deactivation", data={"current": PASSWORD} | form, headers=ENGLISH)


def _is_active(person):
    db.session.rollback()
    return db.session().scalar(select(User.active).where(User.id == person.user_id))


def _credit(person):
    db.session.rollback()
    return wallet.available(db.session(), person.customer_id).amount


def test_leaving_with_nothing_left_closes_the_account(client, ayu):
    sign_in(client, ayu.email)
    phone = sign_in(client.application.test_client(), ayu.email)
    assert _leave(client).location == "/"
    assert not _is_active(ayu)
    assert client.get("/profile").status_code == phone.get("/profile").status_code == 303
    assert mailbox.codes(ayu.email) == ["account_deactivated"]
    form = {"email": ayu.email, "password": PASSWORD}
    assert client.post("/sign-in", data=form).status_code == 422


def test_leaving_does_not_wait_for_a_notice_that_is_being_written(client, ayu):
    sign_in(client, ayu.email)
    notice = {
        "id": new_id(), "customer_id": ayu.customer_id, "code": "welcome", "parameters": {}, "unique_key": "welcome",
        "created_at": clock.now(),
    }  # fmt: skip
    with db.engine.begin() as worker:
        worker.execute(insert(Notice).values(notice))
        assert _leave(client).location == "/"
    assert not _is_active(ayu)


@pytest.mark.parametrize("current", ["", "wrong password"])
def test_leaving_needs_the_password(client, ayu, current):
    sign_in(client, ayu.email)
    assert _leave(client, current=current).status_code == 422
    assert _is_active(ayu)


def test_credit_is_never_lost_without_a_choice(client, ayu):
    _give(ayu, 12_500)
    sign_in(client, ayu.email)
    response = _leave(client)
    assert response.status_code == 409
    assert "Choose what should happen" in response.text
    assert (_is_active(ayu), _credit(ayu)) == (True, 12_500)


@pytest.mark.parametrize("typed", ["", "ayu", "citra@example.com"])
def test_giving_credit_up_is_typed_out(client, ayu, typed):
    _give(ayu, 12_500)
    sign_in(client, ayu.email)
    assert _leave(client, choice="FORFEIT", confirmation=typed).status_code == 409
    assert (_is_active(ayu), _credit(ayu)) == (True, 12_500)


def test_credit_given_up_leaves_the_wallet_with_its_owner(client, ayu):
    _give(ayu, 12_500)
    sign_in(client, ayu.email)
    assert _leave(client, choice="FORFEIT", confirmation="Ayu@example.com ").status_code == 303
    assert (_is_active(ayu), _credit(ayu)) == (False, 0)
    entry = db.session().scalars(select(AuditEntry).where(AuditEntry.action == "user.deactivated")).one()
    assert entry.facts == {"forfeited": 12_500}


def test_a_wished_payout_is_noted_and_keeps_account_and_credit(client, ayu):
    _give(ayu, 12_500)
    sign_in(client, ayu.email)
    assert _leave(client, choice="PAYOUT").location == "/profile"
    assert (_is_active(ayu), _credit(ayu)) == (True, 12_500)
    entry = db.session().scalars(select(AuditEntry).where(AuditEntry.action == "user.payout_requested")).one()
    assert entry.facts == {"credit": 12_500}


def test_an_invented_choice_is_no_choice(client, ayu):
    _give(ayu, 12_500)
    sign_in(client, ayu.email)
    assert _leave(client, choice="KEEP\x00IT", confirmation=ayu.email).status_code == 409


def _subscribe(person):
    plan_id = put_up_for_sale()
    _give(person, PRICE)
    with transaction() as session:
        purchase = Purchase(plan_id, "MONTHLY", rupiah(PRICE), str(new_id()))
        subscriptions.subscribe(session, person.customer_id, purchase, now=clock.now())


def _open_top_up(person):
    with transaction() as session:
        payments.request_top_up(
            session, person.customer_id, TopUp(rupiah(50_000), "qris", str(new_id())), now=clock.now()
        )


@pytest.mark.parametrize("tie, told", [(_subscribe, "still running"), (_open_top_up, "still open")])
def test_what_stands_in_the_way_is_shown_instead_of_the_form(client, ayu, tie, told):
    tie(ayu)
    sign_in(client, ayu.email)
    page = client.get("/profile/deactivation", headers=ENGLISH).text
    assert told in page
    assert 'name="current"' not in page
    assert _leave(client).status_code == 409
    assert _is_active(ayu)
