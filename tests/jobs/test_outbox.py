"""Queued work: never invented, never lost, run by one at a time, given up only after many failures in a row.

The messages name `payments.check` of a payment without attempts: a real job that has nothing to do.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from redis import Redis
from rq import Queue

from jobs import outbox as sweeper
from jobs import runner
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.outbox import ATTEMPTS_MAX, LEASE, Claim, OutboxMessage

JOB = "payments.check"


@pytest.fixture
def redis(portal: Flask) -> Redis:
    return portal.extensions["redis"]


def enqueue(**options: object) -> UUID:
    with transaction() as session:
        found = outbox.enqueue(session, JOB, payment_id=uuid4(), **options)  # type: ignore[arg-type]
    assert found is not None
    return found


def message(message_id: UUID) -> OutboxMessage:
    db.session.rollback()
    return db.session().get_one(OutboxMessage, message_id, populate_existing=True)


def claim(message_id: UUID) -> Claim | None:
    with transaction() as session:
        return outbox.claim(session, message_id, now=clock.now())


def must_claim(message_id: UUID) -> Claim:
    found = claim(message_id)
    assert found is not None
    return found


def in_redis(redis: Redis, queue: str = "default") -> list[str]:
    return list(Queue(queue, connection=redis).job_ids)


# --- born with its cause --------------------------------------------------------------------------------


def test_work_of_a_transaction_that_fails_is_neither_kept_nor_pushed(portal: Flask, redis: Redis) -> None:
    with pytest.raises(ZeroDivisionError), transaction() as session:
        outbox.enqueue(session, JOB, payment_id=uuid4())
        raise ZeroDivisionError
    assert db.session().scalar(sa.select(sa.func.count()).select_from(OutboxMessage)) == 0
    assert redis.dbsize() == 0
    enqueue()
    assert len(in_redis(redis)) == 1, "and nothing of the failed one comes along with the next"


def test_work_reaches_redis_after_the_commit_and_not_before(portal: Flask, redis: Redis) -> None:
    with transaction() as session:
        message_id = outbox.enqueue(session, JOB, payment_id=uuid4())
        assert redis.dbsize() == 0
    assert in_redis(redis) == [str(message_id)]


def test_work_queued_in_a_savepoint_that_was_rolled_back_does_not_run(portal: Flask, redis: Redis) -> None:
    with transaction() as session:
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            outbox.enqueue(session, JOB, payment_id=uuid4())
            raise ZeroDivisionError
    for job_id in in_redis(redis):
        assert runner.perform(job_id) == "skipped"


def test_a_unique_key_queues_once(portal: Flask, redis: Redis) -> None:
    for _ in range(2):
        with transaction() as session:
            outbox.enqueue(session, JOB, unique_key="once", payment_id=uuid4())
    assert len(in_redis(redis)) == 1


def test_each_queue_gets_its_own_work(portal: Flask, redis: Redis) -> None:
    ids = {queue: str(enqueue(queue=queue)) for queue in outbox.QUEUES}
    assert {queue: in_redis(redis, queue) for queue in outbox.QUEUES} == {key: [value] for key, value in ids.items()}


def test_delayed_work_waits_in_redis_until_it_is_due(portal: Flask, redis: Redis) -> None:
    message_id = enqueue(run_at=clock.now() + timedelta(hours=1))
    assert in_redis(redis) == []
    assert Queue("default", connection=redis).scheduled_job_registry.get_job_ids() == [str(message_id)]
    assert runner.perform(str(message_id)) == "skipped", "and whoever has it early does not run it"


# --- Redis forgets --------------------------------------------------------------------------------------


def test_what_redis_forgot_is_pushed_again_and_done_once(portal: Flask, redis: Redis) -> None:
    now, later = enqueue(), enqueue(run_at=clock.now() + timedelta(hours=1))
    redis.flushall()
    clock.advance(timedelta(minutes=1))
    assert sweeper.sweep() == "1 messages"
    assert in_redis(redis) == [str(now)]
    assert [runner.perform(str(now)) for _ in range(2)] == ["done", "skipped"]
    clock.advance(timedelta(hours=1))
    assert sweeper.sweep() == "1 messages"
    assert in_redis(redis)[-1] == str(later)


def test_the_sweeper_leaves_what_was_just_pushed_what_runs_and_what_is_over(portal: Flask) -> None:
    enqueue()
    assert sweeper.sweep() == "0 messages", "its own commit pushed it a moment ago"
    running, done, failed = enqueue(), enqueue(), enqueue()
    clock.advance(timedelta(seconds=10))
    must_claim(running)
    runner.perform(str(done))
    with transaction() as session:
        session.get_one(OutboxMessage, failed).failed_at = clock.now()
    assert sweeper.sweep() == "1 messages"
    assert sweeper.sweep() == "0 messages", "pushed again a moment ago"
    clock.advance(outbox.PUSH_AGAIN_AFTER)
    assert sweeper.sweep() == "1 messages"
    clock.advance(LEASE)
    assert sweeper.sweep() == "2 messages", "the running one's worker is taken for dead"


# --- leases ---------------------------------------------------------------------------------------------


def test_a_message_in_somebodys_hands_is_left_alone_until_the_lease_ends(portal: Flask) -> None:
    message_id = enqueue()
    must_claim(message_id)
    assert runner.perform(str(message_id)) == "skipped"
    clock.advance(LEASE - timedelta(seconds=1))
    assert runner.perform(str(message_id)) == "skipped"
    clock.advance(timedelta(seconds=1))
    assert runner.perform(str(message_id)) == "done"


def test_one_that_was_taken_for_dead_cannot_disturb_its_successor(portal: Flask) -> None:
    message_id = enqueue()
    late = must_claim(message_id)
    clock.advance(LEASE)
    successor = must_claim(message_id)
    with transaction() as session, outbox.running(late):
        outbox.again(session, now=clock.now(), after=timedelta(seconds=5))
    with transaction() as session:
        assert outbox.record_failure(session, late, now=clock.now(), error="too late")
    assert (message(message_id).claimed_until, message(message_id).last_error) == (successor.until, None)
    assert runner.perform(str(message_id)) == "skipped"


def test_work_planned_again_is_not_marked_done_by_its_own_end_even_when_another_has_it(portal: Flask) -> None:
    """The job planned itself again, somebody took that run at once, and only then the first run ends."""
    message_id = enqueue()
    first = must_claim(message_id)
    with transaction() as session, outbox.running(first):
        outbox.again(session, now=clock.now(), after=timedelta(0))
    clock.advance(timedelta(milliseconds=1))
    second = must_claim(message_id)
    outbox.run_one(first)
    assert message(message_id).done_at is None
    outbox.run_one(second)
    assert message(message_id).done_at == clock.now()


def test_a_finished_message_stays_finished(portal: Flask) -> None:
    message_id = enqueue()
    held = must_claim(message_id)
    with transaction() as session, outbox.running(held):
        outbox.complete(session, now=clock.now())
    with transaction() as session:
        outbox.record_failure(session, held, now=clock.now(), error="after its end")
    assert message(message_id).done_at == clock.now()
    assert claim(message_id) is None


# --- failing and coming again ---------------------------------------------------------------------------


def test_a_failing_job_comes_again_with_growing_pauses_and_is_given_up_at_last(portal: Flask) -> None:
    with transaction() as session:
        message_id = outbox.enqueue(session, "nobody.knows_this")
    outcomes, pauses = [], []
    for _ in range(ATTEMPTS_MAX):
        outcomes.append(runner.perform(str(message_id)))
        pauses.append(message(message_id).run_at - clock.now())  # type: ignore[arg-type]
        clock.advance(max(pauses[-1], timedelta(0)))
    assert outcomes == ["retry"] * (ATTEMPTS_MAX - 1) + ["failed"]
    assert pauses[:3] == [timedelta(seconds=2), timedelta(seconds=4), timedelta(seconds=8)]
    assert max(pauses) == timedelta(minutes=15)
    given_up = message(message_id)  # type: ignore[arg-type]
    assert given_up.failed_at == clock.now()
    assert "nobody" in (given_up.last_error or "")
    assert runner.perform(str(message_id)) == "skipped"


def test_coming_again_as_planned_is_no_failure(portal: Flask) -> None:
    """A roll-out is looked at a hundred times: the first hiccup after that must not be its last."""
    message_id = enqueue()
    for _ in range(3 * ATTEMPTS_MAX):
        held = must_claim(message_id)
        with transaction() as session, outbox.running(held):
            outbox.again(session, now=clock.now(), after=timedelta(seconds=3), reason="not yet")
        clock.advance(timedelta(seconds=3))
    held = must_claim(message_id)
    with transaction() as session:
        assert outbox.record_failure(session, held, now=clock.now(), error="hiccup")
    assert message(message_id).failed_at is None


def test_an_unknown_message_is_skipped(portal: Flask) -> None:
    assert runner.perform(str(uuid4())) == "skipped"
