"""Jobs and outbox: who may see them, what they show, and another try that is safe."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from rq import Queue, SimpleWorker

from portal.admin.queries import jobs as queries
from portal.audit.models import AuditEntry
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.job_runs import JobRun
from portal.core.outbox import OutboxMessage
from portal.core.queues import workers
from tests.conftest import run_due_work
from tests.personas import sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
PAGES = ["", "outbox", "outbox/0197b2a0-0000-7000-8000-000000000001", "schedule/renewals"]


def queue(name: str = "outbox.sweep", *, failed: bool = False, **facts) -> UUID:
    with transaction() as session:
        message_id = outbox.enqueue(session, name, **facts)
        if failed:
            session.execute(
                sa.update(OutboxMessage)
                .where(OutboxMessage.id == message_id)
                .values(failed_at=clock.now(), attempts=12, last_error="GatewayUnavailable: it was away")
            )
    return message_id


def stored(message_id: UUID) -> OutboxMessage:
    db.session.rollback()
    return db.session().get_one(OutboxMessage, message_id, populate_existing=True)


def notes(action: str) -> list[AuditEntry]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(AuditEntry).where(AuditEntry.action == action)))


def lease(message_id: UUID) -> None:
    with transaction() as session:
        session.execute(
            sa.update(OutboxMessage)
            .where(OutboxMessage.id == message_id)
            .values(claimed_until=clock.now() + timedelta(minutes=2))
        )


@pytest.mark.parametrize("page", PAGES)
def test_only_an_administrator_knows_it_is_there(client, ayu, page):
    assert client.get(f"/admin/jobs/{page}").status_code == 303
    assert sign_in(client, ayu.email).get(f"/admin/jobs/{page}").status_code == 404


def test_a_customer_can_neither_retry_nor_give_up_nor_run(client, ayu):
    failed = queue(failed=True)
    sign_in(client, ayu.email)
    for address in (f"outbox/{failed}/retry", f"outbox/{failed}/give-up", "outbox/bulk", "schedule/renewals/run"):
        assert client.post(f"/admin/jobs/{address}", data={"reason": "x"}).status_code == 404
    assert stored(failed).failed_at is not None


def test_the_overview_says_how_things_stand(client, dewi):
    queue("payments.check")
    queue("payments.check", failed=True)
    admin = sign_in(client, dewi.email)
    page = admin.get("/admin/jobs/").text
    assert "No worker is alive" in page
    assert "renewals" in page
    assert 'href="/admin/jobs/outbox?state=FAILED">1<' in page
    region = admin.get("/admin/jobs/", headers={"HX-Request": "true"}).text
    assert region.lstrip().startswith('<div id="jobs-live"')
    with counted() as asked:
        admin.get("/admin/jobs/")
    assert len(asked) <= 8


def test_it_shows_workers_and_their_work(client, portal, dewi):
    worker = SimpleWorker([Queue("urgent", connection=outbox.redis_connection())], connection=outbox.redis_connection())
    worker.register_birth()
    [alive] = workers(outbox.redis_connection())
    assert (alive.name, alive.job) == (worker.name, "")
    page = sign_in(client, dewi.email).get("/admin/jobs/").text
    assert worker.name[:12] in page
    assert "No worker is alive" not in page
    worker.register_death()


def test_queues_show_their_length_and_their_oldest(client, dewi):
    queue("payments.check")
    [urgent, default, slow] = __import__("portal.core.queues", fromlist=["queues"]).queues(outbox.redis_connection())
    assert (urgent.length, default.length, slow.length) == (0, 1, 0)
    assert default.oldest_at is not None


def test_work_is_found_by_state_and_name(client, dewi):
    queue("payments.check", payment_id=uuid4())
    failed = queue("invoices.render", failed=True, document_id=uuid4())
    admin = sign_in(client, dewi.email)
    everything = admin.get("/admin/jobs/outbox").text
    assert "payments.check" in everything
    assert "it was away" in everything
    page = admin.get("/admin/jobs/outbox?state=FAILED").text
    assert str(failed) in page
    assert "payments.check" not in page.split("<tbody>")[1]
    assert "2 rows" not in page
    assert str(failed) not in admin.get("/admin/jobs/outbox?name=payments").text
    for nonsense in ("?state=KING", "?order=nothing", "?after=xyz", "?name=%25", "?name=%00"):
        assert admin.get(f"/admin/jobs/outbox{nonsense}").status_code == 200
    file = admin.get("/admin/jobs/outbox?state=FAILED&format=csv").text
    assert "invoices.render" in file
    with counted() as asked:
        admin.get("/admin/jobs/outbox")
    assert len(asked) <= 5


def test_every_state_is_one_of_each(portal):
    now = clock.now()
    ids = {
        "WAITING": queue(run_at=now + timedelta(hours=1)),
        "DUE": queue(),
        "RUNNING": queue(),
        "FAILED": queue(failed=True),
        "GIVEN_UP": queue(failed=True),
        "DONE": queue(),
    }
    lease(ids["RUNNING"])
    with transaction() as session:
        outbox.give_up(session, ids["GIVEN_UP"], now=now)
        session.execute(sa.update(OutboxMessage).where(OutboxMessage.id == ids["DONE"]).values(done_at=now))
    for name, message_id in ids.items():
        assert queries.state_of(stored(message_id), now) == name
        rows = db.session().scalars(sa.select(OutboxMessage.id).where(queries.is_in(queries.State(name), now)))
        assert list(rows) == [message_id]
    assert {state.value: count for state, count in queries.counts(db.session(), now=now).items()} == dict.fromkeys(
        ["WAITING", "DUE", "RUNNING", "FAILED", "GIVEN_UP"], 1
    )


def test_failed_work_is_tried_again_once_however_often_one_presses(client, dewi):
    failed = queue(failed=True)
    admin = sign_in(client, dewi.email)
    for _ in range(3):
        assert admin.post(f"/admin/jobs/outbox/{failed}/retry").status_code == 303
    assert (stored(failed).attempts, stored(failed).failed_at) == (0, None)
    [note] = notes("work.retried")
    assert (note.actor_id, note.subject_id, note.ip_address) == (dewi.user_id, str(failed), "127.0.0.1")
    assert note.facts["before"]["state"] == "failed"
    assert note.facts["after"]["state"] == "waiting"
    run_due_work()
    assert stored(failed).done_at is not None
    assert admin.post(f"/admin/jobs/outbox/{failed}/retry").status_code == 303
    assert len(notes("work.retried")) == 1


def test_what_a_worker_is_at_is_left_alone(client, dewi):
    running = queue()
    lease(running)
    admin = sign_in(client, dewi.email)
    assert admin.post(f"/admin/jobs/outbox/{running}/retry").status_code == 409
    assert admin.post(f"/admin/jobs/outbox/{running}/give-up", data={"reason": "enough"}).status_code == 409
    assert stored(running).given_up_at is None


def test_giving_up_needs_a_reason_ends_the_tries_and_can_be_undone(client, dewi):
    waiting = queue()
    admin = sign_in(client, dewi.email)
    assert admin.post(f"/admin/jobs/outbox/{waiting}/give-up", data={"reason": "  "}).status_code == 422
    for _ in range(2):
        form = {"reason": "\0<b>the customer left</b>" + "x" * 5000}
        assert admin.post(f"/admin/jobs/outbox/{waiting}/give-up", data=form).status_code == 303
    run_due_work()
    assert stored(waiting).done_at is None
    [note] = notes("work.given_up")
    assert len(note.facts["reason"]) == 300
    assert "&lt;b&gt;the customer left" in admin.get(f"/admin/audit/?entry={note.id}").text
    assert admin.get(f"/admin/jobs/outbox/{waiting}").status_code == 200
    admin.post(f"/admin/jobs/outbox/{waiting}/retry")
    run_due_work()
    assert stored(waiting).done_at is not None


def test_many_are_shown_first_and_then_tried_again(client, dewi):
    failed, running = queue(failed=True), queue()
    lease(running)
    admin = sign_in(client, dewi.email)
    form = {"act": "retry", "ids": [str(failed), str(running), "nonsense", str(uuid4())]}
    preview = admin.post("/admin/jobs/outbox/bulk", data=form).text
    assert "A worker is at it" in preview
    assert stored(failed).failed_at is not None
    assert notes("work.retried") == []
    admin.post("/admin/jobs/outbox/bulk", data=form | {"confirmed": "yes"})
    assert stored(failed).failed_at is None
    assert len(notes("work.retried")) == 1
    assert admin.post("/admin/jobs/outbox/bulk", data={"act": "erase"}).status_code == 404
    assert admin.post("/admin/jobs/outbox/bulk", data={"act": "retry"}).status_code == 303


def test_a_line_of_the_schedule_runs_out_of_its_turn_once(client, dewi):
    admin = sign_in(client, dewi.email)
    for _ in range(3):
        assert admin.post("/admin/jobs/schedule/clean-up/run").status_code == 303
    assert len(notes("schedule.run_now")) == 1
    run_due_work()
    queue_ = Queue("default", connection=outbox.redis_connection())
    jobs = [job for job in queue_.jobs if job.func_name == "jobs.periodic.make_up"]
    assert [(job.args[0], job.timeout) for job in jobs] == [("clean-up", 600)]
    from jobs import periodic

    assert "rows" in periodic.make_up(*jobs[0].args)
    assert "claimed" in periodic.make_up(*jobs[0].args)
    page = admin.get("/admin/jobs/schedule/clean-up").text
    assert "rows" in page
    assert admin.post("/admin/jobs/schedule/nothing/run").status_code == 404
    assert admin.get("/admin/jobs/schedule/nothing").status_code == 404


def test_what_is_running_is_not_started_again(client, dewi):
    with transaction() as session:
        session.add(JobRun(name="clean-up", scheduled_for=clock.now(), started_at=clock.now(), counts={}))
    assert sign_in(client, dewi.email).post("/admin/jobs/schedule/clean-up/run").status_code == 409
    assert notes("schedule.run_now") == []


def test_redis_away_is_said_and_breaks_no_page(client, portal, dewi, monkeypatch):
    from redis import Redis

    admin = sign_in(client, dewi.email)
    portal.config["RATELIMIT_ENABLED"] = False
    monkeypatch.setitem(portal.extensions, "redis", Redis(port=1, socket_connect_timeout=0.2))
    page = admin.get("/admin/jobs/")
    assert page.status_code == 200
    assert "Redis does not answer" in page.text
