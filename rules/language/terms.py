"""The parts a compiled expression is made of: each knows its static type and gives its source in the rule's function.

The source is an expression (generate.py says of what). Its answer is a value, or None for unknown: any unknown input
makes a comparison or a sum unknown; `false and unknown` is false, `true or unknown` is true (Kleene's three-valued
logic). Nothing here raises: a division by zero or an overflow is unknown and counted in the frame's `faults`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from facility.points import Point
from facility.readings import Quality
from rules.language.generate import Bind, Emit, Scope, function
from rules.language.logic import ANY, Either, Every, Logic, Values, fixed, negated
from rules.language.windowkinds import WindowKind

_BIG = sys.float_info.max


class Type(StrEnum):
    """What a term gives, in the words of the error messages."""

    TRUTH = "a condition"
    NUMBER = "a number"
    STATE = "a state"
    TEXT = "a text"
    CODE = "a code"


@dataclass(frozen=True, slots=True)
class Term:
    """A checked part of an expression. `constant` is its value if it has one; `point` is set for a bare point.

    Of a number: its `unit` (measures.py), the values that it can have, and `bounds`, which binds to a function that
    gives the least and the most that it can be (relating.py). Of a condition: what it says (logic.py), None if that is
    nothing but itself.
    """

    type: Type
    emit: Emit
    column: int
    constant: float | bool | str | None = None
    point: Point | None = None
    unit: str | None = None
    domain: Values = ANY
    logic: Logic | None = None
    bounds: Bind | None = None


def constant(value: float | bool | str, *, column: int) -> Term:
    """A number, true/false, or a code."""
    kind = Type.CODE if isinstance(value, str) else Type.TRUTH if isinstance(value, bool) else Type.NUMBER

    def emit(scope: Scope) -> str:
        return scope.parameter(lambda _: value) if isinstance(value, str) else repr(value)

    return Term(kind, emit, column, constant=value, logic=fixed(value) if isinstance(value, bool) else None)


def rated(name: str, default: float | None, *, column: int) -> Term:
    """A rated value of the asset; the default, or unknown, where it has none."""
    return Term(Type.NUMBER, lambda scope: scope.parameter(lambda frame: frame.rated.get(name, default)), column)


def of_point(point: Point, kind: Type, *, column: int) -> Term:
    """The newest good value of a point."""

    def emit(scope: Scope) -> str:
        return f"{_slot(scope, point)}.value"

    low = -math.inf if point.low is None else point.low
    high = math.inf if point.high is None else point.high
    return Term(kind, emit, column, point=point, unit=point.unit or None, domain=Values(low, high))


def _slot(scope: Scope, point: Point) -> str:
    return scope.parameter(lambda frame: frame.slot(point.key), key=point.key)


def window(name: str, source: str, *, of: Term, points: Sequence[str], length: int, argument: float = 0.0) -> Term:
    """A window of `length` ms over what `of` gives; `source` is its text without blanks, `points` what it reads.

    `argument` is one more number that the window is made with.
    """
    read = function(of.emit)
    kind = WindowKind(name, length, argument)

    def emit(scope: Scope) -> str:
        asked = scope.parameter(lambda frame: frame.window(kind, source=source, points=points, read=read(frame)).value)
        return f"{asked}({scope.parameter(lambda frame: frame, key='frame()')}.now)"

    if name == "held":
        return Term(Type.TRUTH, emit, of.column)
    return Term(Type.NUMBER, emit, of.column, unit=of.unit, domain=of.domain)


def stale(point: Point, *, column: int) -> Term:
    """True when nothing good can be expected: too old, or the device does not answer. Unknown before the start."""
    return _quality(point, "in", (Quality.STALE, Quality.COMM), column=column)


def bad(point: Point, *, column: int) -> Term:
    """True when the newest reading is neither good nor merely stale."""
    return _quality(point, "not in", (Quality.GOOD, Quality.STALE), column=column)


def _quality(point: Point, operator: str, qualities: tuple[Quality, ...], *, column: int) -> Term:
    def emit(scope: Scope) -> str:
        name = scope.name()
        known = f"{name} {operator} {scope.parameter(lambda _: qualities)}"
        return f"(None if ({name} := {_slot(scope, point)}.quality) is None else {known})"

    return Term(Type.TRUTH, emit, column)


def _known(scope: Scope, terms: Sequence[Term], *, joined: str) -> tuple[list[str], str]:
    """Where the terms' values are found, and the source that is true when one of them is unknown."""
    names, tests = [], []
    for term in terms:
        text = scope.source(term.emit)
        if term.constant is None:
            names.append(scope.name())
            tests.append(f"(({names[-1]} := {text}) is None)")
        else:
            names.append(text)
    return names, joined.join(tests) or "False"


