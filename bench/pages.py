"""`python -m bench.pages`: requests a second of the catalog and of a signed-in dashboard against a bare Flask page.

All three run under the same gunicorn settings on the same database. They are measured in turns, one after the other
and over again, so that a neighbour's load meets all of them; the medians are compared.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from statistics import median
from uuid import UUID

from bench import load
from bench.world import World, served, world

AIM = 0.5


def main() -> None:
    """Measures, and prints the catalog's ratio last."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each page (5)")
    parser.add_argument("--seconds", type=int, default=2, help="length of a turn (2)")
    given = parser.parse_args()
    with world() as bench, ExitStack() as stack:
        cookie = signed_in_customer(bench)
        portal = stack.enter_context(served("wsgi:app", folder=bench.folder, ready_path="/readyz"))
        bare = stack.enter_context(served("bench.bare:create_app()", folder=bench.folder, ready_path="/"))
        pages = {
            "bare page": (f"{bare}/", {}),
            "catalog": (f"{portal}/catalog/", {}),
            "dashboard, signed in": (f"{portal}/dashboard/", {"Cookie": cookie}),
        }
        for url, headers in pages.values():
            load.saturate(url, seconds=2, headers=headers)
        figures = measured(pages, rounds=given.rounds, seconds=given.seconds)
    report(figures)


def measured(pages: dict[str, tuple[str, dict[str, str]]], *, rounds: int, seconds: int) -> dict[str, list[load.Load]]:
    """Each page's turns, in rounds over all of them."""
    figures: dict[str, list[load.Load]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, (url, headers) in pages.items():
            figures[name].append(load.saturate(url, seconds=seconds, headers=headers))
    return figures


def report(figures: dict[str, list[load.Load]]) -> None:
    """A line a page: medians over its turns, and the share of the bare page's rate."""
    print(f"load: {load.generator()}, {load.CONNECTIONS} connections; gunicorn gthread, 2 processes of 4 threads")
    print(f"{'page':<22}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'refused':>10}{'of bare':>10}")
    bare = median(turn.per_second for turn in figures["bare page"])
    for name, turns in figures.items():
        rate = median(turn.per_second for turn in turns)
        p50, p99 = (median(getattr(turn, key) for turn in turns) for key in ("p50_ms", "p99_ms"))
        refused = sum(turn.refused for turn in turns)
        print(f"{name:<22}{rate:>12.0f}{p50:>10.1f}{p99:>10.1f}{refused:>10}{rate / bare:>10.2f}")
    catalog = median(turn.per_second for turn in figures["catalog"])
    print(f"ratio: catalog / bare page = {catalog / bare:.2f} (aim: at least {AIM})")


def signed_in_customer(bench: World) -> str:
    """Ayu with credit, an app and notices, signed in; returns the cookie header's value."""
    from flask.sessions import SecureCookieSessionInterface

    from portal.accounts import actions, queries, sessions
    from portal.core import clock
    from portal.core.db import transaction

    now = clock.now()
    with transaction() as session:
        user = actions.register(
            session, name="Ayu Lestari", email="ayu@bench.minispod.example", password="tujuh gajah menari di pasar",
            phone=None, language="id", now=now,
        )  # fmt: skip
        user.email_verified_at = now
        customer = queries.customer_of(session, user.id)
        assert customer is not None
        token = sessions.start(session, user, remember=True, now=now, ip_address="127.0.0.1", user_agent="bench")
    with_an_app(customer.id)
    signer = SecureCookieSessionInterface().get_signing_serializer(bench.app)
    assert signer is not None
    return f"{bench.app.config['SESSION_COOKIE_NAME']}={signer.dumps({sessions.COOKIE_KEY: token})}"


def with_an_app(customer_id: UUID) -> None:
    """Credit, and n8n Basic bought from it."""
    from sqlalchemy import select

    from portal.catalog.models import Plan, Service
    from portal.core import clock
    from portal.core.db import transaction
    from portal.core.money import rupiah
    from portal.subscriptions import actions
    from portal.wallet import actions as wallet

    with transaction() as session:
        wallet.adjust(session, customer_id, rupiah(500_000), key="bench", reason="bench", now=clock.now())
        plan_id = session.scalars(
            select(Plan.id).join(Service).where(Service.slug == "n8n", Plan.plan_type == "BASIC")
        ).one()
        price = actions.sold_plan(session, plan_id).price("MONTHLY")
        assert price is not None
        purchase = actions.Purchase(plan_id, "MONTHLY", price, key="bench")
        actions.subscribe(session, customer_id, purchase, now=clock.now())


if __name__ == "__main__":
    main()
