"""Pure decisions about accounts: what is a good address, name, phone number, password; and who may leave."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from itertools import pairwise
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from portal.accounts.common_passwords import COMMON_PASSWORDS, COMMON_WORDS

NAME_LENGTH_MAX = 100
ADDRESS_LENGTH_MAX = 300
PASSWORD_LENGTH_MIN = 10
PASSWORD_LENGTH_MAX = 200
"""Long enough for any passphrase, short enough that hashing costs nothing worth attacking."""
PASSWORD_DISTINCT_MIN = 5
PERSONAL_PART_LENGTH_MIN = 4
PHONE_DIGITS_MIN, PHONE_DIGITS_MAX = 8, 15  # Source: ITU E.164
RETURN_PATH_LENGTH_MAX = 1000
LOOKALIKES = str.maketrans("0134578@$!", "oleastbasi")
# Control characters break mail headers; format characters turn text around or hide it.
UNFIT_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Mail programs make a link of `evil.com`, in any script and with any of these dots. One letter before the dot is a
# title or an initial (M.Si, J.R.R.Tolkien): domains of one letter can hardly be had.
LINK_LIKE = re.compile(r"[\w-]{2,}[.\u3002\uff0e\uff61][\w-]{2,}")


class PasswordProblem(StrEnum):
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    TOO_SIMPLE = "TOO_SIMPLE"
    COMMON = "COMMON"
    PERSONAL = "PERSONAL"


class NameProblem(StrEnum):
    EMPTY = "EMPTY"
    TOO_LONG = "TOO_LONG"
    UNFIT = "UNFIT"
    LINK_LIKE = "LINK_LIKE"


class BillingProblem(StrEnum):
    EMAIL = "EMAIL"
    COMPANY = "COMPANY"
    ADDRESS = "ADDRESS"
    NPWP = "NPWP"


class DepartureProblem(StrEnum):
    LIVE_SUBSCRIPTIONS = "LIVE_SUBSCRIPTIONS"
    OPEN_TOP_UPS = "OPEN_TOP_UPS"
    CREDIT_LEFT = "CREDIT_LEFT"
    NOT_CONFIRMED = "NOT_CONFIRMED"


class Departure(StrEnum):
    """What someone who closes their account wants done with the rest of their credit."""

    NOTHING_LEFT = "NOTHING_LEFT"
    PAYOUT = "PAYOUT"
    FORFEIT = "FORFEIT"


def normal_email(text: str) -> str | None:
    """The spelling under which an address is stored: lower-case, its domain in IDNA; None when it is none.

    No DNS look-up. Addresses with non-ASCII local parts are refused: too few relays carry them.
    """
    try:
        valid = validate_email(text.strip(), check_deliverability=False, allow_smtputf8=False)
    except (EmailNotValidError, UnicodeError):
        return None
    return valid.ascii_email.lower() if valid.ascii_email else None


def normal_name(text: str) -> str:
    """A person's name in one spelling: composed characters, single spaces."""
    return re.sub(" +", " ", unicodedata.normalize("NFC", text)).strip(" ")


def name_problem(name: str) -> NameProblem | None:
    """Why a name, as `normal_name` spells it, is refused. Links in it would turn our mails into spam."""
    if not name:
        return NameProblem.EMPTY
    if len(name) > NAME_LENGTH_MAX:
        return NameProblem.TOO_LONG
    unfit = any(unicodedata.category(character) in UNFIT_CATEGORIES for character in name)
    if unfit or re.search(r"[<>/\\@]|www\.", name, re.IGNORECASE):
        return NameProblem.UNFIT
    if not any(character.isalnum() for character in name):
        return NameProblem.UNFIT
    return NameProblem.LINK_LIKE if LINK_LIKE.search(name) else None


def normal_phone(text: str) -> str | None:
    """A phone number as `+62812…`; a leading 0 is Indonesian; None when it is none. Source: ITU E.164."""
    compact = re.sub(r"[\s().-]", "", text)
    if not re.fullmatch(r"\+?[0-9]+", compact):
        return None
    digits = re.sub(r"^(\+|00)", "", compact)
    if digits.startswith("0") and digits == compact:
        digits = "62" + digits[1:]
    digits = re.sub(r"^620", "62", digits)
    fits = PHONE_DIGITS_MIN <= len(digits) <= PHONE_DIGITS_MAX and not digits.startswith("0")
    return f"+{digits}" if fits else None


def fits_company(name: str) -> bool:
    """May a company, as `normal_name` spells it, stand on documents? `Traveloka.com` is one, unlike a person."""
    unfit = any(unicodedata.category(character) in UNFIT_CATEGORIES for character in name)
    return 0 < len(name) <= NAME_LENGTH_MAX and not unfit and any(character.isalnum() for character in name)


