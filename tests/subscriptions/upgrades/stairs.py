"""n8n in three tiers, and what a test does with them: buy, quote, confirm, play, look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from portal.catalog.models import Interval, Plan, PlanPrice
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.core.outbox import OutboxMessage
from portal.instances.models import Instance
from portal.notices.models import Mail
from portal.subscriptions import actions
from portal.subscriptions.actions import Purchase, changing
from portal.subscriptions.models import PlanChange, Subscription, SubscriptionCharge
from portal.wallet import actions as wallet
from sandbox.kubernetes import Cluster
from tests.conftest import run_due_work
from tests.instances.world import WORKER_MOMENT, World, put_up_for_sale

BASIC, PRO, PREMIUM = "BASIC", "PRO", "PREMIUM"
MONTHLY_PRICES = {BASIC: 25_000, PRO: 75_000, PREMIUM: 150_000}
YEARLY_PRICES = {tier: 10 * price for tier, price in MONTHLY_PRICES.items()}
SIZES = {BASIC: (500, 1024, 5), PRO: (1000, 2048, 20), PREMIUM: (2000, 4096, 50)}
CREDIT = 5_000_000
PAPERWORK = ("invoices.render", "notices.deliver")


@dataclass(frozen=True)
class Stairs(World):
    """The world of an app's three tiers."""

    plans: dict[str, UUID]

    def buy(self, customer: Any, tier: str = BASIC, *, interval: str = "MONTHLY", credit: int = CREDIT) -> UUID:  # type: ignore[override]
        """A running subscription; returns its id."""
        subscription_id = subscribe(self.plans[tier], customer.id, interval=interval, credit=credit)
        self.settle()
        return subscription_id

    def quote(self, subscription_id: UUID, tier: str, interval: str = "MONTHLY") -> PlanChange:
        with transaction() as session:
            owner = session.get_one(Subscription, subscription_id).customer_id
            change = changing.quote(session, subscription_id, owner, self.plans[tier], interval, now=clock.now())
        db.session.expunge(change)
        return change

    def upgrade(self, subscription_id: UUID, tier: str, interval: str = "MONTHLY") -> UUID:
        """Quoted and confirmed; the work is left lying."""
        change = self.quote(subscription_id, tier, interval)
        confirm(change)
        return change.id

    def settle(self, *, for_at_most: timedelta = timedelta(minutes=30)) -> None:
        """Runs all work and moves both clocks to each later due time, until nothing is left."""
        end = clock.now() + for_at_most
        while True:
            run_due_work(without=PAPERWORK)
            upcoming = _next_due()
            if upcoming is None or upcoming > end:
                return
            self.pass_time(max(upcoming - clock.now(), timedelta(0)) + WORKER_MOMENT)

    def pods(self, app: Instance) -> list[dict[str, Any]]:
        return self._of_kind(app, "Pod")

    def claim_gib(self, app: Instance) -> str:
        (claim,) = self._of_kind(app, "PersistentVolumeClaim")
        return str(claim["spec"]["resources"]["requests"]["storage"])

    def limits(self, app: Instance) -> dict[str, Any]:
        """Processor and memory of its only container, as the cluster's Deployment says."""
        (container,) = self.deployment(app)["spec"]["template"]["spec"]["containers"]
        return {name: container["resources"]["limits"][name] for name in ("cpu", "memory")}

    def quota(self, app: Instance) -> dict[str, str]:
        found = self.cluster.objects(namespace=app.namespace)
        return next(one["spec"]["hard"] for one in found if one["kind"] == "ResourceQuota")

    def _of_kind(self, app: Instance, kind: str) -> list[dict[str, Any]]:
        found = self.cluster.objects(label_selector=f"minispod.io/instance={app.id}")
        return [one for one in found if one["kind"] == kind]

    def slots(self) -> dict[str, int]:
        db.session.rollback()
        used = dict(db.session().execute(sa.select(Plan.id, Plan.slots_used)).tuples().all())
        return {tier: used[plan_id] for tier, plan_id in self.plans.items()}


