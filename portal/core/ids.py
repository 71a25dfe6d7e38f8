"""Identifiers are made here, never by the database, so that a row's id is known before it is written."""

from __future__ import annotations

import secrets
from uuid import UUID

import uuid_utils

# Without 0/o, 1/l/i: these are read aloud and typed by people.
READABLE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def new_id() -> UUID:
    """A UUIDv7: unique, and sorted by the time it was made. Source: RFC 9562, section 5.7."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def readable_code(length: int) -> str:
    """A random code of `length` characters that people can read to each other."""
    return "".join(secrets.choice(READABLE_ALPHABET) for _ in range(length))


def parse_id(text: str) -> UUID | None:
    """The id in `text`; None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
