"""What must hold: every day slots, periods, apps and notices and the books' cheap proofs; every month all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from bench.year.town import Town
from bench.year.trouble import SETTLED
from portal.books.audit import CHECKS
from portal.core import clock
from portal.core.clock import JAKARTA
from portal.core.db import db
from portal.core.outbox import OutboxMessage
from sandbox.midtrans.records import Transaction

GIVEN_BACK = ("refund", "partial_refund")
WHOLE = ("chains_hold",)
"""Proofs that read the whole history: once a month. The others are one statement each."""
FOUND_WITHIN = timedelta(days=9)
"""A payment whose notification was lost is found by the poller, at the latest by the comparison, here once a week."""

PROMISES = {
    "nothing is overdue for more than a day": """
        SELECT 'subscription ' || id || ' ' || status || ' due ' || due_at FROM subscription
        WHERE due_at < :now - interval '26 hours'
          AND NOT EXISTS (SELECT 1 FROM plan_change c WHERE c.subscription_id = subscription.id
                          AND c.status IN ('RESIZING', 'ROLLING_BACK'))""",
    "every period that began was charged once": """
        SELECT 'subscription ' || s.id || ' is in period ' || s.period_number || ', charged ' || count(c.id)
        FROM subscription s LEFT JOIN subscription_charge c ON c.subscription_id = s.id AND c.kind <> 'UPGRADE'
        GROUP BY s.id HAVING count(c.id) <> s.period_number""",
    "whoever may have a slot waits for none": """
        SELECT 'plan ' || p.id || ' has ' || (p.slots_total - p.slots_used) || ' free' FROM plan p
        WHERE p.slots_used < p.slots_total AND p.active
          AND EXISTS (SELECT 1 FROM waitlist_entry w WHERE w.plan_id = p.id AND w.status = 'WAITING')""",
    "whoever pays has an app, and nobody else": """
        SELECT 'subscription ' || s.id || ' ' || s.status || ' has ' || count(i.id) || ' apps' FROM subscription s
        LEFT JOIN instance i ON i.subscription_id = s.id AND i.fenced_at IS NULL
        GROUP BY s.id HAVING (s.ended_at IS NULL) <> (count(i.id) > 0)""",
    "a suspended app is wanted at rest, a paid one is not": """
        SELECT 'instance ' || i.id || ' wants ' || i.wanted || ', subscription ' || s.status FROM instance i
        JOIN subscription s ON s.id = i.subscription_id
        WHERE i.fenced_at IS NULL AND (s.status = 'SUSPENDED') <> (i.wanted = 'SUSPENDED')""",
    "a wallet that could pay leaves nothing unpaid": """
        SELECT 'subscription ' || s.id || ' owes ' || s.price || ', the wallet has ' || a.balance FROM subscription s
        JOIN ledger_account a ON a.customer_id = s.customer_id AND a.kind = 'AVAILABLE'
        WHERE s.status = 'PAST_DUE' AND s.auto_renew AND s.cancel_requested_at IS NULL AND s.next_price IS NULL
          AND a.balance >= s.price""",
    "whoever was suspended was told": """
        SELECT 'subscription ' || s.id FROM subscription s WHERE s.status = 'SUSPENDED'
          AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.customer_id = s.customer_id
                          AND n.created_at >= s.suspended_at - interval '1 minute')""",
    "no periodic run failed": """
        SELECT name || ' at ' || scheduled_for || ': ' || error FROM job_run
        WHERE error IS NOT NULL AND started_at > :now - interval '1 day'""",
    "no work was given up": """
        SELECT name || ' ' || id || ': ' || coalesce(last_error, '') FROM outbox_message WHERE failed_at IS NOT NULL
          -- a gateway that is away for hours outlasts a look at it: the poller looks again
          AND NOT (name LIKE 'payments.%' AND last_error LIKE 'GATEWAY_UNAVAILABLE%')""",
}


OUTCOMES = {
    "charges": "SELECT kind, count(*), sum(amount) FROM subscription_charge GROUP BY 1",
    "tries to renew": "SELECT outcome, count(*), sum(amount) FROM renewal_attempt GROUP BY 1",
    "subscriptions": "SELECT concat_ws(' ', status, coalesce(end_reason, suspend_reason)), count(*), sum(price)"
    " FROM subscription GROUP BY 1",
    "changes of plan": "SELECT status, count(*), sum(total) FROM plan_change GROUP BY 1",
    "places in line": "SELECT status, count(*), sum(agreed_total) FROM waitlist_entry GROUP BY 1",
    "refunds at the gateway": "SELECT status, count(*), sum(amount) FROM payment_refund GROUP BY 1",
    "promo codes": "SELECT code, redemptions, redemptions * amount FROM promo_code",
    "entries": "SELECT e.kind, count(*), sum(greatest(p.amount, 0)) FROM journal_entry e"
    " JOIN posting p ON p.entry_id = e.id GROUP BY 1",
}


class Broken(Exception):
    """A promise did not hold; the text names the rows."""


class Checks:
    """Counts what it looked at, and tells the story at the end."""

    def __init__(self, town: Town) -> None:
        self.town, self.looked = town, 0

    def after_day(self, today: date) -> None:
        """Raises `Broken` with every row that breaks a promise."""
        last_of_month = (today + timedelta(days=1)).day == 1
        found = [*self._promises(), *self._books(whole=last_of_month), *self._cluster(), *self._gateway()]
        db.session.close()
        self.looked += 1
        if found:
            raise Broken("\n".join(found[:20]))

    def _promises(self) -> Iterator[str]:
        for promise, query in PROMISES.items():
            statement = sa.text(query)
            values = {"now": clock.now()} if ":now" in query else {}
            for row in db.session().scalars(statement, values):
                yield f"{promise}: {row}"

    def _books(self, *, whole: bool) -> Iterator[str]:
        for check in CHECKS:
            if whole or check.__name__ not in WHOLE:
                yield from map(str, check(db.session()))

    def _cluster(self) -> Iterator[str]:
        """Deployments in the cluster are exactly those that settled apps want, with their replicas."""
        rows = db.session().execute(
            sa.text("SELECT name, wanted = 'RUNNING' FROM instance WHERE cleaned_up_at IS NULL AND deadline_at IS NULL"
                    " AND fenced_at IS NULL AND state NOT IN ('PENDING', 'ERROR')")
        )  # fmt: skip
        wanted = {name: int(runs) for name, runs in rows}
        has = {one["metadata"]["name"]: one["spec"]["replicas"] for one in self.town.deployments()}
        for name, replicas in wanted.items():
            if has.get(name) != replicas:
                yield f"the cluster is as wanted: {name} wants {replicas}, has {has.get(name)}"
        known = set(db.session().scalars(sa.text("SELECT name FROM instance WHERE cleaned_up_at IS NULL")))
        for name in has.keys() - known:
            yield f"the cluster is as wanted: {name} should be gone"

    def _gateway(self) -> Iterator[str]:
        """What the gateway itself says was paid and not given back, to the rupiah, is what was credited and not taken
        back."""
        long_ago = self.town.outside.gateway.clock.now() - FOUND_WITHIN
        kept = {
            one.transaction_id: one.amount - one.refunded
            for one in list(self.town.outside.gateway.records.transactions.values())
            if one.status in (*SETTLED, *GIVEN_BACK) and _rests_since(one, long_ago)
        }
        rows = db.session().execute(sa.text("SELECT transaction_id, credited - taken_back FROM gateway_transaction"))
        credited = {transaction_id: int(amount) for transaction_id, amount in rows}
        for transaction_id, amount in kept.items():
            ours = credited.get(transaction_id)
            if ours != amount:
                yield f"what was paid was credited: {transaction_id} of {amount}, credited {ours}"

    def progress(self, today: date) -> str:
        """One line a month."""
        counts = db.session().execute(
            sa.text("SELECT (SELECT count(*) FROM customer),"
                    " (SELECT count(*) FROM subscription WHERE ended_at IS NULL),"
                    " (SELECT count(*) FROM journal_entry), (SELECT count(*) FROM document),"
                    " (SELECT count(*) FROM notice)")
        ).one()  # fmt: skip
        db.session.close()
        waiting = db.session().scalar(sa.select(sa.func.count()).where(OutboxMessage.done_at.is_(None)))
        db.session.close()
        return (
            f"{today}: {counts[0]} customers, {counts[1]} live subscriptions, {counts[2]} entries,"
            f" {counts[3]} documents, {counts[4]} notices, {waiting} messages waiting; {self.looked} days clean"
        )

    def story(self) -> Iterator[str]:
        """What happened, most often first, and what came of it: how many, and rupiah."""
        for what, count in self.town.tally.most_common():
            yield f"{count:>9,}  {what}"
        for title, query in OUTCOMES.items():
            yield f"{title}:"
            for what, count, amount in db.session().execute(sa.text(query + " ORDER BY 2 DESC")):
                yield f"{count:>9,}  {what} ({amount or 0:,})"
        db.session.close()


def _rests_since(transaction: Transaction, moment: datetime) -> bool:
    """Nothing of it has moved since then."""
    moved = [refund["created_at"] for refund in transaction.refunds]
    at = [datetime.strptime(each, "%Y-%m-%d %H:%M:%S").replace(tzinfo=JAKARTA) for each in moved]
    return transaction.settled_at is not None and max([transaction.settled_at, *at]) < moment
