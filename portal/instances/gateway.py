"""The one wrapper of the DNS: what public name servers say of a customer's host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from dns.exception import DNSException
from dns.message import Message
from dns.nameserver import Do53Nameserver
from dns.rdatatype import RdataType
from dns.resolver import NXDOMAIN, Resolver

from config import settings
from portal.core.db import assert_outside_transaction
from portal.instances.hosts import CHALLENGE, Records

log = structlog.get_logger()


def look_up(host: str, *, app_host: str) -> Records:
    """The proofs and addresses of `host`, and the addresses of the app's own host beside them.

    Three questions, each within `dns_timeout_s`. A name that is not there is an answer; no answer is `unknown`.
    """
    assert_outside_transaction()
    resolver = _resolver()
    try:
        proofs = _texts(resolver, f"{CHALLENGE}.{host}")
        aliases, addresses = _leads_to(resolver, host)
        ours = frozenset() if app_host in aliases else _leads_to(resolver, app_host)[1]
    except DNSException as error:
        log.info("dns.no_answer", host=host, error=type(error).__name__)
        return Records(unknown=True)
    return Records(proofs, aliases, addresses, ours)


def _resolver() -> Resolver:
    """The machine's own name servers, or those of the settings; nothing is remembered between looks."""
    options = settings()
    places = [place.strip() for place in options.dns_resolvers.split(",") if place.strip()]
    resolver = Resolver(configure=not places)
    if places:
        resolver.nameservers = [_server(place) for place in places]
    resolver.timeout, resolver.lifetime = options.dns_timeout_s / 2, options.dns_timeout_s
    return resolver


def _server(place: str) -> Do53Nameserver:
    """`192.0.2.1`, `192.0.2.1:5353` or `[2001:db8::1]:5353`."""
    host, separator, port = place.rpartition(":")
    if not separator or (":" in host and not host.endswith("]")):
        return Do53Nameserver(place.strip("[]"))
    return Do53Nameserver(host.strip("[]"), int(port))


def _texts(resolver: Resolver, name: str) -> frozenset[str]:
    _, records = _ask(resolver, name, RdataType.TXT)
    return frozenset(b"".join(record.strings).decode(errors="replace").strip() for record in records)


def _leads_to(resolver: Resolver, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names its CNAME leads through, and the addresses at the end."""
    aliases: set[str] = set()
    addresses: set[str] = set()
    for kind in (RdataType.A, RdataType.AAAA):
        response, records = _ask(resolver, name, kind)
        aliases |= _aliases(response)
        addresses |= {record.address for record in records}
    return frozenset(aliases), frozenset(addresses)


def _aliases(response: Message | None) -> set[str]:
    chain = [rrset for rrset in (response.answer if response else ()) if rrset.rdtype == RdataType.CNAME]
    return {record.target.to_text(omit_final_dot=True).lower() for rrset in chain for record in rrset}


def _ask(resolver: Resolver, name: str, kind: RdataType) -> tuple[Message | None, Iterable[Any]]:
    """The answer and its records; without any, the answer may still hold the CNAME that leads nowhere."""
    try:
        answer = resolver.resolve(f"{name}.", kind, raise_on_no_answer=False, search=False)
    except NXDOMAIN as error:
        return next(iter(error.responses().values()), None), ()
    return answer.response, answer.rrset or ()
