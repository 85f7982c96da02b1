"""Lags, ramps, noise and trips."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.models.physics import Trip, Wander, lag, limited, ramp

finite = st.floats(-1e4, 1e4)


@given(finite, finite, st.floats(0.001, 100.0), st.floats(0.01, 100.0))
def test_a_lag_goes_towards_its_target_and_never_past_it(value: float, target: float, dt: float, tau: float) -> None:
    after = lag(value, target, dt, tau)
    assert min(value, target) - 1e-6 <= after <= max(value, target) + 1e-6


def test_two_half_steps_of_a_lag_are_one_whole_step() -> None:
    assert lag(lag(0.0, 10.0, 0.5, 3.0), 10.0, 0.5, 3.0) == pytest.approx(lag(0.0, 10.0, 1.0, 3.0))


@given(finite, finite, st.floats(0.001, 100.0), st.floats(0.001, 100.0))
def test_a_ramp_keeps_its_rate(value: float, target: float, dt: float, rate: float) -> None:
    after = ramp(value, target, dt, rate)
    assert abs(after - value) <= rate * dt + 1e-6
    assert min(value, target) - 1e-9 <= after <= max(value, target) + 1e-9


@given(finite, finite, finite)
def test_limited(value: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert low <= limited(value, low, high) <= high


@given(st.integers(0, 1000), st.floats(0.01, 5.0))
def test_noise_stays_within_three_sigma(seed: int, dt: float) -> None:
    noise = Wander(Random(seed), 0.5, 4.0)
    assert all(abs(noise.step(dt)) <= 1.5 for _ in range(50))


@given(st.floats(-60.0, 60.0), st.floats(0.2, 3.0), st.floats(0.3, 1.5))
def test_a_trip_ends_where_it_should_and_never_goes_faster(distance: float, speed: float, acceleration: float) -> None:
    trip = Trip(distance, speed, acceleration)
    assert trip.at(trip.duration + 1.0) == (distance, 0.0)
    places = [trip.at(trip.duration * share / 20) for share in range(21)]
    assert all(abs(velocity) <= speed + 1e-9 for _, velocity in places)
    travelled = [abs(place) for place, _ in places]
    assert travelled == sorted(travelled)


def test_noise_is_expected_to_fade() -> None:
    wander = Wander(Random(3), 2.0, tau=10.0)
    now = wander.step(5.0)
    steps = [now * math.exp(-(tenth + 0.5) / 100) for tenth in range(300)]
    assert wander.mean(30.0) == pytest.approx(sum(steps) / 300, rel=1e-3)
    assert wander.mean(0.0) == now
    assert abs(wander.mean(1e6)) < 1e-4
