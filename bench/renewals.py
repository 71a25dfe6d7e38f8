"""`python -m bench.renewals`: the renewal run, against the smallest SQL that writes the same rows in the same run.

Three groups of subscriptions, of one size each, are renewed on one database: by the portal's own job, invoices and
notices queued; by one SQL statement for all of them; and by the same statement once per subscription, each in a
transaction of its own. PostgreSQL and Redis are as durable as in production.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from sqlalchemy import text

from bench.processor import Meter
from bench.world import World, world

AIM = 4.0
HERE = Path(__file__).parent
ROWS = (
    "subscription_charge", "journal_entry", "posting", "transaction", "document", "document_line", "renewal_attempt",
    "notice", "outbox_message",
)  # fmt: skip
MADE_HERE = """
CREATE FUNCTION bench_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(overlay(uuid_send(gen_random_uuid()) PLACING substring(
        int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 'hex')::uuid
$$;
CREATE TABLE bench_due (n int PRIMARY KEY, subscription_id uuid, customer_id uuid, user_id uuid, account_id uuid,
    entry_id uuid)
"""


@dataclass(frozen=True)
class Side:
    """What a side took: seconds, and seconds of processor time, PostgreSQL's and this process's."""

    seconds: float
    processor_s: float


@dataclass(frozen=True)
class Turn:
    """One size: each side, and the portal's resident memory at its start and at most, in MiB."""

    size: int
    portal: Side
    set_based: Side
    one_by_one: Side  # for all of `size`, from as many as were played
    memory_mib: tuple[float, float]

    @property
    def ratio(self) -> float:
        return self.portal.seconds / self.set_based.seconds

    @property
    def processor_ratio(self) -> float:
        return self.portal.processor_s / self.set_based.processor_s


def main() -> None:
    """Measures each size, and prints the ratio to the set-based SQL last."""
    parser = argparse.ArgumentParser(prog="python -m bench.renewals", description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000], help="due subscriptions")
    parser.add_argument("--rounds", type=int, default=0, help="turns of each size (0: three, one of the largest)")
    parser.add_argument("--one-by-one", type=int, default=5_000, help="transactions of the row-wise SQL at most (5000)")
    given = parser.parse_args()
    with world() as bench:
        prepare(bench)
        report([measured(bench, size, given) for size in given.sizes])


def report(turns: list[Turn]) -> None:
    """The curve, and the ratios last."""
    heads = ("due", 9), ("portal", 18), ("SQL, all at once", 20), ("SQL, one by one", 20), ("ratio", 8), ("by CPU", 8)
    print("".join(f"{head:>{width}}" for head, width in (*heads, ("memory MiB", 14))))
    for turn in turns:
        sides = "".join(
            f"{f'{side.seconds:.1f} s {turn.size / side.seconds:,.0f}/s':>{width}}"
            for side, width in ((turn.portal, 18), (turn.set_based, 20), (turn.one_by_one, 20))
        )
        memory = f"{turn.memory_mib[0]:.0f} to {turn.memory_mib[1]:.0f}"
        print(f"{turn.size:>9,}{sides}{turn.ratio:>8.2f}{turn.processor_ratio:>8.2f}{memory:>14}")
    by_row = ", ".join(f"{turn.portal.seconds / turn.one_by_one.seconds:.2f} at {turn.size:,}" for turn in turns)
    print(f"against one transaction per row: {by_row}")
    by_cost = ", ".join(f"{turn.processor_ratio:.2f} at {turn.size:,}" for turn in turns)
    print(f"by processor time alone, which neighbours on the machine disturb less: {by_cost}")
    ratios = ", ".join(f"{turn.ratio:.2f} at {turn.size:,}" for turn in turns)
    print(f"ratio: portal / set-based SQL, in time = {ratios} (aim: at most {AIM:.0f})")


def prepare(bench: World) -> None:
    """What the sizes share: a plan with room for everybody, and the books' own accounts."""
    from portal.core import clock, logging
    from portal.core.db import db, transaction
    from portal.wallet.ledger import system_accounts
    from portal.wallet.models import AccountKind

    logging.configure("INFO")  # the run tells how far it is
    with db.engine.begin() as connection:
        for statement in MADE_HERE.split(";\n"):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("UPDATE plan SET slots_total = 10000000")
    kinds = AccountKind.REVENUE, AccountKind.PPN_PAYABLE, AccountKind.OPENING_BALANCE
    with transaction() as session:
        system_accounts(session, *kinds, now=clock.now())


def measured(bench: World, size: int, given: argparse.Namespace) -> Turn:
    """The turn of the median ratio; everything is renewed in each."""
    rounds = given.rounds or (3 if size < 50_000 else 1)
    turns = [_turn(bench, size, min(size, given.one_by_one)) for _ in range(rounds)]
    return sorted(turns, key=lambda turn: turn.ratio)[len(turns) // 2]


def _turn(bench: World, size: int, alone: int) -> Turn:
    _seed(size, due=True)
    _settle()
    before = _counts()
    meter = Meter(bench, [os.getpid()])
    portal, memory_mib = _by_portal(meter, size)
    written = _written(before)
    first = _seed(size + alone, due=False)
    _settle()
    before = _counts()
    set_based = _timed(meter, partial(_by_one_statement, first, first + size - 1))
    assert _written(before) == written, "both sides write the same rows"
    few = _timed(meter, partial(_one_by_one, first + size, first + size + alone - 1))
    one_by_one = Side(few.seconds * size / alone, few.processor_s * size / alone)
    return Turn(size, portal, set_based, one_by_one, memory_mib)


def _timed(meter: Meter, deed: Callable[[], None]) -> Side:
    spent_s, began_s = meter.spent_s(), time.perf_counter()
    deed()
    return Side(time.perf_counter() - began_s, meter.spent_s() - spent_s)


def _seed(count: int, *, due: bool) -> int:
    """Subscriptions whose month is over; returns the number of the first. Only `due` ones are the portal's to find."""
    from portal.core.db import db

    with db.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        for statement in (HERE / "due.sql").read_text().split(";\n"):
            values = {"count": count, "due": due}
            connection.execute(text(statement), {name: values[name] for name in values if f":{name}" in statement})
        last = connection.execute(text("SELECT max(n) FROM bench_due")).scalar_one()
        connection.exec_driver_sql(
            "UPDATE plan SET slots_used = (SELECT count(*) FROM subscription WHERE plan_id = plan.id)"
        )
    return int(last) - count + 1


def _settle() -> None:
    from portal.core.db import db

    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM ANALYZE")
        connection.exec_driver_sql("CHECKPOINT")
    db.engine.dispose()


def _counts() -> dict[str, int]:
    from portal.core.db import db

    with db.engine.connect() as connection:
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in ROWS}


def _written(before: dict[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in _counts().items()}


def _by_portal(meter: Meter, size: int) -> tuple[Side, tuple[float, float]]:
    """The job itself, run until it finds nothing; with its memory at its start and at most."""
    from portal.core import clock

    clock.reset()
    with _watched_memory() as memory:
        side = _timed(meter, partial(_renew, size))
    return side, (memory[0], max(memory))


def _renew(size: int) -> None:
    from jobs import subscriptions as jobs

    done = 0
    while counts := jobs.renew_due():
        assert set(counts) == {"renewed"}, counts
        done += counts["renewed"]
    assert done == size, f"{done} of {size}"


@contextmanager
def _watched_memory() -> Iterator[list[float]]:
    """This process's resident memory, in MiB, five times a second."""
    process, over = psutil.Process(), threading.Event()
    seen = [process.memory_info().rss / 2**20]

    def watch() -> None:
        while not over.wait(0.2):
            seen.append(process.memory_info().rss / 2**20)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def _by_one_statement(first: int, last: int) -> None:
    from portal.core.db import db

    statement = (HERE / "renewals.sql").read_text().replace(":first", str(first)).replace(":last", str(last))
    with db.engine.connect() as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql(statement)
        connection.commit()


def _one_by_one(first: int, last: int) -> None:
    """A procedure that commits after each: no client, no network."""
    from portal.core.db import db

    statement = (HERE / "renewals.sql").read_text().replace("BETWEEN :first AND :last", "= i")
    procedure = f"""
        CREATE OR REPLACE PROCEDURE bench_one_by_one(first int, last int) LANGUAGE plpgsql AS $$
        #variable_conflict use_column
        BEGIN FOR i IN first..last LOOP {statement}; COMMIT; END LOOP; END $$
    """
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql(procedure)
        connection.exec_driver_sql(f"CALL bench_one_by_one({first}, {last})")


if __name__ == "__main__":
    main()