def build(cluster: Cluster, dial: str) -> Stairs:
    plans = sell_three()
    return Stairs(cluster, plans[BASIC], dial, plans)


def sell_three(*, slots_total: int = 5, max_instances: int = 1) -> dict[str, UUID]:
    """BASIC, PRO and PREMIUM of one service, by the month and by the year."""
    basic_id = put_up_for_sale(slots_total=slots_total)
    with transaction() as session:
        basic = session.get_one(Plan, basic_id)
        basic.max_instances = max_instances
        plans = {BASIC: basic_id}
        for place, tier in enumerate((PRO, PREMIUM), start=1):
            plans[tier] = _add_plan(session, basic.service_id, tier, place, slots_total, max_instances)
        session.add(PlanPrice(plan_id=basic_id, interval=Interval.YEARLY, amount=YEARLY_PRICES[BASIC]))
    return plans


def _add_plan(session: Any, service_id: UUID, tier: str, place: int, slots_total: int, max_instances: int) -> UUID:
    cpu, memory, storage = SIZES[tier]
    plan = Plan(
        service_id=service_id, plan_type=tier, name=tier.title(), cpu_millicores=cpu, memory_mib=memory,
        storage_gib=storage, slots_total=slots_total, max_instances=max_instances, sort_order=place,
    )  # fmt: skip
    session.add(plan)
    session.flush()
    for interval, prices in ((Interval.MONTHLY, MONTHLY_PRICES), (Interval.YEARLY, YEARLY_PRICES)):
        session.add(PlanPrice(plan_id=plan.id, interval=interval, amount=prices[tier]))
    return plan.id


def subscribe(plan_id: UUID, customer_id: UUID, *, interval: str = "MONTHLY", credit: int = CREDIT) -> UUID:
    key, now = uuid4().hex, clock.now()
    with transaction() as session:
        wallet.adjust(session, customer_id, rupiah(credit), key=key, reason="test", now=now)
    with transaction() as session:
        price = actions.sold_plan(session, plan_id).price(interval)
        assert price is not None
        return actions.subscribe(session, customer_id, Purchase(plan_id, interval, price, key), now=now).id


def confirm(change: PlanChange) -> str:
    """Presses; returns the status it then has."""
    with transaction() as session:
        return changing.confirm(session, change.id, change.customer_id, now=clock.now()).status


def app_of(subscription_id: UUID) -> Instance:
    (app,) = apps_of(subscription_id)
    return app


def apps_of(subscription_id: UUID) -> list[Instance]:
    db.session.rollback()
    statement = sa.select(Instance).where(Instance.subscription_id == subscription_id).order_by(Instance.id)
    found = list(db.session().scalars(statement.execution_options(populate_existing=True)))
    for app in found:
        db.session.expunge(app)
    return found


def subscription(subscription_id: UUID) -> Subscription:
    db.session.rollback()
    found = db.session().get_one(Subscription, subscription_id, populate_existing=True)
    db.session.expunge(found)
    return found


def change_of(change_id: UUID) -> PlanChange:
    db.session.rollback()
    found = db.session().get_one(PlanChange, change_id, populate_existing=True)
    db.session.expunge(found)
    return found


def charges(subscription_id: UUID) -> list[tuple[str, int, int]]:
    """Kind, amount and what came back of each charge, oldest first."""
    db.session.rollback()
    columns = SubscriptionCharge.kind, SubscriptionCharge.amount, SubscriptionCharge.refunded
    statement = sa.select(*columns).where(SubscriptionCharge.subscription_id == subscription_id)
    return list(db.session().execute(statement.order_by(SubscriptionCharge.id)).tuples())


def mailed(code: str) -> int:
    db.session.rollback()
    return db.session().scalar(sa.select(sa.func.count()).where(Mail.code == code)) or 0


def _next_due() -> Any:
    db.session.rollback()
    return db.session().scalar(
        sa.select(sa.func.min(OutboxMessage.run_at)).where(
            OutboxMessage.done_at.is_(None), OutboxMessage.failed_at.is_(None), OutboxMessage.name.not_in(PAPERWORK)
        )
    )
