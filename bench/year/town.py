"""The portal with the world around it, and time, which moves in both together."""

from __future__ import annotations

import os
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from crontab import CronTab
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from bench.world import World
from jobs import periodic, runner
from jobs.schedule import SCHEDULE, Periodic
from portal.core import clock
from portal.core.clock import JAKARTA
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from sandbox import kubernetes, mailbox, midtrans
from sandbox.kubernetes.kinds import DEPLOYMENTS
from sandbox.server import CLIENT_KEY, SERVER_KEY

SOON = timedelta(minutes=10)
"""How far time moves on by itself for work that comes again: a roll-out under way is seen to its end."""
BATCH = 200
CLUSTER_STEPS_MAX = 8
NODES = 200
PAPERWORK = ("invoices.render", "notices.deliver")
"""One in `PAPERWORK_SHARE` PDFs is rendered and mails sent; the others are only queued. All documents are issued."""
PAPERWORK_SHARE = 50
WEEK, MONTH = timedelta(days=7), timedelta(days=30)
SELDOM = {
    "app-health": WEEK, "app-use": WEEK, "cluster-drift": WEEK, "reconciliation": WEEK, "books-audit": MONTH,
    "domain-checks": WEEK, "nodes-sync": WEEK, "alerts": WEEK, "day-figures": WEEK, "days-anew": MONTH,
}  # fmt: skip
"""Entries that ask about every app or order come this often here, instead of every few minutes or every day."""


LEFT_OUT = ("missed-runs",)
"""Nothing is ever down here for long, and what comes seldom is not missed."""


class Outside:
    """Gateway, cluster and mail server on one loopback port, kept in memory; their time stands until it is moved."""

    def __init__(self, folder: Path) -> None:
        self.payments = midtrans.create_app(
            server_key=SERVER_KEY, client_key=CLIENT_KEY, notification_url="http://127.0.0.1:9/", seed=1
        )
        self.gateway = self.payments.simulator
        self.kubernetes = kubernetes.create_app(is_manual=True, nodes=NODES, start_s=2.0)
        self.cluster = self.kubernetes.cluster
        self.mail = mailbox.create_app()
        self.kubeconfig = folder / "kubeconfig.yaml"
        self._http = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self._mounted = DispatcherMiddleware(
            lambda *_: [b""], {"/midtrans": self.payments, "/kubernetes": self.kubernetes}
        )

    @contextmanager
    def open(self) -> Iterator[Outside]:
        """Listens until the block ends."""
        self.mail.server.start()
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        kubernetes.write_kubeconfig(self.kubeconfig, f"{self._url}/kubernetes")
        try:
            yield self
        finally:
            self._http.shutdown()
            self.gateway.stop()
            self.mail.server.stop()
            self.kubernetes.close()

    @property
    def environment(self) -> dict[str, str]:
        """What leads the portal here."""
        port = str(self._http.port)
        return {
            "ENVIRONMENT": "test", "MIDTRANS_SERVER_KEY": SERVER_KEY, "MIDTRANS_CLIENT_KEY": CLIENT_KEY,
            "MIDTRANS_CORE_URL": f"{self._url}/midtrans", "MIDTRANS_SNAP_URL": f"{self._url}/midtrans/snap/v1",
            "MIDTRANS_SNAP_JS_URL": f"{self._url}/midtrans/snap/snap.js", "KUBECONFIG": str(self.kubeconfig),
            "SMTP_URL": f"smtp://127.0.0.1:{self.mail.server.port}", "APPS_DOMAIN": "apps.localhost",
            "APPS_PUBLIC_SCHEME": "http", "APPS_PUBLIC_PORT": port, "APPS_PROBE_ADDRESS": f"127.0.0.1:{port}",
            "CLUSTER_STORAGE_CLASS": "expandable", "LOG_LEVEL": "ERROR", "RECONCILE_CALLS_PER_S": "0",
        }  # fmt: skip

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._http.port}"

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not environ.get("HTTP_HOST", "").startswith("127.0.0.1"):
            return self.cluster.serve_app(environ, start_response)
        return self._mounted(environ, start_response)

    def pass_time(self, by: timedelta) -> None:
        """Both move on; the cluster in a few steps, whatever the length, and without any while it is quiet."""
        self.gateway.advance(by.total_seconds())
        steps = min(CLUSTER_STEPS_MAX, max(1, round(by.total_seconds() * 2)))
        with self.cluster.store.lock:
            for _ in range(steps):
                self.cluster.clock.advance(by.total_seconds() / steps)
                if not self.cluster.rest.is_quiet():
                    self.cluster.tick()


