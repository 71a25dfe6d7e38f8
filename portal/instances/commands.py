"""`flask instances`: what an operator looks at and sets right by hand."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from portal.core import clock
from portal.core.db import transaction
from portal.instances import actions, drift, queries, rules, versions
from portal.instances.apps import app_template
from portal.provisioning import listing
from portal.provisioning.errors import ClusterUnavailable, Refused
from portal.subscriptions.leaks import leaks

commands = AppGroup("instances", help="The apps, and whether the cluster has them as wanted.")


@commands.command("drift")
@click.option("--repair", is_flag=True, help="Queues every safe repair, however many there are.")
def show_drift(repair: bool) -> None:
    """Compares the cluster with the database and names every difference and leak; exits 1 when there is any."""
    listed_at = clock.now()
    try:
        live = listing.read_all()
    except (ClusterUnavailable, Refused) as error:
        raise click.ClickException(f"no verdict: the cluster did not answer ({error.code})") from error
    with transaction() as session:
        found = drift.survey(session, live, listed_at=listed_at)
        leaking = list(leaks(session, now=clock.now()))
        queued = 0
        if repair:
            actions.record_drift(session, found, now=clock.now())
            queued = len(actions.repair_drift(session, found, force=True, now=clock.now()).queued)
    for one in found.sightings:
        click.echo(f"{_line(one)}  {one.repair or 'look at it'}")
    for line in leaking:
        click.echo(f"LEAK     {line}")
    unjudged = f", {len(found.unjudged)} not judged" if found.unjudged else ""
    click.echo(f"{found.judged} apps{unjudged}, {len(found.sightings)} differences, {queued} repairs queued")
    raise SystemExit(1 if found.sightings or leaking else 0)


def _line(one: drift.Sighting) -> str:
    namespace, name = one.difference.key
    return f"{one.difference.kind:8} {namespace}  {name}  {one.difference.detail}".rstrip()


@commands.command("update")
@click.argument("slug")
@click.option("--roll", type=int, default=0, help="Begins the update of so many; without it they are only listed.")
def update_apps(slug: str, roll: int) -> None:
    """Names the apps of a service that run an older version or older images, and begins the update of some.

    Each is rolled out as if its owner had asked, and taken back by itself when it does not come up; wait for one
    batch (`drift`, the page of one app) before the next.
    """
    template = app_template(slug)
    with transaction() as session:
        behind = [(one, versions.next_update(one, template)) for one in queries.present_of_service(session, slug)]
        offers = [(one, offer) for one, offer in behind if offer]
        for one, offer in offers:
            click.echo(f"{one.name}  {one.version} to {offer.version}  {offer.obstacle or one.state}")
        ready = [one for one, offer in offers if not offer.obstacle and rules.can_update(one)][:roll]
        for one in ready:
            actions.update(session, one.id, version=template.version, now=clock.now())
    click.echo(f"{len(offers)} behind, {len(ready)} begun")
