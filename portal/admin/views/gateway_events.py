"""Notifications of gateways exactly as they came: read them, replay one as a drill, work on one again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import SelectField

from portal.admin import lists
from portal.admin.acting import acting
from portal.admin.queries import gateway_events as queries
from portal.admin.rehearsal import rehearsed
from portal.admin.spans import SpanForm
from portal.admin.views.reading import readable
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.payments import drills, notifications
from portal.payments.drills import Figures, Rehearsed
from portal.payments.errors import BadSignature, GatewayRefused, GatewayUnavailable, MalformedNotification
from portal.payments.gateways import Answer, Notification
from portal.payments.models import GatewayEvent
from portal.payments.registry import gateway_named
from portal.payments.rules import Meaning
from portal.web import htmx, states
from portal.web.guards import administrator

blueprint = Blueprint("admin_gateway_events", __name__)
HEADING = (
    "id", "gateway", "order_id", "verdict", "received_at", "received_count", "processed_at", "outcome",
)  # fmt: skip
UNREADABLE = {
    BadSignature: _l("Its signature does not fit our key: it would be refused. Was the server key changed since?"),
    MalformedNotification: _l("It cannot be read: it would be refused."),
}

MEANINGS: dict[str, Any] = {
    Meaning.WAITING: _l("the customer has not paid yet"),
    Meaning.PAID: _l("it is paid"),
    Meaning.REVIEW: _l("a person must decide"),
    Meaning.FAILED: _l("it was refused"),
    Meaning.CANCELLED: _l("it was cancelled"),
    Meaning.EXPIRED: _l("its time is over"),
    Meaning.UNKNOWN: _l("a word we do not know"),
}


class Filters(SpanForm):
    verdict = SelectField(_l("Verdict"), default="")
    state = SelectField(
        _l("Work"),
        default="",
        choices=[("", _l("All")), ("waiting", _l("Not worked on yet")), ("done", _l("Worked on"))],
    )

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        words = ((name, shown.word) for name, shown in states.VERDICTS.items())
        self.verdict.choices = [("", _("Any verdict")), *words]

    def asked(self) -> list[Any]:
        verdict = self.wanted("verdict")
        conditions = [GatewayEvent.verdict == verdict] if verdict else []
        conditions += queries.state_is(self.wanted("state")) + self.within(GatewayEvent.received_at)
        return conditions + queries.searched(self.text())


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every notification that was taken in, newest first."""
    form = Filters(request.args)
    return lists.answer(
        queries.listing(form.asked()), folder="gateway_events", form=form, heading=HEADING, cells=_cells
    )


def _cells(row: Any) -> list[Any]:
    return [getattr(row, name) for name in HEADING]


@blueprint.get("/<uuid:event_id>")
@administrator
def show(event_id: UUID) -> Response:
    """One notification: its bytes as text, the headers that were kept, what came of it."""
    return _page(queries.event(db.session(), event_id))


def _page(event: GatewayEvent, drill: Drill | None = None) -> Response:
    payment_id = queries.payment_id_of(db.session(), event)
    return htmx.render(
        "admin/gateway_events/show.html", event=event, payment_id=payment_id, readable=readable, drill=drill,
        meanings=MEANINGS,
    )  # fmt: skip


@dataclass(frozen=True)
class Drill:
    """A notification judged again. `why` says what was in the way; without it, what would have happened."""

    why: Any = ""
    notification: Notification | None = None
    rehearsed: Rehearsed | None = None
    after: Figures | None = None


@blueprint.post("/<uuid:event_id>/drill")
@administrator
def drill(event_id: UUID) -> Response:
    """Judges it again with the very code that books, and takes all of it back: shows what it would do now."""
    event = queries.event(db.session(), event_id)
    return _page(event, _drilled(event))


def _drilled(event: GatewayEvent) -> Drill:
    gateway = gateway_named(event.gateway)
    try:
        notification = gateway.parse_notification(event.body)
    except (BadSignature, MalformedNotification) as error:
        return Drill(UNREADABLE[type(error)])
    attempt_id = notifications.attempt_of(db.session(), event.gateway, notification.order_id)
    if attempt_id is None:
        return Drill(_("Its order is none of ours: nothing would happen."), notification)
    asked_at = clock.now()
    try:
        answers = _answers(event.gateway, notification)
    except (GatewayUnavailable, GatewayRefused) as error:
        return Drill(
            _("The gateway does not answer (%(code)s): it would be asked again.", code=error.code), notification
        )
    return _tried(notification, attempt_id, answers, asked_at)


def _answers(gateway: str, notification: Notification) -> list[Answer]:
    """What the job would ask: about the order, and about the transaction that the notification names."""
    references = dict.fromkeys([notification.order_id, notification.transaction_id or notification.order_id])
    answers = (gateway_named(gateway).fetch_status(reference) for reference in references)
    ours = (one for one in answers if one is not None and one.order_id == notification.order_id)
    return list({one.transaction_id: one for one in ours}.values())


def _tried(notification: Notification, attempt_id: UUID, answers: list[Answer], asked_at: datetime) -> Drill:
    if not answers:
        return Drill(_("The gateway knows no such transaction: nothing would happen."), notification)
    tried = rehearsed(
        lambda session: drills.rehearse(session, attempt_id, answers, asked_at=asked_at, now=clock.now())
    )  # fmt: skip
    return Drill(notification=notification, rehearsed=tried, after=drills.figures(db.session(), attempt_id))


@blueprint.post("/<uuid:event_id>/processing")
@administrator
def process_again(event_id: UUID) -> Response:
    """Queues another look for it. Only the gateway's answer moves money, each transaction once."""
    event = queries.event(db.session(), event_id)
    try:
        notification = gateway_named(event.gateway).parse_notification(event.body)
        with transaction() as session:
            verdict = notifications.process_again(session, event_id, notification, actor=acting(), now=clock.now())
    except (BadSignature, MalformedNotification) as error:
        flash(str(_refusal(error)), "danger")
    else:
        said = _("It is being worked on. Load this page again in a few seconds.")
        flash(said if verdict == "queued" else _("Its order is none of ours: there is nothing to work on."), "info")
    return htmx.leave_for(url_for("admin_gateway_events.show", event_id=event_id))


def _refusal(error: PortalError) -> Any:
    return next(words for kind, words in UNREADABLE.items() if isinstance(error, kind))
