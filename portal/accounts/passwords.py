"""Passwords as argon2id hashes: made, compared, renewed when the parameters have changed."""

from __future__ import annotations

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from portal.accounts.rules import PASSWORD_LENGTH_MAX, normal_password

# Source: OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hashed(password: str) -> str:
    """What is stored of a password."""
    return _hasher.hash(normal_password(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether `password` is behind `stored`. Without a hash the same work is done; the answer is no."""
    if len(password) > PASSWORD_LENGTH_MAX:
        return False
    try:
        right = _hasher.verify(stored or _nobodys(), normal_password(password))
    except (Argon2Error, InvalidHashError, UnicodeEncodeError):
        return False
    return right and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    """A hash nobody's password fits, so that unknown addresses cost a guesser the same time."""
    return _hasher.hash("nobody's password: only its cost matters")
