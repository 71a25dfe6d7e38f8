"""`flask catalog`: writing app templates into the catalog, and checking them."""

from __future__ import annotations

from uuid import UUID

import click
import requests
from flask.cli import AppGroup

from config import settings
from portal.catalog import actions, queries
from portal.catalog.errors import PlanNotSold, SlotsInUse
from portal.catalog.models import Interval, PlanType
from portal.catalog.registry import image_exists
from portal.catalog.template_files import load_app_templates, load_categories
from portal.catalog.templates import app_templates
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.money import format_money, rupiah
from portal.subscriptions.actions import pricing

commands = AppGroup("catalog", help="The catalog and its app templates.")


@commands.command("sync")
def sync() -> None:
    """Writes the app templates in effect into the catalog; prices and slots of plans that exist stay."""
    categories = load_categories()
    with transaction() as session:
        templates = app_templates(session)
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
        plan_id = queries.plan_named(session, slug, tier).id
        try:
            plan = actions.change_slots(session, plan_id, total, actor=None, now=clock.now())
        except SlotsInUse as refusal:
            raise click.ClickException(f"{refusal.details['used']} slots of {slug} {tier} are in use") from None
    click.echo(f"{slug} {tier}: {total} slots, {plan.slots_used} in use")


@commands.command("check")
def check() -> None:
    """Validates every app template; errors name file and line."""
    click.echo(f"{len(load_app_templates())} app templates are sound")


@commands.command("price")
@click.argument("slug")
@click.argument("tier", type=click.Choice(list(PlanType), case_sensitive=False))
@click.argument("interval", type=click.Choice(list(Interval), case_sensitive=False))
@click.argument("amount", type=click.IntRange(0, 1_000_000_000))
@click.option("--yes", is_flag=True, help="Do not ask.")
def price(slug: str, tier: str, interval: str, amount: int, yes: bool) -> None:
    """Changes a price, whole rupiah with PPN, for new customers now and for running subscriptions after the notice.

    A dearer price applies to a running subscription at its first renewal after PRICE_NOTICE_DAYS, a cheaper one at
    its next renewal; every customer concerned is told at once. Run again after an interruption: nobody is told twice.
    """
    tier, interval = tier.upper(), interval.upper()
    plan_id = _show_price_change(slug, tier, interval, amount)
    if not yes:
        click.confirm("Change it?", abort=True)
    with transaction() as session:
        actions.change_price(session, plan_id, interval, amount, actor=None, now=clock.now())
        outbox.enqueue(session, "prices.announce", plan_id=plan_id, interval=interval)
    told, started_at = 0, clock.now()
    while True:
        with transaction() as session:
            batch = pricing.announce(session, plan_id, interval, amount, now=started_at)
        if not batch:
            break
        told += batch
        click.echo(f"{told} subscriptions told")
    click.echo(f"{slug} {tier} {interval} costs {format_money(rupiah(amount))}")


def _show_price_change(slug: str, tier: str, interval: str, amount: int) -> UUID:
    """Prints what would change; returns the plan's id."""
    session = db.session()
    try:
        plan = queries.plan_of(session, slug, tier)
    except PlanNotSold:
        raise click.ClickException(f"there is no plan {tier} of {slug}") from None
    before = plan.price(interval)
    running = pricing.concerned(session, plan.id, interval, amount)
    click.echo(f"{slug} {tier} {interval}: {before or 'not sold'} becomes {format_money(rupiah(amount))}")
    click.echo(f"{running} running subscriptions pay another price; each is told now,")
    click.echo(f"a dearer price applies from a renewal in {settings().price_notice_days} days or later")
    plan_id = plan.id
    session.rollback()
    return plan_id


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
