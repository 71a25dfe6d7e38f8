"""The mails received so far: in memory, and as .eml files when given a folder."""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any

RECEIVED_HEADER = "X-Sandbox-Received"
TO_HEADER = "X-Sandbox-To"


@dataclass(frozen=True)
class Mail:
    """One mail as it came in. `recipients` is the envelope, which also names blind copies."""

    mail_id: str
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @cached_property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)  # type: ignore[return-value]

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "(no subject)")

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        """The HTML part with inline pictures pointing at this mail's own parts; empty without one."""
        return re.sub(r"cid:([^\"'\s>)]+)", r"parts/\1", self._body("html"))

    @property
    def links(self) -> list[str]:
        """Every address in the text part (else the HTML): what a test follows."""
        return re.findall(r"https?://[^\s\"'<>)]+", self.text or self.html)

    @property
    def attachments(self) -> list[EmailMessage]:
        return list(self.message.iter_attachments())  # type: ignore[arg-type]

    def inline_part(self, content_id: str) -> EmailMessage | None:
        wanted = f"<{content_id}>"
        return next((part for part in self.message.walk() if part["Content-ID"] == wanted), None)  # type: ignore

    def described(self) -> dict[str, Any]:
        """For the JSON endpoints."""
        return {
            "id": self.mail_id,
            "received_at": self.received_at.isoformat(),
            "from": self.sender,
            "to": list(self.recipients),
            "subject": self.subject,
            "headers": {name: str(value) for name, value in self.message.items()},
            "text": self.text,
            "html": self.html,
            "links": self.links,
            "attachments": [part.get_filename() or "attachment" for part in self.attachments],
        }

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return part.get_content() if part is not None else ""


class Mailbox:
    """Thread-safe; newest first everywhere."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._arrived = threading.Condition()
        self._mails: list[Mail] = self._load()

    def receive(self, sender: str, recipients: list[str], raw: bytes) -> Mail:
        mail = Mail(uuid.uuid4().hex, datetime.now(UTC), sender, tuple(recipients), raw)
        with self._arrived:
            self._mails.append(mail)
            self._keep(mail)
            self._arrived.notify_all()
        return mail

    def mails(self, to: str = "", subject: str = "") -> list[Mail]:
        """Newest first; `to` is a whole address, `subject` a part; case does not matter."""
        with self._arrived:
            found = list(reversed(self._mails))
        return [mail for mail in found if _matches(mail, to, subject)]

    def find(self, mail_id: str) -> Mail | None:
        return next((mail for mail in self.mails() if mail.mail_id == mail_id), None)

    def wait_for(self, to: str = "", subject: str = "", *, timeout_s: float = 10.0) -> Mail:
        """The newest matching mail, waiting for it to come in. Raises TimeoutError."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: self._newest(to, subject) is not None, timeout_s)
            newest = self._newest(to, subject)
        if not came or newest is None:
            raise TimeoutError(f"no mail to {to or 'anybody'} about {subject or 'anything'} in {timeout_s} s")
        return newest

    def clear(self) -> None:
        with self._arrived:
            self._mails.clear()
            for path in self._files():
                path.unlink()

    def _newest(self, to: str, subject: str) -> Mail | None:
        return next((mail for mail in reversed(self._mails) if _matches(mail, to, subject)), None)

    def _keep(self, mail: Mail) -> None:
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            envelope = (
                f"{RECEIVED_HEADER}: {mail.received_at.isoformat()} {mail.mail_id} {mail.sender}\r\n"
                f"{TO_HEADER}: {' '.join(mail.recipients)}\r\n"
            )
            name = f"{mail.received_at:%Y%m%d-%H%M%S-%f}-{mail.mail_id[:8]}.eml"
            (self._folder / name).write_bytes(envelope.encode() + mail.raw)

    def _load(self) -> list[Mail]:
        return [mail for path in self._files() if (mail := _read(path.read_bytes())) is not None]

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.eml")) if self._folder and self._folder.is_dir() else []


def _matches(mail: Mail, to: str, subject: str) -> bool:
    addressed = not to or to.lower() in (recipient.lower() for recipient in mail.recipients)
    return addressed and subject.lower() in mail.subject.lower()


def _read(stored: bytes) -> Mail | None:
    """A file as `_keep` wrote it; None for any other .eml."""
    first, _, rest = stored.partition(b"\r\n")
    second, _, raw = rest.partition(b"\r\n")
    if not first.startswith(RECEIVED_HEADER.encode()) or not second.startswith(TO_HEADER.encode()):
        return None
    moment, mail_id, sender = first.decode().split(": ", 1)[1].split(" ", 2)
    recipients = tuple(second.decode().split(": ", 1)[1].split())
    return Mail(mail_id, datetime.fromisoformat(moment), sender, recipients, raw)
