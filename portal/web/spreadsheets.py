"""Files for spreadsheets, which must show what is in them and never run it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from flask import Response, stream_with_context

from portal.core import clock
from portal.core.clock import JAKARTA

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads UTF-8 as something else."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""A text cell that begins so may be run as a formula. Source: OWASP, CSV injection."""


def download(name: str, heading: Sequence[str], rows: Iterable[Any], cells: Callable[[Any], Sequence[Any]]) -> Response:
    """`<name>-<today>.csv`, written while it is read: a heading, then the cells of each row."""
    response = Response(stream_with_context(written(heading, rows, cells)), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}-{clock.today():%Y-%m-%d}.csv")
    response.headers["Cache-Control"] = "private, no-store"
    return response


def written(heading: Sequence[str], rows: Iterable[Any], cells: Callable[[Any], Sequence[Any]]) -> Iterator[str]:
    """The file piece by piece. Amounts are signed whole units, times ISO 8601 in Jakarta."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(BYTE_ORDER_MARK)
    writer.writerow(heading)
    for row in rows:
        writer.writerow([_cell(value) for value in cells(row)])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(JAKARTA).isoformat(timespec="seconds")
    return safe_text(value) if isinstance(value, str) else value


def safe_text(text: str) -> str:
    """`text` as a spreadsheet shows it: what could begin a formula gets an apostrophe before it."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text
