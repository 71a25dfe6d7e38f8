"""`flask demo` commands."""

from flask.cli import AppGroup

commands = AppGroup("demo")
