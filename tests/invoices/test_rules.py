"""The PPN in a price: every price, every rate, to the rupiah."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.invoices.rules import Parts, split, without_ppn

PRICES = st.integers(min_value=0, max_value=10**15)
RATES = st.integers(min_value=0, max_value=50)
BASES = st.sampled_from([(11, 12), (1, 1), (1, 2), (10, 11)])


def indonesian(total: int) -> Parts:
    return split(total, rate_percent=12, base_numerator=11, base_denominator=12)


@pytest.mark.parametrize(
    ("total", "net", "base", "ppn"),
    [
        (111_000, 100_000, 91_667, 11_000),  # the textbook case: 11% on top of a round price
        (25_000, 22_523, 20_646, 2_477),
        (30_000, 27_027, 24_775, 2_973),
        (35_000, 31_532, 28_904, 3_468),
        (1, 1, 1, 0),
        (0, 0, 0, 0),
    ],
)
def test_known_prices_split_as_worked_out_by_hand(total, net, base, ppn):
    assert indonesian(total) == Parts(net=net, base=base, ppn=ppn)


@given(total=PRICES, rate=RATES, base=BASES)
def test_net_and_ppn_are_the_price_exactly(total, rate, base):
    parts = split(total, rate_percent=rate, base_numerator=base[0], base_denominator=base[1])
    assert parts.total == total
    assert 0 <= parts.ppn <= total
    assert 0 <= parts.net <= total


@given(total=PRICES, rate=RATES, base=BASES)
def test_ppn_is_the_nearest_rupiah_to_its_true_share(total, rate, base):
    weight = Fraction(rate, 100) * Fraction(*base)
    true = total * weight / (1 + weight)
    parts = split(total, rate_percent=rate, base_numerator=base[0], base_denominator=base[1])
    assert abs(parts.ppn - true) <= Fraction(1, 2)


@given(total=PRICES)
def test_ppn_and_rate_times_base_never_differ_by_a_rupiah(total):
    parts = indonesian(total)
    assert abs(parts.ppn - Fraction(12, 100) * parts.base) < 1
    assert abs(parts.base - Fraction(11, 12) * parts.net) <= Fraction(1, 2)


@given(total=PRICES, more=st.integers(min_value=0, max_value=1_000_000))
def test_a_dearer_price_never_holds_less_ppn(total, more):
    assert indonesian(total).ppn <= indonesian(total + more).ppn


@given(total=PRICES)
def test_a_seller_who_is_no_pkp_charges_none(total):
    assert split(total, rate_percent=0, base_numerator=11, base_denominator=12) == without_ppn(total)


def test_a_negative_price_is_a_mistake_of_ours():
    with pytest.raises(AssertionError):
        indonesian(-1)
