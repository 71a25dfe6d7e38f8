"""One act on many rows: rehearsed first, so that the preview says exactly what the press of the button will do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy.orm import Session

from portal.core.db import transaction
from portal.core.errors import PortalError
from portal.core.ids import parse_id

ROWS_MAX = 500
Verb = Callable[[Session, UUID], object]


@dataclass(frozen=True)
class Outcome:
    """What became, or would become, of one row: `refusal` is empty when it was done."""

    row_id: UUID
    refusal: str


def chosen() -> list[UUID]:
    """The rows ticked in the form, each once, at most `ROWS_MAX`; what is no id is left out."""
    ids = (parse_id(text) for text in request.form.getlist("ids"))
    return list(dict.fromkeys(one for one in ids if one is not None))[:ROWS_MAX]


def rehearse(ids: Sequence[UUID], verb: Verb) -> list[Outcome]:
    """Does it to each row, notes who refused, and takes all of it back."""
    outcomes: list[Outcome] = []
    try:
        with transaction() as session:
            outcomes += [_outcome(session, row_id, verb) for row_id in ids]
            raise _Rehearsed
    except _Rehearsed:
        return outcomes


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


class _Rehearsed(Exception):
    """Ends a rehearsal: everything in it is rolled back."""


def done(outcomes: Sequence[Outcome]) -> int:
    """How many were done."""
    return sum(not one.refusal for one in outcomes)


def refused(outcomes: Sequence[Outcome]) -> list[Any]:
    """Those that were not."""
    return [one for one in outcomes if one.refusal]
