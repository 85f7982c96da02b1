"""Pure: one pass over a whole table, before anything is played from it. Memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from facility.errors import Problem
from facility.points import Point
from facility.readings import Value
from simulators.replay.table import Table, TableError

SHOWN = 20
"""Problems that are told one by one."""
COUNTED = 1000
"""Problems after which nobody goes on to count them."""
STEP = 4096
"""Rows between two words about how far the check is."""


@dataclass(slots=True)
class Summary:
    """What a table holds. Times are seconds since 1970 UTC.

    `first`: the values of the first row. `gap`: the longest wait between rows. `backward`: rows earlier than one above
    them. `empty`: cells without a value. `outside`: point -> values that are outside its range, which a gateway will
    show as bad.
    """

    rows: int = 0
    start: float = 0.0
    end: float = 0.0
    gap: float = 0.0
    backward: int = 0
    empty: int = 0
    first: Mapping[str, Value] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)

    @property
    def interval(self) -> float:
        """Seconds from row to row on average; 1 where that means nothing."""
        return (self.end - self.start) / (self.rows - 1) if self.rows > 1 and self.end > self.start else 1.0


class _EnoughError(Exception):
    """So many problems that one more says nothing."""


@dataclass(slots=True)
class _Problems:
    found: list[Problem] = field(default_factory=list)
    more: int = 0

    def tell(self, problem: Problem) -> None:
        if len(self.found) < SHOWN:
            self.found.append(problem)
            return
        self.more += 1
        if self.more >= COUNTED:
            raise _EnoughError


def check(table: Table, lines: Iterator[str], points: Mapping[str, Point], progress: Callable[[int], None]) -> Summary:
    """What the table holds; TableError with the first problems of its rows. `progress` is told the rows so far."""
    problems, summary, exact = _Problems(), Summary(), True
    try:
        _walk(table, lines, points, problems=problems, summary=summary, progress=progress)
    except TableError as error:
        for problem in error.problems:
            problems.tell(problem)
    except _EnoughError:
        exact = False
    if problems.found:
        raise TableError(problems.found, problems.more, exact=exact)
    if not summary.rows:
        raise TableError([Problem(table.file, 0, "", "has no rows below its first line")])
    return summary


def _walk(
    table: Table, lines: Iterator[str], points: Mapping[str, Point],
    *, problems: _Problems, summary: Summary, progress: Callable[[int], None],
) -> None:  # fmt: skip
    ranges = [_range(points[column.point]) for column in table.columns]
    rows, backward, empty, gap = 0, 0, 0, 0.0
    start = end = 0.0
    for at, values in table.rows(lines, problems.tell):
        rows += 1
        if rows == 1:
            start = end = at
            summary.first = values
        if at < end:
            backward += 1
        else:
            gap = max(gap, at - end)
            end = at
        for key, low, high in ranges:
            value = values.get(key)
            if value is None:
                empty += 1
            elif not isinstance(value, str) and not low <= value <= high:
                summary.outside[key] = summary.outside.get(key, 0) + 1
        if rows % STEP == 0:
            progress(rows)
    summary.rows, summary.start, summary.end = rows, start, end
    summary.backward, summary.empty, summary.gap = backward, empty, gap


def _range(point: Point) -> tuple[str, float, float]:
    low = -float("inf") if point.low is None else point.low
    return point.key, low, float("inf") if point.high is None else point.high
