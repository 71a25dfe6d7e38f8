"""Static files reach the browser compressed, for a year, and under the same headers as every page."""

from __future__ import annotations

import gzip

import pytest
from flask.testing import FlaskClient

from config import settings
from portal import create_app

FRAME = "/static/vendor/tabler.min.css"
"""The largest file of every page."""


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_the_largest_file_of_every_page_is_sent_compressed(client: FlaskClient, encoding: str) -> None:
    whole = client.get(FRAME, headers={"Accept-Encoding": "identity"})
    small = client.get(f"{FRAME}?v=1", headers={"Accept-Encoding": encoding})
    assert "Content-Encoding" not in whole.headers
    assert small.headers["Content-Encoding"] == encoding
    assert len(small.data) < len(whole.data) / 5
    assert "Accept-Encoding" in small.headers["Vary"]
    if encoding == "gzip":
        assert gzip.decompress(small.data) == whole.data


@pytest.mark.parametrize("path", [FRAME, "/static/css/portal.css", "/static/js/swapping.js"])
def test_a_file_is_kept_for_a_year_and_armoured_like_a_page(client: FlaskClient, path: str) -> None:
    file, page = client.get(path), client.get("/help")
    assert set(file.headers["Cache-Control"].split(", ")) == {"public", "max-age=31536000"}
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"):
        assert file.headers[name] == page.headers[name]
    assert "Access-Control-Allow-Origin" not in file.headers
    assert "Set-Cookie" not in file.headers


def test_a_file_that_is_known_is_not_sent_again(client: FlaskClient) -> None:
    known = client.get(FRAME).headers["Last-Modified"]
    assert client.get(FRAME, headers={"If-Modified-Since": known}).status_code == 304


@pytest.mark.parametrize("path", ["/static/nothing.css", "/static/../config.py", "/static/%00", "/static/"])
def test_what_is_no_file_gets_the_portals_own_answer(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "X-Request-ID" in answer.headers


def test_production_looks_for_its_files_once_and_sends_the_same(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings(), "environment", "production")
    production = create_app().test_client()
    for headers in ({"Accept-Encoding": "gzip"}, {}):
        assert production.get(FRAME, headers=headers).data == client.get(FRAME, headers=headers).data
