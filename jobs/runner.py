"""The one function RQ runs: claims an outbox message, runs its job, notes how it ended."""

from __future__ import annotations

import os
from functools import lru_cache
from uuid import UUID

import structlog
from flask import Flask, has_app_context

from portal.core import clock, outbox
from portal.core.db import db, roll_back, transaction
from portal.core.errors import Unavailable

log = structlog.get_logger()


@lru_cache(maxsize=1)
def application() -> Flask:
    """The portal of this worker process."""
    from portal import create_app

    return create_app()


def perform(message_id: str) -> str:
    """Runs one message; returns `done`, `skipped`, `retry` or `failed`. Safe to call again at any time."""
    if has_app_context():
        return _perform(UUID(message_id))
    with application().app_context():
        return _perform(UUID(message_id))


def _perform(message_id: UUID) -> str:
    with transaction() as session:
        claim = outbox.claim(session, message_id, now=clock.now())
    if claim is None:
        return "skipped"
    structlog.contextvars.bind_contextvars(job=claim.name, message_id=str(message_id), worker=os.getpid())
    try:
        outbox.run_one(claim)
    except Unavailable as error:
        return _retry(claim, f"{error.code} {error.details or ''}".strip())
    except Exception as error:  # the edge of a job: nothing may kill the worker
        log.error("job.failed", exc_info=error)
        return _retry(claim, f"{type(error).__name__}: {error}")
    finally:
        db.session.remove()
        structlog.contextvars.unbind_contextvars("job", "message_id", "worker")
    return "done"


def _retry(claim: outbox.Claim, reason: str) -> str:
    roll_back(db.session())
    with transaction() as session:
        will_retry = outbox.record_failure(session, claim, now=clock.now(), error=reason)
    if not will_retry:
        log.error("job.gave_up", job=claim.name, reason=reason)
    return "retry" if will_retry else "failed"
