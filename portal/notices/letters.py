"""A stored mail becomes a letter: worded in its language, as text and HTML, with headers nobody can inject into."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from typing import Any

from flask import current_app
from flask_babel import force_locale

from config import settings
from portal.core.crypto import decrypt
from portal.notices import unsubscribing, wording
from portal.notices.errors import MailRefused
from portal.notices.models import Mail
from portal.notices.wording.categories import OPTIONAL, category_of
from portal.notices.wording.categories import WORDS as CATEGORIES
from portal.notices.wording.phrases import Said
from portal.web.languages import DEFAULT, LANGUAGES


class Whole(UnstructuredHeader):
    """A header in one piece: the standard library breaks a long address into encoded words, which no mail program
    reads as one. It stays below the 998 characters of a line."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]


_headers = HeaderRegistry()
_headers.map_to_type("list-unsubscribe", Whole)  # type: ignore[arg-type]
POLICY = SMTP.clone(header_factory=_headers)


@dataclass(frozen=True)
class Attachment:
    """A PDF that goes with the letter."""

    filename: str
    content: bytes


@dataclass(frozen=True)
class Words:
    """A letter's subject and both forms of its body."""

    subject: str
    text: str
    html: str


def compose(mail: Mail, attachment: Attachment | None = None) -> EmailMessage:
    """The letter of a mail. Composing it twice gives the same Message-ID and Date, so that a repeat shows.

    Raises `MailRefused` when the address is none.
    """
    stop = _unsubscribe(mail)
    words = word(mail.code, {**mail.parameters, **_secrets(mail)}, language=mail.language, unsubscribe=stop)
    letter = EmailMessage(policy=POLICY)
    letter["From"] = _sender()
    letter["To"] = _address(mail.to_address)
    letter["Reply-To"] = settings().support_email
    letter["Subject"] = words.subject
    letter["Date"] = format_datetime(mail.created_at)
    letter["Message-ID"] = f"<{mail.id}@{_sender().domain}>"
    letter["List-Id"] = f"{settings().brand_name} <notices.{_sender().domain}>"
    if stop is not None:
        # One click in the reader's mail program. Source: RFC 8058, section 3.1.
        letter["List-Unsubscribe"] = f"<{stop}>"
        letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    letter["Content-Language"] = mail.language
    letter.set_content(words.text, cte="quoted-printable")
    letter.add_alternative(words.html, subtype="html", cte="quoted-printable")
    if attachment is not None:
        letter.add_attachment(attachment.content, maintype="application", subtype="pdf", filename=attachment.filename)
    return letter


def word(code: str, parameters: dict[str, Any], *, language: str, unsubscribe: str | None = None) -> Words:
    """Subject, text and HTML in `language`; `unsubscribe` is the link that stops mails of this kind."""
    language = language if language in LANGUAGES else DEFAULT
    with force_locale(language):
        said = wording.word(code, parameters)
        context = _context(said, parameters, language) | {
            "unsubscribe": unsubscribe,
            "category": CATEGORIES.get(category_of(code)),
        }
        templates = current_app.jinja_env
        return Words(
            subject=" ".join(said.title.split()),
            text=templates.get_template("notices/mail/letter.txt").render(context),
            html=templates.get_template("notices/mail/letter.html").render(context),
        )


def _context(said: Said, parameters: dict[str, Any], language: str) -> dict[str, Any]:
    options = settings()
    home = options.public_url.rstrip("/")
    return {
        "said": said,
        "url": home + said.path if said.path else None,
        "recipient": parameters.get("recipient") or parameters.get("name"),
        "brand": options.brand_name,
        "home": home,
        "support": options.support_email,
        "language": language,
    }


def _unsubscribe(mail: Mail) -> str | None:
    """The reader's own link, in mails that they may decline."""
    category = category_of(mail.code)
    return unsubscribing.address(mail.user_id, category) if mail.user_id and category in OPTIONAL else None


def _secrets(mail: Mail) -> dict[str, str]:
    return json.loads(decrypt(mail.secret_parameters)) if mail.secret_parameters else {}


def _sender() -> Address:
    name, address = parseaddr(settings().mail_from)
    return Address(display_name=name, addr_spec=address)


def _address(text: str) -> Address:
    try:
        return Address(addr_spec=text)
    except (ValueError, IndexError) as error:  # the standard library's parser fails either way
        raise MailRefused(reason=f"not an address: {type(error).__name__}") from error
