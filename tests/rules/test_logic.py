"""What is refused as never true is never true: searched by brute force over small values."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.readings import Quality
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.language.logic import negated, refuted

LIFT = load_catalog().classes["elevator"]
NUMBERS = ["level.error", "car.position"]
TRUTHS = ["car.moving", "car.overload"]
GRID = [number / 2 for number in range(-7, 8)]
STATES = list(range(5))

limits = st.integers(-3, 3)
atoms = st.one_of(
    st.sampled_from([*TRUTHS, "car.moving == true", "car.moving != true", "true", "false", "1 < 2", "2 in (1, 3)"]),
    st.builds("{} {} {}".format, st.sampled_from(NUMBERS), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), limits),
    st.builds("{} {} {}".format, limits, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.sampled_from(NUMBERS)),
    st.builds("{} {} ({}, {})".format, st.sampled_from(NUMBERS), st.sampled_from(["in", "not in"]), limits, limits),
    st.builds("{} < {} <= {}".format, limits, st.sampled_from(NUMBERS), limits),
    st.builds("mode.service {} '{}'".format, st.sampled_from(["==", "!="]), st.sampled_from(["stop", "normal"])),
    st.sampled_from(["level.error < car.position", "abs(level.error) < 2", "level.error + 1 > 2"]),
)
conjunctions = st.lists(atoms, min_size=1, max_size=6).map(" and ".join)
trees = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' and '.join(parts)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' or '.join(parts)})"),
        inner.map("(not {})".format),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("votes(2, {}, {}, {})".format, inner, inner, inner),
    ),
    max_leaves=8,
)


def answers(text: str) -> set[bool | None]:
    """What the condition says over the whole grid."""
    compiled = compile_expression(text, LIFT)
    frame = Frame(LIFT.points, {})
    read = compiled.bind(frame)
    domains: dict[str, list[Any]] = {"mode.service": STATES} | dict.fromkeys(NUMBERS, GRID)
    used = [(frame.slot(key), domains.get(key, [True, False])) for key in compiled.points]
    found = set()
    for values in itertools.product(*[domain for _, domain in used]):
        for (slot, _), value in zip(used, values, strict=True):
            slot.take(1, value, Quality.GOOD)
        found.add(read())
    return found


@pytest.mark.slow
@given(st.one_of(conjunctions, trees))
def test_nothing_that_some_values_meet_is_refused(text: str) -> None:
    logic = compile_expression(text, LIFT).logic
    found = answers(text)
    if True in found:
        assert refuted(logic) == ""
    if False in found:
        assert refuted(negated(logic)) == ""


@pytest.mark.slow
@given(conjunctions)
def test_conjunctions_over_single_points_are_seen_through(text: str) -> None:
    if any(word in text for word in ("abs", "+", "error < car")):
        return
    assert bool(refuted(compile_expression(text, LIFT).logic)) is (True not in answers(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("false", "always false"),
        ("1 > 2", "always false"),
        ("car.speed > 5 and car.speed < 3", "no value of car.speed meets it"),
        ("car.speed > 5 and car.moving and not car.speed > 4", "no value of car.speed"),
        ("3 < car.speed < 2", "no value of car.speed"),
        ("car.speed > 12.5", "no value of car.speed meets it (it is between -12 and 12)"),
        ("car.speed < -12", "between -12 and 12"),
        ("car.speed == 13", "between -12 and 12"),
        ("avg(car.speed, '10m') > 13", "no value of avg(car.speed, '10m')"),
        ("avg(car.speed, '10m') > 2 and avg(car.speed, '10m') < 1", "no value of avg(car.speed, '10m')"),
        ("count(car.moving, '10m') < 0", "no value of count(car.moving, '10m')"),
        ("mode.service == 'stop' and mode.service == 'normal'", "no value of mode.service"),
        ("mode.service in ('stop', 'normal') and mode.service not in ('stop', 'normal')", "no value of mode.service"),
        ("car.moving and not car.moving", "no value of car.moving"),
        ("car.moving == 'running' and car.moving == false", "no value of car.moving"),
        ("held(car.moving, '5s') and not held(car.moving, '5s')", "no value of held(car.moving, '5s')"),
        ("(car.speed > 5 or car.moving) and car.speed < 3 and not car.moving", "no value of"),
        ("car.speed > 2 and car.speed < 1 or car.floor > 3 and car.floor < 2", "no value of car.speed"),
        ("car.speed > 5 if false else car.speed > 13", "no value of car.speed"),
        ("stale(car.speed) and not stale(car.speed)", "no value of stale(car.speed)"),
        ("car.speed > car.speed + 1 and not car.speed > car.speed + 1", "no value of car.speed > car.speed + 1"),
    ],
)
def test_what_can_never_be_true_is_told_why(text: str, words: str) -> None:
    assert words in refuted(compile_expression(text, LIFT).logic)


@pytest.mark.parametrize(
    "text",
    [
        "car.speed >= 12", "car.speed > 1 and car.load < 0", "car.speed > 1 or car.speed > 13",
        "abs(level.error) > 600", "level.error * 2 > 900", "fault.code > 3 and fault.code < 5",
        "stale(car.speed) and car.floor > 2", "rated('a') > 3 and rated('a') < 4",
        " and ".join(f"(car.speed != {number} or car.load != {number})" for number in range(12)),
    ],
)  # fmt: skip
def test_what_may_be_true_stays(text: str) -> None:
    assert refuted(compile_expression(text, LIFT).logic) == ""
