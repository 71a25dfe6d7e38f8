"""Does an app's public address answer? Asked from outside, as a customer's browser would."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
import urllib3
from urllib3.exceptions import HTTPError

from config import settings
from portal.core.db import assert_outside_transaction

log = structlog.get_logger()

TIMEOUT = urllib3.Timeout(connect=3.05, read=5)
NO_PROBE = "none"


@dataclass(frozen=True)
class Look:
    """What one question at an address brought."""

    answered: bool
    took_ms: int


def is_possible() -> bool:
    """Whether the worker can reach the apps' addresses at all, by the operator's word."""
    return settings().apps_probe_address != NO_PROBE


def look(address: str) -> Look:
    """`answers`, and how long it took."""
    begun = time.monotonic_ns()
    answered = answers(address)
    return Look(answered, (time.monotonic_ns() - begun) // 1_000_000)


def answers(address: str) -> bool:
    """True when `GET /` at the address gets an answer below 500 other than 404. Redirects are not followed.

    404 is what an ingress controller says of a host that it does not know, or not yet.

    With `APPS_PROBE_ADDRESS` set, that host:port is dialled and asked for the app by its name; `none` there
    means that the worker cannot reach the apps' addresses: the cluster's own word is then enough.
    """
    assert_outside_transaction()
    dial = settings().apps_probe_address
    if dial == NO_PROBE:
        return True
    wanted = urlsplit(address)
    try:
        with _pool(wanted.scheme, dial or wanted.netloc, name=wanted.hostname or "") as pool:
            response = pool.request(
                "GET", "/", headers={"Host": wanted.netloc}, timeout=TIMEOUT, retries=False, redirect=False,
                preload_content=False,
            )  # fmt: skip
            response.close()
    except (HTTPError, OSError) as error:
        log.info("probe.no_answer", address=address, error=type(error).__name__)
        return False
    return response.status < 500 and response.status != 404


def _pool(scheme: str, dial: str, *, name: str) -> urllib3.HTTPConnectionPool:
    """A connection to `dial`; over TLS the certificate must be the app's own, whoever is dialled."""
    target = urlsplit(f"//{dial}")
    if scheme == "https":
        return urllib3.HTTPSConnectionPool(
            target.hostname or name, target.port, server_hostname=name, assert_hostname=name
        )
    return urllib3.HTTPConnectionPool(target.hostname or name, target.port)
