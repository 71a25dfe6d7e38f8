"""Many people at once: real threads, each with an app context, a session and a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask

from portal.core.db import db

PATIENCE_S = 60


def all_at_once(app: Flask, deeds: Sequence[Callable[[], Any]]) -> list[Any]:
    """Runs every deed in its own thread, all let go together; returns what each returned or raised, in order."""
    outcomes: list[Any] = [None] * len(deeds)
    start = threading.Barrier(len(deeds))

    def run(position: int, deed: Callable[[], Any]) -> None:
        with app.app_context():
            try:
                start.wait(PATIENCE_S)
                outcomes[position] = deed()
            except BaseException as error:
                outcomes[position] = error
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(deeds)]
    db.session.remove()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "somebody hangs"
    return outcomes


def errors(outcomes: Sequence[Any]) -> list[str]:
    """The names of what was raised, sorted."""
    return sorted(type(outcome).__name__ for outcome in outcomes if isinstance(outcome, BaseException))
