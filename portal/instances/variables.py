"""What a customer may set as environment variables. Pure: the form and the action ask the same.

Values are as secret as passwords, whatever they are marked as: they stand in the app's Secret and nowhere else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from portal.catalog.app_templates import AppTemplate

COUNT_MAX = 50
NAME_LENGTH_MAX = 100
VALUE_BYTES_MAX = 32 * 1024
"""Linux gives a variable 128 KiB at most and starts no program with a longer one.
Source: execve(2), MAX_ARG_STRLEN."""
TOTAL_BYTES_MAX = 64 * 1024
"""Names and values together. A form of that size, percent-encoded, still passes the portal's own limit."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = frozenset({"PATH", "HOSTNAME", "HOME"})
ADJUSTABLE = frozenset({"TZ"})
RESERVED_BEGINNINGS = ("LD_", "KUBERNETES_", "MINISPOD_")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but line feed and tab: keys and certificates are several lines."""


@dataclass(frozen=True)
class Change:
    """One row as the customer left it. `value` None keeps what is stored; a secret one is never sent back."""

    name: str
    value: str | None = field(repr=False)
    secret: bool
    remove: bool = False


@dataclass(frozen=True)
class Stored:
    """A variable as it is now."""

    name: str
    value: str = field(repr=False)
    secret: bool
    changed_at: datetime


def reserved_names(template: AppTemplate) -> frozenset[str]:
    """What the app's own setup uses: its database, its address, its keys. The time zone is the customer's taste."""
    return frozenset(template.main.env) - ADJUSTABLE


def problem(change: Change, stored: Mapping[str, Stored], reserved: frozenset[str]) -> str:
    """What is wrong with one row, as a code of `wording.VARIABLE_PROBLEMS`; empty when nothing is."""
    if change.remove:
        return ""
    return _name_problem(change.name, reserved) or _value_problem(change, stored.get(change.name))


def common_problem(changes: Iterable[Change], stored: Mapping[str, Stored]) -> str:
    """What is wrong with all of them together: `twice`, `too_many`, `too_large` or empty."""
    changes = list(changes)
    names = [change.name for change in changes]
    if len(set(names)) < len(names):
        return "twice"
    outcome = merged(changes, stored)
    if len(outcome) > COUNT_MAX:
        return "too_many"
    size = sum(len(name.encode()) + len(value.encode()) for name, (value, _) in outcome.items())
    return "too_large" if size > TOTAL_BYTES_MAX else ""


def merged(changes: Iterable[Change], stored: Mapping[str, Stored]) -> dict[str, tuple[str, bool]]:
    """Value and secrecy by name once the changes are made; what no row mentions stays."""
    outcome = {name: (one.value, one.secret) for name, one in stored.items()}
    for change in changes:
        if change.remove:
            outcome.pop(change.name, None)
            continue
        kept = outcome.get(change.name, ("", change.secret))[0]
        outcome[change.name] = (kept if change.value is None else change.value, change.secret)
    return outcome


def revision(stored: Iterable[Stored]) -> str:
    """Names what a page showed, so that a save on top of somebody else's is noticed."""
    facts = sorted(f"{one.name} {one.changed_at.isoformat()}" for one in stored)
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _name_problem(name: str, reserved: frozenset[str]) -> str:
    if not NAME.fullmatch(name):
        return "name_signs"
    if len(name) > NAME_LENGTH_MAX:
        return "name_long"
    if name in reserved:
        return "name_of_the_app"
    upper = name.upper()
    return "name_reserved" if upper in RESERVED or upper.startswith(RESERVED_BEGINNINGS) else ""


def _value_problem(change: Change, before: Stored | None) -> str:
    if change.value is None:
        if before is None:
            return "value_missing"
        return "value_hidden" if before.secret and not change.secret else ""
    if CONTROL.search(change.value):
        return "value_signs"
    return "value_long" if len(change.value.encode(errors="surrogatepass")) > VALUE_BYTES_MAX else ""
