"""An expression laid open says the same as the function that the engine calls, in every part."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.readings import Quality
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.language.trace import Form, Node, Trace
from tests.rules.test_generate import text, truths, values

CLASSES = load_catalog().classes
LIFT, POWER = CLASSES["elevator"], CLASSES["power"]
WINDOWED = (
    "avg(car.load, '10s') > 40", "held(car.moving, '5s')", "count(car.overload, '60s') >= 2",
    "changes(car.moving, '30s') > 1", "since(car.moving) < 7", "max(car.load, '20s') - min(car.load, '20s') > 10",
    "percentile(car.load, '10s', 90) > 50", "stale(car.load)", "bad(car.moving)", "1 < rate(car.load, '10s') <= 9",
    "votes(2, car.moving, car.overload, car.load > 50)", "mode.service in ('inspection', 'stop')",
)  # fmt: skip
steps = st.lists(
    st.tuples(
        st.integers(1, 9000),
        st.one_of(st.none(), st.floats(0, 100)),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.booleans()),
    ),
    max_size=12,
)


def over(source: str, given_values: dict[str, Any], at: int = 1) -> Node:
    frame = Frame(LIFT.points, {})
    for key, value in given_values.items():
        frame.slot(key).take(at, value, Quality.GOOD if value is not None else Quality.COMM)
    return Trace(source, LIFT).over(frame)


@given(truths, values)
def test_the_root_says_what_the_rule_says(tree: Any, given_values: dict[str, Any]) -> None:
    frame = Frame(LIFT.points, {})
    for key, value in given_values.items():
        frame.slot(key).take(1, value, Quality.GOOD if value is not None else Quality.COMM)
    said = compile_expression(text(tree), LIFT).bind(frame)()
    assert Trace(text(tree), LIFT).over(frame).value is said


@given(st.lists(st.sampled_from(WINDOWED), min_size=1, max_size=4, unique=True), st.sampled_from(["and", "or"]), steps)
def test_windows_say_the_same_too(parts: list[str], word: str, readings: list[tuple[int, Any, Any, Any]]) -> None:
    source = f" {word} ".join(parts)
    frame = Frame(LIFT.points, {})
    read = compile_expression(source, LIFT).bind(frame)
    trace = Trace(source, LIFT)
    at = 1000
    for gap, *row in readings:
        at += gap
        frame.now = at
        for key, value in zip(("car.load", "car.moving", "car.overload"), row, strict=True):
            frame.slot(key).take(at, value, Quality.GOOD if value is not None else Quality.COMM)
        frame.fed(at, [frame.slot(key) for key in ("car.load", "car.moving", "car.overload")])
        root = trace.over(frame)
        assert root.value is read()
        assert trace.over(frame) == root  # looking changes nothing
        if len(parts) > 1:
            assert [part.text for part in root.parts] == [Trace(part, LIFT).over(frame).text for part in parts]


@given(truths, values)
def test_and_or_and_not_follow_from_their_parts(tree: Any, given_values: dict[str, Any]) -> None:
    for node in over(text(tree), given_values).walk():
        truths_below = [part.value for part in node.parts]
        if node.form is Form.ALL:
            assert node.value is (False if False in truths_below else None if None in truths_below else True)
        if node.form is Form.ANY:
            assert node.value is (True if True in truths_below else None if None in truths_below else False)
        if node.form is Form.NOT:
            assert node.value is (None if node.parts[0].value is None else not node.parts[0].value)


def test_every_part_has_its_value_its_unit_and_its_point() -> None:
    root = over("car.moving and not car.speed > 1.5 or 0 < car.load < 90", {"car.moving": True, "car.speed": 2.0})
    assert (root.form, root.value) == (Form.ANY, None)
    both, between = root.parts
    assert (both.form, both.value, between.form, between.value) == (Form.ALL, False, Form.COMPARE, None)
    assert (between.name, [part.text for part in between.parts]) == ("Lt Lt", ["0", "car.load", "90"])
    speed = both.parts[1].parts[0].parts[0]
    assert (speed.form, speed.value, speed.unit, speed.point and speed.point.key) == (
        Form.POINT, 2.0, "m/s", "car.speed",
    )  # fmt: skip


def test_a_window_shows_what_it_is_over_and_quality_its_point() -> None:
    root = over("avg(car.speed, '10m') > 1 or stale(car.load)", {"car.speed": 2.0})
    mean = root.parts[0].parts[0]
    assert (mean.form, mean.name, mean.span, mean.value) == (Form.CALL, "avg", "10m", None)
    assert [part.value for part in mean.parts] == [2.0]
    assert root.parts[1].point is LIFT.point("car.load")


def test_other_assets_are_each_shown() -> None:
    frames = [Frame(POWER.points, {}) for _ in range(3)]
    mine = Frame(LIFT.points, {})
    mine.relatives = lambda _: frames
    source = "upstream('power', not ats.src1_ok) >= 1"
    for frame, value in zip(frames, (True, None, False), strict=True):
        frame.slot("ats.src1_ok").take(1, value, Quality.GOOD if value is not None else Quality.COMM)
    root = Trace(source, LIFT, classes=CLASSES).over(mine, lambda _: ["PW-1", "PW-2", "PW-3"])
    asked = root.parts[0]
    assert (root.value, asked.form) == (True, Form.RELATION)
    assert [(part.name, part.value) for part in asked.parts] == [("PW-1", False), ("PW-2", None), ("PW-3", True)]
    assert root.value is compile_expression(source, LIFT, classes=CLASSES).bind(mine)()
