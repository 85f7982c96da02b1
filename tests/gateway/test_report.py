"""Report by exception: what is told, what is not, and that nothing is ever forgotten."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.points import Kind, Limits, Register, Table
from facility.readings import Quality, Value
from gateway.codec import Block
from gateway.planner import plan
from gateway.report import HEARTBEAT, BlockReport, PointReport, deadband, next_stamp
from tests.gateway.plant import MODES, a_point

START = 1_700_000_000_000
ROWS = (
    (Register("a", Table.HOLDING, 0, "int16", scale=0.1), a_point("a", deadband=0.5)),
    (Register("b", Table.HOLDING, 1, "uint16"), a_point("b", Kind.COUNTER, deadband=100.0)),
    (Register("m", Table.HOLDING, 2, "uint16"), a_point("m", Kind.ENUM, states=MODES)),
    (Register("f", Table.HOLDING, 2, "bit", bits=(1, 1)), a_point("f", Kind.DISCRETE)),
    (Register("w", Table.HOLDING, 1, "uint32", words=2), a_point("w", Kind.COUNTER)),
)


def a_report() -> BlockReport:
    (read,) = plan([register for register, _ in ROWS], Limits())
    return BlockReport(Block(read, {point.key: point for _, point in ROWS}))


def words(*values: int) -> bytes:
    return struct.pack(">3H", *(value & 0xFFFF for value in values))


def test_tells_everything_at_first_then_only_what_changed() -> None:
    report = a_report()
    first = report.update(words(100, 5, 1), START)
    assert first == ({"a": 10.0, "b": 5, "m": 1, "f": False, "w": 5 << 16 | 1}, {})
    assert report.stamp == START
    assert report.update(words(100, 5, 1), START + 1000) is None
    assert report.update(words(104, 5, 1), START + 2000) is None
    assert report.update(words(105, 5, 1), START + 3000) == ({"a": 10.5}, {})
    assert report.stamp == START + 3000
    assert report.update(words(105, 6, 2), START + 4000) == ({"b": 6, "m": 2, "f": True, "w": 6 << 16 | 2}, {})


def test_a_slow_drift_is_told_once_it_has_moved_by_the_deadband() -> None:
    report = a_report()
    report.update(words(100, 5, 1), START)
    told = [report.update(words(100 + step, 5, 1), START + step * 1000) for step in range(1, 11)]
    assert [change[0]["a"] for change in told if change] == [10.5, 11.0]


def test_a_quality_change_is_told_and_a_bad_value_has_no_number() -> None:
    report = a_report()
    report.update(words(100, 5, 1), START)
    assert report.update(words(20_000, 5, 1), START + 1) == ({"a": None}, {"a": Quality.RANGE})
    assert report.update(words(20_001, 5, 1), START + 2) is None
    assert report.update(words(100, 5, 9), START + 3) == (
        {"a": 10.0, "m": None, "w": 5 << 16 | 9},
        {"m": Quality.ENUM},
    )


def test_a_quiet_point_is_told_again_with_the_value_of_now() -> None:
    report = a_report()
    report.update(words(100, 5, 1), START)
    assert report.update(words(103, 5, 1), START + 1000) is None
    assert report.update(words(103, 5, 1), START + HEARTBEAT - 1) is None
    beat = report.update(words(103, 5, 1), START + HEARTBEAT)
    assert beat is not None
    assert beat[0] == {"a": 10.3, "b": 5, "m": 1, "f": False, "w": 5 << 16 | 1}
    assert report.update(words(103, 5, 1), START + HEARTBEAT + 1) is None


def test_a_point_that_was_told_lately_is_not_in_the_heartbeat() -> None:
    report = a_report()
    report.update(words(100, 5, 1), START)
    report.update(words(200, 5, 1), START + HEARTBEAT // 2)
    beat = report.update(words(200, 5, 1), START + HEARTBEAT)
    assert beat is not None
    assert "a" not in beat[0]
    later = report.update(words(200, 5, 1), START + HEARTBEAT * 3 // 2)
    assert later == ({"a": 20.0}, {})


def test_lost_is_told_once_and_the_next_answer_tells_all() -> None:
    report = a_report()
    report.update(words(100, 5, 1), START)
    lost = report.lost(Quality.COMM, START + 1)
    assert lost == (dict.fromkeys("abmfw"), dict.fromkeys("abmfw", Quality.COMM))
    assert report.lost(Quality.COMM, START + 2) is None
    back = report.update(words(100, 5, 1), START + 3)
    assert back is not None
    assert set(back[0]) == set("abmfw")


@pytest.mark.parametrize(("now", "stamp"), [(101, 101), (100, 101), (99, 101), (100 - 1000, 101), (100 - 1001, -901)])
def test_a_stamp_never_repeats_unless_the_clock_was_put_right(now: int, stamp: int) -> None:
    assert next_stamp(now, 100) == stamp


def test_a_clock_set_back_does_not_silence_the_heartbeat() -> None:
    report = a_report()
    report.update(words(100, 5, 1), START)
    back = START - 3_600_000
    beats = [report.update(words(100, 5, 1), back + second * 1000) for second in range(400)]
    assert sum(beat is not None for beat in beats) <= 3
    assert any(beat is not None for beat in beats[300:])


readings = st.tuples(st.sampled_from([100, 101, 104, 105, 110, 20_000]), st.integers(0, 3), st.integers(0, 3))


@pytest.mark.slow
@given(st.lists(st.tuples(readings, st.integers(1, 200_000)), max_size=40))
def test_what_was_told_is_never_off_by_a_deadband_nor_older_than_a_heartbeat(
    steps: list[tuple[tuple[int, int, int], int]],
) -> None:
    report, now = a_report(), START
    told: dict[str, tuple[Value, Quality, int]] = {}
    stamps: set[tuple[str, int]] = set()
    for raw, wait in steps:
        now += wait
        change = report.update(words(*raw), now)
        for key, value in (change[0] if change else {}).items():
            told[key] = (value, change[1].get(key, Quality.GOOD) if change else Quality.GOOD, report.stamp)
            assert (key, report.stamp) not in stamps
            stamps.add((key, report.stamp))
        (read,) = plan([register for register, _ in ROWS], Limits())
        block = Block(read, {point.key: point for _, point in ROWS})
        for (value, quality), point in zip(block.decode(words(*raw)), block.points, strict=True):
            last, last_quality, at = told[point.key]
            assert last_quality is quality
            assert now - at < HEARTBEAT
            if isinstance(value, float) and isinstance(last, float):
                assert abs(value - last) < max(deadband(point), 1e-9)
            else:
                assert last == value


offers = st.tuples(
    st.one_of(st.integers(-20, 20).map(lambda tenths: tenths / 10), st.none()),
    st.sampled_from([Quality.SENSOR, Quality.RANGE]),
)


@given(st.lists(st.tuples(offers, st.integers(0, 200_000)), max_size=40), st.sampled_from([0.0, 0.5]))
def test_single_values_are_never_off_by_a_deadband_nor_older_than_a_heartbeat_when_they_come(
    steps: list[tuple[tuple[Value, Quality], int]], band: float
) -> None:
    report, point, now = PointReport(), a_point("a", deadband=band), START
    told: tuple[Value, Quality, int] | None = None
    for (value, why), wait in steps:
        now += wait
        quality = Quality.GOOD if value is not None else why
        if report.offer(point, value, quality, now):
            # nothing is told without a reason: it is new, it moved, its quality changed, or it was quiet for long
            if told is not None and now - told[2] < HEARTBEAT and quality is told[1]:
                assert quality is Quality.GOOD
                assert value != told[0]
            told = (value, quality, now)
        assert told is not None
        assert told[1] is quality
        assert now - told[2] < HEARTBEAT
        if isinstance(value, float) and isinstance(told[0], float):
            assert abs(value - told[0]) < max(deadband(point), 1e-9)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 5_000)), min_size=1, max_size=40))
def test_counters_and_enums_are_told_exactly_when_they_change(steps: list[tuple[int, int, int]]) -> None:
    report, now = a_report(), START
    before: tuple[int, int] | None = None
    for count, mode, wait in steps:
        now += wait  # all within one heartbeat
        change = report.update(words(100, count, mode), now)
        told = set(change[0]) if change else set()
        changed = {key for key, new, old in zip("bm", (count, mode), before or (None, None), strict=True) if new != old}
        assert told & {"b", "m"} == changed
        before = (count, mode)


def test_single_values_follow_the_same_rules() -> None:
    report, point = PointReport(), a_point("a", deadband=0.5)
    assert report.offer(point, 1.0, Quality.GOOD, START)
    assert not report.offer(point, 1.4, Quality.GOOD, START + 1)
    assert report.offer(point, 1.5, Quality.GOOD, START + 2)
    assert report.offer(point, None, Quality.SENSOR, START + 3)
    assert not report.offer(point, None, Quality.SENSOR, START + 4)
    assert report.offer(point, None, Quality.RANGE, START + 5)
    assert report.offer(point, None, Quality.RANGE, START + 5 + HEARTBEAT)
    assert report.keys == ("a",)
    assert report.lost(["a", "b"], Quality.STALE, START) == (
        {"a": None, "b": None},
        {"a": Quality.STALE, "b": Quality.STALE},
    )
    assert report.lost(["a", "b"], Quality.STALE, START) is None


def test_a_deadband_is_for_analog_points_only() -> None:
    assert deadband(a_point("a", deadband=2.0)) == pytest.approx(2.0)
    assert deadband(replace(a_point("a", Kind.COUNTER), deadband=2.0)) == 0
