"""Promo codes as an operator makes, watches and ends them."""

from __future__ import annotations

from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditEntry
from portal.core.clock import today
from portal.core.db import db
from portal.promotions.models import PromoCode
from tests.books.shop import balance
from tests.books_audit import assert_books_are_clean
from tests.personas import sign_in
from tests.promotions.test_codes import make, redeem, row
from tests.queries import counted

pytest_plugins = ["tests.personas"]
LIST_MAX = 5


def filled(**changes: str) -> dict[str, str]:
    day = today().isoformat()
    form = {
        "code": "hut-81",
        "amount": "25000",
        "redemptions_max": "10",
        "starts_on": day,
        "ends_on": day,
        "note": "Fair",
    }
    return form | changes


def only_code() -> PromoCode:
    return db.session().scalars(sa.select(PromoCode).execution_options(populate_existing=True)).one()


def noted() -> list[str]:
    statement = sa.select(AuditEntry.action).where(AuditEntry.subject_kind == "promo_code").order_by(AuditEntry.id)
    return list(db.session().scalars(statement))


def test_only_an_administrator_knows_it_is_there(client, ayu):
    for path in ("/admin/promo-codes/", "/admin/promo-codes/new", f"/admin/promo-codes/{make()}"):
        assert sign_in(client, ayu.email).get(path).status_code == 404
        client.post("/sign-out")


def test_one_made_here_is_redeemed_until_its_last_day_is_over(client, ayu, dewi):
    admin = sign_in(client, dewi.email)
    answer = admin.post("/admin/promo-codes/new", data=filled(newcomers_only="y"))
    promo = only_code()
    assert answer.location == f"/admin/promo-codes/{promo.id}"
    assert (promo.code, promo.amount, promo.redemptions_max, promo.newcomers_only) == ("HUT-81", 25_000, 10, True)
    assert today(promo.starts_at) == today()
    assert (promo.ends_at - promo.starts_at).days == 1
    redeem(ayu, "hut-81")
    assert balance(ayu.customer_id) == 25_000
    page = admin.get(f"/admin/promo-codes/{promo.id}").text
    assert "1 / 10" in page
    assert "Rp250.000" in page
    assert ayu.customer.name in page
    assert noted() == ["promo_code.added"]
    assert_books_are_clean()


def test_the_form_proposes_a_code_that_nobody_guesses(client, dewi):
    admin = sign_in(client, dewi.email)
    proposals = {admin.get("/admin/promo-codes/new").text.split('id="code"')[1].split('value="')[1][:8] for _ in "123"}
    assert len(proposals) == 3


@pytest.mark.parametrize(
    "wrong",
    [{"code": "ab"}, {"code": "A B ' OR"}, {"code": "\0"}, {"amount": "0"}, {"amount": "-5"}, {"amount": "10000001"},
     {"amount": "x"}, {"redemptions_max": "0"}, {"redemptions_max": "1000001"}, {"starts_on": ""},
     {"starts_on": "9999-12-31", "ends_on": ""}, {"ends_on": "9999-12-31"}, {"ends_on": "2020-01-01"},
     {"starts_on": "0001-01-01"}, {"note": "x" * 201}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_beside_its_field(client, dewi, wrong):
    answer = sign_in(client, dewi.email).post("/admin/promo-codes/new", data=filled(**wrong))
    assert (answer.status_code, "field-error" in answer.text) == (422, True)
    assert db.session().query(PromoCode).count() == 0


def test_a_name_is_given_once(client, dewi):
    make("HUT-81")
    answer = sign_in(client, dewi.email).post("/admin/promo-codes/new", data=filled(code=" hut-81 "))
    assert answer.status_code == 422
    assert "There is a promo code of that name already." in answer.text


def test_its_terms_change_but_never_below_what_was_redeemed(client, ayu, budi, dewi):
    promo_id = make()
    for person in (ayu, budi):
        redeem(person)
    admin = sign_in(client, dewi.email)
    refused = admin.post(f"/admin/promo-codes/{promo_id}", data=filled(redemptions_max="1"))
    assert refused.status_code == 422
    assert "redeemed more often" in refused.text
    assert row(promo_id).redemptions_max == 100
    admin.post(f"/admin/promo-codes/{promo_id}", data=filled(redemptions_max="2", ends_on="", amount="1", code="OTHER"))
    promo = row(promo_id)
    assert (promo.redemptions_max, promo.ends_at, promo.amount, promo.code) == (2, None, 25_000, "SELAMAT")
    assert noted()[1:] == ["promo_code.edited"]


def test_it_is_switched_off_and_on_again(client, ayu, dewi):
    promo_id = make()
    admin = sign_in(client, dewi.email)
    for _ in range(2):
        admin.post(f"/admin/promo-codes/{promo_id}/switch", data={"active": "no"})
        assert row(promo_id).active is False
    admin.post(f"/admin/promo-codes/{promo_id}/switch", data={"active": "yes"})
    assert noted()[1:] == ["promo_code.switched_off", "promo_code.switched_on"]
    assert redeem(ayu) == 25_000


def test_the_list_filters_by_state_and_words_and_comes_as_a_file(client, dewi):
    make("OPEN-1", note="Fair in Solo")
    make("ENDED-1", begins=-9, ends=-1)
    make("LATER-1", begins=5)
    admin = sign_in(client, dewi.email)
    with counted() as statements:
        page = admin.get("/admin/promo-codes/").text
    assert len(statements) <= LIST_MAX
    assert all(code in page for code in ("OPEN-1", "ENDED-1", "LATER-1"))
    for asked, code in {"state=OPEN": "OPEN-1", "state=ENDED": "ENDED-1", "state=PLANNED": "LATER-1",
                        "search=solo": "OPEN-1", "search=later": "LATER-1"}.items():  # fmt: skip
        found = admin.get(f"/admin/promo-codes/?{asked}").text
        assert [one for one in ("OPEN-1", "ENDED-1", "LATER-1") if one in found] == [code], asked
    assert "OPEN-1" not in admin.get("/admin/promo-codes/?search=%25").text
    file = admin.get("/admin/promo-codes/?format=csv&state=OPEN").text.splitlines()
    assert file[0].lstrip("\ufeff").startswith("code,amount,state,redeemed")
    assert [line.split(",")[:3] for line in file[1:]] == [["OPEN-1", "25000", "OPEN"]]


def test_one_that_is_not_there_is_not_found(client, dewi):
    admin = sign_in(client, dewi.email)
    missing = UUID(int=7)
    assert admin.get(f"/admin/promo-codes/{missing}").status_code == 404
    assert admin.post(f"/admin/promo-codes/{missing}/switch", data={"active": "no"}).status_code == 404
    assert admin.post(f"/admin/promo-codes/{missing}", data=filled()).status_code == 404
