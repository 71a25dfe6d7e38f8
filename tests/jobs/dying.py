"""Where a worker can die: around every commit and after every call to the outside. Lives in tests alone."""

from __future__ import annotations

import http.client
import os
import re
import signal
import smtplib
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

WRITES = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)', re.IGNORECASE)


class Point(NamedTuple):
    """Where a worker can die: the job at hand (none yet while it takes one), and what was just done. A commit names the
    tables that were written."""

    job: str
    deed: str


class Points:
    """Writes each point that is passed into a log and dies, as by power loss, at the one it is told."""

    def begin(self, log: str, die_at: int | None) -> None:
        """A new life: points count from 0; at number `die_at` it ends."""
        self._log, self._die_at, self._passed = Path(log), die_at, 0
        self._written: set[str] = set()

    def pass_by(self, deed: str) -> None:
        job = structlog.contextvars.get_contextvars().get("job", "")
        with self._log.open("a") as log:
            log.write(f"{job}\t{deed}\n")
        if self._passed == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self._passed += 1

    def install(self) -> None:
        """Listens to the session's commits and stands around the standard library's HTTP and SMTP."""
        event.listen(Engine, "before_cursor_execute", self._note_what_is_written)
        event.listen(Session, "before_commit", self._before_commit)
        event.listen(Session, "after_commit", self._after_commit)
        self._stand_around_http()
        self._stand_around_smtp()

    def _note_what_is_written(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if write := WRITES.match(statement):
            self._written.add(write[1])

    def _before_commit(self, session: Session) -> None:
        session.flush()
        self.pass_by(f"before commit of {self._tables}")

    def _after_commit(self, _: Session) -> None:
        tables, self._written = self._tables, set()
        self.pass_by(f"after commit of {tables}")

    @property
    def _tables(self) -> str:
        return " ".join(sorted(self._written)) or "nothing"

    def _stand_around_http(self) -> None:
        put, get = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.getresponse
        asked: dict[int, str] = {}

        def putrequest(connection: Any, method: str, url: str, *arguments: Any, **options: Any) -> None:
            asked[id(connection)] = f"{method} {url}"
            put(connection, method, url, *arguments, **options)

        def getresponse(connection: Any, *arguments: Any, **options: Any) -> Any:
            answer = get(connection, *arguments, **options)
            self.pass_by(f"after {asked.pop(id(connection), '?')}")
            return answer

        http.client.HTTPConnection.putrequest = putrequest  # type: ignore[method-assign, assignment]
        http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign, assignment]

    def _stand_around_smtp(self) -> None:
        send = smtplib.SMTP.sendmail

        def sendmail(connection: Any, *arguments: Any, **options: Any) -> Any:
            self.pass_by("before mail")
            answer = send(connection, *arguments, **options)
            self.pass_by("after mail")
            return answer

        smtplib.SMTP.sendmail = sendmail  # type: ignore[method-assign, assignment]
