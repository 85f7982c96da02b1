"""The short notation of series: what it means, and that it says what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.points import Kind, Label, Point, State
from facility.readings import Quality
from rules.trial.notation import MAX_STEPS, NotationError, instant, reading, series, written

PUMP = load_catalog().classes["water_pump"]
PRESSURE = next(point for point in PUMP.points.values() if point.kind is Kind.ANALOG)
LIFT = load_catalog().classes["elevator"]
SERVICE, MOVING = LIFT.points["mode.service"], LIFT.points["car.moving"]


def good(*values: object) -> list[object]:
    return [(value, Quality.GOOD) for value in values]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.45x3 0.28", good(0.45, 0.45, 0.45, 0.28)),
        ("0.3+0.1x3", good(0.3, 0.4, 0.5)),
        ("5-2x3", good(5.0, 3.0, 1.0)),
        ("-1+1x2", good(-1.0, 0.0)),
        ("1 _x2 2", [*good(1.0), None, None, *good(2.0)]),
        ("1 <comm>x2", [*good(1.0), (None, Quality.COMM), (None, Quality.COMM)]),
        ("<stale>", [(None, Quality.STALE)]),
    ],
)
def test_numbers(text: str, expected: list[object]) -> None:
    assert series(PRESSURE, text) == expected


def test_states_are_written_by_their_codes() -> None:
    inspection = SERVICE.state("inspection")
    assert inspection
    assert series(SERVICE, "inspectionx2") == good(inspection.number, inspection.number)
    assert series(MOVING, "running stopped true") == good(True, False, True)


def test_a_state_whose_code_ends_like_a_repetition_is_the_state() -> None:
    label = Label("档", "stage")
    point = Point("fan", Kind.ENUM, label, states={1: State(1, "fan_x2", label), 2: State(2, "fan_", label)})
    assert series(point, "fan_x2 fan_x2x2") == good(1, 1, 1)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("flying", "no value of"),
        ("<bad>", "no quality"),
        ("<good>", "no quality"),
        ("<comm", "no quality"),
        ("1x0", "x0"),
        (f"1x{MAX_STEPS + 1}", "steps"),
        ("1x9999999 1x9999999", "steps"),
        ("", "empty"),
        ("1++2x3", "no value"),
        ("nan", "no value"),
    ],
)
def test_what_is_wrong_is_said(text: str, word: str) -> None:
    with pytest.raises(NotationError, match=word):
        series(PRESSURE, text)


@pytest.mark.parametrize(
    ("given_", "ms"), [("90", 90_000), ("1m30s", 90_000), ("2h", 7_200_000), ("1d", 86_400_000), ("0.5", 500)]
)
def test_instants(given_: str, ms: int) -> None:
    assert instant(given_) == ms


@pytest.mark.parametrize("text", ["", "x", "-1", "1w", "1s2m", "9" * 40])
def test_instants_that_are_none(text: str) -> None:
    with pytest.raises(NotationError):
        instant(text)


@given(st.integers(0, 31 * 86_400_000))
def test_an_instant_that_is_written_is_read_as_itself(ms: int) -> None:
    if ms > 7_200_000 or ms % 1000 == 0:
        assert instant(written(ms)) == ms


@given(st.text(alphabet="0123456789.+-x_<>com ", max_size=30))
def test_any_text_is_a_bounded_series_or_an_error(text: str) -> None:
    try:
        found = series(PRESSURE, text)
    except NotationError:
        return
    assert 0 < len(found) <= MAX_STEPS
    assert all(item is None or isinstance(item[0], float) or not item[1].is_good for item in found)


def test_a_value_must_be_of_its_points_kind() -> None:
    for value in (True, None, float("inf")):
        with pytest.raises(NotationError):
            reading(PRESSURE, value)
    with pytest.raises(NotationError):
        reading(MOVING, 3)
