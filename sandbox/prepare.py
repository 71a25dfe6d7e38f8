"""Runs several `flask` commands in one process, so that the portal is loaded once: its start is most of their time.

python -m sandbox.prepare "db upgrade" "catalog sync"
"""

from __future__ import annotations

import sys

import click
from flask.cli import cli


def main(commands: list[str]) -> int:
    """Stops at the first that fails; the exit status is that command's."""
    for command in commands:
        print(f"$ flask {command}", flush=True)
        try:
            cli.main(["--app", "wsgi", *command.split()], prog_name="flask", standalone_mode=False)
        except click.ClickException as error:
            print(f"flask {command}: {error.format_message()}", file=sys.stderr)
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
