"""Runs the migrations with the portal's own engine and metadata.

Migrations wait at most 3 s for a lock, so that a deploy never queues behind, and in front of, live traffic.
"""

from alembic import context
from flask import current_app

import portal.tables  # noqa: F401 - every table, so that nothing is taken for dropped
from portal.core.db import db


def include_object(thing, name, kind, reflected, compare_to):
    """Leaves alone what the portal does not own."""
    return not (kind == "table" and reflected and compare_to is None)


def run():
    with db.engine.connect() as connection:
        options = current_app.extensions["migrate"].configure_args
        context.configure(connection=connection, target_metadata=db.metadata, include_object=include_object, **options)
        with context.begin_transaction():
            context.run_migrations()


with current_app.app_context():
    run()
