"""`flask seed`: a large, made-up business to look at and to measure. Development and tests only."""

from __future__ import annotations

import click

from config import settings
from portal.admin.seeding import writing
from portal.core import clock
from portal.core.db import transaction
from portal.insights import actions as insights


@click.command("seed", help="Adds a large, made-up business whose books audit clean; never in production.")
@click.option("--rows", type=click.IntRange(1, 5_000_000), default=10_000, show_default=True, help="lines in wallets")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="the same seed: the same business")
def seed(rows: int, seed: int) -> None:
    """Adds customers with about so many lines in their wallets, and everything that goes with them.

    Their apps run nowhere: on a portal whose worker runs, it would try to bring them up.
    """
    if settings().production:
        raise click.ClickException("nothing is made up in production")
    now = clock.now()
    try:
        with transaction() as session:
            written = writing.fill(session, rows, seed=seed, now=now, say=click.echo)
    except writing.NothingForSale:
        raise click.ClickException("nothing is for sale: flask catalog sync") from None
    with transaction() as session:
        days = insights.sum_up(session, clock.today(now) - writing.HISTORY, now=now, foresee=True)
    click.echo(f"{written:,} lines, {days} days summed up")
