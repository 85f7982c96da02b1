"""Samples and readings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.clock import SystemClock, from_ms, to_ms
from facility.readings import Quality, Reading, Sample, readings


def test_a_sample_comes_apart_in_its_order_with_its_qualities() -> None:
    sample = Sample("EL-01", 1000, {"car.floor": 7, "car.load": None}, {"car.load": Quality.RANGE})
    assert readings(sample) == [
        Reading("EL-01", "car.floor", 1000, 7, Quality.GOOD),
        Reading("EL-01", "car.load", 1000, None, Quality.RANGE),
    ]


def test_only_good_is_good() -> None:
    assert [quality for quality in Quality if quality.is_good] == [Quality.GOOD]


def test_a_sample_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Sample("EL-01", 0, {}).at = 1  # type: ignore[misc]


@given(st.integers(0, 253_402_300_799_999))
def test_milliseconds_and_instants_are_the_same(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms


def test_an_instant_needs_a_zone_and_any_zone_will_do() -> None:
    with pytest.raises(ValueError, match="naive"):
        to_ms(datetime(2026, 1, 1))  # noqa: DTZ001
    shanghai = timezone(timedelta(hours=8))
    assert to_ms(datetime(2026, 1, 1, 8, tzinfo=shanghai)) == to_ms(datetime(2026, 1, 1, tzinfo=UTC)) == 1767225600000


@pytest.mark.looptime
async def test_the_system_clock_sleeps_by_the_loop() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(3600)
    await clock.sleep(-1)
    assert clock.monotonic() - before == pytest.approx(3600, abs=0.1)
    assert clock.now().tzinfo is UTC
    assert abs(to_ms(clock.now()) - clock.ms()) < 1000
