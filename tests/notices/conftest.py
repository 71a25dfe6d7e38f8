"""A real SMTP server in this process, told per stage what to answer, and the people who get the mails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from pydantic import SecretStr

from config import settings
from tests.personas import ayu, budi, citra  # noqa: F401 - fixtures


class PostOffice:
    """Keeps what it takes; `answers` overrides its reply at `RCPT` or `DATA`."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.letters.append(message_from_bytes(envelope.content, policy=policy))  # type: ignore[arg-type]
        self.recipients.extend(envelope.rcpt_tos)
        return "250 taken"


@pytest.fixture
def post_office(portal: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostOffice]:
    """The mail server the portal's settings point at."""
    office = PostOffice()
    with serving(office) as port:
        monkeypatch.setattr(settings(), "smtp_url", SecretStr(f"smtp://127.0.0.1:{port}"))
        yield office


@contextmanager
def serving(office: PostOffice, **options: Any) -> Iterator[int]:
    """Runs an SMTP server for `office`; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(office, hostname="127.0.0.1", port=port, **options)
    controller.start()
    yield port
    controller.stop()


def accept_only(user: str, password: str) -> Any:
    """An authenticator for a server that knows one login."""

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(handled=False, success=(data.login, data.password) == (user.encode(), password.encode()))

    return check
