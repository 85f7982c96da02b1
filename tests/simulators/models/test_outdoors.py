"""The day outside, and time cut into cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.models.rooms.outdoors import CELL, cells, daylight, occupancy, warmth

EPOCH = 1_767_582_000.0
"""11:00 in Shanghai."""


def test_the_day() -> None:
    assert (warmth(15), warmth(3)) == (33.0, 25.0)
    assert daylight(12) == 50_000
    assert daylight(3) == daylight(18.5) == 0
    assert [occupancy(hour) for hour in (0, 7, 8, 9, 18, 19.5, 21, 23)] == [0, 0, 0.5, 1, 1, 0.5, 0, 0]


def test_a_cell_has_the_hour_of_its_beginning() -> None:
    found = list(cells(EPOCH + 450.0, 400.0, 8 * 3600.0))
    assert [seconds for _, seconds in found] == pytest.approx([250.0, 150.0])
    assert [hour for hour, _ in found] == pytest.approx([11.0, 11.0 + CELL / 3600])


@given(st.floats(0, 1e5), st.floats(0.01, 2e4))
def test_cells_are_all_of_the_time_and_never_longer_than_one(start: float, dt: float) -> None:
    found = [seconds for _, seconds in cells(EPOCH + start + dt, dt, 0.0)]
    assert sum(found) == pytest.approx(dt, abs=1e-5)
    assert all(0 < seconds <= CELL for seconds in found)
