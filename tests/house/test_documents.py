"""The documents name only what exists: links, headings, files, commands, settings, states."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest
from flask.cli import routes_command, shell_command

from config import Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("portal", "jobs", "sandbox", "tests", "bench", "bin", "docs", "deploy", "migrations", "templates", "static")
MADE_LATER = ("static/vendor", "docs/pictures/…")
"""Made by a command, or an ellipsis: named in documents, absent from a fresh checkout."""
OWN_OF_FLASK = {"shell": shell_command, "routes": routes_command}
OF_OTHERS = {"SSL_CERT_FILE"}
"""Variables that our libraries read, not we."""


@lru_cache(maxsize=1)
def tracked() -> tuple[Path, ...]:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for name in names.splitlines() if (path := ROOT / name).is_file())


DOCUMENTS = sorted(path for path in tracked() if path.suffix == ".md")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_of(text: str) -> list[str]:
    """What stands in backticks, block by block and span by span."""
    blocks = re.findall(r"^ *```[^\n]*\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))
    return blocks + spans


def anchors(path: Path) -> set[str]:
    """The anchors that a Markdown viewer gives to a document's headings."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    prose = re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_file_named_exists(path: Path) -> None:
    pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./*-]*")
    places = [ROOT, path.parent]
    missing = [
        name
        for code in code_of(path.read_text())
        for name in (found.rstrip(".") for found in pattern.findall(code))
        if not name.startswith(MADE_LATER) and not any(list(place.glob(name.rstrip("/") or ".")) for place in places)
    ]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_module_that_is_run_exists(path: Path) -> None:
    names = {name for code in code_of(path.read_text()) for name in re.findall(r"python3? -m ([\w.]+)", code)}
    assert [name for name in sorted(names) if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_flask_command_exists(path: Path, app) -> None:
    wrong = []
    for code in code_of(path.read_text()):
        for group, command in re.findall(r"flask(?: --app wsgi)? ([a-z][\w-]*)(?: ([a-z][\w-]*))?", code):
            found = OWN_OF_FLASK.get(group) or app.cli.commands.get(group)
            if found is None or (command and command not in getattr(found, "commands", {})):
                wrong.append(f"flask {group} {command}".strip())
    assert wrong == []


@lru_cache(maxsize=1)
def words_of_the_code() -> frozenset[str]:
    """Upper-case names that code, scripts and settings files speak of."""
    texts = (p.read_text(errors="ignore") for p in tracked() if p.suffix != ".md" and "recordings" not in p.parts)
    return frozenset(word for text in texts for word in re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", text))


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_setting_and_state_named_exists(path: Path) -> None:
    known = words_of_the_code() | {name.upper() for name in Settings.model_fields}
    used = {
        word
        for code in code_of(path.read_text())
        for word in re.findall(r"(?<![\w$])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b(?!-)", code)
    }
    assert sorted(used - known - OF_OTHERS) == []


def test_every_decision_stands_in_the_list() -> None:
    folder = ROOT / "docs" / "adr"
    listed = re.findall(r"\]\((0\d{3}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_the_checks_of_the_books_are_all_explained() -> None:
    """By the names that the audit prints."""
    printed = set()
    for path in (ROOT / "portal").rglob("proofs.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Difference":
                assert isinstance(node.args[0], ast.Constant)
                printed.add(node.args[0].value)
    explained = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "books.md").read_text(), re.MULTILINE)
    assert printed - set(explained) == set()
