"""A small world around instances: a customer with credit, a plan for sale, a cluster whose time is ours."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from jobs import runner
from portal.accounts.models import Customer
from portal.catalog.models import Category, Plan, PlanPrice, Service
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.core.outbox import OutboxMessage
from portal.instances.models import Instance, InstanceEvent
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.actions import Purchase
from portal.wallet import actions as wallet
from sandbox.kubernetes import Cluster, create_app, make_loopback_server

PRICE = 25_000
CREDIT = 50_000
WORKER_MOMENT = timedelta(milliseconds=1)


class ClusterServer:
    """The stand-in behind real HTTP on the loopback: its API, and the apps by their host names."""

    def __init__(self) -> None:
        self._api = create_app(is_manual=True, start_s=3, stop_s=1)
        self._server = make_loopback_server(self._answer)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def cluster(self) -> Cluster:
        return self._api.cluster

    @property
    def dial(self) -> str:
        return f"127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._api.close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "").rpartition(":")[0] or environ.get("HTTP_HOST", "")
        if host != "127.0.0.1":
            return self.cluster.serve_app(environ, start_response)
        return self._api(environ, start_response)


@dataclass(frozen=True)
class World:
    """What a test holds: the stand-in cluster and the one plan for sale."""

    cluster: Cluster
    plan_id: UUID
    dial: str

    def buy(self, customer: Customer) -> Instance:
        """The customer buys the plan with fresh credit, through the real verb."""
        key = uuid4().hex
        with transaction() as session:
            wallet.adjust(session, customer.id, rupiah(CREDIT), key=key, reason="test", now=clock.now())
        with transaction() as session:
            purchase = Purchase(self.plan_id, "MONTHLY", rupiah(PRICE), key)
            subscriptions.subscribe(session, customer.id, purchase, now=clock.now())
        return only_instance(customer.id)

    def buy_running(self, customer: Customer) -> Instance:
        """The same, and the roll-out played to its happy end."""
        instance = self.buy(customer)
        self.play()
        return again(instance)

    def play(self, *, for_at_most: timedelta = timedelta(minutes=30)) -> None:
        """Runs the instances' work and moves both clocks to each later due time, until nothing is left."""
        end = clock.now() + for_at_most
        while True:
            run_instance_work()
            upcoming = next_due()
            if upcoming is None or upcoming > end:
                return
            self.pass_time(max(upcoming - clock.now(), timedelta(0)) + WORKER_MOMENT)

    def pass_time(self, by: timedelta) -> None:
        """Moves both clocks; the cluster has done all it will do within less than a minute."""
        clock.advance(by)
        self.cluster.advance(min(by.total_seconds(), 45))

    def labelled(self, instance: Instance) -> list[str]:
        """Everything in the cluster with the instance's label, whatever its kind, as the cluster itself knows."""
        found = self.cluster.objects(label_selector=f"minispod.io/instance={instance.id}")
        return [f"{one['kind']}/{one['metadata']['name']}" for one in found]

    def deployment(self, instance: Instance) -> dict[str, Any]:
        found = self.cluster.objects(namespace=instance.namespace)
        return next(one for one in found if one["kind"] == "Deployment" and one["metadata"]["name"] == instance.name)


def put_up_for_sale(*, slug: str = "n8n", slots_total: int = 5) -> UUID:
    """A category, a service and its one plan at `PRICE` a month; returns the plan's id."""
    with transaction() as session:
        category = Category(slug="automation", name={"en": "Automation", "id": "Otomasi"})
        session.add(category)
        session.flush()
        texts = {"en": "Text", "id": "Teks"}
        service = Service(
            category_id=category.id, slug=slug, name=slug, description=texts, long_description=texts,
            icon=f"{slug}.svg", version="1",
        )  # fmt: skip
        session.add(service)
        session.flush()
        plan = Plan(
            service_id=service.id, plan_type="BASIC", name="Basic", cpu_millicores=500, memory_mib=1024,
            storage_gib=5, slots_total=slots_total,
        )  # fmt: skip
        session.add(plan)
        session.flush()
        session.add(PlanPrice(plan_id=plan.id, amount=PRICE))
        return plan.id


def only_instance(customer_id: UUID) -> Instance:
    """The customer's newest instance, fresh from the database."""
    db.session.rollback()
    statement = sa.select(Instance).where(Instance.customer_id == customer_id).order_by(Instance.id.desc())
    found = db.session().scalars(statement.execution_options(populate_existing=True)).first()
    assert found is not None
    db.session.expunge(found)
    return found


def again(instance: Instance) -> Instance:
    """The same instance, read anew."""
    db.session.rollback()
    found = db.session().get_one(Instance, instance.id, populate_existing=True)
    db.session.expunge(found)
    return found


def timeline(instance: Instance) -> list[str]:
    """The codes of its events in the order they were written."""
    db.session.rollback()
    statement = sa.select(InstanceEvent.code).where(InstanceEvent.instance_id == instance.id)
    return list(db.session().scalars(statement.order_by(InstanceEvent.id)))


def run_instance_work(*, limit: int = 400) -> None:
    """Runs due messages of `jobs.instances`, in order, as the worker would."""
    for _ in range(limit):
        db.session.rollback()
        due = db.session().scalar(_open_messages(OutboxMessage.id).where(OutboxMessage.run_at <= clock.now()).limit(1))
        db.session.rollback()
        if due is None:
            return
        runner.perform(str(due))
    raise AssertionError("the instances' work never ends")


def next_due() -> Any:
    """When the next message of `jobs.instances` is due."""
    db.session.rollback()
    return db.session().scalar(_open_messages(OutboxMessage.run_at).limit(1))


def _open_messages(column: Any) -> Any:
    return (
        sa.select(column)
        .where(
            OutboxMessage.name.startswith("instances."),
            OutboxMessage.done_at.is_(None),
            OutboxMessage.failed_at.is_(None),
        )
        .order_by(OutboxMessage.run_at, OutboxMessage.id)
    )
