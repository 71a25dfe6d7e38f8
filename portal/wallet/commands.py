"""`flask books` commands."""

from flask.cli import AppGroup

commands = AppGroup("books")
