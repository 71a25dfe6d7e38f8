"""Reading rows of a CSV file: pure, and without a guess. What can be read in two ways is refused with words."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.accounts import rules as accounts
from portal.catalog.models import Interval, PlanType
from portal.core.money import IDR
from portal.imports.errors import FileRefused, RowRefused
from portal.imports.models import HistoricalStatus, ImportKind
from portal.subscriptions.rules.periods import MONTHS, add_months
from portal.web.languages import DEFAULT, LANGUAGES

FILE_MIB_MAX = 20
PDF_KIB_MAX = 1024
CELL_LENGTH_MAX = 300
EXTERNAL_ID_LENGTH_MAX = 50
AMOUNT_MAX = 1_000_000_000_000
YEAR_MIN, YEAR_MAX = 2000, 2100
DELIMITERS = (";", ",")
FORMULA_STARTS = ("=", "+", "-", "@", "|", "%")
"""Spreadsheets may run a text that begins so. Source: OWASP, CSV injection."""
UNFIT_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
YES, NO = {"yes", "ya", "true", "1"}, {"no", "tidak", "false", "0"}

COLUMNS: dict[ImportKind, tuple[str, ...]] = {
    ImportKind.USERS: ("external_id", "email", "name", "phone", "language", "verified"),
    ImportKind.BALANCES: ("external_id", "user", "amount"),
    ImportKind.SUBSCRIPTIONS: (
        "external_id", "user", "service", "plan", "interval", "price", "started_on", "paid_until", "auto_renew",
    ),
    ImportKind.INVOICES: (
        "external_id", "user", "number", "issued_on", "description", "total", "currency", "status", "pdf",
    ),
}  # fmt: skip
"""What each file must have; the order is free, another column is refused."""
NOT_TEXT = {"amount", "price", "total", "phone"}
"""Read by a rule of their own, which refuses a formula in its own words."""


@dataclass(frozen=True)
class UserRow:
    external_id: str
    email: str
    name: str
    phone: str | None
    language: str
    verified: bool


@dataclass(frozen=True)
class BalanceRow:
    external_id: str
    user: str
    amount: int


@dataclass(frozen=True)
class SubscriptionRow:
    external_id: str
    user: str
    service: str
    plan: str
    interval: str
    price: int
    started_on: date
    paid_until: date
    auto_renew: bool


@dataclass(frozen=True)
class InvoiceRow:
    external_id: str
    user: str
    number: str
    issued_on: date
    description: str
    total: int
    currency: str
    status: str
    pdf: str


ImportRow = UserRow | BalanceRow | SubscriptionRow | InvoiceRow


@dataclass(frozen=True)
class Line:
    """A row as it stands in the file: the line it begins on, and its cells by column."""

    number: int
    cells: Mapping[str, str]
    misfit: bool = False  # more or fewer cells than the heading


def lines_of(text: Iterable[str], kind: ImportKind) -> Iterator[Line]:
    """The rows under the heading, one at a time; empty lines are left out. Raises `FileRefused`."""
    pieces = iter(text)
    begins = 1
    try:
        heading, delimiter = _heading(next(pieces, ""), kind)
        reader = csv.reader(pieces, delimiter=delimiter, strict=True)
        begins = 2
        for cells in reader:
            if any(cell.strip() for cell in cells):
                named = dict(zip(heading, (cell.strip(" ") for cell in cells), strict=False))
                yield Line(begins, named, misfit=len(cells) != len(heading))
            begins = reader.line_num + 2
    except csv.Error as error:
        message = _l("From line %(line)s on this is no CSV: %(error)s.", line=begins, error=str(error))
        raise FileRefused(message) from None
    except UnicodeDecodeError:
        raise FileRefused(_l("From line %(line)s on this is not UTF-8. Save the file as UTF-8.", line=begins)) from None


def _heading(first: str, kind: ImportKind) -> tuple[list[str], str]:
    delimiter = max(DELIMITERS, key=first.count)
    found = [name.strip().strip('"').strip().lower() for name in first.removeprefix("\ufeff").split(delimiter)]
    wanted = COLUMNS[kind]
    missing = [name for name in wanted if name not in found]
    if missing:
        columns = ", ".join(missing)
        raise FileRefused(_l("The first line must name the columns. Missing: %(columns)s.", columns=columns))
    if sorted(found) != sorted(wanted):
        extra = ", ".join(shown(name) for name in found if name not in wanted or found.count(name) > 1)
        raise FileRefused(_l("Unknown or repeated columns: %(columns)s. Remove them.", columns=extra))
    return found, delimiter


def parse(kind: ImportKind, line: Line, *, day_first: bool = False) -> ImportRow:
    """The row's meaning; raises `RowRefused` at the first cell that has none or two.

    `day_first` is the operator's word that 03/04/2026 is the third of April.
    """
    if line.misfit:
        raise RowRefused(_l("The row has more or fewer cells than the first line."))
    return _READERS[kind](_Cells(line.cells, day_first))


class _Cells:
    """Cells by column, each read by the rule of its kind; a refusal names the column."""

    def __init__(self, cells: Mapping[str, str], day_first: bool) -> None:
        self._cells, self._day_first = cells, day_first

    def read(self, column: str, rule: Callable[[str], Any], *, length_max: int = CELL_LENGTH_MAX) -> Any:
        try:
            return rule(clean(self._cells[column], length_max=length_max, formulas=column in NOT_TEXT))
        except RowRefused as refusal:
            raise RowRefused(refusal.message, column) from None

    def date(self, column: str) -> date:
        return self.read(column, lambda text: parse_date(text, day_first=self._day_first))

    def key(self, column: str) -> str:
        return self.read(column, required, length_max=EXTERNAL_ID_LENGTH_MAX)


def _user(cells: _Cells) -> UserRow:
    return UserRow(
        external_id=cells.key("external_id"),
        email=cells.read("email", parse_email),
        name=cells.read("name", parse_name),
        phone=cells.read("phone", parse_phone),
        language=cells.read("language", lambda text: one_of(text.lower() or DEFAULT, LANGUAGES)),
        verified=cells.read("verified", parse_yes_no),
    )


def _balance(cells: _Cells) -> BalanceRow:
    return BalanceRow(cells.key("external_id"), cells.key("user"), cells.read("amount", parse_amount))


def _subscription(cells: _Cells) -> SubscriptionRow:
    return SubscriptionRow(
        external_id=cells.key("external_id"),
        user=cells.key("user"),
        service=cells.read("service", lambda text: required(text).lower()),
        plan=cells.read("plan", lambda text: one_of(text.upper(), PlanType)),
        interval=cells.read("interval", lambda text: one_of(text.upper(), Interval)),
        price=cells.read("price", parse_amount),
        started_on=cells.date("started_on"),
        paid_until=cells.date("paid_until"),
        auto_renew=cells.read("auto_renew", parse_yes_no),
    )


def _invoice(cells: _Cells) -> InvoiceRow:
    return InvoiceRow(
        external_id=cells.key("external_id"),
        user=cells.key("user"),
        number=cells.read("number", required, length_max=60),
        issued_on=cells.date("issued_on"),
        description=cells.read("description", required),
        total=cells.read("total", parse_amount),
        currency=cells.read("currency", lambda text: one_of(text.upper() or IDR, [IDR])),
        status=cells.read("status", lambda text: one_of(text.upper(), HistoricalStatus)),
        pdf=cells.read("pdf", parse_file_name, length_max=120),
    )


_READERS: dict[ImportKind, Callable[[_Cells], ImportRow]] = {
    ImportKind.USERS: _user,
    ImportKind.BALANCES: _balance,
    ImportKind.SUBSCRIPTIONS: _subscription,
    ImportKind.INVOICES: _invoice,
}


def clean(text: str, *, length_max: int = CELL_LENGTH_MAX, formulas: bool = False) -> str:
    """A cell that is safe to keep and to show: no control characters, not endless, and no formula unless another rule
    looks for that (`formulas`). Raises `RowRefused`."""
    if len(text) > length_max:
        raise RowRefused(_l("Longer than %(most)s characters.", most=length_max))
    composed = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(letter) in UNFIT_CATEGORIES for letter in composed):
        raise RowRefused(_l("Has control or invisible characters, or a line break."))
    if not formulas and composed.startswith(FORMULA_STARTS):
        raise RowRefused(_l("Begins like a spreadsheet formula."))
    return composed


def required(text: str) -> str:
    """The text; an empty cell is refused."""
    if not text:
        raise RowRefused(_l("Must not be empty."))
    return text


def one_of(text: str, allowed: Iterable[str]) -> str:
    """The text, if it is one of these words."""
    words = [str(word) for word in allowed]
    if text not in words:
        raise RowRefused(_l("Must be one of: %(words)s.", words=", ".join(words)))
    return text


def parse_yes_no(text: str) -> bool:
    """`yes` or `no`, in English or Indonesian; an empty cell is neither."""
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise RowRefused(_l("Must be yes or no."))


def parse_email(text: str) -> str:
    """The address as accounts store it."""
    address = accounts.normal_email(text)
    if address is None:
        raise RowRefused(_l("Is no e-mail address."))
    return address


def parse_name(text: str) -> str:
    """The name as accounts store it."""
    name = accounts.normal_name(text)
    problem = accounts.name_problem(name)
    if problem is not None:
        raise RowRefused(_l("Is no name that an account may have (%(problem)s).", problem=problem.value))
    return name


def parse_phone(text: str) -> str | None:
    """`+62812…`; empty: none."""
    phone = accounts.normal_phone(text) if text else None
    if text and phone is None:
        raise RowRefused(_l("Is no phone number."))
    return phone


def parse_amount(text: str) -> int:
    """Whole rupiah: `50000`, `50.000`, `Rp50.000`, `Rp 50.000,00`. Never negative.

    Refused is what an English reader would take for another sum: `50,000`, `50.00`.
    """
    figures = re.sub(r"^(rp\.?|idr) ?", "", text, flags=re.IGNORECASE)
    if re.match(r"[-\u2212(]", text) or re.match(r"[-\u2212(]", figures):
        raise RowRefused(_l("Must not be negative."))
    if not re.fullmatch(r"[0-9.,]+", figures):
        raise RowRefused(_l("Is no amount in rupiah."))
    plain = re.fullmatch(r"(0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:\.[0-9]{3})+)(?:,00)?", figures)
    if plain is None or figures == "0,00":
        raise RowRefused(_l("Can be read in two ways. Write 50000 or 50.000 for fifty thousand rupiah."))
    amount = int(plain.group(1).replace(".", ""))
    if amount > AMOUNT_MAX:
        raise RowRefused(_l("Is larger than any amount we book."))
    return amount


def parse_date(text: str, *, day_first: bool = False) -> date:
    """`2026-03-31` or `31/03/2026`; 03/04/2026 only where `day_first` says what it means."""
    iso = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", text)
    slashed = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", text)
    if iso is None and slashed is None:
        raise RowRefused(_l("Must be a date like 2026-03-31 or 31/03/2026."))
    parts = iso.groups() if iso else tuple(reversed(slashed.groups()))  # type: ignore[union-attr]
    year, month, day = (int(part) for part in parts)
    if slashed and not day_first and day <= 12 and month <= 12 and day != month:
        raise RowRefused(
            _l("Can be read in two ways. Write it like 2026-03-31, or say --day-first for the whole file.")
        )
    if not (YEAR_MIN <= year <= YEAR_MAX and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        raise RowRefused(_l("Is no day of the calendar."))
    return date(year, month, day)


def parse_file_name(text: str) -> str:
    """The name of a file beside the CSV, and of nothing elsewhere; empty: none."""
    if text and (re.search(r"[/\\:]", text) or text.startswith(".")):
        raise RowRefused(_l("Must be the plain name of a file beside the CSV."))
    return text


def refuse_pdf_unless_fit(content: bytes) -> None:
    """Refuses what is no PDF by its first bytes, whatever it is called, and what is too large."""
    if len(content) > PDF_KIB_MAX * 1024:
        raise RowRefused(_l("The file is larger than %(most)s KiB.", most=PDF_KIB_MAX), "pdf")
    if not content.startswith(b"%PDF-"):
        raise RowRefused(_l("The file is no PDF."), "pdf")


def anchor_day(started_on: date, paid_until: date) -> int:
    """The day of the month on which it renews: a 31 that February shortened is a 31 again."""
    shortened = paid_until.day == monthrange(paid_until.year, paid_until.month)[1] and started_on.day > paid_until.day
    return started_on.day if shortened else paid_until.day


def running_since(row: SubscriptionRow, *, today: date) -> date:
    """The first day of the running period: one interval before `paid_until`, or the start of it all if that is later.

    Raises `RowRefused` for what does not run today, and for what was paid further ahead than one interval.
    """
    if row.started_on > today:
        raise RowRefused(_l("Lies in the future: it does not run yet."), "started_on")
    if row.paid_until <= today:
        raise RowRefused(_l("Is over: it does not run any more."), "paid_until")
    anchor = anchor_day(row.started_on, row.paid_until)
    begins = add_months(row.paid_until, -MONTHS[Interval(row.interval)], anchor_day=anchor)
    if begins > today:
        raise RowRefused(
            _l("More than one interval ahead. Name the next renewal, and import the rest as a balance."), "paid_until"
        )
    return max(begins, row.started_on)


def digest_of(row: ImportRow, attachment: bytes = b"") -> str:
    """SHA-256 of what the row says, however it was spelled, and of the file that came with it."""
    said = json.dumps(asdict(row), default=str, sort_keys=True)
    return hashlib.sha256(said.encode() + b"\0" + attachment).hexdigest()


def shown(text: str, *, most: int = 40) -> str:
    """Text of a file as a terminal may show it: short, and without characters that steer it."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[:most])
    return plain + ("…" if len(text) > most else "")
