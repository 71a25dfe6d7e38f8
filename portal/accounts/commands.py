"""`flask accounts` commands."""

from flask.cli import AppGroup

commands = AppGroup("accounts")
