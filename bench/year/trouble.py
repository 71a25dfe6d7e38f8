"""What goes wrong: the gateway or the cluster is away, apps do not come up, notifications get lost, banks change
their mind."""

from __future__ import annotations

import random
from datetime import date, time

from bench.year.town import Town
from sandbox.midtrans.gateway import Refused

GATEWAY_FAULTS = ("html_502", "http_503", "empty_body", "tcp_reset")
AILMENTS = ("crash-loop", "image-not-found", "never-ready", "unschedulable", "claim-stuck")
SETTLED = ("settlement", "capture")


class Trouble:
    """One chance decides it all, so that a seed brings the same trouble."""

    def __init__(self, town: Town, *, seed: int) -> None:
        self.town, self.chance = town, random.Random(f"trouble:{seed}")
        self._kept_back: list[bytes] = []

    def strike(self, today: date, moment: time) -> None:
        """At every moment everything heals, and then something may break until the next one."""
        gateway, cluster = self.town.outside.gateway, self.town.outside.cluster
        gateway.heal()
        cluster.clear_faults()
        if self.chance.random() < 0.02:
            gateway.inject(self.chance.choice(GATEWAY_FAULTS))
            self.town.tally["trouble: gateway away"] += 1
        if self.chance.random() < 0.02:
            cluster.add_fault("error", status=self.chance.choice([500, 503]))
            self.town.tally["trouble: cluster away"] += 1
        if self.chance.random() < 0.05:
            some = f"user-*{self.chance.randrange(10)}"
            cluster.add_fault(self.chance.choice(AILMENTS), remaining=2, namespace=some)
            self.town.tally["trouble: apps that do not come up"] += 1
        if self.chance.random() < 0.03:
            self._bank_changes_its_mind()

    def _bank_changes_its_mind(self) -> None:
        paid = [one for one in list(self.town.outside.gateway.records.transactions.values())[-200:]
                if one.status in SETTLED]  # fmt: skip
        if not paid:
            return
        chosen, verb = self.chance.choice(paid), self.chance.choice(["refund", "chargeback", "reverse"])
        try:
            getattr(self.town.outside.gateway, verb)(chosen.transaction_id)
            self.town.tally[f"bank: {verb}"] += 1
        except Refused:
            self.town.tally["bank: refused"] += 1

    def deliver_news(self) -> None:
        """Most notifications arrive, some twice, some late, some never: the poller finds those."""
        late, self._kept_back = self._kept_back, []
        for body in [*late, *self.town.news()]:
            luck = self.chance.random()
            if luck < 0.05:
                self.town.tally["notification lost"] += 1
            elif luck < 0.10:
                self._kept_back.append(body)
            else:
                self.town.receive(body)
                if luck < 0.20:
                    self.town.receive(body)
