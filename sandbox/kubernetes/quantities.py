"""Kubernetes quantities (`500m`, `1Gi`): exact numbers in, canonical text out."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_BINARY = {suffix: Fraction(1024) ** power for power, suffix in enumerate(["Ki", "Mi", "Gi", "Ti", "Pi"], start=1)}
_DECIMAL = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1)} | {
    suffix: Fraction(1000) ** power for power, suffix in enumerate("kMGTP", start=1)
}


@lru_cache(maxsize=4096)
def parse(text: object) -> Fraction:
    """The exact value; ValueError for what the server would refuse. Numbers are taken as they are."""
    match = re.match(r"^([+-]?(?:\d+\.?\d*|\.\d+))(Ki|Mi|Gi|Ti|Pi|[numkMGTP]?|[eE][-+]?\d+)$", str(text))
    if match is None:
        raise ValueError(f"quantities must match the regular expression '{PATTERN}'")
    number, suffix = match.groups()
    if suffix[:1] in ("e", "E"):
        return Fraction(f"{number}{suffix}")
    return Fraction(number) * (_BINARY | _DECIMAL)[suffix]


def canonical(text: object) -> str:
    """The shortest form of the same value in the same family: `0.5` is `500m`, `1024Mi` is `1Gi`."""
    text = str(text)
    return render(parse(text), binary=text[-1:] == "i")


def render(value: Fraction, *, binary: bool) -> str:
    """Text for a value: whole numbers with the largest unit that divides them, else thousandths."""
    if value == 0:
        return "0"
    if value.denominator != 1:
        return f"{int(value * 1000)}m"
    units = _BINARY if binary else {suffix: size for suffix, size in _DECIMAL.items() if size > 1}
    for suffix, size in sorted(units.items(), key=lambda item: -item[1]):
        if value % size == 0:
            return f"{value // size}{suffix}"
    return str(value.numerator)


def is_counted_in_bytes(resource_name: str) -> bool:
    return resource_name.endswith(("memory", "storage"))
