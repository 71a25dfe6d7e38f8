"""`python -m bench.purchases`: purchases a second, against pgbench playing the same statements on the same database.

Once with every customer buying one plan, whose slots are one row that all of them want, and once over a thousand plans.
Portal and pgbench take turns with eight connections each; PostgreSQL and Redis are as durable as in production.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING
from uuid import UUID

from bench.world import World, world

if TYPE_CHECKING:
    from bench.buyers import Buyer
    from bench.shop import Shop

AIM = 0.25
CONNECTIONS = 8


@dataclass(frozen=True)
class Part:
    """One line of the table: medians of the turns; processor milliseconds are those of both sides with PostgreSQL."""

    plans: int
    portal_per_second: float
    peer_per_second: float
    portal_ms: float
    peer_ms: float
    busy: int

    @property
    def ratio(self) -> float:
        return self.portal_per_second / self.peer_per_second


def main() -> None:
    """Measures both, and prints the ratios last."""
    parser = argparse.ArgumentParser(prog="python -m bench.purchases", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of portal and of pgbench (3)")
    parser.add_argument("--purchases", type=int, default=120, help="purchases of the portal in a turn (120)")
    parser.add_argument("--share", type=int, default=30, help="purchases of each pgbench connection in a turn (30)")
    parser.add_argument("--plans", type=int, default=1000, help="plans of the second part (1000)")
    given = parser.parse_args()
    with world() as bench:
        report(list(measured(bench, given)))


def report(parts: list[Part]) -> None:
    """A line for each number of plans, and the ratios."""
    print("8 connections each; portal: 2 processes of 4 threads; pgbench: prepared statements, 2 threads")
    print(f"{'plans':>6}{'portal/s':>10}{'pgbench/s':>11}{'ratio':>8}{'CPU ms each':>16}{'lock waits given up':>22}")
    for part in parts:
        rates = f"{part.portal_per_second:>10.0f}{part.peer_per_second:>11.0f}{part.ratio:>8.2f}"
        costs = f"{part.portal_ms:.1f} | {part.peer_ms:.1f}"
        print(f"{part.plans:>6}{rates}{costs:>16}{part.busy:>22}")
    by_cost = ", ".join(f"{part.peer_ms / part.portal_ms:.2f}" for part in parts)
    print(f"by processor time alone, which neighbours on the machine disturb less: {by_cost}")
    ratios = ", ".join(f"{part.ratio:.2f} over {part.plans:,} plan{'s' * (part.plans > 1)}" for part in parts)
    print(f"ratio: portal / pgbench = {ratios} (aim: at least {AIM})")


def measured(bench: World, given: argparse.Namespace) -> Iterator[Part]:
    """One plan, then many."""
    from bench.shop import open_shop

    with open_shop() as shop:
        for number in (1, given.plans):
            yield _turns(bench, shop, plans(number), given)


def plans(count: int) -> list[UUID]:
    """Plans on sale, with slots for everybody."""
    from bench.buyers import plans_of_one_app
    from portal.core.db import transaction

    with transaction() as session:
        return plans_of_one_app(session, "n8n", count=count)


def _turns(bench: World, shop: Shop, plan_ids: list[UUID], given: argparse.Namespace) -> Part:
    from bench import replay
    from bench.buyers import buyers
    from bench.processor import Meter
    from portal.core import clock

    def some(count: int) -> list[Buyer]:
        return buyers(count, plan_ids, now=clock.now())

    shop.buy(some(CONNECTIONS * 8))  # warms up, and opens the system's accounts
    per_turn = CONNECTIONS * given.share
    script = replay.prepare(shop.rehearse(some(per_turn * given.rounds)), bench, name=f"replay_{len(plan_ids)}")
    sold, played, costs = [], [], []
    for turn in range(given.rounds):
        customers = some(given.purchases)
        meter = Meter(bench, shop.pids)
        sold.append(shop.buy(customers))
        portal_s = meter.spent_s()
        played.append(replay.play(script, bench, first=turn * per_turn, clients=CONNECTIONS, share=given.share))
        costs.append((portal_s / given.purchases * 1000, (meter.spent_s() - portal_s) / per_turn * 1000))
    return Part(
        plans=len(plan_ids),
        portal_per_second=median(turn.per_second for turn in sold),
        peer_per_second=median(played),
        portal_ms=median(portal for portal, _ in costs),
        peer_ms=median(peer for _, peer in costs),
        busy=sum(turn.busy for turn in sold),
    )


if __name__ == "__main__":
    main()
