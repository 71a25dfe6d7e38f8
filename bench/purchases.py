"""`python -m bench.purchases`: purchases a second, against pgbench playing the same statements on the same database.

Once with every customer buying one plan, whose slots are one row that all of them want, and once over a thousand plans.
Portal and pgbench take turns with eight connections each; PostgreSQL and Redis are as durable as in production.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING
from uuid import UUID

from bench.world import World, world

if TYPE_CHECKING:
    from bench.buyers import Buyer
    from bench.shop import Shop

AIM = 0.25
CONNECTIONS = 8


def main() -> None:
    """Measures both, and prints the ratio over a thousand plans last."""
    parser = argparse.ArgumentParser(prog="python -m bench.purchases", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of portal and of pgbench (3)")
    parser.add_argument("--purchases", type=int, default=240, help="purchases of the portal in a turn (240)")
    parser.add_argument("--share", type=int, default=60, help="purchases of each pgbench connection in a turn (60)")
    parser.add_argument("--plans", type=int, default=1000, help="plans of the second part (1000)")
    given = parser.parse_args()
    with world() as bench:
        parts = list(measured(bench, given))
    print("8 connections each; portal: 2 processes of 4 threads; pgbench: prepared statements, 2 threads")
    print(f"{'plans':>6}{'portal/s':>12}{'pgbench/s':>12}{'of pgbench':>12}{'lock waits given up':>22}")
    for plans, portal, peer, busy in parts:
        print(f"{plans:>6}{portal:>12.0f}{peer:>12.0f}{portal / peer:>12.2f}{busy:>22}")
    ratios = ", ".join(f"{portal / peer:.2f} over {plans:,} plans" for plans, portal, peer, _ in parts)
    print(f"ratio: portal / pgbench = {ratios} (aim: at least {AIM})")


def measured(bench: World, given: argparse.Namespace) -> Iterator[tuple[int, float, float, int]]:
    """For each number of plans: the number, medians of the portal and of pgbench, and lock waits given up."""
    from bench.shop import open_shop

    with open_shop() as shop:
        for count in (1, given.plans):
            yield count, *_turns(bench, shop, plans(count), given)


def plans(count: int) -> list[UUID]:
    """Plans on sale, with slots for everybody."""
    from bench.buyers import plans_of_one_app
    from portal.core.db import transaction

    with transaction() as session:
        return plans_of_one_app(session, "n8n", count=count)


def _turns(bench: World, shop: Shop, plan_ids: list[UUID], given: argparse.Namespace) -> tuple[float, float, int]:
    from bench import replay
    from bench.buyers import buyers
    from portal.core import clock

    def some(count: int) -> list[Buyer]:
        return buyers(count, plan_ids, now=clock.now())

    shop.buy(some(CONNECTIONS * 8))  # warms up, and opens the system's accounts
    per_turn = CONNECTIONS * given.share
    script = replay.prepare(shop.rehearse(some(per_turn * given.rounds)), bench, name=f"replay_{len(plan_ids)}")
    sold, played = [], []
    for turn in range(given.rounds):
        sold.append(shop.buy(some(given.purchases)))
        played.append(replay.play(script, bench, first=turn * per_turn, clients=CONNECTIONS, share=given.share))
    return median(turn.per_second for turn in sold), median(played), sum(turn.busy for turn in sold)


if __name__ == "__main__":
    main()
