"""The customer's page of a transfer, and those who attack it."""

from __future__ import annotations

import io
import re

import pytest

from config import settings
from portal.core.db import db
from portal.payments.errors import TooManyOpenTopUps
from portal.payments.models import Payment
from portal.transfers.files import BYTES_MAX
from portal.transfers.models import TransferProof
from portal.transfers.rules import TransferState
from tests.personas import sign_in
from tests.queries import SIGNED_IN_MAX, counted
from tests.transfers.pictures import HTML, PDF, SVG, picture, polyglot

KEY = "0197b2a0-0000-7000-8000-0000000000aa"


@pytest.fixture
def customer(client, desk, ayu):
    return sign_in(client, ayu.email)


def upload(browser, payment, raw: bytes, name: str = "proof.png", kind: str = "image/png"):
    form = {"file": (io.BytesIO(raw), name, kind)}
    return browser.post(f"/transfers/{payment.id}/proofs", data=form, content_type="multipart/form-data")


def proofs() -> list[TransferProof]:
    db.session.close()
    return list(db.session().query(TransferProof).order_by(TransferProof.id))


def test_it_is_offered_where_there_is_an_account(customer, monkeypatch):
    assert 'value="bank_transfer"' in customer.get("/top-ups/new").text
    assert "Bank transfer, checked by us" in customer.get("/help").text
    monkeypatch.setenv("BANK_ACCOUNTS", "")
    settings.cache_clear()
    assert 'value="bank_transfer"' not in customer.get("/top-ups/new").text
    assert "Bank transfer, checked by us" not in customer.get("/help").text
    form = {"amount": "50.000", "method": "bank_transfer", "key": KEY, "intent": ""}
    assert customer.post("/top-ups/", data=form).status_code == 422


def test_asking_leads_to_where_to_pay_and_a_double_click_is_one(customer):
    form = {"amount": "Rp 75.000", "method": "bank_transfer", "key": KEY, "intent": ""}
    places = {customer.post("/top-ups/", data=form).location for _ in range(2)}
    assert len(places) == 1
    page = customer.get(places.pop()).text
    for shown in ("Rp75.000", "1234567890", "131-00-1234567-8", "PT MinisPod Nusantara", "Waiting for the proof"):
        assert shown in page
    assert re.search(r"<code[^>]*>TF[A-Z2-9]{8}</code>", page)
    assert db.session().query(Payment).count() == 1


def test_its_old_address_leads_to_its_page(customer, desk):
    payment = desk.ask()
    assert customer.get(f"/top-ups/{payment.id}").location == f"/transfers/{payment.id}"
    assert customer.post(f"/top-ups/{payment.id}/pay").status_code == 409


def test_the_ladder_of_a_page_and_of_a_proof(client, portal, desk, ayu, budi, dewi):
    payment = desk.ask()
    proof = desk.prove(payment)
    addresses = [f"/transfers/{payment.id}", f"/transfers/{payment.id}/proofs/{proof.id}"]
    for address in addresses:
        assert client.get(address).status_code == 303
    for stranger in (budi, dewi):
        browser = sign_in(portal.test_client(), stranger.email)
        assert [browser.get(address).status_code for address in addresses] == [404, 404]
        assert upload(browser, payment, picture()).status_code == 404
        assert browser.post(f"/transfers/{payment.id}/cancellation").status_code == 404
    owner = sign_in(client, ayu.email)
    assert [owner.get(address).status_code for address in addresses] == [200, 200]


def test_a_proof_is_not_found_under_another_transfer_of_the_same_customer(customer, desk):
    first, second = desk.ask(), desk.ask()
    proof = desk.prove(first)
    assert customer.get(f"/transfers/{second.id}/proofs/{proof.id}").status_code == 404


def test_a_proof_hands_the_transfer_over_and_another_replaces_it(customer, desk):
    payment = desk.ask()
    assert upload(customer, payment, picture()).status_code == 303
    assert desk.state(payment) is TransferState.IN_REVIEW
    assert upload(customer, payment, picture()).status_code == 303
    assert len(proofs()) == 1, "the same again is no second one"
    assert upload(customer, payment, picture("JPEG", colour="red"), "b.jpg", "image/jpeg").status_code == 303
    assert [one.content_type for one in proofs()] == ["image/jpeg"] * 2
    page = customer.get(f"/transfers/{payment.id}").text
    assert str(proofs()[1].id) in page
    assert str(proofs()[0].id) not in page
    assert desk.told == ["transfer_proof_received"]


@pytest.mark.parametrize("raw, kind, name", [(picture("WEBP"), "image/jpeg", "jpg"), (PDF, "application/pdf", "pdf")])
def test_a_proof_is_handed_out_so_that_no_browser_runs_it(customer, desk, raw, kind, name):
    payment = desk.ask()
    assert upload(customer, payment, raw, "../../../etc/passwd").status_code == 303
    answer = customer.get(f"/transfers/{payment.id}/proofs/{proofs()[0].id}")
    assert answer.mimetype == kind
    assert answer.headers["Content-Disposition"] == f"attachment; filename={desk.transfer(payment).reference}.{name}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("raw", [SVG, HTML, b"", b"GIF89a....", picture()[:50]])
