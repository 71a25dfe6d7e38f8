"""What production refuses to start with, and what it starts with."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from config import Settings

LIVE = {
    "environment": "production",
    "secret_key": "a-secret-of-this-installation-and-no-other",
    "encryption_keys": Fernet.generate_key().decode(),
    "public_url": "https://portal.example.com",
    "midtrans_server_key": "Mid-server-of-this-merchant",
    "midtrans_is_production": True,
}
STAGING = LIVE | {
    "midtrans_server_key": "SB-Mid-server-of-this-merchant",
    "midtrans_is_production": False,
    "midtrans_sandbox_allowed": True,
}


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def start_with(values: dict[str, object]) -> Settings:
    return Settings(_env_file=None, **values)


@pytest.mark.parametrize("values", [LIVE, STAGING], ids=["live", "staging"])
def test_production_starts_with_live_money_or_as_a_staging_installation(values) -> None:
    assert start_with(values).production


def test_production_refuses_the_key_anyone_can_sign_notifications_with() -> None:
    with pytest.raises(ValidationError, match="MIDTRANS_SERVER_KEY is the default"):
        start_with({name: value for name, value in STAGING.items() if name != "midtrans_server_key"})


def test_production_refuses_test_money_unless_it_says_that_it_is_staging() -> None:
    with pytest.raises(ValidationError, match="MIDTRANS_IS_PRODUCTION is off"):
        start_with(STAGING | {"midtrans_sandbox_allowed": False})


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"secret_key": "short"}, "SECRET_KEY is shorter"),
        ({"debug": True}, "DEBUG is on"),
        ({"node_agent_token": "short"}, "NODE_AGENT_TOKEN is shorter"),
        ({"sandbox": True}, "SANDBOX is on"),
        ({"public_url": "http://portal.example.com"}, "PUBLIC_URL is not https"),
        ({"public_url": "https://localhost"}, "PUBLIC_URL is a loopback address"),
        ({"midtrans_server_key": "SB-Mid-server-of-this-merchant"}, "is a sandbox key"),
    ],
)
def test_production_refuses_what_belongs_to_a_laptop(wrong, said) -> None:
    with pytest.raises(ValidationError, match=said):
        start_with(LIVE | wrong)


@pytest.mark.parametrize(
    "values, needed",
    [
        ({}, False),
        ({"environment": "test"}, False),
        (LIVE, True),
        (LIVE | {"administrators_need_second_factor": "false"}, False),
        ({"administrators_need_second_factor": "true"}, True),
    ],
)
def test_administrators_need_a_second_factor_in_production_unless_said_otherwise(values, needed) -> None:
    assert start_with(values).administrators_need_second_factor is needed


def test_an_empty_wish_about_the_second_factor_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMINISTRATORS_NEED_SECOND_FACTOR", "")
    assert start_with(LIVE).administrators_need_second_factor is True
