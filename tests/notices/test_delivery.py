"""Delivering over real SMTP: taken, refused, put off, repeated."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from config import settings
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.notices import actions, gateway, letters
from portal.notices.errors import MailRefused, MailServerAway
from portal.notices.models import Mail, MailStatus
from tests.conftest import settle
from tests.notices.conftest import PostOffice, accept_only, serving


def queue(address="ayu@example.com", *, code="reset_password", key="mail:1", parameters=None) -> None:
    with transaction() as session:
        actions.send_mail(
            session,
            to_address=address,
            language="en",
            code=code,
            parameters=parameters or {"recipient": "Ayu"},
            secret_parameters={"token": "one-time-token"},
            unique_key=key,
            now=clock.now(),
        )


def stored() -> Mail:
    db.session.rollback()
    return db.session().scalars(sa.select(Mail).execution_options(populate_existing=True)).one()


def outbox_row() -> OutboxMessage:
    return db.session().scalars(sa.select(OutboxMessage).execution_options(populate_existing=True)).one()


def use_server(monkeypatch, url: str) -> None:
    monkeypatch.setattr(settings(), "smtp_url", SecretStr(url))


def test_a_mail_arrives_as_text_and_html_with_its_link(post_office, drain):
    queue()
    drain()
    letter = post_office.letters[0]
    text = letter.get_body(("plain",)).get_content()
    page = letter.get_body(("html",)).get_content()
    link = "http://127.0.0.1:8000/reset/one-time-token"
    assert letter["Subject"] == "Set a new password"
    assert letter["To"] == "ayu@example.com"
    assert link in text
    assert f'href="{link}"' in page
    assert "Hello Ayu," in text
    assert letter["Auto-Submitted"] == "auto-generated"


def test_a_sent_mail_is_recorded_and_its_one_time_link_erased(post_office, drain):
    queue()
    drain()
    mail = stored()
    assert (mail.status, mail.attempts, mail.sent_at, mail.secret_parameters) == (
        MailStatus.SENT,
        1,
        clock.now(),
        None,
    )
    assert outbox_row().done_at is not None


def test_delivering_a_sent_mail_again_sends_nothing(post_office, drain):
    from jobs import notices

    queue()
    drain()
    notices.deliver(str(stored().id))
    assert len(post_office.letters) == 1


def test_a_mail_sent_twice_after_a_crash_carries_the_same_message_id(post_office, drain):
    """The worker died after the server took the mail and before that was recorded: at least once."""
    queue()
    gateway.send(letters.compose(stored()))
    drain()
    first, second = post_office.letters
    assert first["Message-ID"] == second["Message-ID"] == f"<{stored().id}@minispod.example>"
    assert first["Date"] == second["Date"]


@pytest.mark.parametrize("stage", ["RCPT", "DATA"])
def test_a_passing_refusal_is_tried_again(post_office, stage):
    from tests.conftest import run_due_work

    post_office.answers[stage] = "451 try again later"
    queue()
    run_due_work()
    mail = stored()
    assert (mail.status, mail.attempts) == (MailStatus.QUEUED, 1)
    assert "451" in str(mail.last_error)
    assert outbox_row().done_at is None
    post_office.answers.clear()
    settle()
    assert stored().status == MailStatus.SENT
    assert len(post_office.letters) == 1


@pytest.mark.parametrize("stage", ["RCPT", "DATA"])
def test_a_final_refusal_fails_the_mail_and_is_not_repeated(post_office, drain, stage):
    post_office.answers[stage] = "550 no such person"
    queue()
    drain()
    mail = stored()
    assert (mail.status, mail.attempts, mail.secret_parameters) == (MailStatus.FAILED, 1, None)
    assert "550 no such person" in str(mail.last_error)
    assert outbox_row().done_at is not None


def test_a_mail_server_that_is_away_for_a_night_loses_nothing(post_office, monkeypatch):
    port = settings().smtp_url
    use_server(monkeypatch, "smtp://127.0.0.1:9")
    queue()
    settle(for_at_most=timedelta(hours=9))
    assert stored().status == MailStatus.QUEUED
    monkeypatch.setattr(settings(), "smtp_url", port)
    settle(for_at_most=timedelta(hours=2))
    assert stored().status == MailStatus.SENT


def test_a_mail_is_given_up_after_two_days_and_says_why(portal, monkeypatch):
    use_server(monkeypatch, "smtp://127.0.0.1:9")
    queue()
    settle(for_at_most=timedelta(days=3))
    mail = stored()
    assert mail.status == MailStatus.FAILED
    assert "refused" in str(mail.last_error).lower()
    assert mail.secret_parameters is None


def test_a_server_that_never_answers_is_given_up_on_in_time(portal, monkeypatch):
    queue()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_server(monkeypatch, f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(MailServerAway):
            gateway.send(letters.compose(stored()), timeout_s=0.2)


def test_mail_is_never_sent_inside_a_transaction(post_office):
    queue()
    letter = letters.compose(stored())
    db.session.rollback()
    with transaction(), pytest.raises(AssertionError, match="network call"):
        gateway.send(letter)


def test_a_refused_login_waits_for_the_operator(portal, monkeypatch):
    """Our own mistake: it must not fail every customer's mail for good."""
    with serving(PostOffice(), authenticator=accept_only("u", "right"), auth_require_tls=False) as port:
        use_server(monkeypatch, f"smtp://u:wrong@127.0.0.1:{port}")
        queue()
        with pytest.raises(MailServerAway) as caught:
            gateway.send(letters.compose(stored()))
    assert "535" in caught.value.details["reason"]
    assert "wrong" not in caught.value.details["reason"]


