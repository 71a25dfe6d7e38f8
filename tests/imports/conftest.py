"""Files as an operator exports them, and the command that takes them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.core.db import db
from tests.personas import ayu, dewi  # noqa: F401 - fixtures
from tests.subscriptions.shop import stock_catalog

EXAMPLES = Path(__file__).parent / "examples"
HEADINGS = {path.stem: path.read_text().splitlines()[0] for path in EXAMPLES.glob("*.csv")}
Run = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The documented examples, where files may be added."""
    return Path(shutil.copytree(EXAMPLES, tmp_path / "old"))


@pytest.fixture
def run(portal: Flask, folder: Path) -> Run:
    """`flask import <kind> <kind>.csv`, with `rows` in place of the example's own."""

    def invoke(kind: str, *words: str, rows: list[str] | None = None) -> Any:
        file = folder / f"{kind}.csv"
        if rows is not None:
            file.write_text("\n".join([HEADINGS[kind], *rows]) + "\n")
        db.session.close()
        result = portal.test_cli_runner().invoke(args=["import", kind, str(file), *words])
        db.session.close()
        return result

    return invoke


@pytest.fixture
def shop(portal: Flask) -> None:
    """A few apps are for sale."""
    stock_catalog()


@pytest.fixture
def moved(run: Run) -> None:
    """The example's users have been taken."""
    assert run("users", "--commit").exit_code == 0
