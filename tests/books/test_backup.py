"""A backup is restored into an empty database, and the books are clean there."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy.orm import Session

from config import settings
from portal.books import commands
from portal.books.audit import differences
from portal.core import backup
from portal.core.backup import BackupRefused
from portal.core.db import db
from tests.books import shop
from tests.books.shop import Order
from tests.books_audit import assert_books_are_clean

NOW = datetime(2026, 3, 10, 5, tzinfo=UTC)


@pytest.fixture
def elsewhere(portal: Flask) -> Iterator[sa.Engine]:
    """An empty database on the same server."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("DROP DATABASE IF EXISTS elsewhere"))
        connection.execute(sa.text("CREATE DATABASE elsewhere"))
    engine = sa.create_engine(db.engine.url.set(database="elsewhere"), poolclass=sa.NullPool)
    yield engine
    engine.dispose()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("DROP DATABASE elsewhere WITH (FORCE)"))


@pytest.fixture
def busy_shop(portal: Flask) -> None:
    """Books with something in them: top-ups, a purchase, one that was given back."""
    plan_id = shop.sell()
    for name in ("Ayu", "Budi"):
        order = Order(shop.open_customer(name), 75_000)
        order.hear("settlement")
        shop.buy(order.customer_id, plan_id)
    assert_books_are_clean()


def test_all_of_it_comes_back_and_the_books_are_clean(busy_shop: None, elsewhere: sa.Engine, tmp_path: Path) -> None:
    file = tmp_path / "minispod.dump"
    note = backup.create(db.engine, file, now=NOW)
    assert note.rows["posting"] > 5
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert backup.restore(elsewhere, file) == note
    with elsewhere.connect() as connection:
        assert backup.differences(connection, note) == []
        assert list(differences(Session(connection))) == []
        assert connection.scalar(
            sa.text("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal")
        ) == db.session().scalar(sa.text("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"))
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            connection.execute(sa.text("DELETE FROM posting"))


def test_what_is_missing_after_a_restore_is_named(busy_shop: None, elsewhere: sa.Engine, tmp_path: Path) -> None:
    note = backup.create(db.engine, tmp_path / "minispod.dump", now=NOW)
    backup.restore(elsewhere, tmp_path / "minispod.dump")
    with elsewhere.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("DELETE FROM posting WHERE id = (SELECT id FROM posting LIMIT 1)"))
    with elsewhere.connect() as connection:
        [line] = backup.differences(connection, note)
        assert line.startswith("posting: ")
        assert {one.check for one in differences(Session(connection))} >= {"entries_balance"}


def test_a_database_that_is_not_empty_is_left_alone(busy_shop: None, tmp_path: Path) -> None:
    file = tmp_path / "minispod.dump"
    backup.create(db.engine, file, now=NOW)
    with pytest.raises(BackupRefused, match="not empty"):
        backup.restore(db.engine, file)
    assert_books_are_clean()


def test_a_backup_never_overwrites_another(portal: Flask, tmp_path: Path) -> None:
    file = tmp_path / "minispod.dump"
    backup.create(db.engine, file, now=NOW)
    before = file.read_bytes()
    with pytest.raises(BackupRefused, match="there already"):
        backup.create(db.engine, file, now=NOW)
    assert file.read_bytes() == before


def test_a_file_that_was_changed_or_cut_is_refused(portal: Flask, elsewhere: sa.Engine, tmp_path: Path) -> None:
    file = tmp_path / "minispod.dump"
    backup.create(db.engine, file, now=NOW)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(BackupRefused, match="is not the file"):
        backup.restore(elsewhere, file)
    backup.note_path(file).unlink()
    with pytest.raises(BackupRefused, match="pg_restore"):
        backup.restore(elsewhere, file)
    with elsewhere.connect() as connection:
        assert backup.row_counts(connection) == {}
    with pytest.raises(BackupRefused, match="is not there"):
        backup.restore(elsewhere, tmp_path / "nothing")
    backup.note_path(file).write_text("{}")
    with pytest.raises(BackupRefused, match="cannot be read"):
        backup.restore(elsewhere, file)


def test_a_dump_that_fails_leaves_nothing_behind(portal: Flask, tmp_path: Path) -> None:
    broken = sa.create_engine(db.engine.url.set(query={**db.engine.url.query}))
    with pytest.raises(BackupRefused, match="pg_dump"):
        backup._dump(broken.url.set(database="nowhere"), tmp_path / "x", snapshot="0-0-0", server_major=15)
    assert list(tmp_path.iterdir()) == []


def test_no_program_that_is_older_than_the_server_is_used(portal: Flask) -> None:
    with pytest.raises(BackupRefused, match="postgresql-client-99"):
        backup.program_for("pg_dump", 99)


def test_the_password_is_no_argument(portal: Flask) -> None:
    url = sa.make_url("postgresql+psycopg://ayu:secret@db.example:6543/minispod?sslmode=require")
    assert backup._environment(url) == {
        "PGHOST": "db.example", "PGPORT": "6543", "PGUSER": "ayu", "PGPASSWORD": "secret", "PGDATABASE": "minispod",
        "PGSSLMODE": "require",
    }  # fmt: skip
    socket = sa.make_url("postgresql+psycopg:///minispod?host=/run/pg&user=postgres")
    assert backup._environment(socket) == {"PGHOST": "/run/pg", "PGUSER": "postgres", "PGDATABASE": "minispod"}


def test_keys_that_are_not_here_are_named(portal: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = backup.create(db.engine, tmp_path / "minispod.dump", now=NOW)
    assert backup.missing_keys(note) == []
    assert "ZGV2ZWxv" not in json.dumps(note.keys)
    monkeypatch.setenv("ENCRYPTION_KEYS", Fernet.generate_key().decode())
    settings.cache_clear()
    assert backup.missing_keys(note) == note.keys
    assert backup.missing_keys(replace(note, keys=[])) == []
    monkeypatch.undo()
    settings.cache_clear()


def test_the_commands_say_what_they_did(busy_shop: None, portal: Flask, elsewhere: sa.Engine, tmp_path: Path) -> None:
    file = str(tmp_path / "minispod.dump")
    runner = portal.test_cli_runner()
    made = runner.invoke(commands.backup_commands, ["create", file])
    assert (made.exit_code, "rows of" in made.output) == (0, True)
    refused = runner.invoke(commands.backup_commands, ["restore", file])
    assert (refused.exit_code, "not empty" in refused.output) == (1, True)
    assert os.path.exists(f"{file}.json")
