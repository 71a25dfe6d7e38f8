"""Mail goes in over real SMTP, comes out on pages and as JSON, and can be refused, hang or find nobody."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from sandbox.mailbox import create_app
from sandbox.mailbox.smtp import MailServer


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Any]:
    made = create_app(folder=tmp_path / "mails")
    made.server.start()
    yield made
    made.server.stop()


@pytest.fixture
def browser(app: Any) -> Client:
    return Client(app)


def letter(to: str = "ayu@example.com", subject: str = "Selamat datang") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "MinisPod <no-reply@minispod.test>", to
    message.set_content("Halo. Buka https://minispod.test/verify?token=abc\n")
    message.add_alternative("<h1>Halo</h1><img src='cid:logo'><script>alert(1)</script>", subtype="html")
    html = message.get_payload()[1]
    html.add_related(b"picture", "image", "png", cid="<logo>")
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="kuitansi.pdf")
    return message


def send(app: Any, message: EmailMessage, timeout_s: float = 5.0) -> None:
    with smtplib.SMTP("127.0.0.1", app.server.port, timeout=timeout_s) as connection:
        connection.send_message(message)


def test_a_mail_is_kept_with_its_parts(app: Any, browser: Client) -> None:
    send(app, letter())
    [mail] = browser.get("/api/mails").get_json()
    assert (mail["to"], mail["subject"]) == (["ayu@example.com"], "Selamat datang")
    assert mail["links"] == ["https://minispod.test/verify?token=abc"]
    assert mail["attachments"] == ["kuitansi.pdf"]
    assert browser.get(f"/api/mails/{mail['id']}").get_json() == mail


def test_mails_are_found_by_recipient_and_subject_newest_first(app: Any, browser: Client) -> None:
    for to, subject in [
        ("ayu@example.com", "One"),
        ("budi@example.com", "Two"),
        ("ayu@example.com", "Three"),
    ]:
        send(app, letter(to, subject))
    found = browser.get("/api/mails?to=AYU@example.com").get_json()
    assert [mail["subject"] for mail in found] == ["Three", "One"]
    assert [mail["subject"] for mail in browser.get("/api/mails?subject=tw").get_json()] == ["Two"]
    assert app.mailbox.wait_for("budi@example.com").subject == "Two"


def test_the_envelope_names_blind_copies(app: Any) -> None:
    with smtplib.SMTP("127.0.0.1", app.server.port, timeout=5) as connection:
        connection.send_message(letter(), to_addrs=["hidden@example.com"])
    assert app.mailbox.mails("hidden@example.com")
    assert not app.mailbox.mails("ayu@example.com")


def test_the_html_part_is_shown_where_it_can_do_nothing(app: Any, browser: Client) -> None:
    send(app, letter())
    mail = app.mailbox.mails()[0]
    page = browser.get(f"/mails/{mail.mail_id}/").get_data(as_text=True)
    assert 'sandbox=""' in page
    assert "<script>alert(1)" not in page
    part = browser.get(f"/mails/{mail.mail_id}/html")
    assert part.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "parts/logo" in part.get_data(as_text=True)
    assert browser.get(f"/mails/{mail.mail_id}/parts/logo").get_data() == b"picture"


def test_attachments_and_source_can_be_downloaded(app: Any, browser: Client) -> None:
    send(app, letter())
    mail = app.mailbox.mails()[0]
    answer = browser.get(f"/mails/{mail.mail_id}/attachments/0")
    assert answer.get_data() == b"%PDF-1.4"
    assert "kuitansi.pdf" in answer.headers["Content-Disposition"]
    assert b"Selamat datang" in browser.get(f"/mails/{mail.mail_id}/raw").get_data()
    assert browser.get(f"/mails/{mail.mail_id}/attachments/1").status_code == 404
    assert browser.get("/mails/nonsense/").status_code == 404


def test_the_list_names_the_newest_first_and_can_be_emptied(app: Any, browser: Client) -> None:
    send(app, letter(subject="First"))
    send(app, letter(subject="Second"))
    page = browser.get("/").get_data(as_text=True)
    assert page.index("Second") < page.index("First")
    browser.post("/clear")
    assert "No mail yet" in browser.get("/").get_data(as_text=True)


def test_a_restart_finds_the_mails_again(app: Any, tmp_path: Path) -> None:
    send(app, letter(subject="Über Rp50.000"))
    before = app.mailbox.mails()[0]
    again = create_app(folder=tmp_path / "mails").mailbox.mails()
    assert again == [before]
    assert again[0].subject == "Über Rp50.000"


@pytest.mark.parametrize("stage,code", [("mail", 451), ("rcpt", 550), ("data", 554)])
def test_a_refusal_has_its_stage_and_code(app: Any, browser: Client, stage: str, code: int) -> None:
    browser.post("/api/faults", json={"mode": "refuse", "stage": stage, "code": code, "times": 1})
    with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as caught:
        send(app, letter())
    assert str(code) in str(caught.value)
    send(app, letter())
    assert len(app.mailbox.mails()) == 1


def test_only_the_named_recipient_is_refused(app: Any) -> None:
    app.server.inject("refuse", stage="rcpt", code=550, to="budi@example.com")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(app, letter("budi@example.com"))
    send(app, letter("ayu@example.com"))


def test_a_hanging_server_lets_go_when_healed(app: Any) -> None:
    app.server.inject("hang")
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        send(app, letter(), timeout_s=0.2)
    app.server.heal()
    send(app, letter())
    assert len(app.mailbox.mails()) == 1


def test_a_server_that_is_down_refuses_and_comes_back_on_its_port(app: Any, browser: Client) -> None:
    port = app.server.port
    browser.post("/api/faults", json={"mode": "down"})
    with pytest.raises(ConnectionRefusedError):
        send(app, letter())
    assert browser.get("/api/faults").get_json()["active"]["mode"] == "down"
    browser.delete("/api/faults")
    send(app, letter())
    assert app.server.port == port


def test_an_unknown_fault_is_refused(browser: Client) -> None:
    assert browser.post("/api/faults", json={"mode": "gremlins"}).status_code == 400
    assert browser.post("/api/faults", json={"mode": "refuse", "colour": "red"}).status_code == 400


def test_waiting_for_a_mail_that_never_comes_ends(app: Any) -> None:
    with pytest.raises(TimeoutError):
        app.mailbox.wait_for("nobody@example.com", timeout_s=0.01)


def test_other_machines_are_not_served(app: Any) -> None:
    with pytest.raises(ValueError, match="this machine"):
        MailServer(app.mailbox, host="0.0.0.0")
