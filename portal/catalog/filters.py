"""What a visitor asked the catalog for: read from the address, whatever stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

WORDS_MAX = 8
QUERY_LENGTH_MAX = 80
SLUG_LENGTH_MAX = 60
PRICE_CEILINGS = (25_000, 50_000, 100_000, 200_000)
"""Whole rupiah a month, offered as "up to"; any other number in the address is ignored."""


@dataclass(frozen=True)
class Filters:
    """What is wanted; empty means everything. Unknown slugs are kept: they find nothing, and the page says so."""

    query: str = ""
    category: str = ""
    tag: str = ""
    price_max: int | None = None
    available: bool = False

    @property
    def words(self) -> list[str]:
        """The lower-case words that must all be found."""
        return self.query.lower().split()[:WORDS_MAX]

    @property
    def empty(self) -> bool:
        return self == Filters()

    @property
    def arguments(self) -> dict[str, str]:
        """The same as address arguments, without what is empty."""
        given = {
            "q": self.query,
            "category": self.category,
            "tag": self.tag,
            "price": str(self.price_max or ""),
            "available": "1" if self.available else "",
        }
        return {name: value for name, value in given.items() if value}


def from_arguments(arguments: Mapping[str, str]) -> Filters:
    """Never fails: what cannot be meant is dropped, what is too long is cut, control characters are spaces."""
    return Filters(
        query=_text(arguments.get("q", ""), QUERY_LENGTH_MAX),
        category=_text(arguments.get("category", ""), SLUG_LENGTH_MAX),
        tag=_text(arguments.get("tag", ""), SLUG_LENGTH_MAX),
        price_max=_ceiling(arguments.get("price", "")),
        available=arguments.get("available") == "1",
    )


def _text(value: str, length_max: int) -> str:
    """Encodable, printable, trimmed: PostgreSQL takes neither NUL nor half a surrogate pair."""
    sound = value[: length_max * 2].encode("utf-8", "ignore").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in sound).split())[:length_max]


def _ceiling(value: str) -> int | None:
    return next((ceiling for ceiling in PRICE_CEILINGS if value == str(ceiling)), None)
