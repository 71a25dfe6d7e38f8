"""The queue of bank transfers, and a transfer's page: what it shows, what may be done, and by whom."""

# ruff: noqa: F811 - fixtures are imported and then named

from __future__ import annotations

import csv
import io
import re

import pytest

from portal.accounts.models import Membership
from portal.core.db import db, transaction
from portal.transfers.rules import TransferState
from tests.personas import sign_in
from tests.queries import counted
from tests.transfers.conftest import accounts, audited, ayu, budi, desk, dewi, eka  # noqa: F401 - fixtures
from tests.transfers.pictures import picture

LIST_MAX = 5
FACTS = {"amount": "50.000", "bank_reference": "FT26068", "received_on": "2026-03-09"}
VERBS = {"approval": FACTS, "rejection": {"reason": "No"}, "take-back": {"amount": "1", "reason": "No", "so_far": "0"}}


@pytest.fixture
def admin(client, desk, dewi):
    return sign_in(client, dewi.email)


def references_in(page: str) -> list[str]:
    return re.findall(r">(TF[A-Z2-9]{8})</a>", page)


def test_only_an_administrator_knows_it_is_there(client, portal, desk, ayu, dewi):
    payment = desk.ask()
    proof = desk.prove(payment)
    pages = ["/admin/transfers/", f"/admin/transfers/{payment.id}", f"/admin/transfers/{payment.id}/proofs/{proof.id}"]
    owner = sign_in(portal.test_client(), ayu.email)
    administrator = sign_in(portal.test_client(), dewi.email)
    for page in pages:
        assert [browser.get(page).status_code for browser in (client, owner, administrator)] == [303, 404, 200]
    for verb, form in VERBS.items():
        assert client.post(f"/admin/transfers/{payment.id}/{verb}", data=form).status_code == 303
        assert owner.post(f"/admin/transfers/{payment.id}/{verb}", data=form).status_code == 404
    assert desk.state(payment) is TransferState.IN_REVIEW


def test_the_list_is_the_queue_the_oldest_first(admin, desk):
    waiting = [desk.proven(), desk.proven()]
    bare, done = desk.ask(), desk.proven()
    desk.approve(done)
    named = {payment.id: desk.transfer(payment).reference for payment in (*waiting, bare, done)}
    assert references_in(admin.get("/admin/transfers/").text) == [named[one.id] for one in waiting]
    every = references_in(admin.get("/admin/transfers/?state=ALL").text)
    assert every == [named[one.id] for one in (done, bare, *reversed(waiting))]
    assert references_in(admin.get("/admin/transfers/?state=APPROVED").text) == [named[done.id]]
    assert references_in(admin.get(f"/admin/transfers/?state=ALL&search={named[bare.id].lower()}").text) == [
        named[bare.id]
    ]
    assert len(references_in(admin.get("/admin/transfers/?state=ALL&search=LESTARI").text)) == 4
    assert references_in(admin.get("/admin/transfers/?state=ALL&search=%25").text) == []
    with counted() as queries:
        admin.get("/admin/transfers/")
    assert len(queries) <= LIST_MAX


@pytest.mark.parametrize("address", ["?state=KING", "?after=xyz", "?order=nothing&state=", "?search=%00"])
def test_an_address_that_makes_no_sense_is_answered(admin, desk, address):
    desk.proven()
    assert admin.get(f"/admin/transfers/{address}").status_code < 500


def test_an_empty_queue_says_so(admin):
    assert "Nothing waits for you" in admin.get("/admin/transfers/").text


def test_all_of_it_as_a_file(admin, desk):
    desk.approve(desk.proven(), 45_000)
    rows = list(
        csv.DictReader(io.StringIO(admin.get("/admin/transfers/?state=ALL&format=csv").text.removeprefix("\ufeff")))
    )
    assert [(row["state"], row["amount"], row["received_amount"]) for row in rows] == [("APPROVED", "50000", "45000")]


def test_a_transfer_is_credited_from_its_page(admin, desk):
    payment = desk.proven()
    page = admin.get(f"/admin/transfers/{payment.id}").text
    for shown in ("Rp50.000", "Ayu Lestari", "ayu@example.com", desk.transfer(payment).reference, "<img"):
        assert shown in page
    for _ in range(2):
        admin.post(f"/admin/transfers/{payment.id}/approval", data=FACTS)
    assert (desk.balance, desk.entries) == (50_000, 1)
    [(_, facts)] = desk.noted("transfer.approved")
    assert facts["after"]["bank_reference"] == "FT26068"
    admin.post(f"/admin/transfers/{payment.id}/take-back", data={"amount": "50.000", "reason": "Wrong", "so_far": "0"})
    assert desk.state(payment) is TransferState.TAKEN_BACK


def test_two_administrators_at_a_large_one(portal, admin, desk, eka):
    payment = desk.proven(6_000_000)
    form = FACTS | {"amount": "6.000.000"}
    assert (
        "another administrator"
        in admin.post(f"/admin/transfers/{payment.id}/approval", data=form, follow_redirects=True).text
    )
    other = sign_in(portal.test_client(), eka.email)
    page = other.get(f"/admin/transfers/{payment.id}").text
    assert "Dewi Anggraini read the facts below" in page
    assert 'value="FT26068"' in page
    other.post(f"/admin/transfers/{payment.id}/approval", data=form)
    assert desk.balance == 6_000_000


def test_a_proof_that_was_shown_before_is_flagged(admin, desk, budi):
    first = desk.proven()
    second = desk.ask()
    desk.prove(second, picture("PNG") + b"something behind its end")
    other = desk.ask()
    desk.prove(other, picture(colour="red"))
    page = admin.get(f"/admin/transfers/{second.id}").text
    assert "Used before" in page
    assert desk.transfer(first).reference in page
    assert "Used before" not in admin.get(f"/admin/transfers/{other.id}").text


@pytest.mark.parametrize(
    "wrong", [{"amount": "1,5"}, {"amount": ""}, {"amount": "-5"}, {"bank_reference": ""}, {"bank_reference": "x" * 61},
              {"received_on": "yesterday"}, {"received_on": "2026-03-11"}, {"received_on": ""}, {"amount": "9" * 30},
              {"received_on": "0000-00-00"}],
)  # fmt: skip
def test_what_no_bank_states_comes_back_with_the_form(admin, desk, wrong):
    payment = desk.proven()
    answer = admin.post(f"/admin/transfers/{payment.id}/approval", data=FACTS | wrong)
    assert answer.status_code == 422
    assert "field-error" in answer.text
    assert desk.balance == 0


def test_ones_own_money_is_for_somebody_else(admin, desk, ayu, dewi):
    payment = desk.proven()
    with transaction() as session:
        session.add(Membership(user_id=dewi.user_id, customer_id=ayu.customer_id, role="MEMBER"))
    page = admin.get(f"/admin/transfers/{payment.id}").text
    assert "Another administrator has to decide" in page
    assert "/approval" not in page
    for verb, form in VERBS.items():
        assert admin.post(f"/admin/transfers/{payment.id}/{verb}", data=form).status_code == 403
    assert desk.state(payment) is TransferState.IN_REVIEW


def test_a_rejection_needs_words(admin, desk):
    payment = desk.proven()
    for reason in ("", "x" * 301, "\0 "):
        assert admin.post(f"/admin/transfers/{payment.id}/rejection", data={"reason": reason}).status_code == 422
    assert admin.post(f"/admin/transfers/{payment.id}/rejection", data={"reason": "Not\0there"}).status_code == 303
    [(_, facts)] = desk.noted("transfer.rejected")
    assert facts["reason"] == "Not there"
    db.session.close()
