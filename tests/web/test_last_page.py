"""What a visitor sees when the database is away."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.core.db import db


@pytest.fixture
def no_database(portal: Flask):
    """Every statement fails, as it does when the server is gone."""

    def fail(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT 1", None, OSError("the server is away"))

    sa.event.listen(db.engine, "before_cursor_execute", fail)
    yield
    sa.event.remove(db.engine, "before_cursor_execute", fail)


def test_a_page_without_its_database_is_an_honest_500(client, no_database) -> None:
    answer = client.get("/catalog/")
    assert answer.status_code == 500
    assert b"uang Anda aman" in answer.data
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_webhook_without_its_database_asks_to_be_sent_again(client, no_database) -> None:
    answer = client.post("/webhooks/midtrans", json={})
    assert answer.status_code == 400
    assert client.get("/readyz").status_code == 503
