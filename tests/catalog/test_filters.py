from __future__ import annotations

import pytest

from portal.catalog.filters import Filters, from_arguments


def test_no_arguments_mean_everything():
    assert from_arguments({}) == Filters()
    assert Filters().empty


def test_arguments_survive_the_round_trip():
    given = {"q": "blog", "category": "publishing", "tag": "cms", "price": "50000", "available": "1"}
    assert from_arguments(given).arguments == given


@pytest.mark.parametrize("price", ["", "0", "-1", "49999", "1e9", "٥٠٠٠٠", "50000 ", "x" * 9999])
def test_a_price_that_was_not_offered_is_no_filter(price):
    assert from_arguments({"price": price}).price_max is None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  two   words ", "two words"),
        ("nul\0byte", "nul byte"),
        ("line\nbreak\ttab", "line break tab"),
        ("half \ud800 pair", "half pair"),
        ("\u202ereversed", "reversed"),
        ("a" * 10_000, "a" * 80),
    ],
)
def test_a_query_is_printable_and_short(typed, kept):
    assert from_arguments({"q": typed}).query == kept


def test_only_the_first_eight_words_count():
    assert len(from_arguments({"q": "a b c d e f g h i j k"}).words) == 8
