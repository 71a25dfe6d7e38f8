"""Indonesian is complete and exact: every string said has its translation, and no page falls back to English."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from babel.messages.mofile import write_mo
from flask import Flask
from flask_babel import force_locale, get_babel, get_domain
from werkzeug.datastructures import MultiDict

from portal.notices import letters
from portal.notices.wording import WORDINGS
from portal.web import filters, remembered
from portal.web.forms import WORDS
from tests.house.translations import PLACEHOLDER, PO, ROOT, catalog, in_form, said, singular, translated
from tests.personas import register_person, sign_in

INDONESIAN = {"Accept-Language": "id"}
UPDATE = "run: UPDATE_TRANSLATIONS=1 bin/test tests/house/test_translations.py, then translate what is empty"


def test_the_catalog_stands_as_the_source_asks() -> None:
    """With UPDATE_TRANSLATIONS=1 it is brought up to date: new strings come in empty, old ones go."""
    if os.environ.get("UPDATE_TRANSLATIONS"):
        PO.write_text(in_form(), encoding="utf-8")
        catalog.cache_clear()
    assert PO.read_text(encoding="utf-8") == in_form(), UPDATE


def test_every_string_has_its_indonesian() -> None:
    assert len(said()) > 800, "the search for strings finds few: it must have broken"
    known = {english for english, indonesian, _ in translated() if indonesian.strip()}
    assert sorted({singular(message) for message in said()} - known) == [], UPDATE


def test_nothing_is_translated_that_is_no_longer_said() -> None:
    assert sorted({english for english, _, _ in translated()} - {singular(message) for message in said()}) == [], UPDATE
    assert list(catalog().obsolete) == []


def test_nothing_is_left_to_guessing() -> None:
    assert [english for english, _, message in translated() if message.fuzzy] == []


def test_placeholders_are_those_of_the_english() -> None:
    wrong = [
        english
        for english, indonesian, _ in translated()
        if sorted(PLACEHOLDER.findall(english)) != sorted(PLACEHOLDER.findall(indonesian))
        or "%" in PLACEHOLDER.sub("", indonesian).replace("%%", "")
    ]
    assert wrong == []


def test_sentences_end_as_they_do_in_english() -> None:
    """A full stop, a colon or an ellipsis lost or won changes how pieces join."""
    ends = ("…", ":", ",")
    wrong = [
        (english, indonesian)
        for english, indonesian, _ in translated()
        if indonesian != indonesian.strip()
        or english.endswith(".") != indonesian.endswith(".")
        or any(english.endswith(end) and not indonesian.endswith(end) for end in ends if end != ":")
    ]
    assert wrong == []


def test_the_catalog_is_neutral_and_compiles() -> None:
    head = PO.read_text(encoding="utf-8").partition("\n\n")[0]
    assert "nplurals=1" in head
    assert "Glossary" in head
    assert re.findall(r"\S+@\S+\.\w+|/work|/home|POT-Creation-Date|FULL NAME", head) == []
    assert "\n#~" not in PO.read_text(encoding="utf-8")
    write_mo(BytesIO(), catalog())


def test_wtforms_says_nothing_of_its_own() -> None:
    """Forms derive from `PortalForm`, whose words are in the catalog."""
    strays = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "portal").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name != "PortalForm"
        for base in node.bases
        if isinstance(base, ast.Name) and base.id in {"FlaskForm", "Form"}
    ]
    assert strays == []


@pytest.mark.parametrize("path", sorted((ROOT / "portal/catalog/apps").glob("*.yaml")), ids=lambda path: path.stem)
def test_apps_speak_both_languages(path: Path) -> None:
    texts = list(_localized(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert texts
    assert [text for text in texts if not (text["en"].strip() and text["id"].strip())] == []


def _localized(node: object) -> Iterator[dict[str, str]]:
    if isinstance(node, dict):
        if "en" in node or "id" in node:
            yield {"en": "", "id": "", **node}
        else:
            for value in node.values():
                yield from _localized(value)
    elif isinstance(node, list):
        for value in node:
            yield from _localized(value)


# --- what people see ------------------------------------------------------------------------------------------------


@pytest.fixture
def indonesian(portal: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The portal with this very catalog, whatever was compiled before."""
    compiled = tmp_path / "id" / "LC_MESSAGES" / "messages.mo"
    compiled.parent.mkdir(parents=True)
    with compiled.open("wb") as file:
        write_mo(file, catalog())
    monkeypatch.setattr(get_babel(), "translation_directories", [str(tmp_path)])
    _forget()
    yield portal
    _forget()


