"""How values are shown: money, times, sizes. One form everywhere."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from babel.numbers import get_decimal_symbol
from flask import Flask
from flask_babel import format_date as babel_date
from flask_babel import format_datetime as babel_datetime
from flask_babel import format_decimal, format_timedelta, get_locale, ngettext
from flask_babel import gettext as _

from portal.core import clock
from portal.core.money import Money, format_money, rupiah


def money(value: Money | int) -> str:
    """`Rp50.000`."""
    return format_money(rupiah(value) if isinstance(value, int) else value)


def signed_money(value: Money | int) -> str:
    """`+Rp50.000` or `-Rp50.000`: for lists of movements."""
    text = money(value)
    amount = value if isinstance(value, int) else value.amount
    return f"+{text}" if amount > 0 else text


def wib(value: datetime) -> str:
    """`21 Nov 2026 14.05 WIB` in the reader's language."""
    return f"{babel_datetime(value, 'd MMM y HH:mm')} WIB"


def day(value: date | datetime) -> str:
    """`21 November 2026`, the Jakarta day of an instant."""
    if isinstance(value, datetime):
        value = clock.today(value)
    return babel_date(value, "d MMMM y")


def ago(value: datetime) -> str:
    """A relative hint: `3 minutes ago`, `in 2 days`."""
    delta = value - clock.now()
    if abs(delta) < timedelta(seconds=45):
        return _("just now")
    return format_timedelta(delta, add_direction=True)


def memory(mib: int) -> str:
    """`512 MB`, `1.5 GB`; `1,5 GB` in Indonesian."""
    return f"{format_decimal(mib / 1024)} GB" if mib >= 1024 else f"{mib} MB"


def cpu(millicores: int) -> str:
    """`0.5 vCPU`; `0,5 vCPU` in Indonesian."""
    return f"{format_decimal(millicores / 1000)} vCPU"


def slots(count: int) -> str:
    """`3 slots left`."""
    return ngettext("%(num)d slot left", "%(num)d slots left", count)


def share(permille: int) -> str:
    """`12.5%` of a share in thousandths; `12,5%` in Indonesian."""
    whole, tenth = divmod(abs(permille), 10)
    separator = get_decimal_symbol(get_locale())
    return f"{'-' if permille < 0 else ''}{whole}{f'{separator}{tenth}' if tenth else ''}%"


def register(app: Flask) -> None:
    """Makes the filters known to templates."""
    for function in (money, signed_money, wib, day, ago, memory, cpu, slots, share):
        app.jinja_env.filters[function.__name__] = function
