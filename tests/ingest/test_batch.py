"""When size or age asks for a flush, and what is taken then."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ingest.batch import Collector, Limits


@dataclass(frozen=True)
class Parcel:
    number: int
    readings: int
    size: int


SIZES = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 100)), max_size=40)


def test_nothing_waits_for_nothing() -> None:
    collector: Collector[Parcel] = Collector()
    assert collector.wait(5.0) is None
    assert collector.take() == []


def test_age_asks_for_a_flush() -> None:
    collector: Collector[Parcel] = Collector(Limits(readings=100, age=0.2))
    collector.offer(Parcel(1, 10, 1), 5.0)
    collector.offer(Parcel(2, 10, 1), 5.1)
    assert abs((collector.wait(5.15) or 0.0) - 0.05) < 1e-9
    assert collector.wait(5.2) == 0.0
    assert collector.wait(9.0) == 0.0


def test_size_asks_for_a_flush() -> None:
    collector: Collector[Parcel] = Collector(Limits(readings=20, age=60.0))
    collector.offer(Parcel(1, 19, 1), 5.0)
    assert not collector.full
    collector.offer(Parcel(2, 1, 1), 5.0)
    assert collector.full
    assert collector.wait(5.0) == 0.0


def test_one_item_larger_than_a_flush_is_taken_alone() -> None:
    collector: Collector[Parcel] = Collector(Limits(most=10))
    big, small = Parcel(1, 500, 1), Parcel(2, 1, 1)
    collector.offer(big, 0.0)
    collector.offer(small, 0.0)
    assert collector.take() == [big]
    assert collector.take() == [small]


@given(SIZES, st.integers(1, 300), st.integers(1, 120))
def test_it_gives_back_in_order_what_it_took_and_stays_within_its_bounds(
    sizes: list[tuple[int, int]], bound: int, most: int
) -> None:
    collector: Collector[Parcel] = Collector(Limits(readings=60, most=most, bytes=bound))
    accepted, taken = [], []
    for number, (readings, size) in enumerate(sizes):
        parcel = Parcel(number, readings, size)
        fits = collector.bytes + size <= bound
        assert collector.offer(parcel, float(number)) == fits
        accepted += [parcel] if fits else []
        assert collector.bytes <= bound
        if collector.wait(float(number)) == 0.0:
            group = collector.take()
            assert len(group) == 1 or sum(item.readings for item in group) <= most
            taken += group
    while group := collector.take():
        taken += group
    assert taken == accepted
    assert (len(collector), collector.readings, collector.bytes) == (0, 0, 0)
