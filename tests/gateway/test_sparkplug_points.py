"""Metrics as readings of a device: instants, history, quality, what a birth lacks, heartbeats."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.readings import Quality, Value
from gateway.report import HEARTBEAT
from gateway.sparkplug_payload import BAD, GOOD, STALE, Metric, Raw
from gateway.sparkplug_points import AHEAD, NodePoints, Telling, address
from gateway.sparkplug_session import Lost, Update
from tests.gateway.edge_node import NODE_PROFILE, PARAMS
from tests.gateway.plant import POINTS, a_device

NOW = 1_700_000_000_000


def a_map(**changes: object) -> NodePoints:
    return NodePoints(a_device(profile="node", params=PARAMS, **changes), NODE_PROFILE, POINTS)


def volts(value: Raw, at: int | None = None, **changes: object) -> Metric:
    return replace(Metric("Inputs/Volts", value, timestamp=at), **changes)  # type: ignore[arg-type]


def say(points: NodePoints, *metrics: Metric, now: int = NOW, birth: bool = False) -> list[Telling]:
    return points.take(Update("M1", metrics, birth), now)


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (NOW - 500, NOW - 500),
        (NOW + AHEAD, NOW + AHEAD),
        (NOW + AHEAD + 1, NOW),  # a clock that is wrong
        (NOW - 10_000, NOW),  # not newer than what was told
        (NOW - 20_000, NOW),
        (0, NOW),
        (1 << 63, NOW),
        (None, NOW),
    ],
)
def test_the_instant_is_the_metric_s_when_it_can_be(at: int | None, told: int) -> None:
    points = a_map()
    say(points, volts(1.0), now=NOW - 10_000, birth=True)
    assert [(item.at, item.values, item.hist) for item in say(points, volts(9.0, at))] == [
        (told, {"volts": 9.0}, False)
    ]


def test_a_birth_says_what_holds_now() -> None:
    told = say(a_map(), volts(1.0, NOW - 86_400_000), birth=True)
    assert {item.at for item in told} == {NOW}


def test_metrics_of_one_message_may_be_of_several_instants_and_are_told_in_order() -> None:
    points = a_map()
    told = say(
        points, volts(2.0, NOW - 5), Metric("Energy", 7, timestamp=NOW - 9), Metric("Running", True, timestamp=NOW - 5)
    )
    assert [(item.at, item.values) for item in told] == [
        (NOW - 9, {"energy": 7}),
        (NOW - 5, {"volts": 2.0, "running": True}),
    ]


@given(st.lists(st.tuples(st.integers(-90_000, 90_000), st.integers(0, 5_000), st.booleans()), max_size=40))
def test_no_point_is_told_twice_for_one_instant_or_back_in_time(steps: list[tuple[int, int, bool]]) -> None:
    points, now, last, told = a_map(), NOW, 0, 0
    for number, (shift, passed, lost) in enumerate(steps):
        now += passed
        found = points.take(Lost("M1"), now) if lost else say(points, volts(float(number * 10), now + shift), now=now)
        for telling in found:
            if "volts" in telling.values:
                assert last < telling.at <= max(now + AHEAD, last + 1)
                last, told = telling.at, told + 1
    assert told >= len([step for step in steps if not step[2]])


def test_history_is_told_as_such_and_leaves_the_present_alone() -> None:
    points = a_map()
    say(points, volts(230.0), birth=True, now=NOW - 1000)
    old = [volts(v, NOW - 9_000 + n, is_historical=True) for n, v in enumerate((1.0, 2.0, 2.0))]
    told = say(points, *old, volts(240.0, NOW - 2), volts(5000.0, NOW - 8_000, is_historical=True))
    assert [(item.at - NOW, item.values, item.quality, item.hist) for item in told] == [
        (-9_000, {"volts": 1.0}, {}, True),
        (-8_999, {"volts": 2.0}, {}, True),
        (-8_998, {"volts": 2.0}, {}, True),
        (-8_000, {"volts": None}, {"volts": Quality.RANGE}, True),
        (-2, {"volts": 240.0}, {}, False),
    ]
    assert points.counts == {"historical": 4, "undated": 0}
    assert points.again(NOW)[-1].values["volts"] == 240.0


def test_history_that_is_newer_than_what_was_told_does_not_end_up_as_the_newest() -> None:
    points = a_map()
    say(points, volts(230.0), birth=True, now=NOW - 100_000)
    old, now = say(points, volts(180.0, NOW - 50_000, is_historical=True))
    assert (old.at, old.values, old.hist) == (NOW - 50_000, {"volts": 180.0}, True)
    assert (now.at, now.values, now.hist) == (NOW, {"volts": 230.0}, False)
    # and by a clock that is ahead
    old, now = say(points, volts(180.0, NOW + 500, is_historical=True), now=NOW + 1)
    assert (old.hist, now.hist, now.at, now.values) == (True, False, NOW + 501, {"volts": 230.0})


@pytest.mark.parametrize("at", [None, 0, NOW + AHEAD + 1])
def test_history_that_has_no_place_in_time_is_counted(at: int | None) -> None:
    points = a_map()
    assert say(points, volts(1.0, at, is_historical=True)) == []
    assert points.counts == {"historical": 0, "undated": 1}


@pytest.mark.parametrize(
    ("quality", "value", "told"),
    [
        (GOOD, 7.0, (7.0, Quality.GOOD)),
        (216, 7.0, (7.0, Quality.GOOD)),
        (STALE, 7.0, (None, Quality.STALE)),
        (BAD, 7.0, (None, Quality.SENSOR)),
        (64, 7.0, (None, Quality.SENSOR)),
        (9_999, 7.0, (None, Quality.SENSOR)),
        (GOOD, None, (None, Quality.SENSOR)),
        (GOOD, float("nan"), (None, Quality.SENTINEL)),
        (GOOD, float("inf"), (None, Quality.RANGE)),
        (GOOD, "text", (None, Quality.SENSOR)),
    ],
)
def test_quality(quality: int, value: Raw, told: tuple[Value, Quality]) -> None:
    (found,) = say(a_map(), volts(value, quality=quality))
    assert (found.values["volts"], found.quality.get("volts", Quality.GOOD)) == told


def test_a_metric_that_the_birth_lacks_has_no_value_and_is_named() -> None:
    points = a_map()
    points.take(Update("", (Metric("Alarm", False),), birth=True), NOW)
    told = say(points, volts(1.0), Metric("Energy", 5), Metric("Mode", "on"), Metric("Running", True), birth=True)
    assert points.absent == ("temp",)
    assert told[0].quality == {"temp": Quality.STALE}
    say(points, Metric("Inputs/Temp", 5), birth=True, now=NOW + 1)
    assert points.absent == ("volts", "energy", "mode", "running")
    again = points.again(NOW + 2)
    assert set(again[0].quality) == set(points.absent)
    assert again[1].values == {"temp": 5, "alarm": False}


def test_losses_are_told_once_and_of_the_right_device() -> None:
    points = a_map()
    points.take(Update("", (Metric("Alarm", False),), birth=True), NOW)
    say(points, volts(1.0), birth=True)
    assert points.take(Lost("Other"), NOW + 1) == []
    (lost,) = points.take(Lost("M1"), NOW + 1)
    assert lost.quality == {"volts": Quality.STALE}  # the others were never there
    (rest,) = points.take(Lost(), NOW + 2)
    assert rest.quality == {"alarm": Quality.STALE}
    assert points.take(Lost(), NOW + 3) == []


def test_what_holds_is_told_once_a_heartbeat() -> None:
    points = a_map()
    say(points, volts(1.0))
    assert points.beat(NOW + HEARTBEAT - 1) == []
    (told,) = points.beat(NOW + HEARTBEAT)
    assert told.values == {"volts": 1.0}
    points.take(Lost(), NOW + HEARTBEAT + 1)
    assert points.beat(NOW + 3 * HEARTBEAT) == []


def test_a_device_may_narrow_and_rename() -> None:
    points = a_map(points=frozenset({"volts"}), rename={"volts": "temp"})
    assert points.devices == ("M1",)
    (told,) = say(points, volts(3.0), Metric("Energy", 5))
    assert told.values == {"temp": 3.0}


@pytest.mark.parametrize("params", [{}, {"group": "G"}, {"group": "G", "node": ""}, {"group": "G/x", "node": "N"},
                                    {"group": "G", "node": "#"}, {"group": "+", "node": "N"}])  # fmt: skip
def test_an_address_that_mqtt_can_t_know_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"the param '(group|node)' is"):
        address(a_device(params=params))
    assert address(a_device(params=PARAMS)) == ("G", "N")
