"""`python -m bench.admin`: every page of the operator's side under a large business, against the SELECT of its rows.

The business is that of `flask seed`. Pages are those of the URL map under `/admin` that need no parameter, whichever
this build has, and a few searches. Each is answered in this process, by the whole portal but for the web server. Beside
it stands the statement of the page that brought the most rows, sent again by the bare driver and read to its end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from bench.world import World, world

AIM_MS, REDIRECTED = 300, 303
LEADS_ON = "/admin/search/?"
"""A search that finds one thing alone leads straight to it."""
SEARCHES = ("budi", "budi.santoso.1", "TOPUP-0", "INV/2026/1", "ghost-1", "1001")
COUNTS = """
    SELECT sum(reltuples) FILTER (WHERE relname = 'customer'), sum(reltuples) FILTER (WHERE reltuples > 0)
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


@dataclass
class Asked:
    """What a page asked the database: how many statements, and the one that brought the most rows."""

    count: int = 0
    rows: int = -1
    statement: str = ""
    values: Any = None


@dataclass(frozen=True)
class Measured:
    """A page: milliseconds (median and most), statements, the rows of the largest, and what that takes alone."""

    address: str
    status: int
    page_ms: float
    most_ms: float
    queries: int
    rows: int
    select_ms: float

    @property
    def ratio(self) -> float:
        return self.page_ms / self.select_ms if self.select_ms else 0.0


def main() -> None:
    """Measures every page, and prints the ratio last."""
    parser = argparse.ArgumentParser(prog="python -m bench.admin", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="lines in wallets (1000000)")
    parser.add_argument("--rounds", type=int, default=7, help="times each page is asked for (7)")
    given = parser.parse_args()
    os.environ["ADMINISTRATORS_NEED_SECOND_FACTOR"] = "false"  # a page that only asks for one would be quick
    with world() as bench:
        stock(given.rows)
        client = administrator(bench)
        pages = [measured(client, address, given.rounds) for address in addresses(bench.app)]
    report(pages)
    if strayed := [one.address for one in pages if one.status == REDIRECTED and not one.address.startswith(LEADS_ON)]:
        sys.exit(f"these led elsewhere, so nothing was measured: {', '.join(strayed)}")


def stock(rows: int) -> None:
    """The made-up business, its days summed up; says how long both took."""
    from portal.admin.seeding import writing
    from portal.core import clock
    from portal.core.db import db, transaction
    from portal.insights import actions as insights

    now = clock.now()
    with timed("made up"), transaction() as session:
        writing.fill(session, rows, seed=1, now=now, say=lambda _: None)
    with timed("all days summed up"), transaction() as session:
        insights.sum_up(session, clock.today(now) - writing.HISTORY, now=now, foresee=True)
    with timed("yesterday and today summed up"), transaction() as session:
        insights.sum_up(session, clock.today(now), now=now)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM ANALYZE")
        customers, everything = connection.exec_driver_sql(COUNTS).one()
    print(f"{customers:,.0f} customers, {everything:,.0f} rows in all", flush=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began_s = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - began_s:.1f} s", flush=True)


def administrator(bench: World) -> FlaskClient:
    """A browser in which an administrator is signed in."""
    from portal.accounts import actions, sessions
    from portal.core import clock
    from portal.core.db import transaction

    now = clock.now()
    with transaction() as session:
        user = actions.register(
            session, name="Dewi Anggraini", email="dewi@bench.minispod.example", password="tujuh gajah menari di pasar",
            phone=None, language="id", now=now,
        )  # fmt: skip
        user.email_verified_at = now
        actions.make_administrator(session, user, now=now)
        token = sessions.start(session, user, remember=True, now=now, ip_address="127.0.0.1", user_agent="bench")
    client = bench.app.test_client()
    with client.session_transaction(base_url="https://bench.minispod.example") as cookie:
        cookie[sessions.COOKIE_KEY] = token
    return client


def addresses(app: Flask) -> list[str]:
    """Every page under `/admin` that a GET without parameters reaches, and the searches."""
    rules = (rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("admin_"))
    found = {rule.rule for rule in rules if "GET" in (rule.methods or ()) and not rule.arguments}
    searches = [f"/admin/search/?q={typed}" for typed in SEARCHES if "/admin/search/" in found]
    years = ["/admin/analytics/?range=year", "/admin/analytics/?range=7d"] if "/admin/analytics/" in found else []
    return sorted(found) + years + searches


def measured(client: FlaskClient, address: str, rounds: int) -> Measured:
    """Asks for the page once to warm up, then so many times."""
    _answer(client, address)
    taken = []
    for _ in range(rounds):
        with watched() as asked:
            began_s = time.perf_counter()
            status = _answer(client, address)
            taken.append((time.perf_counter() - began_s) * 1000)
    select_ms = median(_alone_ms(asked) for _ in range(rounds)) if asked.rows >= 0 else 0.0
    return Measured(address, status, median(taken), max(taken), asked.count, max(asked.rows, 0), select_ms)


def _answer(client: FlaskClient, address: str) -> int:
    with client.application.app_context():
        return client.get(address, base_url="https://bench.minispod.example").status_code


@contextmanager
def watched() -> Iterator[Asked]:
    """Notes what is sent to the database meanwhile."""
    from portal.core.db import db

    asked = Asked()

    def note(_connection: Any, cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        asked.count += 1
        if statement.lstrip(" (\n").upper().startswith(("SELECT", "WITH")) and cursor.rowcount > asked.rows:
            asked.rows, asked.statement, asked.values = cursor.rowcount, statement, values

    event.listen(db.engine, "after_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(db.engine, "after_cursor_execute", note)


def _alone_ms(asked: Asked) -> float:
    from portal.core.db import db

    connection = db.engine.raw_connection()
    try:
        with connection.cursor() as cursor:
            began_s = time.perf_counter()
            cursor.execute(asked.statement, asked.values)
            cursor.fetchall()
            return (time.perf_counter() - began_s) * 1000
    finally:
        connection.rollback()
        connection.close()


def report(pages: list[Measured]) -> None:
    """A line a page, the slow ones named, and the ratio last."""
    heads = ("page", 44), ("ms", 8), ("most", 8), ("queries", 9), ("rows", 7), ("SELECT ms", 11), ("ratio", 8)
    print("".join(f"{head:<{width}}" if head == "page" else f"{head:>{width}}" for head, width in heads))
    for one in pages:
        wrong = "" if one.status in (200, 303) else f"  answered {one.status}"
        print(f"{one.address:<44}{one.page_ms:>8.1f}{one.most_ms:>8.1f}{one.queries:>9}{one.rows:>7}"
              f"{one.select_ms:>11.2f}{one.ratio:>8.1f}{wrong}")  # fmt: skip
    slow = [one.address for one in pages if one.page_ms > AIM_MS]
    print(f"over {AIM_MS} ms: {', '.join(slow) or 'none'}; most queries: {max(one.queries for one in pages)}")
    ratio = median(one.ratio for one in pages if one.ratio)
    print(f"ratio: page / SELECT of its rows, at the median of {len(pages)} pages = {ratio:.2f}")


if __name__ == "__main__":
    main()