def test_a_login_with_odd_characters_works(portal, monkeypatch):
    office = PostOffice()
    with serving(office, authenticator=accept_only("u@x", "p:/@"), auth_require_tls=False) as port:
        use_server(monkeypatch, f"smtp://u%40x:p%3A%2F%40@127.0.0.1:{port}")
        queue()
        gateway.send(letters.compose(stored()))
    assert len(office.letters) == 1


def test_starttls_is_never_quietly_skipped(post_office, monkeypatch):
    url = settings().smtp_url.get_secret_value()
    use_server(monkeypatch, f"{url}?tls=starttls")
    queue()
    with pytest.raises(MailServerAway):
        gateway.send(letters.compose(stored()))
    assert post_office.letters == []


@pytest.mark.parametrize("url", ["http://x", "smtp://h:port", "smtp://u:pä@127.0.0.1:9"])
def test_a_bad_setting_of_ours_fails_no_mail_for_good(portal, monkeypatch, url):
    use_server(monkeypatch, url)
    queue()
    with pytest.raises(MailServerAway):
        gateway.send(letters.compose(stored()))


@pytest.mark.parametrize("url", ["http://x", "smtp://", "mail.example.com"])
def test_an_address_that_is_no_mail_server_is_named(url):
    with pytest.raises(ValueError, match="SMTP_URL"):
        gateway.server(url)


def test_server_addresses_are_read_in_full():
    read = gateway.server("smtps://me:a%40b@mail.example.com")
    assert (read.host, read.port, read.user, read.password, read.tls) == (
        "mail.example.com",
        465,
        "me",
        "a@b",
        "implicit",
    )
    assert gateway.server("smtp://mail.example.com:587?tls=starttls").tls == "starttls"


@pytest.mark.parametrize(
    "address",
    ["ayu@example.com\r\nBcc: all@example.com", "ayu@example.com, x@example.com", "not an address", ""],
)
def test_headers_cannot_be_injected_by_an_address(post_office, drain, address):
    queue(address)
    drain()
    assert stored().status == MailStatus.FAILED
    assert post_office.letters == []


def test_headers_and_markup_cannot_be_injected_by_a_name(post_office, drain):
    name = "Evil\r\nBcc: all@example.com <script>"
    queue(code="instance_started", parameters={"app": name, "name": name, "recipient": name})
    drain()
    letter = post_office.letters[0]
    assert letter["Bcc"] is None
    assert "\n" not in letter["Subject"]
    assert post_office.recipients == ["ayu@example.com"]
    assert "<script>" not in letter.get_body(("html",)).get_content()


def test_an_unknown_code_still_leaves_as_a_readable_mail(post_office, drain):
    queue(code="from_a_newer_release")
    drain()
    assert stored().status == MailStatus.SENT


def test_a_refused_address_is_an_expected_refusal(portal):
    with pytest.raises(MailRefused):
        letters.compose(Mail(to_address="nobody", language="en", code="welcome", parameters={}))
