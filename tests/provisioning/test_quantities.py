"""Quantities as Kubernetes writes them: one amount, many spellings."""

from __future__ import annotations

from fractions import Fraction

import pytest

from portal.provisioning import quantities


@pytest.mark.parametrize(
    "left, right",
    [("0.5", "500m"), ("1", "1000m"), ("1024Mi", "1Gi"), ("1e3", "1k"), ("1E3", "1000"), ("128974848", "123Mi"),
     ("1500000n", "1500u"), (".5Gi", "512Mi"), (2, "2"), ("0", "0Ki"), ("1E", "1000P")],
)  # fmt: skip
def test_spellings_of_one_amount_are_equal(left, right):
    assert quantities.parse(left) == quantities.parse(right)


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1GiB", "one", "0x1", "1.2.3", None, "--1"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="no quantity"):
        quantities.parse(text)


def test_amounts_are_rounded_to_what_plans_are_sold_in():
    assert quantities.millicores("1499999n") == 1
    assert quantities.millicores("0.25") == 250
    assert quantities.mib("5Gi") == 5120
    assert quantities.parse("3n") == Fraction(3, 10**9)