class Town:
    """Everything there is; `tally` counts what happened."""

    def __init__(self, app: Flask, outside: Outside) -> None:
        self.app, self.outside = app, outside
        self.browser: FlaskClient = app.test_client()
        self.tally: Counter[str] = Counter()
        self._delivered = 0
        self._last_run: dict[str, datetime] = {}
        app.config["WTF_CSRF_ENABLED"] = False
        outside.gateway.freeze()
        outside.gateway.clock.set(clock.now())

    def move_to(self, moment: datetime) -> None:
        """Time passes up to then. Daily and monthly entries run at their own minute; of what comes more often than
        that, one run stands for all in between, at the end."""
        before = clock.now()
        for at, entry in sorted(self._on_the_way(before, moment), key=lambda each: each[0]):
            self._pass_time(at - clock.now())
            self._run(entry)
        self._pass_time(moment - clock.now())
        for entry in SCHEDULE:
            if not entry.catch_up and self._came_due(entry, before, moment):
                self._run(entry)
        self.work()

    def _pass_time(self, by: timedelta) -> None:
        if by > timedelta(0):
            clock.advance(by)
            self.outside.pass_time(by)

    def _run(self, entry: Periodic) -> None:
        if entry.name in LEFT_OUT or clock.now() - self._last_run.get(entry.name, _LONG_AGO) < SELDOM.get(
            entry.name, timedelta(0)
        ):
            return
        self._last_run[entry.name] = clock.now()
        periodic.run(entry.name)
        self.work()

    def _on_the_way(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, Periodic]]:
        for entry in SCHEDULE:
            if entry.catch_up and (at := _fires_before(entry, until)) > since:
                yield at, entry

    def _came_due(self, entry: Periodic, since: datetime, until: datetime) -> bool:
        if entry.every_s:
            return until - since >= timedelta(seconds=entry.every_s)
        return _fires_before(entry, until) > since

    def work(self) -> None:
        """Runs what is due; time moves on to what comes due within `SOON`, until nothing does."""
        end = clock.now() + SOON
        while True:
            self._run_due()
            upcoming = db.session().scalar(sa.select(sa.func.min(OutboxMessage.run_at)).where(*_OPEN))
            db.session.close()
            if upcoming is None or upcoming > end:
                return
            self._pass_time(max(upcoming - clock.now(), timedelta(0)) + timedelta(milliseconds=1))

    def _run_due(self) -> None:
        while True:
            due = sa.select(OutboxMessage.id, OutboxMessage.name).where(*_OPEN, OutboxMessage.run_at <= clock.now())
            rows = db.session().execute(due.order_by(OutboxMessage.run_at, OutboxMessage.id).limit(BATCH)).all()
            db.session.close()
            if not rows:
                return
            aside = {row.id for row in rows if row.name in PAPERWORK and row.id.int % PAPERWORK_SHARE}
            self._lay_aside(aside)
            for message_id, name in rows:
                if message_id not in aside:
                    runner.perform(str(message_id))
                    self.tally[f"job {name}"] += 1

    def _lay_aside(self, message_ids: set[UUID]) -> None:
        """Counts as done without being made."""
        if message_ids:
            with transaction() as session:
                statement = sa.update(OutboxMessage).where(OutboxMessage.id.in_(message_ids))
                session.execute(statement.values(done_at=clock.now()))
            self.tally["paperwork laid aside"] += len(message_ids)

    def deployments(self) -> list[dict[str, Any]]:
        """Every app's Deployment in the cluster, as it is now."""
        cluster = self.outside.cluster
        with cluster.store.lock:
            return list(cluster.store.list(DEPLOYMENTS))

    def news(self) -> list[bytes]:
        """Notifications that the gateway has sent out since somebody last asked."""
        sent = list(self.outside.gateway.postman.notifications.values())
        fresh = sent[self._delivered :]
        self._delivered = len(sent)
        return [one.body for one in fresh]

    def receive(self, body: bytes) -> None:
        """One notification at the portal's door."""
        answer = self.browser.post("/webhooks/midtrans", data=body, content_type="application/json")
        assert answer.status_code == 200, f"the webhook answered {answer.status_code}"
        self.tally["notification"] += 1


def _fires_before(entry: Periodic, until: datetime) -> datetime:
    """The last moment of a cron line up to then."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        ago_s = -CronTab(entry.cron).previous(until.astimezone(JAKARTA).replace(tzinfo=None))
    return until - timedelta(seconds=ago_s)


_LONG_AGO = datetime(2000, 1, 1, tzinfo=JAKARTA)
_OPEN = (OutboxMessage.done_at.is_(None), OutboxMessage.failed_at.is_(None))


@contextmanager
def town(bench: World) -> Iterator[Town]:
    """The world of a measurement, with the sandbox around it."""
    from config import settings
    from portal.payments.registry import gateway_named

    outside = Outside(bench.folder)
    with outside.open():
        os.environ.update(outside.environment)
        settings.cache_clear()
        gateway_named.cache_clear()
        yield Town(bench.app, outside)
