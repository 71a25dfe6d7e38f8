"""A customer's own host: which may be asked for, what must stand in the DNS, and what is missing there. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urlsplit

import idna
from publicsuffixlist import PublicSuffixList  # type: ignore[import-untyped]

from portal.instances.models import DomainStatus, InstanceDomain

CHALLENGE = "_minispod-challenge"
LENGTH_MAX = 253 - len(CHALLENGE) - 1
#: Never anybody's on the internet. Source: RFC 6761, RFC 6762, RFC 7686, RFC 8375, ICANN SSAC 113
NOBODYS = frozenset(
    {"localhost", "local", "internal", "invalid", "test", "example", "onion", "arpa", "lan", "home", "corp", "private"}
)
NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
"""A last label that browsers read as the end of an IPv4 address. Source: https://url.spec.whatwg.org/#ends-in-a-number"""

EAGER, EAGER_FOR = timedelta(minutes=10), timedelta(days=3)
PATIENT, PATIENT_FOR = timedelta(days=1), timedelta(days=30)
TOLD_AFTER = timedelta(hours=1)
"""A record that is gone for a moment is the name server's affair; for an hour it is the customer's."""


@dataclass(frozen=True)
class Records:
    """What the DNS says of a host. `unknown`: it did not answer, so nothing may be concluded."""

    proofs: frozenset[str] = frozenset()  # the TXT records beside the host
    aliases: frozenset[str] = frozenset()  # the names its CNAME leads through
    addresses: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()  # where the app's own host is
    unknown: bool = False


@dataclass(frozen=True)
class Finding:
    """What a look at the DNS found: an empty code is all one could wish for."""

    code: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def normalised(text: str) -> str:
    """The host as the DNS knows it: lower case, without scheme and final dot, other scripts in their ASCII form.

    A pasted address is understood when it is nothing but a host. What cannot be a host comes back as it is:
    `problem` says what is wrong with it.
    """
    text = text.strip()
    if "://" in text:
        parts = urlsplit(text)
        text = text if parts.path not in ("", "/") or parts.query or "@" in parts.netloc else parts.netloc
    text = text.rstrip("/").rstrip(".").lower()
    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError):
        return text


def problem(host: str, *, apps_domain: str, portal_host: str) -> str:
    """Why this host cannot be used, as a code of `wording.HOST_PROBLEMS`; empty when it can."""
    if host.startswith("*."):
        return "wildcard"
    if _is_address(host):
        return "address"
    if any(host == own or host.endswith(f".{own}") for own in (apps_domain, portal_host)):
        return "ours"
    if not _is_host(host):
        return "no_host"
    if "." not in host or host.rpartition(".")[2] in NOBODYS:
        return "not_public"
    return "public_suffix" if _suffixes().publicsuffix(host) == host else ""


def is_bare(host: str) -> bool:
    """The registered domain itself, where most DNS providers allow no CNAME."""
    return _suffixes().privatesuffix(host) == host


def found(records: Records, *, token: str, app_host: str, addresses: frozenset[str]) -> Finding:
    """What is missing. `addresses` are the operator's, beside those of the app's own host."""
    if records.unknown:
        return Finding("no_answer")
    if token not in records.proofs:
        return Finding("proof_wrong" if records.proofs else "proof_missing")
    if app_host in records.aliases:
        return Finding()
    if not records.addresses:
        return Finding("address_missing")
    strange = sorted(records.addresses - records.ours - addresses)
    return Finding("points_elsewhere", {"found": ", ".join(strange[:3])}) if strange else Finding()


def next_check(domain: InstanceDomain, *, now: datetime) -> datetime | None:
    """When to look again by ourselves: eagerly for 3 days after it was asked for or went wrong, then once a day.

    None when nobody is waiting: it failed, or was never proved in 30 days.
    """
    if domain.status == DomainStatus.FAILED:
        return None
    if domain.status == DomainStatus.VERIFIED:
        return now + (EAGER if domain.missing_since else PATIENT)
    if now - domain.created_at >= PATIENT_FOR:
        return None
    return now + (EAGER if now - domain.created_at < EAGER_FOR else PATIENT)


def _is_host(host: str) -> bool:
    labels = host.split(".")
    return len(host) <= LENGTH_MAX and all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", one) for one in labels)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return NUMBER.fullmatch(host.rpartition(".")[2]) is not None
    return True


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
