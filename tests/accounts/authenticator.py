"""The app on somebody's phone: set up through the real pages, it shows codes as the clock stands."""

from __future__ import annotations

import re
from typing import Any

import pyotp

from portal.core import clock
from tests.personas import PASSWORD

SET_UP = "/security/second-factor"
ENGLISH = {"Accept-Language": "en"}


class Phone:
    """An authenticator app that was given a secret."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.recovery_codes: list[str] = []

    def code(self, offset: int = 0) -> str:
        """What it shows now, or so many half minutes away."""
        return pyotp.TOTP(self.secret).at(clock.now(), counter_offset=offset)


def wrong(phone: Phone) -> str:
    """Six digits that no neighbouring half minute shows."""
    shown = {phone.code(offset) for offset in range(-3, 4)}
    return next(code for code in (str(digit) * 6 for digit in range(10)) if code not in shown)


def scan(client: Any, password: str = PASSWORD) -> Phone:
    """Begins at the signed-in browser and reads the secret off the page."""
    assert client.post(SET_UP, data={"current": password}).status_code == 303
    page = client.get(f"{SET_UP}/confirmation").text
    found = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
    assert found, page[:2000]
    return Phone(found[1].replace(" ", ""))


def switched_on(client: Any, password: str = PASSWORD) -> Phone:
    """A second factor that counts, with its recovery codes kept; the code of this half minute is used up."""
    phone = scan(client, password)
    page = client.post(f"{SET_UP}/confirmation", data={"code": phone.code()}).text
    phone.recovery_codes = recovery_codes_on(page)
    assert len(phone.recovery_codes) == 10
    return phone


def recovery_codes_on(page: str) -> list[str]:
    return re.findall(r"<li><code>([0-9a-z-]+)</code></li>", page)
