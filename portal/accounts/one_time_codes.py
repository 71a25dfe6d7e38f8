"""Codes of the second factor: six digits that an app shows for half a minute, and recovery codes on paper."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from uuid import UUID

import pyotp

from portal.core.crypto import digest, same

STEPS_AROUND = (-1, 0, 1)
"""A phone's clock may be half a minute off. Source: RFC 6238, section 5.2."""
RECOVERY_CODES = 10
RECOVERY_GROUPS, RECOVERY_GROUP_LENGTH = 4, 4  # 80 random bits: their digest cannot be guessed back
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Source: Crockford's Base32, without i, l, o and u
LOOKALIKES = str.maketrans("ilo", "110")
TYPED_LENGTH_MAX = 60


def new_secret() -> str:
    """A secret for the app, 160 bits in base32. Source: RFC 4226, section 4, R6."""
    return pyotp.random_base32()


def address(secret: str, *, account: str, issuer: str) -> str:
    """The `otpauth://` address that a QR code carries into the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def in_groups(secret: str) -> str:
    """A secret as people type it over: in groups of four."""
    return " ".join(re.findall(".{1,4}", secret))


def code_at(secret: str, now: datetime) -> str:
    """What the app shows at this moment."""
    return pyotp.TOTP(secret).at(now)


def matching_step(secret: str, typed: str, *, after: int | None, now: datetime) -> int | None:
    """The half minute of whose code this is: now's or a neighbour, and later than `after`; None when there is none.

    The caller stores the step and passes it as `after` from then on, so that no code counts twice.
    """
    code = re.sub(r"\s", "", typed[:TYPED_LENGTH_MAX])
    if not re.fullmatch("[0-9]{6}", code):
        return None
    app = pyotp.TOTP(secret)
    steps = [app.timecode(now) + offset for offset in STEPS_AROUND]
    found = [step for step in steps if same(app.generate_otp(step), code)]
    return next((step for step in found if after is None or step > after), None)


def new_recovery_codes() -> list[str]:
    """Ten codes for the day the phone is lost, like `7h2k-m4qx-9tza-c0wd`."""
    return [_recovery_code() for _ in range(RECOVERY_CODES)]


def _recovery_code() -> str:
    return "-".join(
        "".join(secrets.choice(ALPHABET) for _ in range(RECOVERY_GROUP_LENGTH)) for _ in range(RECOVERY_GROUPS)
    )


def recovery_digest(user_id: UUID, typed: str) -> str:
    """What is stored of a recovery code, and how a typed one is looked up, however its groups are parted."""
    plain = re.sub("[^0-9a-z]", "", typed[:TYPED_LENGTH_MAX].lower()).translate(LOOKALIKES)
    return digest(f"{user_id}:{plain}")


def is_recovery_code(typed: str) -> bool:
    """Whether this has a recovery code's length rather than a six-digit code's."""
    plain = re.sub("[^0-9a-z]", "", typed[:TYPED_LENGTH_MAX].lower())
    return len(plain) == RECOVERY_GROUPS * RECOVERY_GROUP_LENGTH
