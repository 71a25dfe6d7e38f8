"""The one pattern of long lists: sorted and cut by key, so that page 5,000 of a million rows costs what page 1 does.

A list has no page numbers: a place in it is the sort value and id of a row, which goes into the address as `after` or
`before`. Rows that arrive meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

PAGE_SIZE = 50
COUNT_MAX = 10_000
"""Nobody reads the exact number of more than these, and counting a million rows takes longer than showing fifty."""
READERS: dict[type, Any] = {datetime: datetime.fromisoformat, date: date.fromisoformat, UUID: UUID, int: int, str: str}


@dataclass(frozen=True)
class Listing:
    """What can be listed. `statement` selects the rows, filters applied, without an order.

    `sorts` maps a word in the address to an expression that is never NULL and should have an index; `identity` is the
    row's unique id, which breaks ties. `default` is a word of `sorts`, with a minus before it for descending.
    """

    statement: Any
    identity: Any
    sorts: Mapping[str, Any]
    default: str


@dataclass(frozen=True)
class Page:
    """A part of a list. `total` counts up to `COUNT_MAX`; beyond that `is_more` says that there are more."""

    rows: list[Any]
    order: str
    total: int
    is_more: bool
    after: str | None
    before: str | None


def page(session: Session, listing: Listing, *, order: str = "", after: str = "", before: str = "") -> Page:
    """The part of a list after, or before, a place; an order or a place that makes no sense shows the beginning."""
    order = order if order.removeprefix("-") in listing.sorts else listing.default
    key = listing.sorts[order.removeprefix("-")]
    place = _read(after or before, key)
    backwards = bool(before and not after and place)
    descends = order.startswith("-") != backwards
    statement = _ordered(listing, key, descends=descends, place=place)
    found = list(session.execute(statement.limit(PAGE_SIZE + 1)))
    further, found = len(found) > PAGE_SIZE, found[:PAGE_SIZE]
    if backwards:
        found.reverse()
    has_next, has_previous = (True, further) if backwards else (further, place is not None)
    total = session.scalar(_counting(listing)) or 0
    return Page(
        rows=found,
        order=order,
        total=min(total, COUNT_MAX),
        is_more=total > COUNT_MAX,
        after=_written(found[-1]) if found and has_next else None,
        before=_written(found[0]) if found and has_previous else None,
    )


def every_row(session: Session, listing: Listing, *, order: str = "") -> Iterator[Any]:
    """All rows of a list in its order, read piece by piece: for a file."""
    order = order if order.removeprefix("-") in listing.sorts else listing.default
    key = listing.sorts[order.removeprefix("-")]
    statement = _ordered(listing, key, descends=order.startswith("-"), place=None)
    yield from session.execute(statement.execution_options(yield_per=500))


def _ordered(listing: Listing, key: Any, *, descends: bool, place: tuple[Any, Any] | None) -> sa.Select[Any]:
    statement = listing.statement.add_columns(key.label("sort_key"), listing.identity.label("sort_id"))
    if place is not None:
        here = sa.tuple_(key, listing.identity)
        there = sa.tuple_(sa.literal(place[0], key.type), sa.literal(place[1], listing.identity.type))
        statement = statement.where(here < there if descends else here > there)
    direction = sa.desc if descends else sa.asc
    return statement.order_by(direction(key), direction(listing.identity))


def _counting(listing: Listing) -> sa.Select[Any]:
    some = listing.statement.with_only_columns(listing.identity).order_by(None).limit(COUNT_MAX + 1)
    return sa.select(sa.func.count()).select_from(some.subquery())


def _written(row: Any) -> str:
    key = row.sort_key.isoformat() if isinstance(row.sort_key, date) else str(row.sort_key)
    text = json.dumps([key, str(row.sort_id)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(text: str, key: Any) -> tuple[Any, Any] | None:
    """The place in an address; None for one that nobody was given."""
    try:
        value, identity = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return None if "\x00" in value else (READERS[key.type.python_type](value), UUID(identity))
    except (ValueError, TypeError, AttributeError):
        return None
