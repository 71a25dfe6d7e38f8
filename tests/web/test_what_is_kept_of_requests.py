"""Logs and counters outlive a request: neither keeps a key, what somebody typed, nor names without end."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import DataError

from portal.core.db import db
from portal.core.logging import redact
from portal.web.metrics import requests_total

TOKEN = "kX3_-vQ9mJr2sT7wYb4zA8cD5eF6gH1iL0nOpRtUvWx"


@pytest.mark.parametrize(
    "address",
    [f"/reset/{TOKEN}", f"/verify/{TOKEN}", f"/notices/unsubscribe/{TOKEN}", f"https://x.example/reset/{TOKEN}?a=b"],
)
def test_a_mailed_link_is_no_use_to_a_reader_of_logs(address: str) -> None:
    line = redact(None, "", {"path": address, "event": f"limit.reached {address}", "exception": f"at {address}"})
    assert TOKEN not in str(line)
    assert any(page in str(line) for page in ("/reset/", "/verify/", "/unsubscribe/"))


def test_a_failed_statement_does_not_quote_what_was_written(portal: Flask) -> None:
    with pytest.raises(DataError) as failure:
        db.session().execute(sa.text("SELECT :typed || (1 / 0)"), {"typed": "tujuh gajah"})
    db.session.rollback()
    assert "tujuh gajah" not in str(failure.value)


def test_invented_methods_share_one_counter(client: FlaskClient) -> None:
    for method in ("BREW", "BREW1", "BREW2"):
        client.open("/help", method=method)
    counted = {sample.labels.get("method") for metric in requests_total.collect() for sample in metric.samples}
    assert not {"BREW", "BREW1", "BREW2"} & counted
    assert "(other)" in counted
