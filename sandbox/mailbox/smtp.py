"""The SMTP side: takes every mail on a loopback port, unless told to misbehave."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from .box import Mailbox

LOOPBACK = "127.0.0.1"
FAULTS = {
    "refuse": "answer `code` (default 451) at `stage` mail, rcpt or data (default)",
    "hang": "say nothing for `seconds` (default 60) or until healed, at `stage` (default data)",
    "down": "nobody listens on the port",
}


@dataclass
class MailFault:
    """What goes wrong now. `times` None means until healed; `to` limits it to one recipient."""

    mode: str
    stage: str = "data"
    code: int = 451
    seconds: float = 60.0
    times: int | None = None
    to: str = ""

    def described(self) -> dict[str, Any]:
        return dict(vars(self))


class MailServer:
    """`start` binds (port 0 picks a free one, see `port`), `stop` lets go. One fault at a time."""

    def __init__(self, mailbox: Mailbox, *, host: str = LOOPBACK, port: int = 0) -> None:
        if host not in (LOOPBACK, "::1", "localhost"):
            raise ValueError("the sandbox listens on this machine alone")
        self.mailbox, self._host, self.port = mailbox, host, port
        self.fault: MailFault | None = None
        self._controller: _Controller | None = None
        self._hanging: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def start(self) -> MailServer:
        """Listen, on the same port as before when stopped in between."""
        if self._controller is None:
            self._controller = _Controller(self, self._host, self.port)
            self._controller.start()
            self.port = self._controller.port
        return self

    def stop(self) -> None:
        self._let_go()
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def inject(self, mode: str, **params: Any) -> MailFault:
        """Misbehave from now on; replaces an earlier fault. Raises ValueError for an unknown mode."""
        if mode not in FAULTS:
            raise ValueError(mode)
        self.heal()
        self.fault = MailFault(mode, **params)
        if mode == "down":
            self.stop()
        return self.fault

    def heal(self) -> None:
        """Behave again: listen, answer, let go whoever hangs."""
        self.fault = None
        self._let_go()
        self.start()

    async def stumble(self, stage: str, recipient: str = "") -> str | None:
        """The refusal to give at this stage, after hanging if so told; None to go on."""
        fault = self.fault
        if fault is None or fault.stage != stage or not self._strikes(fault, recipient):
            return None
        if fault.mode == "hang":
            await self._hang(fault.seconds)
            return "451 Took too long"
        return f"{fault.code} Refused by the sandbox"

    def _strikes(self, fault: MailFault, recipient: str) -> bool:
        if fault.to and recipient and fault.to.lower() != recipient.lower():
            return False
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.fault = None
        return True

    async def _hang(self, seconds: float) -> None:
        waiting = (asyncio.get_running_loop(), asyncio.Event())
        self._hanging.add(waiting)
        try:
            await asyncio.wait_for(waiting[1].wait(), seconds)
        except TimeoutError:
            pass
        finally:
            self._hanging.discard(waiting)

    def _let_go(self) -> None:
        for loop, event in list(self._hanging):
            loop.call_soon_threadsafe(event.set)


class _Handler:
    """aiosmtpd's hooks, in the order of a conversation."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_MAIL(  # noqa: N802
        self, smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._server.stumble("mail"):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._server.stumble("rcpt", address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, smtp: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if refusal := await self._server.stumble("data", envelope.rcpt_tos[0] if envelope.rcpt_tos else ""):
            return refusal
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self._server.mailbox.receive(envelope.mail_from or "", list(envelope.rcpt_tos), content)
        return "250 OK"


class _Controller(Controller):
    """Binds the socket itself, so that port 0 works and the port is known before anybody connects."""

    def __init__(self, server: MailServer, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        super().__init__(_Handler(server), hostname=host, port=self._socket.getsockname()[1])

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._socket, ssl=self.ssl_context)
