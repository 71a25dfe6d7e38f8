"""`flask catalog` commands."""

from flask.cli import AppGroup

commands = AppGroup("catalog")
