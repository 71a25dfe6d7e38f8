"""The migrations build exactly what the models say, and the database refuses what it must."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

import portal.tables  # noqa: F401 - every table
from portal.core.db import db


def test_models_equal_migrations(portal: Flask) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [
            difference
            for difference in compare_metadata(context, db.metadata)
            if not (difference[0] == "remove_table" and difference[1].name == "alembic_version")
        ]
    assert differences == []
