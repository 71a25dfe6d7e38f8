"""Every code that is told has words, every wording fills in, in both languages, from what callers pass."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.notices import letters
from portal.notices.wording import WORDINGS
from portal.notices.wording.phrases import NOTHING, UNKNOWN, When, fill
from portal.web.languages import LANGUAGES

ROOT = Path(__file__).resolve().parents[2]
TELLING = {"tell", "send_mail", "mail_owners", "Telling"}
TELLING_WITHIN = {"_tell", "_send", "_mail", "_telling"}
"""How packages name their own short form of the above: a code is one of its plain arguments."""

CODE = re.compile(r"[a-z]+(_[a-z]+)+")
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def calls() -> Iterator[tuple[str, ast.Call]]:
    for folder in ("portal", "jobs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def literals(node: ast.expr) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def told_codes() -> Iterator[tuple[str, str]]:
    for place, call in calls():
        if name_of(call) in TELLING:
            for keyword in call.keywords:
                if keyword.arg == "code":
                    yield from ((place, text) for text in literals(keyword.value))
        elif name_of(call) in TELLING_WITHIN:
            for argument in call.args:
                if isinstance(argument, ast.Constant | ast.IfExp):
                    yield from ((place, text) for text in literals(argument) if CODE.fullmatch(text))


def placeholders(code: str) -> set[str]:
    """What a wording cannot do without: sentences said only with their parameter do not count."""
    said = [WORDINGS[code].title, *(s for s in WORDINGS[code].sentences if not isinstance(s, When))]
    return {name for text in said for name in PLACEHOLDER.findall(str(text))}


def test_every_code_that_is_told_has_words():
    told = list(told_codes())
    assert len(told) > 5, "the search for told codes finds nothing: it must have broken"
    assert [f"{place} tells {code!r}" for place, code in told if code not in WORDINGS] == []


def test_callers_pass_what_the_words_need(portal):
    missing = []
    for place, call in calls():
        if name_of(call) not in TELLING:
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        code, parameters = given.get("code"), given.get("parameters")
        if not isinstance(code, ast.Constant) or not isinstance(parameters, ast.Dict):
            continue
        if None in parameters.keys:  # unpacked from elsewhere: `**words`
            continue
        passed = {key.value for key in parameters.keys if isinstance(key, ast.Constant)}
        passed |= {"app"} & {"app" for name in passed if name == "service"}
        lacking = placeholders(str(code.value)) - passed
        missing += [f"{place} {code.value!r}: {sorted(lacking)}"] if lacking else []
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", WORDINGS)
def test_every_wording_fills_in(portal, code, language):
    wording = WORDINGS[code]
    words = letters.word(code, {"recipient": "Ayu", **wording.sample}, language=language)
    assert words.subject
    for text in (words.subject, words.text):
        assert "%(" not in text
        assert f" {NOTHING} " not in text
    assert "http://127.0.0.1:8000/" in words.text or wording.link is None


@pytest.mark.parametrize("code", WORDINGS)
def test_every_wording_fits_a_short_message(portal, code):
    """A title fits a phone's lock screen, the whole a single WhatsApp template body (1,024 characters)."""
    said = fill(WORDINGS[code], WORDINGS[code].sample)
    assert len(said.title) <= 90
    assert len(said.body) <= 600
    assert all(sentence.rstrip().endswith((".", "!", "?")) for sentence in said.sentences)


def test_every_link_leads_to_a_page(portal):
    links = {wording.link.endpoint for wording in [*WORDINGS.values(), UNKNOWN] if wording.link}
    assert sorted(links - set(portal.view_functions)) == []


def test_samples_hold_every_parameter_their_words_use():
    for code, wording in WORDINGS.items():
        conditional = {part.parameter for part in wording.sentences if isinstance(part, When)}
        arguments = set(wording.link.arguments) if wording.link else set()
        assert placeholders(code) | conditional | arguments <= set(wording.sample), code


def test_every_reason_an_app_can_fail_for_has_words_in_notices_too() -> None:
    from portal.instances.wording import REASONS as ON_PAGES
    from portal.notices.wording.phrases import REASONS as IN_NOTICES

    assert set(ON_PAGES) <= set(IN_NOTICES)
