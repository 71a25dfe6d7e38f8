"""The one table of periodic work. Times are Asia/Jakarta. What is not listed here does not run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Periodic:
    """A cron line (in Jakarta time) or a pause in seconds, and the job it starts."""

    name: str
    job: str
    cron: str = ""
    every_s: int = 0


SCHEDULE: list[Periodic] = [
    #        name                 job                         when
    Periodic("outbox-sweep", "outbox.sweep", every_s=15),
    Periodic("top-up-expiry", "payments.expire_due", cron="5 * * * *"),
    Periodic("payment-sync", "payments.sync", cron="*/30 * * * *"),
    Periodic("instance-repair", "instances.repair", cron="*/10 * * * *"),
    Periodic("app-health", "health.check_apps", cron="*/5 * * * *"),
    Periodic("books-audit", "books.audit", cron="30 3 * * *"),
    Periodic("clean-up", "housekeeping.clean_up", cron="0 3 * * *"),
]