def negation(term: Term) -> Term:
    """`not term`."""

    def emit(scope: Scope) -> str:
        (name,), unknown = _known(scope, [term], joined="")
        return f"(None if {unknown} else not {name})"

    return Term(Type.TRUTH, emit, term.column, logic=negated(term.logic) if term.logic else None)


def junction(terms: Sequence[Term], *, deciding: bool) -> Term:
    """`and` (False decides) or `or` (True decides)."""

    def emit(scope: Scope) -> str:
        parts = [(scope.name(), scope.source(term.emit)) for term in terms]
        decided = " or ".join(f"({name} := {text}) is {deciding}" for name, text in parts)
        unknown = " or ".join(f"{name} is None" for name, _ in parts)
        return f"({deciding} if {decided} else None if {unknown} else {not deciding})"

    logics = tuple(term.logic for term in terms if term.logic)
    logic = Either(logics) if deciding else Every(logics)
    return Term(Type.TRUTH, emit, terms[0].column, logic=logic if len(logics) == len(terms) else None)


def votes(least: int, terms: Sequence[Term], *, column: int) -> Term:
    """At least so many of these are true; false as soon as too many are false, and unknown in between."""

    def emit(scope: Scope) -> str:
        parts = [(scope.name(), scope.source(term.emit)) for term in terms]
        yes = " + ".join(f"(({name} := {text}) is True)" for name, text in parts)
        no = " + ".join(f"({name} is False)" for name, _ in parts)
        return f"(True if {yes} >= {least} else False if {no} > {len(terms) - least} else None)"

    return Term(Type.TRUTH, emit, column)


COMPARISONS: Mapping[str, str] = {"Eq": "==", "NotEq": "!=", "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">="}


def comparison(name: str, left: Term, right: Term) -> Term:
    """`left op right`, by the name that `ast` has for the operator; unknown if either side is."""

    def emit(scope: Scope) -> str:
        (one, other), unknown = _known(scope, [left, right], joined=" or ")
        return f"(None if {unknown} else {one} {COMPARISONS[name]} {other})"

    return Term(Type.TRUTH, emit, left.column)


def membership(term: Term, members: Sequence[float | bool | str]) -> Term:
    """`term in (a, b)`; unknown if the term is."""
    allowed = frozenset(members)

    def emit(scope: Scope) -> str:
        (name,), unknown = _known(scope, [term], joined="")
        return f"(None if {unknown} else {name} in {scope.parameter(lambda _: allowed)})"

    return Term(Type.TRUTH, emit, term.column)


def choice(test: Term, then: Term, otherwise: Term) -> Term:
    """`then if test else otherwise`; unknown if the test is."""

    def emit(scope: Scope) -> str:
        (name,), unknown = _known(scope, [test], joined="")
        chosen = f"{scope.source(then.emit)} if {name} else {scope.source(otherwise.emit)}"
        return f"(None if {unknown} else {chosen})"

    term = Term(then.type, emit, then.column)
    if test.logic and then.logic and otherwise.logic:
        is_then, is_otherwise = Every((test.logic, then.logic)), Every((negated(test.logic), otherwise.logic))
        term = replace(term, logic=Either((is_then, is_otherwise)))
    return term


ARITHMETIC: Mapping[str, str] = {
    "Add": "{0} + {1}", "Sub": "{0} - {1}", "Mult": "{0} * {1}", "Div": "{0} / {1}", "Mod": "{0} % {1}",
}  # fmt: skip
FUNCTIONS: Mapping[str, str] = {"abs": "abs({0})", "min": "min({all})", "max": "max({all})", "minus": "-{0}"}


def calculation(form: str, terms: Sequence[Term]) -> Term:
    """A function of numbers, one of the forms above; unknown if any is, or (and counted) without a finite answer."""
    divides = form in (ARITHMETIC["Div"], ARITHMETIC["Mod"])

    def emit(scope: Scope) -> str:
        # `|`, for every part is asked although an earlier one is unknown: each may have a fault to count
        names, unknown = _known(scope, terms, joined=" | ")
        result = scope.name()
        finite = f"-{_BIG!r} <= ({result} := {form.format(*names, all=', '.join(names))}) <= {_BIG!r}"
        finite = f"{names[1]} and {finite}" if divides else finite
        return f"(None if {unknown} else {result} if {finite} else {scope.faulty()})"

    return Term(Type.NUMBER, emit, terms[0].column)
