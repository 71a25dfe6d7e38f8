"""`flask catalog`: writing app templates into the catalog, and checking them."""

from __future__ import annotations

import click
import requests
from flask.cli import AppGroup

from portal.catalog import actions
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
