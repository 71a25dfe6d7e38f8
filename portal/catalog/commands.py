"""`flask catalog`: writing app templates into the catalog, and checking them."""

from __future__ import annotations

import click
import requests
from flask.cli import AppGroup

from portal.catalog import actions, queries
from portal.catalog.errors import SlotsInUse
from portal.catalog.models import PlanType
from portal.catalog.registry import image_exists
from portal.catalog.template_files import load_app_templates, load_categories
from portal.core import clock
from portal.core.db import transaction

commands = AppGroup("catalog", help="The catalog and its app templates.")


@commands.command("sync")
def sync() -> None:
    """Writes portal/catalog/apps/*.yaml into the catalog; prices and slots of plans that exist stay."""
    templates, categories = load_app_templates(), load_categories()
    with transaction() as session:
        report = actions.sync(session, templates, categories, now=clock.now())
    for word in ("added", "changed", "withdrawn"):
        slugs = getattr(report, word)
        if slugs:
            click.echo(f"{word}: {', '.join(slugs)}")
    click.echo(f"{len(templates)} apps, {len(report.unchanged)} unchanged")


@commands.command("slots")
@click.argument("slug")
@click.argument("tier", type=click.Choice([tier.value for tier in PlanType], case_sensitive=False))
@click.argument("total", type=click.IntRange(min=0))
def slots(slug: str, tier: str, total: int) -> None:
    """Sets how many slots a plan has, never fewer than are in use; who waits is offered the new ones at once."""
    with transaction() as session:
        plan = queries.plan_named(session, slug, tier)
        try:
            actions.set_slots(session, plan.id, total)
        except SlotsInUse:
            raise click.ClickException(f"{plan.slots_used} slots of {slug} {tier} are in use") from None
    click.echo(f"{slug} {tier}: {total} slots, {plan.slots_used} in use")


@commands.command("check")
def check() -> None:
    """Validates every app template; errors name file and line."""
    click.echo(f"{len(load_app_templates())} app templates are sound")


@commands.command("verify-images")
def verify_images() -> None:
    """Asks each image's registry whether the pinned tag exists; exits 1 when one does not. Needs the internet."""
    missing = 0
    for slug, template in load_app_templates().items():
        for image in template.images:
            try:
                found = image_exists(image)
            except requests.RequestException as error:
                click.echo(f"?  {slug}: {image}: {type(error).__name__}")
                missing += 1
                continue
            click.echo(f"{'ok' if found else 'NO'} {slug}: {image}")
            missing += not found
    raise SystemExit(1 if missing else 0)
