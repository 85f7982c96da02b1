"""What is made of the instants of polls."""

from __future__ import annotations

import pytest

from bench.edge.periods import by_unit, intervals, lateness, percentile


def test_intervals_of_each_device() -> None:
    assert intervals([[1.0, 1.5, 3.0], [], [9.0], [4.0, 6.0]]) == [0.5, 1.5, 2.0]


def test_the_most_punctual_poll_stands_on_the_grid_wherever_it_comes() -> None:
    grid = [100.0, 100.1, 100.2, 100.3]
    late = [0.020, 0.0, 0.070, 0.001]
    polls = [at + behind for at, behind in zip(grid, late, strict=True)]
    assert lateness(polls, 0.1) == pytest.approx(late)
    assert lateness([], 0.1) == []


def test_a_poll_that_was_skipped_makes_the_next_no_later() -> None:
    assert lateness([5.0, 5.1, 5.4], 0.1) == pytest.approx([0.0, 0.0, 0.0])


def test_units_that_live() -> None:
    assert by_unit([(1, 0.0), (7, 0.1), (2, 0.2), (1, 0.3)], live=2) == [[0.0, 0.3], [0.2]]


def test_percentile() -> None:
    numbers = [float(number) for number in range(100)]
    assert (percentile(numbers, 50), percentile(numbers, 99), percentile(numbers, 100)) == (50.0, 99.0, 99.0)
    with pytest.raises(ValueError, match="no polls"):
        percentile([], 50)