def test_what_is_no_proof_is_refused_however_it_is_called(customer, desk, raw):
    payment = desk.ask()
    answer = upload(customer, payment, raw)
    assert answer.status_code == 422
    assert "field-error" in answer.text
    assert proofs() == []
    assert desk.state(payment) is TransferState.WAITING_FOR_PROOF


def test_a_polyglot_loses_what_is_no_picture(customer, desk):
    payment = desk.ask()
    upload(customer, payment, polyglot(), "cat.png.html", "text/html")
    answer = customer.get(f"/transfers/{payment.id}/proofs/{proofs()[0].id}")
    assert b"script" not in answer.data


@pytest.mark.parametrize(
    "name", ["../../x.png", "x\0.png", "a" * 5000, 'x";evil="y.png', "x\r\nX-Evil: 1.png", "", "é.png"]
)
def test_no_name_does_harm(customer, desk, name):
    payment = desk.ask()
    assert upload(customer, payment, picture(), name).status_code in (303, 422)
    for proof in proofs():
        answer = customer.get(f"/transfers/{payment.id}/proofs/{proof.id}")
        assert "X-Evil" not in answer.headers
        assert "evil" not in answer.headers["Content-Disposition"]


def test_no_file_and_a_text_in_its_place_are_named(customer, desk):
    payment = desk.ask()
    for form in ({}, {"file": "just words"}):
        answer = customer.post(f"/transfers/{payment.id}/proofs", data=form, content_type="multipart/form-data")
        assert answer.status_code == 422
        assert "Choose a file first" in answer.text


def test_six_mebibytes_are_refused_unread_and_five_are_taken(customer, desk):
    payment = desk.ask()
    assert upload(customer, payment, picture() + b"\0" * (6 * 1024 * 1024)).status_code == 413
    assert upload(customer, payment, picture() + b"\0" * (BYTES_MAX - len(picture()) + 1)).status_code == 422
    assert proofs() == []
    assert upload(customer, payment, picture() + b"\0" * (BYTES_MAX - len(picture()))).status_code == 303


def test_other_addresses_take_no_more_than_before(customer, desk):
    form = {"file": (io.BytesIO(b"\0" * (1024 * 1024 + 1)), "x.png")}
    assert customer.post("/top-ups/", data=form, content_type="multipart/form-data").status_code == 413


def test_uploading_needs_the_forms_token_also_for_a_large_file(portal, customer, desk):
    payment = desk.ask()
    portal.config["WTF_CSRF_ENABLED"] = True
    assert upload(customer, payment, picture() + b"\0" * (2 * 1024 * 1024)).status_code == 400


def test_nobody_fills_our_database(customer, desk):
    payment = desk.ask()
    shades = [f"rgb({shade},0,0)" for shade in range(0, 240, 20)]
    answers = [upload(customer, payment, picture(colour=shade)).status_code for shade in shades]
    assert answers == [303] * 5 + [409] * 7
    assert len(proofs()) == 5
    for _ in range(4):
        desk.proven()
    with pytest.raises(TooManyOpenTopUps):
        desk.ask()


def test_a_customer_cancels_once_and_reads_what_then(customer, desk):
    payment = desk.proven()
    for _ in range(2):
        assert customer.post(f"/transfers/{payment.id}/cancellation").status_code == 303
    assert desk.state(payment) is TransferState.CANCELLED
    assert "You cancelled this transfer" in customer.get(f"/transfers/{payment.id}").text
    assert upload(customer, payment, picture(colour="red")).status_code == 409


def test_what_was_decided_cannot_be_cancelled(customer, desk):
    payment = desk.proven()
    desk.approve(payment)
    assert customer.post(f"/transfers/{payment.id}/cancellation").status_code == 409
    assert desk.balance == 50_000


def test_each_end_is_told_on_the_page(customer, desk):
    less, refused, undone = desk.proven(), desk.proven(), desk.proven()
    desk.approve(less, 45_000, line="FT1")
    desk.reject(refused, "Wrong account <b>")
    desk.approve(undone, line="FT2")
    desk.take_back(undone, 50_000)
    page = customer.get(f"/transfers/{less.id}").text
    assert "Rp45.000 is in your wallet" in page
    assert "You announced Rp50.000" in page
    assert "The reason: Wrong account &lt;b&gt;." in customer.get(f"/transfers/{refused.id}").text
    assert "was taken back" in customer.get(f"/transfers/{undone.id}").text
    for address in ("/wallet/", "/top-ups/", "/dashboard/", "/notices/"):
        assert customer.get(address).status_code == 200


def test_the_page_asks_the_database_little(customer, desk):
    payment = desk.proven()
    with counted() as queries:
        assert customer.get(f"/transfers/{payment.id}").status_code == 200
    assert len(queries) <= SIGNED_IN_MAX
    assert not any("transfer_proof.content," in query for query in queries), "a picture is not read to name it"
