"""Jobs and outbox: what runs, what waits, what failed and why, and another try."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from portal.admin import bulk, lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import jobs as queries
from portal.admin.queries.jobs import State
from portal.audit import work
from portal.core import clock, job_runs, outbox
from portal.core import queues as redis_queues
from portal.core.db import db, transaction
from portal.core.errors import NotFound, Unavailable
from portal.core.outbox import OutboxMessage
from portal.web import htmx
from portal.web.guards import administrator
from portal.web.states import shown

blueprint = Blueprint("admin_jobs", __name__)
HEADING = ("id", "job", "arguments", "queue", "state", "attempts", "created_at", "run_at", "done_at", "last_error")
RUNS_SHOWN = 50


class Filters(FilterForm):
    state = SelectField(
        _l("State"),
        choices=[("", _l("All that is not done"))] + [(state, shown(state, "work").word) for state in State],
    )
    name = StringField(_l("Job"))


@blueprint.get("/")
@administrator
def overview() -> Response:
    """Queues, workers, the outbox and the schedule as they are now; the region asks again while the page is open."""
    now, session = clock.now(), db.session()
    return htmx.render(
        "admin/jobs/overview.html", partial="admin/jobs/_live.html",
        counts=queries.counts(session, now=now), oldest=queries.oldest_due(session, now=now),
        lines=queries.schedule(session, now=now), now=now, State=State, **_of_redis(),
    )  # fmt: skip


def _of_redis() -> dict[str, Any]:
    """Queues and workers; None for both while Redis is away."""
    connection = outbox.redis_connection()
    try:
        return {"queues": redis_queues.queues(connection), "workers": redis_queues.workers(connection)}
    except Unavailable:
        return {"queues": None, "workers": None}


@blueprint.get("/outbox")
@administrator
def listing() -> Response:
    """Queued work, newest first."""
    form, now = Filters(request.args), clock.now()
    state = form.wanted("state")
    wanted = queries.listing(state=State(state) if state else None, name=form.wanted("name"), now=now)
    return lists.answer(
        wanted, folder="jobs", form=form, heading=HEADING, cells=lambda row: _cells(row.OutboxMessage, now), acts=ACTS,
        arguments=queries.arguments, state_of=lambda message: queries.state_of(message, now),
    )  # fmt: skip


def _cells(message: OutboxMessage, now: datetime) -> list[Any]:
    return [
        message.id, message.name, queries.arguments(message), message.queue, queries.state_of(message, now),
        message.attempts, message.created_at, message.run_at, message.done_at, message.last_error or "",
    ]  # fmt: skip


def _retry(session: Session, message_id: UUID) -> None:
    work.retry(session, message_id, actor=acting(), now=clock.now())


ACTS = {"retry": (_l("Try again"), _retry)}


@blueprint.post("/outbox/bulk")
@administrator
def act_on_many() -> Response:
    """Shows what an act would do to the ticked work; does it once that is confirmed."""
    return bulk.answer(
        ACTS, back=url_for("admin_jobs.listing"), names=queries.names,
        said=lambda num: ngettext("Queued again: %(num)d piece of work.", "Queued again: %(num)d pieces of work.", num),
    )  # fmt: skip


@blueprint.get("/outbox/<uuid:message_id>")
@administrator
def show(message_id: UUID) -> Response:
    """One piece of work: what it is, why it failed, and what can be done."""
    message = queries.message(db.session(), message_id)
    if message is None:
        raise NotFound
    state = queries.state_of(message, clock.now())
    return htmx.render("admin/jobs/work.html", message=message, state=state, State=State)


@blueprint.post("/outbox/<uuid:message_id>/retry")
@administrator
def retry(message_id: UUID) -> Response:
    """Another set of attempts, now."""
    with transaction() as session:
        _retry(session, message_id)
    flash(_("Queued again. Every job may run twice without harm."), "success")
    return htmx.leave_for(url_for("admin_jobs.show", message_id=message_id))


@blueprint.post("/outbox/<uuid:message_id>/give-up")
@administrator
def give_up(message_id: UUID) -> Response:
    """No more tries, with the reason that was typed."""
    with transaction() as session:
        reason = request.form.get("reason", "")
        work.give_up(session, message_id, reason=reason, actor=acting(), now=clock.now())
    flash(_("Given up. It can be tried again at any time."), "success")
    return htmx.leave_for(url_for("admin_jobs.show", message_id=message_id))


@blueprint.get("/schedule/<name>")
@administrator
def entry(name: str) -> Response:
    """One line of the schedule with its newest runs."""
    line = queries.line(db.session(), name, now=clock.now())
    if line is None:
        raise NotFound
    runs = job_runs.latest(db.session(), name, limit=RUNS_SHOWN)
    return htmx.render("admin/jobs/entry.html", line=line, runs=runs)


@blueprint.post("/schedule/<name>/run")
@administrator
def run_now(name: str) -> Response:
    """One run of a line, out of its turn."""
    with transaction() as session:
        queued = work.run_now(session, name, actor=acting(), now=clock.now())
    flash(_("Queued: it runs in a moment.") if queued else _("It was queued a moment ago."), "success")
    return htmx.leave_for(url_for("admin_jobs.entry", name=name))
