"""One act on many rows: rehearsed first, so that the preview says exactly what the press of the button will do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import flash, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal.admin.rehearsal import rehearsed
from portal.core.db import db, transaction
from portal.core.errors import NotFound, PortalError
from portal.core.ids import parse_id
from portal.web import htmx

ROWS_MAX = 500
Verb = Callable[[Session, UUID], object]
Acts = Mapping[str, tuple[Any, Verb]]
"""What may be done to many, by its name in the form: the button's words, and the verb for one row."""


@dataclass(frozen=True)
class Outcome:
    """What became, or would become, of one row: `refusal` is empty when it was done."""

    row_id: UUID
    refusal: str


def chosen() -> list[UUID]:
    """The rows ticked in the form, each once, at most `ROWS_MAX`; what is no id is left out."""
    ids = (parse_id(text) for text in request.form.getlist("ids"))
    return list(dict.fromkeys(one for one in ids if one is not None))[:ROWS_MAX]


def answer(
    acts: Acts, *, back: str, names: Callable[[Session, Sequence[UUID]], Mapping[UUID, str]], said: Callable[[int], str]
) -> Response:
    """Shows what the act in the form would do to the ticked rows; does it once that is confirmed, and says so.

    `names` words the rows, `said` how many were done. Raises `NotFound` for an act that there is not.
    """
    label, verb = acts.get(request.form.get("act", ""), (None, None))
    if verb is None:
        raise NotFound
    ids = chosen()
    if not ids:
        flash(_("Tick something first."), "info")
    elif "confirmed" not in request.form:
        return htmx.render(
            "admin/bulk.html", title=label, outcomes=rehearse(ids, verb), names=names(db.session(), ids), back=back,
            act=request.form["act"], done=done, refused=refused,
        )  # fmt: skip
    else:
        flash(said(done(carry_out(ids, verb))), "success")
    return htmx.leave_for(back)


def rehearse(ids: Sequence[UUID], verb: Verb) -> list[Outcome]:
    """Does it to each row, notes who refused, and takes all of it back."""
    return rehearsed(lambda session: [_outcome(session, row_id, verb) for row_id in ids])


def carry_out(ids: Sequence[UUID], verb: Verb) -> list[Outcome]:
    """Does it to each row in a transaction of its own: one that refuses does not stop the others."""
    outcomes = []
    for row_id in ids:
        try:
            with transaction() as session:
                verb(session, row_id)
            outcomes.append(Outcome(row_id, ""))
        except PortalError as refusal:
            outcomes.append(Outcome(row_id, str(refusal)))
    return outcomes


def _outcome(session: Session, row_id: UUID, verb: Verb) -> Outcome:
    try:
        with session.begin_nested():
            verb(session, row_id)
    except PortalError as refusal:
        return Outcome(row_id, str(refusal))
    return Outcome(row_id, "")


def done(outcomes: Sequence[Outcome]) -> int:
    """How many were done."""
    return sum(not one.refusal for one in outcomes)


def refused(outcomes: Sequence[Outcome]) -> list[Any]:
    """Those that were not."""
    return [one for one in outcomes if one.refusal]
