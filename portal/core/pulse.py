"""How often an outside service answered lately: counted in Redis by the minute, forgotten after an hour.

Only for alerts: a count that is lost is no harm, so Redis being away is no error here.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.exceptions import RedisError

from portal.core import clock, outbox

KEPT = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Pulse:
    """Calls that got an answer, whatever it said, and calls that got none."""

    answered: int = 0
    failed: int = 0

    @property
    def failed_percent(self) -> int:
        calls = self.answered + self.failed
        return 100 * self.failed // calls if calls else 0


def note(service: str, *, answered: bool) -> None:
    """Counts one call."""
    key = _key(service, clock.now())
    with suppress(RedisError):
        pipeline = outbox.redis_connection().pipeline(transaction=False)
        pipeline.hincrby(key, "answered" if answered else "failed", 1)
        pipeline.expire(key, KEPT)
        pipeline.execute()


def read(service: str, *, now: datetime, minutes: int) -> Pulse:
    """The calls of the last minutes, this one included; none at all while Redis is away."""
    with suppress(RedisError):
        pipeline = outbox.redis_connection().pipeline(transaction=False)
        for back in range(minutes):
            pipeline.hgetall(_key(service, now - back * MINUTE))
        found = pipeline.execute()
        return Pulse(*(sum(int(one.get(name, 0)) for one in found) for name in (b"answered", b"failed")))
    return Pulse()


def _key(service: str, at: datetime) -> str:
    return f"pulse:{service}:{at:%Y%m%d%H%M}"
