"""The PPN that a price contains: pure arithmetic in whole rupiah."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parts:
    """A price taken apart, whole rupiah: `net + ppn` is the price exactly; `base` is the DPP nilai lain."""

    net: int
    base: int
    ppn: int

    @property
    def total(self) -> int:
        return self.net + self.ppn


def split(total: int, *, rate_percent: int, base_numerator: int, base_denominator: int) -> Parts:
    """The net price, tax base and PPN contained in `total`, a price that includes PPN.

    PPN = rate x (numerator/denominator) x net, so its share of the total is r·n / (100·d + r·n): 132/1332
    at 12% of 11/12. The PPN is rounded to the nearest rupiah, halves up; the net price is the rest, so that
    nothing is lost; the base is rounded from the net price. PPN and `rate x base` never differ by a rupiah.
    Rate 0 (the seller is not a PKP): everything is net and there is no base.
    Source: PMK 131/2024, article 3; see docs/adr on PPN.
    """
    assert total >= 0, "a price is never negative; a credit note's amounts are positive"
    if rate_percent == 0:
        return Parts(net=total, base=0, ppn=0)
    tax_weight = rate_percent * base_numerator
    ppn = _rounded(total * tax_weight, 100 * base_denominator + tax_weight)
    net = total - ppn
    return Parts(net=net, base=_rounded(net * base_numerator, base_denominator), ppn=ppn)


def without_ppn(total: int) -> Parts:
    """A sum that carries no PPN: a deposit is not a sale."""
    return Parts(net=total, base=0, ppn=0)


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number to the fraction, halves up, without passing through a float."""
    return (2 * numerator + denominator) // (2 * denominator)