def normal_address(text: str) -> str:
    """A postal address on one line, with commas where lines ended."""
    lines = (re.sub(r"\s+", " ", line).strip(" ,") for line in unicodedata.normalize("NFC", text).splitlines())
    return ", ".join(line for line in lines if line)


def fits_address(address: str) -> bool:
    """May an address, as `normal_address` spells it, stand on documents?"""
    unfit = any(unicodedata.category(character) in UNFIT_CATEGORIES for character in address)
    return 0 < len(address) <= ADDRESS_LENGTH_MAX and not unfit and any(character.isalnum() for character in address)


def normal_npwp(text: str) -> str | None:
    """A tax number's digits, 15 or 16 of them; None when it is none.

    Of 15 digits the ninth is a Luhn check digit over the first eight. 16 are that number behind a zero, or a person's
    NIK, which has no check digit. Source: PMK 112/2022; metacpan.org, Business::ID::NPWP.
    """
    digits = re.sub(r"[\s.-]", "", text)
    if not re.fullmatch(r"[0-9]{15,16}", digits):
        return None
    checked = digits if len(digits) == 15 else digits[1:] if digits.startswith("0") else ""
    return digits if not checked or (_passes_luhn(checked[:9]) and int(checked[:8])) else None


def _passes_luhn(digits: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def format_npwp(digits: str) -> str:
    """`01.312.166.0-091.000`; 16 digits in fours, as the tax office writes them."""
    if len(digits) == 16:
        return " ".join(digits[start : start + 4] for start in range(0, 16, 4))
    return f"{digits[:2]}.{digits[2:5]}.{digits[5:8]}.{digits[8]}-{digits[9:12]}.{digits[12:]}"


def normal_password(text: str) -> str:
    """The same characters however a keyboard composed them. Source: NIST SP 800-63B, 5.1.1.2."""
    return unicodedata.normalize("NFKC", text)


def password_problem(password: str, *, email: str, name: str) -> PasswordProblem | None:
    """Why a password is refused: its length, variety, being common, or what others know of its owner."""
    if len(password) > PASSWORD_LENGTH_MAX:
        return PasswordProblem.TOO_LONG
    plain = normal_password(password).casefold()
    if len(normal_password(password)) < PASSWORD_LENGTH_MIN:
        return PasswordProblem.TOO_SHORT
    if len(set(plain)) < PASSWORD_DISTINCT_MIN or _is_run(plain):
        return PasswordProblem.TOO_SIMPLE
    if plain in COMMON_PASSWORDS or _undressed(plain) in COMMON_WORDS:
        return PasswordProblem.COMMON
    if any(part in plain for part in _personal_parts(email, name)):
        return PasswordProblem.PERSONAL
    return None


def _is_run(plain: str) -> bool:
    """Neighbouring characters all the way: 1234567890, zyxwvutsrq."""
    steps = {ord(right) - ord(left) for left, right in pairwise(plain)}
    return steps in ({1}, {-1}) or plain in "01234567890123456789" or plain in "98765432109876543210"


def _undressed(plain: str) -> str:
    """The word beneath the digits and signs people put around and into it to please a rule."""
    word = re.sub(r"^[^a-z]+|[^a-z]+$", "", plain)
    return word if word in COMMON_WORDS else word.translate(LOOKALIKES)


def _personal_parts(email: str, name: str) -> set[str]:
    local = email.casefold().partition("@")[0]
    words = [local, *re.split(r"[._+\-]", local), *name.casefold().split(), name.casefold().replace(" ", "")]
    return {word for word in words if len(word) >= PERSONAL_PART_LENGTH_MIN}


def departure_problem(
    *, live_subscriptions: int, open_top_ups: int, credit: int, choice: Departure, confirmed: bool
) -> DepartureProblem | None:
    """Why an account cannot be closed now: apps run, money may still arrive, or credit is left and not given up.

    `credit` is in whole rupiah; `confirmed` says that giving it up was typed out.
    """
    if live_subscriptions > 0:
        return DepartureProblem.LIVE_SUBSCRIPTIONS
    if open_top_ups > 0:
        return DepartureProblem.OPEN_TOP_UPS
    if credit > 0 and choice is not Departure.FORFEIT:
        return DepartureProblem.CREDIT_LEFT
    if credit > 0 and not confirmed:
        return DepartureProblem.NOT_CONFIRMED
    return None


def return_path(wanted: str | None, default: str) -> str:
    """Where to go after signing in: `wanted` when it is a path on this site, else `default`.

    Browsers read `//host`, `/\\host` and paths with tabs or line breaks in them as other sites.
    """
    if not wanted or len(wanted) > RETURN_PATH_LENGTH_MAX:
        return default
    if not wanted.startswith("/") or wanted.startswith("//") or "\\" in wanted:
        return default
    if any(unicodedata.category(character) in UNFIT_CATEGORIES or character == " " for character in wanted):
        return default
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc or parts.path.startswith("//") else wanted
