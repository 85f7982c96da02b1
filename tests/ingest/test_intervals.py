"""Sets of numbers as ranges: compared with Python's own sets."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.accounting import MAX_BOOTS, Accounting, Gap, ranges
from ingest.intervals import Intervals

NUMBERS = st.integers(1, 40)
RANGES = st.lists(st.tuples(NUMBERS, st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=30)


@given(RANGES)
def test_it_holds_what_a_set_would_hold(given_ranges: list[tuple[int, int]]) -> None:
    held, model = Intervals(), set[int]()
    for first, last in given_ranges:
        new = set(range(first, last + 1)) - model
        assert held.add(first, last) == len(new)
        model |= new
        assert held.size == len(model)
    assert {number for number in range(60) if number in held} == model
    assert bool(held) == bool(model)


@given(RANGES)
def test_ranges_are_sorted_and_never_touch(given_ranges: list[tuple[int, int]]) -> None:
    found = Intervals(given_ranges).ranges()
    assert all(first <= last for first, last in found)
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(found))


@given(RANGES)
def test_gaps_and_ranges_together_cover_everything_once(given_ranges: list[tuple[int, int]]) -> None:
    held = Intervals(given_ranges)
    pieces = sorted(held.ranges() + held.gaps())
    assert all(one[1] + 1 == other[0] for one, other in itertools.pairwise(pieces))
    assert held.missing() == sum(last - first + 1 for first, last in held.gaps())


@given(st.permutations(range(1, 30)))
def test_the_order_of_arrival_does_not_matter(order: list[int]) -> None:
    held = Intervals()
    for number in order:
        assert held.add(number) == 1
        assert held.add(number) == 0
    assert held.ranges() == [(1, 29)]
    assert held.missing() == 0


def test_a_backwards_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="backwards"):
        Intervals().add(5, 4)


@given(st.lists(NUMBERS))
def test_confirmed_ranges_name_every_number_and_no_other(seqs: list[int]) -> None:
    assert {number for first, last in ranges(seqs) for number in range(first, last + 1)} == set(seqs)


@given(st.lists(st.tuples(st.sampled_from(["gw-1", "gw-2"]), st.sampled_from(["b1", "b2"]), NUMBERS)))
def test_the_books_know_each_batch_apart_and_count_repeats(arrivals: list[tuple[str, str, int]]) -> None:
    books = Accounting()
    for place, (gateway, boot, seq) in enumerate(arrivals):
        assert books.is_stored(gateway, boot, seq) == ((gateway, boot, seq) in arrivals[:place])
        books.stored(gateway, boot, seq)
        assert books.is_stored(gateway, boot, seq)
    assert books.duplicates == len(arrivals) - len(set(arrivals))
    assert books.missing() == sum(gap.count for gap in books.gaps())
    for gap in books.gaps():
        inside = {(gap.gateway, gap.boot, seq) for seq in range(gap.first, gap.last + 1)}
        assert not inside & set(arrivals)


def test_gaps_name_the_gateway_and_its_start() -> None:
    books = Accounting()
    for seq in (5, 6, 9):
        books.stored("gw-2", "b1", seq)
    books.stored("gw-1", "b1", 1)
    assert books.gaps() == [Gap("gw-2", "b1", 7, 8)]
    assert books.gaps("gw-1") == []


def test_only_the_latest_starts_of_a_gateway_are_remembered() -> None:
    books = Accounting()
    for number in range(MAX_BOOTS + 1):
        books.stored("gw-1", f"b{number}", 1)
    assert not books.is_stored("gw-1", "b0", 1)
    assert books.is_stored("gw-1", "b1", 1)
