"""What an agent on a node sends: proved, then read. Pure.

The signature is the HMAC-SHA256 of the timestamp, a full stop and the raw body, with the token both sides know. It
stands in `X-Signature` as `sha256=<hex>`, the timestamp (seconds since the epoch) in `X-Timestamp`.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from portal.nodes.errors import BadSignature, MalformedHeartbeat, StaleHeartbeat
from portal.provisioning.nodes import Amounts

REPLAY_WINDOW = timedelta(seconds=60)
BODY_BYTES_MAX = 64 * 1024
NUMBER_MAX = 2**60

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
Word = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=80)]
Count = Annotated[int, Field(ge=0, le=NUMBER_MAX)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Figures(_Strict):
    """An agent leaves out what it does not know."""

    cpu_millicores: Count = 0
    memory_bytes: Count = 0
    storage_bytes: Count = 0
    pods: Count = 0

    def amounts(self) -> Amounts:
        return Amounts(self.cpu_millicores, self.memory_bytes, self.storage_bytes, self.pods)


class Volume(_Strict):
    """How full one claim's volume is."""

    namespace: Name
    claim: Name
    used_bytes: Count
    capacity_bytes: Count


class Heartbeat(_Strict):
    """One report of one node."""

    node: Name
    agent_version: Annotated[Word, Field(max_length=40)] = ""
    kubelet_version: Word = ""
    runtime_version: Word = ""
    operating_system: Word = ""
    architecture: Annotated[Word, Field(max_length=40)] = ""
    capacity: Figures = Figures()
    used: Figures = Figures()
    volumes: list[Volume] = []


def verify(body: bytes, *, timestamp: str, signature: str, token: str, now: datetime) -> datetime:
    """When it was sent. `BadSignature` for a forged one, `StaleHeartbeat` outside of the window."""
    wanted = "sha256=" + hmac.new(token.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
        raise BadSignature
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 10):
        raise MalformedHeartbeat
    sent_at = datetime.fromtimestamp(int(timestamp), UTC)
    if abs(now - sent_at) > REPLAY_WINDOW:
        raise StaleHeartbeat
    return sent_at


def parse(body: bytes) -> Heartbeat:
    """What it says; `MalformedHeartbeat` for anything else."""
    try:
        return Heartbeat.model_validate_json(body)
    except ValidationError as error:
        raise MalformedHeartbeat from error
