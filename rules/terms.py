"""The parts a compiled expression is made of: each knows its static type and binds itself to an asset's frame.

Binding gives a closure without arguments. Its answer is a value, or None for unknown: any unknown input makes a
comparison or a sum unknown; `false and unknown` is false, `true or unknown` is true (Kleene's three-valued logic).
Nothing here raises: a division by zero or an overflow is unknown and counted in the frame's `faults`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from facility.points import Point
from facility.readings import Quality
from rules.frame import Frame

Read = Callable[[], Any]
"""A bound term. Any, because the term's Type has fixed at compile time what it gives: number, bool, str or None."""
Truth = Callable[[], bool | None]
Bind = Callable[[Frame], Read]


class Type(StrEnum):
    """What a term gives, in the words of the error messages."""

    TRUTH = "a condition"
    NUMBER = "a number"
    STATE = "a state"
    TEXT = "a text"
    CODE = "a code"


@dataclass(frozen=True, slots=True)
class Term:
    """A checked part of an expression. `constant` is its value if it has one; `point` is set for a bare point."""

    type: Type
    bind: Bind
    column: int
    constant: float | bool | str | None = None
    point: Point | None = None


def constant(value: float | bool | str, *, column: int) -> Term:
    """A number, true/false, or a code."""
    kind = Type.CODE if isinstance(value, str) else Type.TRUTH if isinstance(value, bool) else Type.NUMBER
    return Term(kind, lambda _: lambda: value, column, constant=value)


def rated(name: str, default: float | None, *, column: int) -> Term:
    """A rated value of the asset; the default, or unknown, where it has none."""

    def bind(frame: Frame) -> Read:
        value = frame.rated.get(name, default)
        return lambda: value

    return Term(Type.NUMBER, bind, column)


def of_point(point: Point, kind: Type, *, column: int) -> Term:
    """The newest good value of a point."""

    def bind(frame: Frame) -> Read:
        slot = frame.slot(point.key)
        return lambda: slot.value

    return Term(kind, bind, column, point=point)


def window(function: str, source: str, *, of: Term, points: Sequence[str], length: int) -> Term:
    """A window of `length` ms over what `of` gives; `source` is its text without blanks, `points` what it reads."""

    def bind(frame: Frame) -> Read:
        found = frame.window(function, length, source=source, points=points, read=of.bind(frame))
        return lambda: found.value(frame.now)

    return Term(Type.TRUTH if function == "held" else Type.NUMBER, bind, of.column)


def stale(point: Point, *, column: int) -> Term:
    """True when nothing good can be expected: too old, or the device does not answer. Unknown before the start."""
    return _quality(point, lambda quality: quality in (Quality.STALE, Quality.COMM), column)


def bad(point: Point, *, column: int) -> Term:
    """True when the newest reading is neither good nor merely stale."""
    return _quality(point, lambda quality: quality not in (Quality.GOOD, Quality.STALE), column)


def _quality(point: Point, test: Callable[[Quality], bool], column: int) -> Term:
    def bind(frame: Frame) -> Read:
        slot = frame.slot(point.key)
        return lambda: None if slot.quality is None else test(slot.quality)

    return Term(Type.TRUTH, bind, column)


def negation(term: Term) -> Term:
    """`not term`."""

    def bind(frame: Frame) -> Read:
        read = term.bind(frame)

        def evaluate() -> bool | None:
            value = read()
            return None if value is None else not value

        return evaluate

    return Term(Type.TRUTH, bind, term.column)


def junction(terms: Sequence[Term], *, deciding: bool) -> Term:
    """`and` (False decides) or `or` (True decides)."""

    def bind(frame: Frame) -> Read:
        reads: list[Truth] = [term.bind(frame) for term in terms]
        if len(reads) == 2:
            return _pair(reads[0], reads[1], deciding=deciding)

        def evaluate() -> bool | None:
            unknown = False
            for read in reads:
                value = read()
                if value is deciding:
                    return deciding
                if value is None:
                    unknown = True
            return None if unknown else not deciding

        return evaluate

    return Term(Type.TRUTH, bind, terms[0].column)


def _pair(first: Truth, second: Truth, *, deciding: bool) -> Truth:
    def evaluate() -> bool | None:
        left = first()
        if left is deciding:
            return deciding
        right = second()
        if right is deciding:
            return deciding
        return None if left is None or right is None else not deciding

    return evaluate


COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Eq": operator.eq, "NotEq": operator.ne,
    "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt, "GtE": operator.ge,
}  # fmt: skip


def comparison(name: str, left: Term, right: Term) -> Term:
    """`left op right`, by the name that `ast` has for the operator; unknown if either side is."""
    compare = COMPARISONS[name]

    def bind(frame: Frame) -> Read:
        if left.point is not None and right.constant is not None:
            return _threshold(compare, frame, left.point.key, right.constant)
        first, second, limit = left.bind(frame), right.bind(frame), right.constant

        def evaluate() -> bool | None:
            one = first()
            if one is None:
                return None
            other = second() if limit is None else limit
            return None if other is None else compare(one, other)

        return evaluate

    return Term(Type.TRUTH, bind, left.column)


def _threshold(compare: Callable[[Any, Any], Any], frame: Frame, key: str, limit: float | bool | str) -> Read:
    """A point against a constant, which most comparisons are: without the two inner calls."""
    slot = frame.slot(key)

    def evaluate() -> bool | None:
        value = slot.value
        return None if value is None else compare(value, limit)

    return evaluate


def membership(term: Term, members: Sequence[float | bool | str]) -> Term:
    """`term in (a, b)`; unknown if the term is."""
    allowed = frozenset(members)

    def bind(frame: Frame) -> Read:
        read = term.bind(frame)

        def evaluate() -> bool | None:
            value = read()
            return None if value is None else value in allowed

        return evaluate

    return Term(Type.TRUTH, bind, term.column)


def choice(test: Term, then: Term, otherwise: Term) -> Term:
    """`then if test else otherwise`; unknown if the test is."""

    def bind(frame: Frame) -> Read:
        decide, yes, no = test.bind(frame), then.bind(frame), otherwise.bind(frame)

        def evaluate() -> float | bool | None:
            value = decide()
            result: float | bool | None = None if value is None else yes() if value else no()
            return result

        return evaluate

    return Term(then.type, bind, then.column)


ARITHMETIC: Mapping[str, Callable[[Any, Any], float]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv, "Mod": operator.mod,
}  # fmt: skip
FUNCTIONS: Mapping[str, Callable[..., float]] = {"abs": abs, "min": min, "max": max, "minus": operator.neg}


def calculation(function: Callable[..., float], terms: Sequence[Term]) -> Term:
    """A function of numbers; unknown if any of them is, and unknown and counted if it has no finite answer."""

    def bind(frame: Frame) -> Read:
        reads = [term.bind(frame) for term in terms]

        def evaluate() -> float | None:
            values = [read() for read in reads]
            return None if None in values else _finite(frame, function, *values)

        def evaluate_one() -> float | None:
            value = reads[0]()
            return None if value is None else _finite(frame, function, value)

        def evaluate_two() -> float | None:
            one, other = reads[0](), reads[1]()
            return None if one is None or other is None else _finite(frame, function, one, other)

        return {1: evaluate_one, 2: evaluate_two}.get(len(reads), evaluate)

    return Term(Type.NUMBER, bind, terms[0].column)


def _finite(frame: Frame, function: Callable[..., float], *values: float) -> float | None:
    try:
        result = function(*values)
        if math.isfinite(result):
            return result
    except (ZeroDivisionError, OverflowError):
        pass  # counted below, like an infinity
    frame.faults += 1
    return None
