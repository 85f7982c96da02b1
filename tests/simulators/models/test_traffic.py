"""The traffic of a day: exact over any length, and as much as was said."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.models.passage.traffic import SHARES, Arrivals, passed, some


def test_a_day_is_a_day_with_its_peaks_at_eight_twelve_and_six() -> None:
    assert sum(SHARES) == pytest.approx(24)
    assert sorted(range(24), key=lambda hour: SHARES[hour])[-3:] == [12, 18, 8]
    assert max(SHARES[:6]) < 0.1


@settings(max_examples=40)
@given(st.floats(0, 23.99), st.floats(0, 200_000), st.floats(0, 200_000))
def test_pieces_add_up(hour: float, first: float, second: float) -> None:
    """However a time is cut, the same traffic passes in it."""
    whole = passed(hour, first + second)
    assert passed((hour - second / 3600) % 24, first) + passed(hour, second) == pytest.approx(whole, abs=0.01)
    assert -1e-6 <= whole <= max(SHARES) * (first + second) + 0.01


def test_a_whole_day_passes_at_its_mean() -> None:
    assert passed(7.25, 86_400) == pytest.approx(86_400)
    assert passed(9.0, 3600) == pytest.approx(3600 * SHARES[8])


@pytest.mark.parametrize("pieces", [1, 24, 2000])
def test_as_many_come_as_were_said_however_often_one_looks(pieces: int) -> None:
    arrivals, served = Arrivals(Random(2), 60.0), 0
    for piece in range(pieces):
        arrivals.go((piece + 1) * 24 / pieces % 24, 86_400 / pieces)
        served += arrivals.take_all()
        assert not arrivals.due
    assert served == pytest.approx(1440, rel=0.1)


@given(st.integers(0, 300), st.floats(0, 1), st.integers(0, 99))
def test_some_of_many(count: int, chance: float, seed: int) -> None:
    assert 0 <= some(Random(seed), count, chance) <= count
    assert some(Random(seed), count, 0.0) == 0
    assert some(Random(seed), count, 1.0) == count


def test_some_are_as_many_as_their_chance_says() -> None:
    random = Random(5)
    for count in (10, 1000):
        assert sum(some(random, count, 0.3) for _ in range(400)) / 400 == pytest.approx(0.3 * count, rel=0.06)
