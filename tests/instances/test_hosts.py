"""Which hosts a customer may ask for, and what a look at the DNS means. No database, no network."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.instances.hosts import EAGER, PATIENT, Finding, Records, found, is_bare, next_check, normalised, problem
from portal.instances.models import InstanceDomain
from tests.conftest import NOON


@pytest.mark.parametrize(
    "text, host",
    [
        ("blog.example.org", "blog.example.org"),
        (" Blog.Example.ORG. ", "blog.example.org"),
        ("https://blog.example.org/", "blog.example.org"),
        ("http://blog.example.org", "blog.example.org"),
        ("bücher.example.org", "xn--bcher-kva.example.org"),
        ("xn--bcher-kva.example.org", "xn--bcher-kva.example.org"),
        ("ＢＬＯＧ.example.org", "blog.example.org"),
        ("toko。example.org", "toko.example.org"),
    ],
)
def test_people_may_write_a_host_as_they_do(text, host):
    assert normalised(text) == host
    assert problem(host, apps_domain="apps.test", portal_host="portal.test") == ""


@pytest.mark.parametrize(
    "text, code",
    [
        ("", "no_host"),
        ("blog", "not_public"),
        ("localhost", "not_public"),
        ("db.localhost", "not_public"),
        ("printer.local", "not_public"),
        ("metadata.google.internal", "not_public"),
        ("a.home.arpa", "not_public"),
        ("*.example.org", "wildcard"),
        ("127.0.0.1", "address"),
        ("127.1", "address"),
        ("0x7f.0x1", "address"),
        ("[::1]", "address"),
        ("::1", "address"),
        ("co.id", "public_suffix"),
        ("com", "not_public"),
        ("github.io", "public_suffix"),
        ("apps.example.com", "ours"),
        ("n8n-abc.apps.example.com", "ours"),
        ("portal.example.com", "ours"),
        ("www.portal.example.com", "ours"),
        ("https://blog.example.org/path", "no_host"),
        ("https://user@blog.example.org", "no_host"),
        ("blog.example.org:8080", "no_host"),
        ("blog..example.org", "no_host"),
        ("-blog.example.org", "no_host"),
        ("blog_.example.org", "no_host"),
        ("blog.example.org\nevil.example.org", "no_host"),
        ("a" * 64 + ".example.org", "no_host"),
        (".".join(["a" * 60] * 4) + ".org", "no_host"),
    ],
)
def test_what_cannot_be_a_domain_is_refused_with_its_reason(text, code):
    assert problem(normalised(text), apps_domain="apps.example.com", portal_host="portal.example.com") == code


@pytest.mark.parametrize(
    "host, bare", [("example.org", True), ("blog.example.org", False), ("toko.co.id", True), ("a.toko.co.id", False)]
)
def test_a_bare_domain_is_known_by_its_ending(host, bare):
    assert is_bare(host) is bare


APP, OURS = "n8n-abc.apps.test", "192.0.2.7"
PROVED = frozenset({"other", "token"})


@pytest.mark.parametrize(
    "records, finding",
    [
        (Records(unknown=True), Finding("no_answer")),
        (Records(), Finding("proof_missing")),
        (Records(frozenset({"other"}), frozenset({APP})), Finding("proof_wrong")),
        (Records(PROVED), Finding("address_missing")),
        (Records(PROVED, frozenset({APP})), Finding()),
        (Records(PROVED, frozenset({"cdn.example.net"}), frozenset({OURS}), frozenset({OURS})), Finding()),
        (Records(PROVED, addresses=frozenset({"198.51.100.1"})), Finding()),
        (Records(PROVED, addresses=frozenset({"203.0.113.9"})), Finding("points_elsewhere", {"found": "203.0.113.9"})),
        (
            Records(PROVED, addresses=frozenset({OURS, "203.0.113.9"}), ours=frozenset({OURS})),
            Finding("points_elsewhere", {"found": "203.0.113.9"}),
        ),
    ],
)
def test_a_look_finds_what_is_missing(records, finding):
    assert found(records, token="token", app_host=APP, addresses=frozenset({"198.51.100.1"})) == finding


@pytest.mark.parametrize(
    "status, age, missing, pause",
    [
        ("PENDING", timedelta(0), False, EAGER),
        ("PENDING", timedelta(days=2, hours=23), False, EAGER),
        ("PENDING", timedelta(days=3), False, PATIENT),
        ("PENDING", timedelta(days=30), False, None),
        ("VERIFIED", timedelta(days=400), False, PATIENT),
        ("VERIFIED", timedelta(days=400), True, EAGER),
        ("FAILED", timedelta(0), False, None),
    ],
)
def test_the_next_look_is_soon_where_somebody_waits(status, age, missing, pause):
    domain = InstanceDomain(status=status, created_at=NOON - age, missing_since=NOON if missing else None)
    assert next_check(domain, now=NOON) == (NOON + pause if pause else None)
