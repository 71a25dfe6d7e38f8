"""The one wrapper of the mail server: SMTP with time-outs, TLS checked, and two kinds of failure."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from config import settings
from portal.core import pulse
from portal.core.db import assert_outside_transaction
from portal.notices.errors import MailRefused, MailServerAway

TIMEOUT_S = 10.0
PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True)
class Server:
    """Where mail is handed over. `tls`: `none`, `starttls` after the greeting, or `implicit` from the start."""

    host: str
    port: int
    user: str
    password: str
    tls: Literal["none", "starttls", "implicit"]


def server(url: str) -> Server:
    """Reads `smtp[s]://user:pass@host:port?tls=starttls`; raises ValueError when it is no such address."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("SMTP_URL must be smtp://host:port or smtps://host:port")
    starttls = parse_qs(parts.query).get("tls") == ["starttls"]
    return Server(
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls="implicit" if parts.scheme == "smtps" else "starttls" if starttls else "none",
    )


def send(message: EmailMessage, *, timeout_s: float = TIMEOUT_S) -> None:
    """Hands one mail over; returns when the server took it.

    Raises `MailServerAway` for what may pass and `MailRefused` for what will not. After a time-out nobody knows
    whether the mail left, so it may be sent again: its Message-ID stays the same.
    """
    assert_outside_transaction()
    try:
        with _connected(server(settings().smtp_url.get_secret_value()), timeout_s) as smtp:
            _hand_over(smtp, message)
        pulse.note("mail", answered=True)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        # No connection, no login, a bad SMTP_URL: never the reader's address, so their mail waits.
        pulse.note("mail", answered=False)
        raise MailServerAway(reason=_reason(error)) from error


def _hand_over(smtp: smtplib.SMTP, message: EmailMessage) -> None:
    try:
        smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        raise _fault(code, f"{code} {_text(text)}") from error
    except smtplib.SMTPDataError as error:
        raise _fault(error.smtp_code, _reason(error)) from error
    except (smtplib.SMTPNotSupportedError, ValueError) as error:
        raise MailRefused(reason=_reason(error)) from error


@contextmanager
def _connected(to: Server, timeout_s: float) -> Iterator[smtplib.SMTP]:
    me = urlsplit(settings().public_url).hostname
    if to.tls == "implicit":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            to.host, to.port, me, timeout=timeout_s, context=ssl.create_default_context()
        )
    else:
        smtp = smtplib.SMTP(to.host, to.port, me, timeout=timeout_s)
    try:
        if to.tls == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if to.user:
            smtp.login(to.user, to.password)
        yield smtp
    finally:
        smtp.close()  # not quit(): the mail is taken, and a server slow to say goodbye is no fault


def _fault(code: int, reason: str) -> MailRefused | MailServerAway:
    return MailRefused(reason=reason) if 500 <= code <= 599 else MailServerAway(reason=reason)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return f"{type(error).__name__}: {error}"


def _text(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
