"""What became of the mails: their state and why, to their reader alone, and another try for what failed."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from portal.accounts.models import User
from portal.core import clock
from portal.core.db import db, transaction
from portal.notices import actions
from portal.notices.models import Mail
from tests.conftest import run_due_work
from tests.personas import Person, sign_in

REFUSED = "550 5.1.1 no such mailbox"


def mail_to(person: Person, *, status: str = "FAILED", error: str | None = REFUSED) -> UUID:
    with transaction() as session:
        key = uuid4().hex
        actions.tell(
            session, customer_id=person.customer_id, code="top_up_expired", parameters={"amount": 50_000},
            unique_key=key, now=clock.now(),
        )  # fmt: skip
        mail = session.scalars(sa.select(Mail).where(Mail.unique_key == f"{key}:{person.user_id}")).one()
        mail.status, mail.last_error, mail.attempts = status, error, 3
        session.execute(sa.text("DELETE FROM outbox_message"))
        return mail.id


def state(mail_id: UUID) -> tuple[str, str | None, int]:
    db.session.rollback()
    mail = db.session().get_one(Mail, mail_id, populate_existing=True)
    return mail.status, mail.last_error, mail.attempts


def test_a_visitor_is_sent_to_sign_in(client, ayu: Person) -> None:
    assert "/sign-in" in client.get("/notices/mails").location
    assert "/sign-in" in client.post(f"/notices/mails/{mail_to(ayu)}/resending").location


def test_an_empty_page_says_when_it_fills(client, ayu: Person) -> None:
    sign_in(client, ayu.email)
    assert "No mail yet" in client.get("/notices/mails").text


@pytest.mark.parametrize(
    "status, error, words",
    [
        ("QUEUED", None, "On its way"),
        ("QUEUED", "421 busy", "We try again by ourselves."),
        ("SENT", None, "Handed over"),
        ("FAILED", REFUSED, REFUSED),
    ],
)
def test_each_state_is_shown_with_its_reason(client, ayu: Person, status: str, error: str | None, words: str) -> None:
    mail_to(ayu, status=status, error=error)
    sign_in(client, ayu.email)
    page = client.get("/notices/mails").text
    assert words in page
    assert ("Send it again" in page) is (status == "FAILED")


def test_only_its_reader_sees_a_mail_and_may_send_it_again(client, ayu: Person, citra: Person) -> None:
    mail_id = mail_to(ayu)
    sign_in(client, citra.email)
    assert REFUSED not in client.get("/notices/mails").text
    assert client.post(f"/notices/mails/{mail_id}/resending").status_code == 404
    assert state(mail_id) == ("FAILED", REFUSED, 3)


def test_a_failed_mail_is_sent_again_to_the_address_of_today(client, ayu: Person, post_office) -> None:
    mail_id = mail_to(ayu)
    with transaction() as session:
        session.execute(sa.update(User).where(User.id == ayu.user_id).values(email="ayu@new.example"))
    sign_in(client, "ayu@new.example")
    assert client.post(f"/notices/mails/{mail_id}/resending").status_code == 303
    assert state(mail_id) == ("QUEUED", None, 0)
    run_due_work()
    assert (state(mail_id)[0], post_office.recipients) == ("SENT", ["ayu@new.example"])


@pytest.mark.parametrize("status", ["QUEUED", "SENT"])
def test_one_that_did_not_fail_is_not_sent_twice(client, ayu: Person, status: str) -> None:
    mail_id = mail_to(ayu, status=status)
    sign_in(client, ayu.email)
    client.post(f"/notices/mails/{mail_id}/resending")
    assert state(mail_id) == (status, REFUSED, 3)
    assert run_due_work() == 0


def test_the_region_alone_answers_htmx(client, ayu: Person) -> None:
    mail_to(ayu)
    sign_in(client, ayu.email)
    region = client.get("/notices/mails", headers={"HX-Request": "true"}).text
    assert region.lstrip().startswith('<div id="notices-mails">')


def test_pages_of_twenty(client, ayu: Person) -> None:
    for _ in range(21):
        mail_to(ayu)
    sign_in(client, ayu.email)
    assert client.get("/notices/mails").text.count(REFUSED) == 20
    assert client.get("/notices/mails?page=2").text.count(REFUSED) == 1
