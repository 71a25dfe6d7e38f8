"""Reading a row: what each cell may say, and how what is odd is refused."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest

from portal.imports import rules
from portal.imports.errors import FileRefused, RowRefused
from portal.imports.models import ImportKind
from portal.imports.rules import SubscriptionRow
from tests.imports.conftest import EXAMPLES

HEADING = "external_id;user;amount\n"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0), ("50000", 50_000), ("50.000", 50_000), ("Rp50.000", 50_000), ("Rp 50.000", 50_000),
        ("rp. 50.000", 50_000), ("IDR 50000", 50_000), ("Rp1.250.000", 1_250_000), ("50.000,00", 50_000),
        ("50000,00", 50_000), ("999", 999), ("1.000.000.000.000", rules.AMOUNT_MAX),
    ],
)  # fmt: skip
def test_an_amount_reads_one_way(text, amount):
    assert rules.parse_amount(text) == amount


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("50,000", "two ways"), ("50.00", "two ways"), ("50000.00", "two ways"), ("5.0000", "two ways"),
        ("50.0000", "two ways"), ("0500", "two ways"), ("1.23.456", "two ways"), ("50.000,50", "two ways"),
        (".500", "two ways"), ("5,", "two ways"), ("50,000.00", "two ways"), ("-50.000", "negative"),
        ("Rp-50.000", "negative"), ("(50.000)", "negative"), ("\u221250", "negative"), ("", "no amount"),
        ("Rp", "no amount"), ("fifty", "no amount"), ("=1+1", "no amount"), ("5e3", "no amount"),
        ("\uff15\uff10", "no amount"), ("1000000000001", "larger"), ("$50", "no amount"), ("50 000", "no amount"),
    ],
)  # fmt: skip
def test_an_amount_that_could_be_another_is_refused(portal, text, words):
    with pytest.raises(RowRefused) as refusal:
        rules.parse_amount(text)
    assert words in _english(refusal.value)


@pytest.mark.parametrize(
    ("text", "day_first", "day"),
    [
        ("2026-03-04", False, date(2026, 3, 4)), ("31/03/2026", False, date(2026, 3, 31)),
        ("03/03/2026", False, date(2026, 3, 3)), ("03/04/2026", True, date(2026, 4, 3)),
        ("3/4/2026", True, date(2026, 4, 3)), ("29/02/2024", False, date(2024, 2, 29)),
    ],
)  # fmt: skip
def test_a_date_reads_one_way(text, day_first, day):
    assert rules.parse_date(text, day_first=day_first) == day


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("03/04/2026", "two ways"), ("04/13/2026", "calendar"), ("29/02/2026", "calendar"), ("2026-13-01", "calendar"),
        ("2026-02-30", "calendar"), ("1999-12-31", "calendar"), ("2026/03/04", "like 2026"),
        ("31.03.2026", "like 2026"), ("31/03/26", "like 2026"), ("", "like 2026"), ("46112", "like 2026"),
        ("2026-3-4", "like 2026"),
    ],
)  # fmt: skip
def test_a_date_that_could_be_another_is_refused(portal, text, words):
    with pytest.raises(RowRefused) as refusal:
        rules.parse_date(text)
    assert words in _english(refusal.value)


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1", "@SUM(A1)", "-1", "|x", "%x", "a\0b", "a\nb", "a\x1b[2J", "a\u202eb", "x" * 10_000]
)
def test_a_hostile_cell_is_refused(text):
    with pytest.raises(RowRefused):
        rules.clean(text)


@pytest.mark.parametrize("text", ["../a.pdf", "/etc/passwd", "a\\b.pdf", "c:a.pdf", ".hidden", ".."])
def test_a_file_elsewhere_is_refused(text):
    with pytest.raises(RowRefused):
        rules.parse_file_name(text)


@pytest.mark.parametrize("content", [b"", b"<html>", b"MZ", b" %PDF-", b"%PDF-" + b"x" * 1024 * 1024])
def test_what_is_no_pdf_or_too_large_is_refused(content):
    with pytest.raises(RowRefused):
        rules.refuse_pdf_unless_fit(content)


def test_words_for_yes_and_no():
    assert [rules.parse_yes_no(word) for word in ("yes", "Ya", "TRUE", "1")] == [True] * 4
    assert [rules.parse_yes_no(word) for word in ("no", "Tidak", "FALSE", "0")] == [False] * 4
    for word in ("", "y", "t", "2"):
        with pytest.raises(RowRefused):
            rules.parse_yes_no(word)


@pytest.mark.parametrize("delimiter", [";", ","])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_with_either_delimiter_mark_and_line_end(delimiter, mark, end):
    text = mark + f'User;EXTERNAL_ID;amount{end}u-1;b-1;50.000{end}{end}u-2;b-2;"7"{end}'.replace(";", delimiter)
    lines = list(rules.lines_of(io.StringIO(text, newline=""), ImportKind.BALANCES))
    assert [(line.number, line.cells["external_id"]) for line in lines] == [(2, "b-1"), (4, "b-2")]
    assert [rules.parse(ImportKind.BALANCES, line).amount for line in lines] == [50_000, 7]


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("", "Missing"), ("external_id;user\n", "amount"), ("external_id;user;amount;note\n", "note"),
        ("external_id;user;amount;amount\n", "amount"), ("a\tb\tc\n", "Missing"),
    ],
)  # fmt: skip
def test_a_heading_that_is_another_is_refused(portal, heading, words):
    with pytest.raises(FileRefused) as refusal:
        list(rules.lines_of([heading, "1;2;3\n"], ImportKind.BALANCES))
    assert words in _english(refusal.value)


def test_a_row_of_another_length_and_a_cell_that_spans_lines_are_named(portal):
    text = HEADING + 'b-1;u-1\nb-2;u-1;5;6\nb-3;"u\n1";5\nb-4;u-1;5\n'
    lines = list(rules.lines_of(io.StringIO(text, newline=""), ImportKind.BALANCES))
    assert [(line.number, line.misfit) for line in lines] == [(2, True), (3, True), (4, False), (6, False)]
    for line in lines[:3]:
        with pytest.raises(RowRefused):
            rules.parse(ImportKind.BALANCES, line)
    with pytest.raises(RowRefused) as refusal:
        rules.parse(ImportKind.BALANCES, lines[2])
    assert refusal.value.column == "user"


def test_a_quote_that_never_ends_is_refused_with_its_line(portal):
    text = HEADING + 'b-1;u-1;5\nb-2;"u-1;5\n' + "b-3;u-1;5\n" * 20_000
    with pytest.raises(FileRefused) as refusal:
        list(rules.lines_of(io.StringIO(text, newline=""), ImportKind.BALANCES))
    assert "line 3" in _english(refusal.value)


def test_what_is_no_utf_8_is_refused(portal, tmp_path):
    file = tmp_path / "latin.csv"
    file.write_bytes(HEADING.encode() + "b-1;café;5\n".encode("latin-1"))
    for content in (file.read_bytes(), HEADING.encode("utf-16")):
        file.write_bytes(content)
        with file.open(encoding="utf-8-sig", newline="") as text, pytest.raises(FileRefused) as refusal:
            list(rules.lines_of(text, ImportKind.BALANCES))
        assert "UTF-8" in _english(refusal.value)


def subscription(started: str, until: str, interval: str = "MONTHLY") -> SubscriptionRow:
    dates = date.fromisoformat(started), date.fromisoformat(until)
    return SubscriptionRow("s", "u", "n8n", "BASIC", interval, 1, *dates, auto_renew=True)


@pytest.mark.parametrize(
    ("started", "until", "interval", "since", "anchor"),
    [
        ("2025-08-31", "2026-03-31", "MONTHLY", "2026-02-28", 31),
        ("2025-01-15", "2026-03-15", "MONTHLY", "2026-02-15", 15),
        ("2026-03-01", "2026-03-20", "MONTHLY", "2026-03-01", 20),
        ("2025-06-30", "2026-06-30", "YEARLY", "2025-06-30", 30),
        ("2024-02-29", "2027-02-28", "YEARLY", "2026-02-28", 29),
        ("2026-03-10", "2026-04-10", "MONTHLY", "2026-03-10", 10),
    ],
)
def test_the_running_period_ends_when_it_is_paid_until(started, until, interval, since, anchor):
    row = subscription(started, until, interval)
    assert rules.running_since(row, today=date(2026, 3, 10)).isoformat() == since
    assert rules.anchor_day(row.started_on, row.paid_until) == anchor


@pytest.mark.parametrize(
    ("started", "until", "column"),
    [
        ("2026-03-11", "2026-04-11", "started_on"), ("2025-01-01", "2026-03-10", "paid_until"),
        ("2025-01-01", "2025-02-01", "paid_until"), ("2025-01-01", "2026-04-11", "paid_until"),
    ],
)  # fmt: skip
def test_what_does_not_run_or_is_paid_far_ahead_is_refused(started, until, column):
    with pytest.raises(RowRefused) as refusal:
        rules.running_since(subscription(started, until), today=date(2026, 3, 10))
    assert refusal.value.column == column


def test_the_digest_is_of_the_meaning_and_not_of_the_spelling():
    row = subscription("2025-01-01", "2026-04-01")
    assert rules.digest_of(row) == rules.digest_of(subscription("2025-01-01", "2026-04-01"))
    assert rules.digest_of(row) != rules.digest_of(subscription("2025-01-02", "2026-04-01"))
    assert rules.digest_of(row) != rules.digest_of(row, b"file")


def test_the_documented_examples_are_the_tested_ones():
    documented = (Path(__file__).parents[2] / "docs" / "import.md").read_text()
    for example in EXAMPLES.glob("*.csv"):
        assert f"```csv\n{example.read_text()}```" in documented, example.name


def test_text_of_a_file_cannot_steer_a_terminal():
    assert rules.shown("a\x1b[2Jb\n") == "a?[2Jb?"
    assert len(rules.shown("x" * 10_000)) == 41


def _english(refusal: Exception) -> str:
    from flask_babel import force_locale

    with force_locale("en"):
        return str(refusal)
