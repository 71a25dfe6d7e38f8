"""A throw-away portal to measure: its own PostgreSQL and Redis, the migrated schema, the real catalog, gunicorn.

Everything listens on loopback or a unix socket, lives in a temporary folder and ends with the block. Engines are as
durable as in production, the portal runs with `ENVIRONMENT=production` and the repository's `gunicorn.conf.py`.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from flask import Flask

from sandbox.engines import Postgres, Redis, die_with_parent

ROOT = Path(__file__).resolve().parents[1]
SERVER_KEY = "SB-Mid-server-bench"
READY_WITHIN_S = 60


@dataclass(frozen=True)
class World:
    """What a measurement runs in; `app` is the portal in this process, for seeding and for looking."""

    app: Flask
    postgres: Postgres
    folder: Path


@contextmanager
def world(*, durable: bool = True) -> Iterator[World]:
    """Engines, schema and catalog, with the environment of this process pointing at them; an app context is open.

    `durable=False` is for proofs, in which nothing is measured and no power fails.
    """
    with (
        tempfile.TemporaryDirectory(prefix="minispod-bench-") as name,
        Postgres(Path(name) / "pg", durable=durable) as postgres,
        Redis(Path(name) / "redis", durable=durable) as redis,
    ):
        os.environ.update(_environment(postgres, redis))
        app = _prepared_app(is_remote=durable)
        with app.app_context():
            yield World(app, postgres, Path(name))
            _let_go()


def _environment(postgres: Postgres, redis: Redis) -> dict[str, str]:
    return {
        "ENVIRONMENT": "production",
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis.url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "PUBLIC_URL": "https://bench.minispod.example",
        "MIDTRANS_SERVER_KEY": SERVER_KEY,
        "MIDTRANS_SANDBOX_ALLOWED": "true",
        "LOG_LEVEL": "WARNING",
        "WEB_CONCURRENCY": "2",
        "WEB_THREADS": "4",
        "SANDBOX": "0",
    }


def _prepared_app(*, is_remote: bool) -> Flask:
    """The portal on an empty database that it migrates and stocks, as a release does; asks whether connections live
    only when they could be dead."""
    from flask_migrate import upgrade

    from config import settings
    from portal import create_app
    from portal.catalog import actions as catalog
    from portal.catalog.template_files import load_app_templates, load_categories
    from portal.core import clock
    from portal.core.db import engine_options, transaction

    settings.cache_clear()
    engine = engine_options(pool_size=settings().database_pool_size) | {"pool_pre_ping": is_remote}
    app = create_app({"SQLALCHEMY_ENGINE_OPTIONS": engine})
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        with transaction() as session:
            catalog.sync(session, load_app_templates(), load_categories(), now=clock.now())
    return app


def _let_go() -> None:
    from portal.core.db import db

    db.session.remove()
    db.engine.dispose()


@contextmanager
def served(application: str, *, folder: Path, ready_path: str) -> Iterator[str]:
    """`application` under gunicorn with the repository's settings, on a free loopback port; yields its address."""
    address = f"127.0.0.1:{_free_port()}"
    log = folder / f"{application.replace(':', '-')}.log"
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", address, application]
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, preexec_fn=die_with_parent(15))
        try:
            _wait_until_ready(f"http://{address}{ready_path}", server, log)
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{url} does not answer:\n{log.read_text(errors='replace')[-2000:]}")
