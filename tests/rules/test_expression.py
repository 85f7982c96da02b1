"""The rule language: what it means, what it refuses, and that unknown stays unknown."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.readings import Quality
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.language.grammar import MAX_NODES, ExpressionError, milliseconds

CLASSES = load_catalog().classes
LIFT, POWER, PUMP, DOORS = (CLASSES[name] for name in ("elevator", "power", "water_pump", "access_control"))


def evaluate(text: str, values: dict[str, Any], *, of: Any = LIFT, index: int = 0, rated: Any = None) -> bool | None:
    """The answer with these values; a point that is not given is unknown."""
    frame = Frame(of.points, rated or {})
    read = compile_expression(text, of, index=index).bind(frame)
    for key, value in values.items():
        frame.slot(key).take(1, value, Quality.GOOD if value is not None else Quality.COMM)
    return read()


def error(text: str, *, of: Any = LIFT) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, of)
    return caught.value


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("car.speed > 1", {"car.speed": 1.5}, True),
        ("1 < car.speed <= 2", {"car.speed": 2}, True),
        ("1 < car.speed <= 2", {"car.speed": 2.5}, False),
        ("car.speed + 1 == 2.5", {"car.speed": 1.5}, True),
        ("-car.speed * 2 - 1 < -3", {"car.speed": 1.5}, True),
        ("car.position % 1000 < 10 and car.position / 1000 >= 3", {"car.position": 3005}, True),
        ("abs(level.error) > 5", {"level.error": -6.0}, True),
        ("max(car.speed, 1, -car.speed) == 3", {"car.speed": -3.0}, True),
        ("min(car.speed, 1) == 1", {"car.speed": 3.0}, True),
        ("not car.moving", {"car.moving": False}, True),
        ("car.moving == 'running'", {"car.moving": True}, True),
        ("car.moving != true", {"car.moving": True}, False),
        ("mode.service == 'inspection'", {"mode.service": 2}, True),
        ("'inspection' == mode.service", {"mode.service": 1}, False),
        ("mode.service in ('inspection', 'stop')", {"mode.service": 0}, True),
        ("mode.service not in ('inspection', 'stop')", {"mode.service": 1}, True),
        ("fault.code >= 3", {"fault.code": 4}, True),
        ("(car.speed if car.moving else 0) > 1", {"car.speed": 2, "car.moving": False}, False),
        ("car.moving if car.speed > 1 else false", {"car.speed": 2, "car.moving": True}, True),
        ("abs(car.speed) > rated('speed') * 1.15", {"car.speed": 2.1}, True),
        ("car.load > rated('limit', 110)", {"car.load": 111}, True),
        ("\n  car.moving\n  and car.overload\n", {"car.moving": True, "car.overload": True}, True),
    ],
)
def test_means_what_it_says(text: str, values: dict[str, Any], expected: bool) -> None:
    assert evaluate(text, values, rated={"speed": 1.75}) is expected


def test_keys_with_python_keywords_and_indices() -> None:
    assert evaluate("e.import.l1 > e.import", {"e.import.l1": 2.0, "e.import": 1.0}, of=POWER)
    assert evaluate(
        "pump[n].fault and not pump[3].fault", {"pump[2].fault": True, "pump[3].fault": False}, of=PUMP, index=2
    )


def test_windows_points_and_rated_values_are_listed() -> None:
    found = compile_expression("avg(car.speed, '10m') > 1 and held(car.moving, '5s') and car.load > rated('x')", LIFT)
    assert found.points == ("car.speed", "car.moving", "car.load")
    assert found.windows == (("avg", 600.0), ("held", 5.0))
    assert found.rated == ("x",)
    assert found.is_timed


TRUTHS = [True, False, None]


def kleene_and(values: tuple[bool | None, ...]) -> bool | None:
    return False if False in values else None if None in values else True


def kleene_or(values: tuple[bool | None, ...]) -> bool | None:
    return True if True in values else None if None in values else False


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(("word", "expected"), [("and", kleene_and), ("or", kleene_or)])
def test_three_valued_tables(count: int, word: str, expected: Callable[[tuple[bool | None, ...]], bool | None]) -> None:
    keys = ["car.moving", "car.overload", "car.full_load"][:count]
    for values in itertools.product(TRUTHS, repeat=count):
        given_values = dict(zip(keys, values, strict=True))
        assert evaluate(f" {word} ".join(keys), given_values) is expected(values), values


@pytest.mark.parametrize("value", TRUTHS)
def test_not(value: bool | None) -> None:
    assert evaluate("not car.moving", {"car.moving": value}) is (None if value is None else not value)


@pytest.mark.parametrize(
    "text",
    [
        "car.speed > 1", "car.speed + 1 > 1", "1 < car.speed < 3", "mode.service == 'stop'",
        "mode.service in ('stop',)",
        "abs(car.speed) > 1", "max(car.speed, 2) > 1", "rated('none') > 1", "car.moving if car.overload else true",
        "avg(car.speed, '10s') > 1", "count(car.moving, '10s') > 1", "held(car.moving, '10s')", "stale(car.speed)",
    ],
)  # fmt: skip
def test_unknown_in_unknown_out(text: str) -> None:
    assert evaluate(text, {}) is None


def test_a_value_of_the_wrong_type_is_unknown() -> None:
    for value in ("fast", True, float("nan")):
        assert evaluate("car.speed > 1", {"car.speed": value}) is None
    assert evaluate("mode.service == 'stop'", {"mode.service": False}) is None


@pytest.mark.parametrize("text", ["1 / car.speed > 0", "car.load % car.speed > 0", "1e14 * 1e14 / car.speed > 0"])
def test_no_finite_answer_is_unknown_and_counted(text: str) -> None:
    frame = Frame(LIFT.points, {})
    read = compile_expression(text, LIFT).bind(frame)
    for key in ("car.speed", "car.load"):
        frame.slot(key).take(1, 0.0, Quality.GOOD)
    assert read() is None
    assert frame.faults == 1


def test_an_overflow_is_unknown() -> None:
    big = " * ".join(["cnt.trips"] * 28)
    assert evaluate(f"{big} > 1.0", {"cnt.trips": 10**15}) is None


def test_quality_functions() -> None:
    frame = Frame(LIFT.points, {})
    stale, bad = (compile_expression(text, LIFT).bind(frame) for text in ("stale(car.speed)", "bad(car.speed)"))
    answers = {}
    for quality in Quality:
        frame.slot("car.speed").take(1, 1.0 if quality.is_good else None, quality)
        answers[quality] = (stale(), bad())
    assert answers[Quality.GOOD] == (False, False)
    assert answers[Quality.STALE] == (True, False)
    assert answers[Quality.COMM] == (True, True)
    assert answers[Quality.RANGE] == (False, True)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "empty"),
        ("car.flor > 3", 1, "did you mean car.floor"),
        ("car.speed > 1 and mode.service == 'test'", 35, "its states: 'stop', 'normal'"),
        ("car.speed >", 12, "syntax"),
        ("  car.speed > > 1", 15, "syntax"),
        ("car.load", 1, "a condition is needed"),
        ("car.moving + 1 > 1", 1, "a number is needed"),
        ("car.moving > 1", 1, "can't be compared"),
        ("car.moving < car.overload", 1, "has no order"),
        ("car.speed == 'fast'", 14, "no state"),
        ("1 == 'one'", 6, "point that has states"),
        ("car.speed > 1e15", 13, "below 1e+15"),
        ("avg(car.speed, '10 min') > 1", 16, "a span is"),
        ("avg(car.speed, '100ms') > 1", 16, "1 s to 24 h"),
        ("avg(avg(car.speed, '10s'), '1m') > 1", 5, "inside avg"),
        ("avg(1, '10s') > 1", 5, "at least one point"),
        ("avg(car.speed) > 1", 1, "takes a value and a span"),
        ("rated(car.speed) > 1", 7, "a name in quotes"),
        ("rated('x', car.speed) > 1", 12, "plain number"),
        ("pump[2].fault", 1, "no point"),
        ("power(car.speed) > 1", 1, "there is no function"),
        ("car.moving if car.speed > 1 else 3", 1, "both sides"),
        ("car.speed in (1, car.load)", 18, "is no value"),
        ("car.speed in 3", 14, "values in brackets"),
        ("car.speed is 3", 14, "compare with"),
        ("+car.speed > 1", 1, "can stand before"),
        ("car.speed ** 2 > 1", 1, "can stand between"),
        ("avg(car.speed, '10s', k='1') > 1", 1, "named arguments"),
    ],
)  # fmt: skip
def test_errors_name_the_column_and_what_to_do(text: str, column: int, words: str) -> None:
    found = error(text)
    assert words in found.message
    assert found.column == column
    assert str(found).startswith(f"column {column}: ")


def test_n_needs_an_index() -> None:
    assert "made for each index" in error("pump[n].fault", of=PUMP).message
    assert "number from 1" in error("pump[0].fault", of=PUMP).message
    assert "number from 1" in error("pump['1'].fault", of=PUMP).message


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')", "().__class__.__bases__[0].__subclasses__()", "car.__class__ == 1",
        "car.speed.__init__.__globals__", "open('/etc/passwd')", "exec('1')", "lambda: 1",
        "[x for x in (1, 2)]",
        "{'a': 1}", "(car.speed := 3) > 1", "f'{car.speed}' == 'x'", "b'x' == 'x'", "1j > 0", "... == 1", "None",
        "car.speed << 999999999 > 1", "9 ** 9 ** 9 > 1", "'a' * 999999999 == 'b'", "~car.floor > 1",
        "car.floor @ 2 > 1",
        "min(*car.floor) > 1", "abs(**car) > 1", "await car", "yield car", "car[0:2] > 1", "car.speed > 1; 2",
        "car.speed > 1 # x", "car.speed > 1\\\n", "import os", "ｃar.speed > 1", "car.speed > 1\x00",
        "[car.speed][0] > 1",
        "99999999999999999999 > car.speed", "1e999 > car.speed", "if(1)", "print(car.speed)", "n > 1", "abs > 1",
    ],
)  # fmt: skip
def test_malicious_text_is_refused(text: str) -> None:
    error(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 200 + "car.moving" + ")" * 200, "not " * 120 + "car.moving", "-" * 490 + "1 > 0",
        "1" + "<2" * 200, "car.moving or " * 1000 + "car.moving", "[" * 499, "9" * 499,
        "abs(" * 60 + "1" + ")" * 60,
    ],
)  # fmt: skip
def test_what_is_too_much_is_refused(text: str) -> None:
    error(text)


@pytest.mark.slow
@given(st.text(max_size=600))
def test_any_text_compiles_or_is_an_expression_error(text: str) -> None:
    column = 1
    try:
        compile_expression(text, LIFT)
    except ExpressionError as found:
        column = found.column
    assert 1 <= column <= max(len(text), 1) + 1


WORDS = st.sampled_from(
    ["car.moving", "car.speed", "mode.service", "and", "or", "not", "(", ")", ",", "<", "==", "+", "/", "1", "0",
     "'stop'", "avg", "held", "'10s'", "abs", "if", "else", "in", "[", "]", "n", ".", "stale", "min", "car.overload"]
)  # fmt: skip


@pytest.mark.slow
@given(st.lists(WORDS, max_size=14).map(" ".join))
def test_words_of_the_language_in_any_order(text: str) -> None:
    frame = Frame(LIFT.points, {})
    try:
        read = compile_expression(text, LIFT).bind(frame)
    except ExpressionError:
        return
    for key, value in {"car.moving": True, "car.speed": 0.0, "mode.service": 0, "car.overload": False}.items():
        frame.slot(key).take(1, value, Quality.GOOD)
    assert read() in (True, False, None)


numbers = st.sampled_from(["level.error", "car.position", "2", "(level.error - 1)", "abs(car.position)"])
conditions = st.recursive(
    st.one_of(
        st.sampled_from(["car.moving", "car.overload", "true"]),
        st.builds("{} {} {}".format, numbers, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers),
    ),
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {} or {})".format, inner, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(conditions, st.booleans(), st.booleans(), st.integers(-3, 3), st.integers(-3, 3))
def test_known_values_mean_what_python_means(text: str, moving: bool, overload: bool, speed: int, load: int) -> None:
    values = {"car.moving": moving, "car.overload": overload, "level.error": speed, "car.position": load}
    plain = text.replace("true", "True")
    for key in values:
        plain = plain.replace(key, key.replace(".", "_"))
    wanted = eval(plain, {"abs": abs}, {key.replace(".", "_"): value for key, value in values.items()})
    assert evaluate(text, values) is wanted


@pytest.mark.slow
@given(conditions, st.sampled_from(["car.moving", "car.overload", "level.error", "car.position"]), st.integers(-3, 3))
def test_what_is_known_without_a_point_is_true_with_every_value_of_it(text: str, hidden: str, number: int) -> None:
    values: dict[str, Any] = {"car.moving": True, "car.overload": False, "level.error": number, "car.position": 1}
    without = evaluate(text, {key: value for key, value in values.items() if key != hidden})
    if without is None:
        return
    candidates: list[Any] = [True, False] if isinstance(values[hidden], bool) else [-5, 0, number, 7.5]
    for value in candidates:
        assert evaluate(text, values | {hidden: value}) is without


def test_limits_are_where_they_are_said_to_be() -> None:
    assert MAX_NODES == 200
    compile_expression("car.moving" + " or car.moving" * 34, LIFT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 10_000),
        ("1.5m", 90_000),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
        ("250ms", 250),
        ("10", None),
        ("s", None),
    ],
)
def test_spans(text: str, expected: int | None) -> None:
    assert milliseconds(text) == expected


def test_doors_text() -> None:
    assert evaluate("door[1].state == 'forced' or door[1].forced", {"door[1].state": 3}, of=DOORS) is True
