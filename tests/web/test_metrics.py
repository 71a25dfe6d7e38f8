"""Who may read /metrics: the holder of the token; without one this machine itself, and in production nobody."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from config import settings


def scrape(client: FlaskClient, *, from_address: str = "127.0.0.1", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get("/metrics", headers=named, environ_base={"REMOTE_ADDR": from_address}).status_code


@pytest.mark.parametrize("address, status", [("127.0.0.1", 200), ("::1", 200), ("203.0.113.7", 404)])
def test_without_a_token_only_this_machine_may_ask(client, address, status) -> None:
    assert scrape(client, from_address=address) == status


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Forwarded_Proto", "Forwarded", "Via", "X_Real_IP"])
def test_what_a_proxy_on_this_machine_passes_on_is_not_this_machine(client, header) -> None:
    assert scrape(client, **{header: "127.0.0.1"}) == 404


def test_production_without_a_token_answers_nobody(client, monkeypatch) -> None:
    monkeypatch.setattr(settings(), "environment", "production")
    assert scrape(client) == 404


@pytest.mark.parametrize("environment", ["test", "production"])
def test_the_token_opens_it_from_anywhere_and_nothing_else_does(client, monkeypatch, environment) -> None:
    monkeypatch.setattr(settings(), "environment", environment)
    monkeypatch.setattr(settings(), "metrics_token", SecretStr("let-me-count"))
    assert scrape(client) == 404
    assert scrape(client, Authorization="Bearer let-me-in") == 404
    assert scrape(client, from_address="203.0.113.7", Via="1.1 proxy", Authorization="Bearer let-me-count") == 200
