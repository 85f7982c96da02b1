"""The report's arithmetic, by hand-made runs."""

from __future__ import annotations

from simulators.report import Observed, Push, Turn, percentile, push_latencies, report, store_latencies

TURNS = [
    Turn("EL-01", "safety.chain_closed", 1_000, False),
    Turn("EL-01", "alarm.car_button", 5_000, True),
    Turn("EL-01", "alarm.car_button", 9_000, False),
]


def test_a_push_is_measured_from_the_last_change_before_the_condition_turned() -> None:
    push = Push("EL-01", ("safety.chain_closed", "alarm.car_button"), since=5_400, raised=15_400, arrived=15_460)
    assert push_latencies(TURNS, [push]) == [460.0]


def test_a_push_without_a_turned_register_is_not_measured() -> None:
    assert push_latencies(TURNS, [Push("WP-01", ("tank.level",), since=5, raised=5, arrived=6)]) == []


def test_a_change_is_stored_when_the_next_reading_shows_it() -> None:
    stored = {("EL-01", "alarm.car_button"): [(4_500, 4_600, False), (5_500, 5_650, True), (9_500, 9_580, False)]}
    assert store_latencies(TURNS, stored) == [650.0, 580.0]


def test_a_change_that_no_poll_saw_is_not_measured() -> None:
    stored = {("EL-01", "alarm.car_button"): [(4_500, 4_600, False), (9_500, 9_580, False)]}
    assert store_latencies(TURNS, stored) == [580.0]


def test_lost_counts_distinct_readings_only() -> None:
    result = report(Observed(sent=100, readings_stored=98, duplicated=1), ["elevator"])
    assert result["readings"] == {"sent": 100, "stored": 98, "lost": 2, "duplicated": 1}
    assert result["alarms"] == {"elevator": 0}


def test_percentile_is_a_value_that_occurred() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) is None
