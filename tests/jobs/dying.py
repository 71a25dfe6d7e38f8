"""Where a worker can die: around every commit and after every call to the outside. Lives in tests alone."""

from __future__ import annotations

import http.client
import os
import signal
import smtplib
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session


class Points:
    """Writes each point that is passed into a log and dies, as by power loss, at the one it is told."""

    def begin(self, log: str, die_at: int | None) -> None:
        """A new life: points count from 0; at number `die_at` it ends."""
        self._log, self._die_at, self._passed = Path(log), die_at, 0

    def pass_by(self, label: str) -> None:
        with self._log.open("a") as log:
            log.write(f"{label}\n")
        if self._passed == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self._passed += 1

    def install(self) -> None:
        """Listens to the session's commits and stands around the standard library's HTTP and SMTP."""
        event.listen(Session, "before_commit", lambda _: self.pass_by("before commit"))
        event.listen(Session, "after_commit", lambda _: self.pass_by("after commit"))
        self._stand_around_http()
        self._stand_around_smtp()

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
