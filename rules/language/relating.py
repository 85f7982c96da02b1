"""Questions to other equipment as terms: how many of the related assets fulfil a condition.

The answer is a number, and often it is known only that it lies between two: of three feeders one is dead, one alive
and one silent, so that 1 or 2 are dead. A comparison with such a number is true or false as soon as every number
between says the same, and unknown otherwise; whatever else is done with it is unknown until both are one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from rules.language.generate import Bind, Scope, function
from rules.language.relation import Relation
from rules.language.terms import Term, Type

if TYPE_CHECKING:
    from rules.language.frame import Frame, Tally

_MIRRORED: Mapping[str, str] = {"Lt": "Gt", "LtE": "GtE", "Gt": "Lt", "GtE": "LtE", "Eq": "Eq", "NotEq": "NotEq"}
_SURE: Mapping[str, tuple[str, str]] = {
    "Lt": ("{high} < {other}", "{low} >= {other}"),
    "LtE": ("{high} <= {other}", "{low} > {other}"),
    "Gt": ("{low} > {other}", "{high} <= {other}"),
    "GtE": ("{low} >= {other}", "{high} < {other}"),
    "Eq": ("{low} == {other} == {high}", "({other} < {low} or {other} > {high})"),
    "NotEq": ("({other} < {low} or {other} > {high})", "{low} == {other} == {high}"),
}
"""By the name that `ast` has for the operator: when a comparison is true for the whole range, and when false."""


class Seen:
    """A frame as another asset's rule sees it: the later of both clocks is now. All else is the frame's own."""

    __slots__ = ("_frame", "_from")

    def __init__(self, frame: Frame, seen_from: Frame) -> None:
        self._frame = frame
        self._from = seen_from

    @property
    def now(self) -> int:
        """The instant that windows are asked for."""
        return max(self._frame.now, self._from.now)

    @property
    def tally(self) -> Tally:
        """Faults are those of the rule that asks."""
        return self._from.tally

    def __getattr__(self, name: str) -> Any:
        """Whatever the frame has."""
        return getattr(self._frame, name)


def how_many(relation: Relation, of: Term, *, column: int) -> Term:
    """How many of the related assets fulfil `of`; a number of which the least and the most are known."""
    read = function(of.emit)

    def bind(frame: Frame) -> Callable[[], tuple[int, int]]:
        reads = [read(cast("Frame", Seen(other, frame))) for other in frame.relatives(relation)]
        return lambda: _counted(reads)

    def emit(scope: Scope) -> str:
        name = scope.name()
        return f"({name}[0] if ({name} := {scope.parameter(bind)}())[0] == {name}[1] else None)"

    return Term(Type.NUMBER, emit, column, bounds=bind)


def _counted(reads: list[Callable[[], bool | None]]) -> tuple[int, int]:
    low = high = 0
    for read in reads:
        truth = read()
        if truth:
            low += 1
            high += 1
        elif truth is None:
            high += 1
    return low, high


def compared(name: str, left: Term, right: Term) -> Term | None:
    """`left op right` where one of them is such a number; None where neither is."""
    if left.bounds is not None:
        return _compared(name, left.bounds, right, column=left.column)
    if right.bounds is not None:
        return _compared(_MIRRORED[name], right.bounds, left, column=left.column)
    return None


def _compared(name: str, bounds: Bind, other: Term, *, column: int) -> Term:
    def emit(scope: Scope) -> str:
        value, found = scope.name(), scope.name()
        words = {"low": f"{found}[0]", "high": f"{found}[1]", "other": value}
        true, false = (text.format(**words) for text in _SURE[name])
        asked = (
            f"(({value} := {scope.source(other.emit)}) is None) | (({found} := {scope.parameter(bounds)}()) is None)"
        )
        return f"(None if {asked} else True if {true} else False if {false} else None)"

    return Term(Type.TRUTH, emit, column)
