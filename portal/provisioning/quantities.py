"""Kubernetes quantities (`500m`, `1Gi`, `1234567n`) as exact numbers: the same amount is written in many ways."""

from __future__ import annotations

import re
from fractions import Fraction

_PATTERN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?|[eE][-+]?\d+)")
_BINARY = {f"{sign}i": Fraction(1024) ** power for power, sign in enumerate("KMGTPE", start=1)}
_DECIMAL = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1)} | {
    sign: Fraction(1000) ** power for power, sign in enumerate("kMGTPE", start=1)
}


def parse(text: object) -> Fraction:
    """The exact amount: bytes, processors, or a count. ValueError for what is no quantity.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    match = _PATTERN.fullmatch(str(text))
    if match is None:
        raise ValueError(f"no quantity: {text!r}")
    number, suffix = match.groups()
    if suffix[:1] in ("e", "E") and suffix[1:]:
        return Fraction(f"{number}{suffix}")
    return Fraction(number) * (_BINARY | _DECIMAL)[suffix]


def millicores(text: object) -> int:
    """An amount of processor in thousandths, rounded."""
    return round(parse(text) * 1000)


def mib(text: object) -> int:
    """An amount of memory or storage in MiB, rounded."""
    return round(parse(text) / 2**20)
