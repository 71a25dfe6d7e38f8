"""What outside systems deliver to us: signed bodies, read within limits and proved by the view that takes them."""

from __future__ import annotations

from flask import current_app, request
from redis.exceptions import RedisError
from werkzeug.exceptions import RequestEntityTooLarge

from portal.core import clock
from portal.core.errors import PortalError, TooManyRequests

BAD_SIGNATURES_PER_MINUTE_MAX = 30


class TooLarge(PortalError):
    status = 413
    code = "TOO_LARGE"
    message = "too large"


def raw_body(*, bytes_max: int) -> bytes:
    """The raw body, kept for a second run of the view after a lost lock; raises `TooLarge` without reading it."""
    request.max_content_length = bytes_max
    try:
        return request.get_data(cache=True)
    except RequestEntityTooLarge:
        raise TooLarge from None


def count_bad_signature(kind: str) -> None:
    """Raises `TooManyRequests` beyond a few a minute from one address. Only bad signatures are limited: good deliveries
    may come in a burst, and all from one address."""
    redis = current_app.extensions["redis"]
    key = f"bad-{kind}:{request.remote_addr}:{int(clock.now().timestamp() // 60)}"
    try:
        count = redis.incr(key)
        redis.expire(key, 120)
    except RedisError:
        return  # counting is a courtesy, refusing is not
    if count > BAD_SIGNATURES_PER_MINUTE_MAX:
        raise TooManyRequests
