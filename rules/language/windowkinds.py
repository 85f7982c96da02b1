"""Which windows a rule may ask for, by function. A new one is an entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rules.language.percentile import Percentile
from rules.language.windows import Average, Count, Delta, Deviation, Extreme, Held, Since, Window


class WindowKind(NamedTuple):
    """A window's function, its length in ms, and one more number that it is made with."""

    function: str
    length: int
    argument: float = 0.0


_MAKERS: Mapping[str, Callable[[WindowKind, bool], Window]] = {
    "avg": lambda kind, _: Average(kind.length),
    "min": lambda kind, _: Extreme(kind.length, sign=-1),
    "max": lambda kind, _: Extreme(kind.length, sign=1),
    "stddev": lambda kind, _: Deviation(kind.length),
    "delta": lambda kind, counter: Delta(kind.length, counter=counter),
    "rate": lambda kind, counter: Delta(kind.length, counter=counter, per_second=True),
    "count": lambda kind, _: Count(kind.length, rising=True),
    "changes": lambda kind, _: Count(kind.length),
    "held": lambda kind, _: Held(kind.length),
    "percentile": lambda kind, _: Percentile(kind.length, percent=kind.argument),
    "since": lambda _, __: Since(),
}


def make_window(kind: WindowKind, *, counter: bool) -> Window:
    """An empty window; `counter`: its values are those of a counter, which may begin again at zero."""
    return _MAKERS[kind.function](kind, counter)