def _forget() -> None:
    """What was read or rendered with another catalog."""
    get_domain().cache.clear()
    remembered._pages.clear()


class Reader(HTMLParser):
    """What a page says: its text pieces, and the attributes that are read aloud or shown."""

    SHOWN = {"aria-label", "title", "placeholder", "alt", "data-working", "data-ended", "data-label", "content"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.pieces: set[str] = set()
        self._language = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.pieces |= {" ".join((text or "").split()) for name, text in attributes if name in self.SHOWN}

    def handle_data(self, data: str) -> None:
        self.pieces.add(" ".join(data.split()))


def english_on(html: str) -> list[str]:
    """Pieces of a page that are English strings with another Indonesian form."""
    pieces = Reader(html).pieces
    found = []
    for english, other, _ in translated():
        if english == other:
            continue
        if not PLACEHOLDER.search(english):
            found += [english] if english in pieces else []
        elif len(PLACEHOLDER.sub("", english)) > 8:
            pattern = ".+?".join(re.escape(part) for part in PLACEHOLDER.split(english))
            found += [piece for piece in pieces if re.fullmatch(pattern, piece)]
    return found


def plain_addresses(app: Flask) -> list[str]:
    """Every page that needs no argument."""
    skipped = ("/static", "/health", "/metrics", "/sitemap", "/robots", "/favicon")
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set()) and not rule.arguments]
    return sorted(rule.rule for rule in rules if not rule.rule.startswith(skipped))


@pytest.mark.parametrize("as_customer", [False, True], ids=["visitor", "customer"])
def test_no_page_falls_back_to_english(indonesian: Flask, as_customer: bool) -> None:
    indonesian.config["WTF_CSRF_ENABLED"] = False
    browser = indonesian.test_client()
    if as_customer:
        register_person("Eka", "eka@example.com", language="id")
        sign_in(browser, "eka@example.com")
    seen, english = 0, {}
    for address in plain_addresses(indonesian):
        page = browser.get(address, headers=INDONESIAN)
        if page.status_code != 200 or page.mimetype != "text/html":
            continue
        seen += 1
        assert '<html lang="id"' in page.text, address
        if found := english_on(page.text):
            english[address] = found
    assert seen >= 7
    assert english == {}


def test_refusals_are_said_in_indonesian(indonesian: Flask) -> None:
    indonesian.config["WTF_CSRF_ENABLED"] = False
    browser = indonesian.test_client()
    wrong = {"name": "x" * 101, "email": "a" * 255 + "@example.com", "phone": "1" * 40, "password": "short"}
    for page in (
        browser.post("/register", data=wrong, headers=INDONESIAN),
        browser.post("/sign-in", data={"email": "eka@example.com", "password": "wrong"}, headers=INDONESIAN),
        browser.get("/catalog/nothing-here", headers=INDONESIAN),
        browser.get("/nothing-here", headers=INDONESIAN),
    ):
        assert page.status_code in (404, 422)
        assert english_on(page.text) == []


def test_a_form_field_refuses_in_indonesian(indonesian: Flask) -> None:
    from portal.wallet.forms import HistoryForm

    with indonesian.test_request_context(headers=INDONESIAN):
        form = HistoryForm(MultiDict({"type": "NOTHING", "since": "yesterday"}))
        form.filters()
        said_now = [str(error) for errors in form.errors.values() for error in errors]
    assert len(said_now) == 2
    assert not set(said_now) & {*WORDS, *(english for english, _, _ in translated())}


@pytest.mark.parametrize("code", WORDINGS)
def test_every_letter_is_written_in_indonesian(indonesian: Flask, code: str) -> None:
    parameters = {"recipient": "Ayu", **WORDINGS[code].sample}
    words = letters.word(code, parameters, language="id")
    assert english_on(words.html) == []
    assert words.subject != letters.word(code, parameters, language="en").subject


def test_english_stays_english(indonesian: Flask) -> None:
    assert english_on(indonesian.test_client().get("/", headers={"Accept-Language": "en"}).text)


@pytest.mark.parametrize(
    ("language", "shown"), [("en", ("0.5 vCPU", "1.5 GB")), ("id", ("0,5 vCPU", "1,5 GB"))], ids=["en", "id"]
)
def test_figures_have_the_readers_decimal_sign(portal: Flask, language: str, shown: tuple[str, str]) -> None:
    with force_locale(language):
        assert (filters.cpu(500), filters.memory(1536)) == shown
