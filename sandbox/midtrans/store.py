"""The simulator's memory on disk, so that a restart has the same transactions."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .postman import Notification
from .records import Order, Session, Transaction

if TYPE_CHECKING:
    from .simulator import Simulator

SAVE_EVERY_S = 0.5
JOURNAL_KEPT = 1000


def snapshot(simulator: Simulator) -> dict[str, Any]:
    """Everything a restart needs, as JSON values."""
    with simulator._lock:
        records = simulator.records
        return {
            "clock": {"offset_s": simulator.clock.offset_s, "scale": simulator.clock.scale},
            "orders": [_plain(order) for order in records.orders.values()],
            "sessions": [_plain(session) for session in records.sessions.values()],
            "transactions": [_plain(transaction) for transaction in records.transactions.values()],
            "notifications": [n.stored() for n in list(simulator.postman.notifications.values())],
            "tasks": [
                {"due": task.due.isoformat(), "kind": task.kind, "args": task.args}
                for task in simulator.agenda.pending()
            ],
            "journal": simulator.journal.entries()[-JOURNAL_KEPT:],
        }


def restore(simulator: Simulator, saved: dict[str, Any]) -> None:
    """Take up a snapshot; an empty one changes nothing. A message caught in the act is sent again."""
    if not saved:
        return
    records, clock = simulator.records, simulator.clock
    clock.set(clock.now() + timedelta(seconds=saved["clock"]["offset_s"]))
    clock.run_at(saved["clock"]["scale"])
    for order in (_revived(Order, row) for row in saved["orders"]):
        records.orders[order.order_id] = order
    for session in (_revived(Session, row) for row in saved["sessions"]):
        records.sessions[session.token] = session
    for transaction in (_revived(Transaction, row) for row in saved["transactions"]):
        records.transactions[transaction.transaction_id] = transaction
    for task in saved["tasks"]:
        simulator.agenda.add(datetime.fromisoformat(task["due"]), task["kind"], **task["args"])
    simulator.postman.take_up([Notification.restored(row) for row in saved["notifications"]])
    simulator.journal.refill(saved["journal"])


class StateFile:
    """Writes the snapshot shortly after each change and on stop; each write replaces the file whole."""

    def __init__(self, path: Path, take_snapshot: Callable[[], dict[str, Any]]) -> None:
        self._path, self._take_snapshot = Path(path), take_snapshot
        self._dirty, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name="midtrans-state", daemon=True)

    def load(self) -> dict[str, Any]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}

    def start(self) -> None:
        self._thread.start()

    def touch(self) -> None:
        self._dirty.set()

    def stop(self) -> None:
        self._stopping.set()
        self._dirty.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._write()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._dirty.wait()
            self._dirty.clear()
            if not self._stopping.wait(SAVE_EVERY_S):
                self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._take_snapshot()))
        os.replace(fresh, self._path)


def _plain(record: Any) -> dict[str, Any]:
    values = asdict(record)
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}


def _revived(kind: type, row: dict[str, Any]) -> Any:
    moments = {field.name for field in fields(kind) if "datetime" in str(field.type)}
    return kind(**{
        name: datetime.fromisoformat(value) if name in moments and value else value
        for name, value in row.items()
    })  # fmt: skip
