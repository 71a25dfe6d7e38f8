"""The Indonesian catalog beside what the source says: found, read, and written in the one form it is kept in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
PO = ROOT / "portal" / "translations" / "id" / "LC_MESSAGES" / "messages.po"
KEYWORDS = {"_": None, "_l": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
PLACEHOLDER = re.compile(r"%\(\w+\)\d*[sd]")
WIDTH = 118

Said = str | tuple[str, ...]
"""A string, or a plural's singular and plural."""


def singular(message: str | Sequence[str]) -> str:
    return message if isinstance(message, str) else message[0]


@cache
def said() -> dict[Said, list[str]]:
    """Every string marked for translation, as pybabel finds it, and the files that say it."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found: dict[Said, set[str]] = {}
    for folder in ("portal", "jobs", "templates"):
        inside = len(folder) + 1
        rules = [(pattern[inside:], method) for pattern, method in methods if pattern.startswith(f"{folder}/")]
        own = {pattern[inside:]: each for pattern, each in options.items() if pattern.startswith(f"{folder}/")}
        for name, _, message, _, _ in extract_from_dir(ROOT / folder, rules, own, keywords=KEYWORDS, comment_tags=()):
            found.setdefault(message, set()).add(f"{folder}/{name}")
    return {message: sorted(files) for message, files in found.items()}


@cache
def catalog() -> Catalog:
    return read_po(BytesIO(PO.read_bytes()), locale="id", abort_invalid=True)


def translated() -> Iterator[tuple[str, str, Message]]:
    """English, Indonesian and the entry; of a plural the singular: Indonesian has one form."""
    for message in catalog():
        if message.id:
            yield singular(message.id), singular(message.string or ""), message


def in_form() -> str:
    """The catalog as it should stand in the tree: its head as it is, then what is said, by file; new strings empty."""
    known = {english: indonesian for english, indonesian, _ in translated()}
    head = PO.read_text(encoding="utf-8").partition("\n\n")[0]
    fresh = Catalog(locale="id")
    fresh.mime_headers = [("Plural-Forms", "nplurals=1; plural=0;")]
    for message, files in sorted(said().items(), key=lambda each: (each[1][0], singular(each[0]))):
        text = known.get(singular(message), "")
        locations = [(name, 0) for name in files]
        fresh.add(message, text if isinstance(message, str) else (text,), locations)
    written = BytesIO()
    write_po(written, fresh, width=WIDTH, omit_header=True, include_lineno=False)
    return f"{head}\n\n{written.getvalue().decode().strip()}\n"
