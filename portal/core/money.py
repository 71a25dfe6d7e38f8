"""Money: a whole number of a currency's smallest booked unit (IDR: whole rupiah). No float, no silent mix."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

IDR = "IDR"


class CurrencyMismatch(TypeError):
    """Two currencies met in one sum."""


@dataclass(frozen=True, order=False, slots=True)
class Money:
    """`amount` units of `currency`; adding, subtracting and comparing demand the same currency."""

    amount: int
    currency: str = IDR

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise TypeError(f"money takes whole units as int, not {type(self.amount).__name__}")

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __mul__(self, count: int) -> Money:
        if type(count) is not int:
            raise TypeError("money is multiplied by whole numbers only")
        return Money(self.amount * count, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __str__(self) -> str:
        return format_money(self)

    def _same(self, other: Money) -> int:
        if not isinstance(other, Money) or other.currency != self.currency:
            raise CurrencyMismatch(f"{self!r} and {other!r}")
        return other.amount


def rupiah(amount: int) -> Money:
    """`amount` whole rupiah."""
    return Money(amount, IDR)


def format_money(money: Money) -> str:
    """`Rp50.000`, `-Rp50.000`: one form everywhere, in both languages.

    Source: Indonesian spelling rules (EYD): no space after Rp, a dot between thousands.
    """
    sign = "-" if money.amount < 0 else ""
    digits = f"{abs(money.amount):,}".replace(",", ".")
    return f"{sign}Rp{digits}" if money.currency == IDR else f"{sign}{money.currency} {digits}"


def parse_gateway_amount(text: object, currency: str = IDR) -> Money:
    """Reads a gateway's `"50000.00"`; raises ValueError unless it is a plain decimal string of whole units."""
    if not isinstance(text, str) or len(text) > 20 or not text.replace(".", "", 1).isascii():
        raise ValueError("an amount is a short decimal string")
    if not text.replace(".", "", 1).isdigit():
        raise ValueError("an amount has digits and at most one point")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if value != value.to_integral_value():
        raise ValueError("an amount has no fraction in this currency")
    return Money(int(value), currency)
