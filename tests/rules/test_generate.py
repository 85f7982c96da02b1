"""What is generated from an expression says what a plain walk over the same tree says, faults included."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.readings import Quality
from rules.language import generate
from rules.language.expression import compile_expression
from rules.language.frame import Frame

CLASSES = load_catalog().classes
LIFT, GATEWAY = CLASSES["elevator"], CLASSES["gateway"]
Values = dict[str, Any]
Tree = tuple[str, Any]
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod,
}  # fmt: skip

numbers: st.SearchStrategy[Tree] = st.recursive(
    st.one_of(
        st.tuples(st.just("point"), st.sampled_from(["brake.lining", "car.load", "power.ard_battery"])),
        st.tuples(st.just("number"), st.sampled_from([0, 1, 2.5, 100])),
    ),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/", "%", "min", "max"]), st.tuples(inner, inner)),
        st.tuples(st.sampled_from(["abs", "minus"]), st.tuples(inner)),
    ),
    max_leaves=4,
)
truths: st.SearchStrategy[Tree] = st.recursive(
    st.one_of(
        st.tuples(st.just("point"), st.sampled_from(["car.moving", "car.overload"])),
        st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.tuples(numbers, numbers)),
        st.tuples(st.just("in"), st.tuples(numbers)),
    ),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=4).map(tuple)),
        st.tuples(st.just("not"), st.tuples(inner)),
        st.tuples(st.just("if"), st.tuples(inner, inner, inner)),
    ),
    max_leaves=5,
)
huge = st.one_of(st.integers(-3, 3), st.floats(-3, 3), st.sampled_from([1e308, -1e308, 10**400, 5e-324, 10**15]))
values = st.fixed_dictionaries(
    {key: st.one_of(st.none(), huge) for key in ("brake.lining", "car.load", "power.ard_battery")}
    | {key: st.one_of(st.none(), st.booleans()) for key in ("car.moving", "car.overload")}
)


def text(tree: Tree) -> str:
    """The tree as people write it."""
    name, inner = tree
    if name in ("point", "number"):
        return str(inner)
    parts = [text(part) for part in inner]
    if name == "not":
        return f"(not {parts[0]})"
    if name == "minus":
        return f"(-{parts[0]})"
    if name == "if":
        return f"({parts[1]} if {parts[0]} else {parts[2]})"
    if name == "in":
        return f"({parts[0]} in (1, 2.5, 0))"
    return f"{name}({', '.join(parts)})" if name in ("abs", "min", "max") else f"({f' {name} '.join(parts)})"


class Naive:
    """Walks the tree by the book: three-valued logic, no more is asked than is needed to decide."""

    def __init__(self, given_values: Values) -> None:
        self._values = given_values
        self.faults = 0

    def __call__(self, tree: Tree) -> Any:
        name, inner = tree
        if name == "point":
            return self._values[inner]
        if name == "number":
            return float(inner)
        if name in ("and", "or"):
            return self._junction(inner, deciding=name == "or")
        first = self(inner[0])
        if name in ("not", "in", "if") or name in ("<", "<=", ">", ">=", "==", "!="):
            return None if first is None else self._judged(name, first, inner)
        return self._calculated(name, [first, *(self(part) for part in inner[1:])])

    def _judged(self, name: str, first: Any, inner: tuple[Tree, ...]) -> Any:
        if name == "not":
            return not first
        if name == "in":
            return first in (1, 2.5, 0)
        if name == "if":
            return self(inner[1] if first else inner[2])  # type: ignore[no-any-return]
        other = self(inner[1])
        return None if other is None else OPERATORS[name](first, other)

    def _junction(self, inner: tuple[Tree, ...], *, deciding: bool) -> bool | None:
        unknown = False
        for part in inner:
            value = self(part)
            if value is deciding:
                return deciding
            unknown = unknown or value is None
        return None if unknown else not deciding

    def _calculated(self, name: str, parts: list[Any]) -> Any:
        if None in parts:
            return None
        functions: dict[str, Callable[..., Any]] = {"abs": abs, "minus": operator.neg, "min": min, "max": max}
        try:
            result = (functions | OPERATORS)[name](*parts)
            if math.isfinite(result):
                return result
        except (ZeroDivisionError, OverflowError):
            pass
        self.faults += 1
        return None


def bound(source: str, given_values: Values) -> tuple[Frame, Any]:
    frame = Frame(LIFT.points, {})
    for key, value in given_values.items():
        frame.slot(key).take(1, value, Quality.GOOD if value is not None else Quality.COMM)
    return frame, compile_expression(source, LIFT).bind(frame)


@pytest.mark.slow
@given(truths, values)
def test_generated_and_walked_agree(tree: Tree, given_values: Values) -> None:
    naive = Naive(given_values)
    wanted = naive(tree)
    frame, read = bound(text(tree), given_values)
    found = read()
    if 10**400 in given_values.values():  # past every float: it may decide nothing, and never raises
        assert found in (wanted, None)
        return
    assert found is wanted
    assert frame.faults == naive.faults


@pytest.mark.parametrize("depth", [1, 19, 20, 21, 45, 95])
def test_depth_has_no_limit_of_its_own(depth: int) -> None:
    _, read = bound("not " * depth + "car.moving", {"car.moving": True})
    assert read() is (depth % 2 == 0)
    frame, read = bound("-" * depth + "brake.lining > 0", {"brake.lining": 2.0})
    assert read() is (depth % 2 == 0)
    assert frame.faults == 0


def test_no_text_of_a_rule_is_in_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    made = generate._made

    def spy(source: str) -> Callable[..., generate.Read]:
        seen.append(source)
        return made(source)

    monkeypatch.setattr(generate, "_made", spy)
    rule = "held(gw.problem == 'evil', '10s') or bad(gw.down) and rated('speed') in (1, 2)"
    read = compile_expression(rule, GATEWAY).bind(Frame(GATEWAY.points, {"speed": 1.0}))
    assert read() is None
    assert len(seen) == 2
    assert not [word for word in ("evil", "speed", "gw", "problem", "held", "bad", "10") if word in "".join(seen)]


def test_it_sees_no_builtins() -> None:
    _, read = bound("car.moving", {"car.moving": True})
    assert read.func.__globals__["__builtins__"] == {}
    assert set(read.func.__globals__) == {"__builtins__", "abs", "min", "max", "OverflowError"}
