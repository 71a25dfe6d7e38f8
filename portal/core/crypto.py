"""Encryption at rest with keys that can be rotated: the newest writes, every listed one reads."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

from config import settings


@lru_cache(maxsize=1)
def _box() -> MultiFernet:
    keys = settings().encryption_keys.get_secret_value().split(",")
    return MultiFernet([Fernet(key.strip()) for key in keys])


def encrypt(plain: str) -> str:
    """The text, encrypted with the newest key."""
    return _box().encrypt(plain.encode()).decode()


def decrypt(stored: str) -> str:
    """The text behind `encrypt`; raises `cryptography.fernet.InvalidToken` when no key fits."""
    return _box().decrypt(stored.encode()).decode()


def rotate(stored: str) -> str:
    """The same text, encrypted anew with the newest key."""
    return _box().rotate(stored.encode()).decode()


def fingerprints() -> list[str]:
    """What tells the keys apart without telling them: the beginning of each one's SHA-256."""
    keys = settings().encryption_keys.get_secret_value().split(",")
    return [hashlib.sha256(key.strip().encode()).hexdigest()[:12] for key in keys]


def digest(token: str) -> str:
    """SHA-256 in hex: how random tokens are stored, so that a read database opens no door."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Compares without telling, by the time it takes, where two strings differ."""
    return hmac.compare_digest(left.encode(), right.encode())


class EncryptedText(TypeDecorator[str]):
    """A text column that is encrypted in the database and plain in Python."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else encrypt(value)

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else decrypt(value)
