"""Bodies that are no notification: each is refused at once, with 4xx, and leaves no trace."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from sandbox.midtrans.faults import Fault
from sandbox.midtrans.forgery import MALFORMED_KINDS, disguise
from tests.conftest import run_due_work
from tests.payments.counter import PAPERWORK, Counter
from tests.payments.door import ADDRESS, post, queued, stored

pytestmark = pytest.mark.usefixtures("audited")

HONEST_KINDS = {"bom", "latin1", "form", "get", "duplicate_keys"}


@pytest.mark.parametrize("kind", sorted(set(MALFORMED_KINDS) - HONEST_KINDS))
def test_a_malformed_body_is_refused_and_leaves_nothing(
    portal: Flask, counter: Counter, truth: dict[str, Any], kind: str
) -> None:
    wire = disguise(truth, [Fault(0, "malformed", params={"kind": kind})], counter.outside.server_key)
    status, answer = post(portal, wire.body)
    assert (status, answer["error"]["code"]) in [(400, "MALFORMED_NOTIFICATION"), (413, "TOO_LARGE")]
    assert (stored(), queued()) == (0, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"null", b"[]", b'"text"', b"7", b"{", b"\xff\xfe\x00", b"NaN", b'{"order_id": Infinity}', b"[" * 60_000,
        b'{"a":' * 150 + b"1" + b"}" * 150, b"9" * 5_000, b"\x00", b" " * 1_000,
        json.dumps({"order_id": "\ud800", "status_code": "200", "gross_amount": "1", "signature_key": "x"}).encode(),
        json.dumps({"order_id": "a", "status_code": "200", "gross_amount": "1", "signature_key": "\udfff"}).encode(),
        json.dumps({"order_id": "a\n", "status_code": "200", "gross_amount": "1", "signature_key": "x"}).encode(),
        json.dumps({"order_id": "é", "status_code": "200", "gross_amount": "1", "signature_key": "é"}).encode(),
        json.dumps({"order_id": "a" * 9_000, "status_code": "", "gross_amount": "", "signature_key": ""}).encode(),
    ],
    ids=lambda body: ascii(body[:12]),
)  # fmt: skip
def test_hostile_shapes_are_refused_without_an_error(portal: Flask, counter: Counter, body: bytes) -> None:
    assert post(portal, body)[0] in (400, 403)
    assert stored() == 0


def test_a_byte_order_mark_does_no_harm(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    assert post(portal, b"\xef\xbb\xbf" + json.dumps(truth).encode())[0] == 200
    run_due_work(without=PAPERWORK)
    assert counter.balance == 50_000


def test_of_doubled_keys_the_signed_one_counts_or_none(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    wire = disguise(truth, [Fault(0, "malformed", params={"kind": "duplicate_keys"})], "")
    assert post(portal, wire.body)[0] == 200
    assert post(portal, wire.body[:-1] + b', "order_id": "somebody-else"}')[0] == 403


def test_latin_letters_in_latin_bytes_are_malformed(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    wire = disguise(truth, [Fault(0, "malformed", params={"kind": "latin1"})], "")
    assert post(portal, wire.body)[0] == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
def test_only_a_post_is_a_notification(portal: Flask, counter: Counter, method: str) -> None:
    answer = portal.test_client().open(ADDRESS, method=method)
    assert answer.status_code == 405


def test_a_form_is_no_notification(portal: Flask, counter: Counter, truth: dict[str, Any]) -> None:
    wire = disguise(truth, [Fault(0, "malformed", params={"kind": "form"})], "")
    assert post(portal, wire.body, content_type=wire.content_type)[0] == 400
    assert stored() == 0


def test_json_under_a_forms_content_type_is_read_as_it_came(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    body = json.dumps(truth).encode()
    assert post(portal, body, content_type="application/x-www-form-urlencoded")[0] == 200


# --- sizes ----------------------------------------------------------------------------------------------


def padded(truth: dict[str, Any], size: int) -> bytes:
    bare = len(json.dumps(truth | {"padding": ""}))
    return json.dumps(truth | {"padding": "x" * (size - bare)}).encode()


def test_sixty_four_kibibytes_are_taken_and_one_byte_more_is_not(
    portal: Flask, counter: Counter, truth: dict[str, Any]
) -> None:
    assert post(portal, padded(truth, 64 * 1024))[0] == 200
    assert post(portal, padded(truth, 64 * 1024 + 1))[0] == 413
    assert stored() == 1


@pytest.mark.parametrize(
    "size, accepted", [(60_000, True), (64 * 1024 + 1, False), (900_000, False), (2_000_000, False)]
)
def test_a_chunked_body_without_a_length_is_measured_while_it_is_read(
    portal: Flask, counter: Counter, truth: dict[str, Any], size: int, accepted: bool
) -> None:
    """As gunicorn hands it over: no CONTENT_LENGTH, and a stream that ends by itself."""
    from io import BytesIO

    environ = {"wsgi.input": BytesIO(padded(truth, size)), "wsgi.input_terminated": True}
    environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_TYPE": "application/json"}
    answer = portal.test_client().open(ADDRESS, method="POST", environ_overrides=environ)
    assert answer.status_code in ([200] if accepted else [400, 413])
    assert stored() == accepted
