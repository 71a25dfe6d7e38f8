"""The register of failures: every story has a test that exists, or says which piece of work brings it."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
REGISTER = ROOT / "tests" / "failures.toml"
STORIES: dict[str, dict[str, Any]] = tomllib.loads(REGISTER.read_text())
LATER = re.compile(r"issue \d+: \w.*")
COUNT = 23
"""Stories known so far: one that is forgotten is noticed."""


@lru_cache
def names_in(path: str) -> set[str]:
    """The names of a file's tests, read without running it."""
    file = ROOT / path
    if not file.is_file():
        return set()
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_no_story_is_forgotten() -> None:
    assert len(STORIES) == COUNT


@pytest.mark.parametrize("name", STORIES)
def test_a_story_has_tests_or_says_who_brings_them(name: str) -> None:
    story = STORIES[name]
    assert story.keys() - {"story", "seen"} in ({"tests"}, {"later"}), "either tests or later"
    assert story["story"].endswith(".")
    assert story["seen"]
    if "later" in story:
        assert LATER.fullmatch(story["later"])
    else:
        assert story["tests"]


@pytest.mark.parametrize("name", [name for name in STORIES if "tests" in STORIES[name]])
def test_every_test_a_story_names_exists(name: str) -> None:
    named = [test.split("::") for test in STORIES[name]["tests"]]
    assert [f"{path}::{test}" for path, test in named if test not in names_in(path)] == []
