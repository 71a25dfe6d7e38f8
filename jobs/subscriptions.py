"""Renewals, reminders, and what a credit that arrives settles or launches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from rq.timeouts import JobTimeoutException
from sqlalchemy.orm import Session

from portal.core import clock, job_runs, outbox
from portal.core.db import db, transaction
from portal.core.errors import Busy, Unavailable
from portal.subscriptions import intents
from portal.subscriptions.actions import reminding, renewing

log = structlog.get_logger()

BATCH = 500
RUN_FOR_S = 540
"""A run hands over to the next before it would be stopped; what is left stays due."""
TELL_EVERY_S = 5
HELD_BACK_PAUSE = timedelta(minutes=5)


def renew_due() -> dict[str, int]:
    """Every five minutes: all that is due, in short transactions; returns how often each step was taken.

    Safe to run by hand beside the schedule, and in any number of workers at once.
    """
    return _run_batches("renewals", renewing)


def remind_due() -> dict[str, int]:
    """Hourly: reminders of renewals, trials' ends and cancellations to come; returns how often each was told."""
    return _run_batches("reminders", reminding)


class Work(Protocol):
    """What is done in batches: `renewing` and `reminding` are."""

    def run_due(self, session: Session, *, now: datetime, limit: int) -> Sequence[str]: ...
    def run_alone(self, session: Session, subscription_id: UUID, *, now: datetime) -> str | None: ...
    def due_ids(self, session: Session, *, now: datetime, limit: int) -> list[UUID]: ...
    def put_off(self, session: Session, subscription_id: UUID, *, now: datetime) -> bool: ...


def _run_batches(name: str, work: Work) -> dict[str, int]:
    """Batch after batch until nothing is left. One that fails is taken apart: what fails by itself waits an hour."""
    counts: Counter[str] = Counter()
    began_s = told_s = time.monotonic()
    while time.monotonic() - began_s < RUN_FOR_S:
        done = _run_batch(name, work, counts)
        if not done:
            break
        counts += done
        if time.monotonic() - told_s >= TELL_EVERY_S:
            told_s = time.monotonic()
            log.info(f"{name}.progress", seconds=round(told_s - began_s), **counts)
    if counts:
        log.info(f"{name}.done", seconds=round(time.monotonic() - began_s, 1), **counts)
    return dict(counts)


def _run_batch(name: str, work: Work, so_far: Counter[str]) -> Counter[str]:
    now = clock.now()
    try:
        with transaction() as session:
            done = Counter(step.lower() for step in work.run_due(session, now=now, limit=BATCH))
            job_runs.progress(session, so_far + done)
            return done
    except JobTimeoutException:
        raise  # time is up for the run, not for the batch
    except Exception as failure:  # the edge: whatever it is, it must not stop the others
        log.warning(f"{name}.batch_failed", exc_info=failure)
    ids = work.due_ids(db.session(), now=now, limit=BATCH)
    db.session.rollback()
    steps = [_run_alone(name, work, each, now) for each in ids]
    return Counter(step.lower() for step in steps if step)


def _run_alone(name: str, work: Work, subscription_id: UUID, now: datetime) -> str | None:
    try:
        with transaction() as session:
            return work.run_alone(session, subscription_id, now=now)
    except Busy:
        return None  # in other hands; it stays due
    except JobTimeoutException:
        raise
    except Exception as failure:
        log.error(f"{name}.failed", subscription_id=str(subscription_id), exc_info=failure)
    with transaction() as session:
        return "failed" if work.put_off(session, subscription_id, now=now) else None


def use_credit(customer_id: str) -> None:
    """Credit arrived: pays what is owed, the customer's own order first, then launches what waits for credit.

    Each in a transaction of its own: one that fails stops none behind it; the first failure is raised at the end, so
    that all are tried again. What the operator holds back is no failure: it is tried again for as long as that lasts.
    """
    customer = UUID(customer_id)
    owed = _read(renewing.owing, customer)
    failures = [failure for each in owed if (failure := _try(renewing.pay_owed, each))]
    waiting = _read(intents.waiting_intents, customer)
    failures += [failure for each in waiting if (failure := _try(intents.fulfil, each))]
    if any(map(_is_held_back, failures)):
        with transaction() as session:
            return outbox.again(session, now=clock.now(), after=HELD_BACK_PAUSE, reason="held back by the operator")
    if failures:
        raise failures[0]
    return None


def _read(query: Callable[..., list[UUID]], customer_id: UUID) -> list[UUID]:
    found = query(db.session(), customer_id)
    db.session.rollback()
    return found


def _try(verb: Callable[..., object], row_id: UUID) -> Exception | None:
    try:
        with transaction() as session:
            verb(session, row_id, now=clock.now())
    except JobTimeoutException:
        raise
    except Exception as failure:  # noqa: BLE001 - the edge; raised again by the caller
        return failure
    return None


def _is_held_back(failure: Exception) -> bool:
    return isinstance(failure, Unavailable) and "switch" in failure.details
