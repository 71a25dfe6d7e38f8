"""Adjusting a wallet: alone up to a limit, with a second administrator above it, once, never below zero."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from portal.audit.actions import Actor
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.notices import letters
from portal.notices.models import Mail, Notice
from portal.wallet import adjusting
from portal.wallet.models import AdjustmentRequest, AdjustmentStatus, JournalEntry, Transaction
from tests.books.crowd import all_at_once, errors
from tests.books.shop import balance, give
from tests.books_audit import assert_books_are_clean
from tests.personas import Person, register_person, sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
LIMIT = 500_000
LIST_MAX = 6  # who asks, the banner, what waits, the rows, their count, the frame's figures


@pytest.fixture
def eko(portal) -> Person:
    """A second administrator."""
    return Person(*register_person("Eko Prasetyo", "eko@example.com", administrator=True))


def form(customer_id: UUID, amount: object = "20.000", **changes: str) -> dict[str, str]:
    filled = {"customer": str(customer_id), "key": uuid4().hex, "direction": "up", "amount": str(amount),
              "reason": "App was away for a day"}  # fmt: skip
    return filled | changes


def ask(customer_id: UUID, amount: int, person: Person, *, key: str | None = None) -> UUID:
    with transaction() as session:
        asked = adjusting.request(
            session, customer_id, rupiah(amount), reason="App was away", key=key or uuid4().hex,
            actor=Actor(person.user_id), now=clock.now(),
        )  # fmt: skip
        return asked.id


def approve(request_id: UUID, person: Person) -> str:
    with transaction() as session:
        return adjusting.approve(session, request_id, actor=Actor(person.user_id), now=clock.now()).status


def status_of(request_id: UUID) -> str:
    return db.session().get_one(AdjustmentRequest, request_id, populate_existing=True).status


@pytest.mark.parametrize("path", ["/admin/adjustments/", "/admin/adjustments/new?customer={}"])
def test_only_an_administrator_knows_it_is_there(client, ayu, dewi, path):
    path = path.format(ayu.customer_id)
    assert client.get(path).status_code == 303
    assert sign_in(client, ayu.email).get(path).status_code == 404
    client.post("/sign-out")
    assert sign_in(client, dewi.email).get(path).status_code == 200


def test_it_is_shown_first_and_booked_once_confirmed(client, ayu, dewi):
    admin, filled = sign_in(client, dewi.email), form(ayu.customer_id)
    preview = admin.post("/admin/adjustments/", data=filled).text
    assert "Rp20.000" in preview
    assert (balance(ayu.customer_id), db.session().query(AdjustmentRequest).count()) == (0, 0)
    for _ in range(2):
        answer = admin.post("/admin/adjustments/", data=filled | {"confirmed": "yes"})
        assert answer.status_code == 303
    assert balance(ayu.customer_id) == 20_000
    line = db.session().query(Transaction).one()
    assert (line.type, line.amount, line.balance_after) == ("ADMIN_ADJUSTMENT", 20_000, 20_000)
    assert (db.session().query(Notice).one().code, db.session().query(Mail).one().code) == (
        ("adjustment_credited", "adjustment_credited")
    )
    note = db.session().query(AuditEntry).filter_by(action="adjustment.booked").one()
    assert (note.actor_id, note.subject_id) == (dewi.user_id, str(ayu.customer_id))
    assert (note.facts["before"], note.facts["after"]) == ({"available": 0}, {"available": 20_000})
    assert note.facts["reason"] == filled["reason"]
    assert "App was away" in admin.get(answer.location).text
    assert_books_are_clean()


def test_the_customer_reads_why(client, portal, ayu, dewi):
    sign_in(client, dewi.email).post("/admin/adjustments/", data=form(ayu.customer_id, confirmed="yes"))
    customer = sign_in(portal.test_client(), ayu.email)
    assert "Correction by our team: App was away for a day" in customer.get("/wallet/").text
    assert "Rp20.000 was added to your credit" in customer.get("/notices/").text


@pytest.mark.parametrize("amount", ["", "0", "-5", "1,5", "x", "9" * 13, "١٢", "1e6", "\x00"])
def test_what_is_no_amount_is_refused(client, ayu, dewi, amount):
    filled = form(ayu.customer_id, amount, confirmed="yes")
    assert sign_in(client, dewi.email).post("/admin/adjustments/", data=filled).status_code == 422
    assert db.session().query(AdjustmentRequest).count() == 0


@pytest.mark.parametrize(
    "changes, status",
    [
        ({"reason": "no"}, 422), ({"reason": "x" * 201}, 422), ({"reason": "     a     "}, 422),
        ({"key": "not-a-key"}, 422), ({"direction": "sideways"}, 422), ({"amount": "1.000.000.001"}, 422),
        ({"customer": "nobody"}, 404), ({"customer": str(uuid4())}, 404),
    ],
)  # fmt: skip
def test_an_odd_form_books_nothing(client, ayu, dewi, changes, status):
    filled = form(ayu.customer_id, confirmed="yes") | changes
    assert sign_in(client, dewi.email).post("/admin/adjustments/", data=filled).status_code == status
    assert balance(ayu.customer_id) == 0
    assert_books_are_clean()


def test_a_debit_never_takes_a_wallet_below_zero_and_says_what_is_missing(client, ayu, dewi):
    give(ayu.customer_id, 15_000)
    admin = sign_in(client, dewi.email)
    for confirmed in ({}, {"confirmed": "yes"}):
        answer = admin.post("/admin/adjustments/", data=form(ayu.customer_id, direction="down") | confirmed)
        assert answer.status_code == 409
        assert "Rp5.000 are missing" in answer.text
    admin.post("/admin/adjustments/", data=form(ayu.customer_id, "15000", direction="down", confirmed="yes"))
    assert balance(ayu.customer_id) == 0
    assert db.session().query(Notice).one().code == "adjustment_debited"
    assert_books_are_clean()


def test_above_the_limit_another_administrator_decides(client, portal, ayu, dewi, eko):
    admin = sign_in(client, dewi.email)
    filled = form(ayu.customer_id, LIMIT + 1)
    assert "Another administrator has to approve" in admin.post("/admin/adjustments/", data=filled).text
    page = admin.post("/admin/adjustments/", data=filled | {"confirmed": "yes"}).location
    assert balance(ayu.customer_id) == 0
    (mail,) = db.session().query(Mail).all()
    assert (mail.code, mail.to_address, mail.parameters["change"]) == ("adjustment_waits", eko.email, "Rp500.001")
    assert page in str(letters.compose(mail).get_body(("plain",)))
    assert "Approve and book" not in admin.get(page).text
    assert admin.post(f"{page}/approval").status_code == 409
    assert admin.post(f"{page}/rejection").status_code == 409
    other = sign_in(portal.test_client(), eko.email)
    assert "Waiting for a decision" in other.get("/admin/adjustments/").text
    assert "Rp500.001" in other.get(page).text
    assert other.post(f"{page}/approval").status_code == 303
    assert other.post(f"{page}/approval").status_code == 409
    assert balance(ayu.customer_id) == LIMIT + 1
    note = db.session().query(AuditEntry).filter_by(action="adjustment.approved").one()
    assert note.actor_id == eko.user_id
    assert_books_are_clean()


def test_what_is_rejected_books_nothing(client, portal, ayu, dewi, eko):
    request_id = ask(ayu.customer_id, LIMIT + 1, dewi)
    other = sign_in(client, eko.email)
    assert other.post(f"/admin/adjustments/{request_id}/rejection").status_code == 303
    assert other.post(f"/admin/adjustments/{request_id}/approval").status_code == 409
    assert (status_of(request_id), balance(ayu.customer_id)) == ("REJECTED", 0)
    assert db.session().query(AuditEntry).filter_by(action="adjustment.rejected").count() == 1
    assert db.session().query(Notice).count() == 0


def test_many_small_ones_are_not_a_way_around_the_limit(portal, ayu, budi, dewi, eko):
    assert status_of(ask(ayu.customer_id, 300_000, dewi)) == "BOOKED"
    assert status_of(ask(ayu.customer_id, -150_000, dewi)) == "BOOKED"
    assert status_of(ask(ayu.customer_id, 50_001, dewi)) == "WAITING"
    assert status_of(ask(ayu.customer_id, 50_000, dewi)) == "BOOKED"
    assert status_of(ask(budi.customer_id, 300_000, dewi)) == "BOOKED"
    assert status_of(ask(ayu.customer_id, 300_000, eko)) == "BOOKED"
    clock.advance(timedelta(hours=24, seconds=1))
    assert status_of(ask(ayu.customer_id, LIMIT, dewi)) == "BOOKED"
    assert_books_are_clean()


def test_nobody_corrects_a_wallet_of_their_own(client, dewi, eko):
    answer = sign_in(client, dewi.email).post("/admin/adjustments/", data=form(dewi.customer_id, confirmed="yes"))
    assert answer.status_code == 409
    request_id = ask(dewi.customer_id, LIMIT + 1, eko)
    assert client.post(f"/admin/adjustments/{request_id}/approval").status_code == 409
    assert (status_of(request_id), balance(dewi.customer_id)) == ("WAITING", 0)


def test_a_debit_that_waited_too_long_is_refused_and_still_waits(client, portal, ayu, dewi, eko):
    give(ayu.customer_id, 600_000)
    request_id = ask(ayu.customer_id, -600_000, dewi)
    give(ayu.customer_id, -1_000)
    other = sign_in(client, eko.email)
    assert "Rp1.000 are missing" in other.get(f"/admin/adjustments/{request_id}").text
    answer = other.post(f"/admin/adjustments/{request_id}/approval")
    assert answer.status_code == 409
    assert "Rp1.000 are missing" in answer.text
    assert (status_of(request_id), balance(ayu.customer_id)) == ("WAITING", 599_000)
    assert_books_are_clean()


def test_the_database_itself_wants_two_people(portal, ayu, dewi):
    request_id = ask(ayu.customer_id, LIMIT + 1, dewi)
    with pytest.raises(IntegrityError, match="decided_by_another"), transaction() as session:
        session.execute(
            sa.update(AdjustmentRequest)
            .where(AdjustmentRequest.id == request_id)
            .values(status=AdjustmentStatus.REJECTED, decided_by=dewi.user_id, decided_at=clock.now())
        )


def test_many_administrators_approving_at_once_book_once(portal, ayu, dewi, eko):
    others = [eko, *(Person(*register_person(f"Admin {n}", f"admin{n}@example.com", administrator=True))
                     for n in range(5))]  # fmt: skip
    request_id = ask(ayu.customer_id, LIMIT + 1, dewi)
    outcomes = all_at_once(portal, [partial(approve, request_id, one) for one in others])
    assert errors(outcomes) == ["AdjustmentDecided"] * 5
    assert balance(ayu.customer_id) == LIMIT + 1
    assert db.session().query(JournalEntry).count() == 1
    assert_books_are_clean()


def test_one_form_sent_many_times_at_once_books_once(portal, ayu, dewi):
    outcomes = all_at_once(portal, [partial(ask, ayu.customer_id, 20_000, dewi, key="one")] * 8)
    assert len(set(outcomes)) == 1
    assert balance(ayu.customer_id) == 20_000
    assert_books_are_clean()


def test_requests_at_once_do_not_all_fit_under_the_limit(portal, ayu, dewi):
    outcomes = all_at_once(portal, [partial(ask, ayu.customer_id, 200_000, dewi)] * 6)
    assert errors(outcomes) == []
    assert sorted(status_of(one) for one in outcomes) == ["BOOKED"] * 2 + ["WAITING"] * 4
    assert balance(ayu.customer_id) == 400_000
    assert_books_are_clean()


def test_the_list_is_filtered_and_a_file(client, ayu, budi, dewi):
    ask(ayu.customer_id, 10_000, dewi)
    ask(budi.customer_id, LIMIT + 1, dewi)
    admin = sign_in(client, dewi.email)
    region = {"HX-Request": "true"}
    assert len(re.findall("<tr>", admin.get("/admin/adjustments/", headers=region).text)) == 3
    waiting = admin.get("/admin/adjustments/?status=WAITING", headers=region).text
    assert "Budi Santoso" in waiting
    assert "Ayu Lestari" not in waiting
    mine = admin.get(f"/admin/adjustments/?customer={ayu.customer.number}&format=csv").text
    assert "Ayu Lestari" in mine
    assert "Budi Santoso" not in mine
    for odd in ("customer=x", "customer=99999999999999999999", "status=KING", "customer=-1"):
        assert admin.get(f"/admin/adjustments/?{odd}").status_code == 200
    with counted() as queries:
        admin.get("/admin/adjustments/")
    assert len(queries) <= LIST_MAX
