"""The laws of templates: one region per partial, nothing the content policy forbids, icons that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html"))
PAGES = [
    path
    for path in TEMPLATES
    if "mail" not in path.parts and not path.name.startswith("_pdf") and path.name != "pdf.html"
]
PARTIALS = [path for path in PAGES if path.name.startswith("_")]
# Mails and documents are not pages: no policy binds them, and no sprite reaches them.
ICONS = {line for line in (ROOT / "static" / "icons.txt").read_text().split("\n") if line and not line.startswith("#")}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT / "templates"))


@pytest.mark.parametrize("path", PARTIALS, ids=named)
def test_a_partial_names_its_inputs_and_is_one_region(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("{# inputs:"), "the first line names the inputs"
    region = f"{path.parent.name}-{path.stem[1:].replace('_', '-')}"
    markup = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", text, flags=re.DOTALL)
    root = re.match(r"\s*<\w+([^>]*)>", markup)
    assert root is not None
    assert f'id="{region}"' in root.group(1)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_page_holds_nothing_that_the_content_policy_forbids(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
    assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", text) == []
    assert "<style" not in text
    assert re.findall(r"\s(?:style|on[a-z]+|hx-on[:\w-]*|hx-vals)=", text) == []
    assert "javascript:" not in text


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_icon_is_collected(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
    used = set(re.findall(r'(?<![\w-])icon\("([a-z0-9-]+)"', text)) | set(re.findall(r'icon_name="([a-z0-9-]+)"', text))
    assert used - ICONS == set()


def test_every_state_has_a_collected_icon() -> None:
    from portal.web.states import KINDS

    assert {state.icon for states in KINDS.values() for state in states.values()} - ICONS == set()


def test_icons_are_listed_once_in_order() -> None:
    lines = [line for line in (ROOT / "static" / "icons.txt").read_text().split("\n") if line and line[0] != "#"]
    assert lines == sorted(set(lines))
