"""Hourly summaries of a series: what is left of it when it is too long to be kept. Pure; instants in ms, UTC.

A series is a step function, as in windows.py: a value holds until the next one, None weighs nothing. Each hour becomes
one row with its known time, mean, extremes and KNOTS equally heavy values from low to high, from which percentiles of
many hours together are taken. An hour in which nothing was known leaves no row. Memory: a row an hour, and within the
open hour at most MAX_PARTS values (then neighbours are merged two by two, which moves a percentile by less than the
distance between them).

What a row says depends on the readings' own instants only, never on when it is asked for.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

HOUR_MS = 3_600_000
KNOTS = 20
MAX_PARTS = 512


class Hour(NamedTuple):
    """One hour of a series. `start`: ms; `known`: ms of it in which there was a value (0: a mark, see `Hours.load`)."""

    start: int
    known: int
    mean: float
    low: float
    high: float
    knots: Sequence[float] = ()


class Hours:
    """The summaries of one series over the last `keep` ms. `offset`: ms by which hours begin after those of UTC.

    `hold`: ms that a value counts although nothing is pushed; then the series is unknown, whoever looks or not.

    `rows`: the complete hours, oldest first. `closed`: those that have been completed since somebody took them away.
    `is_filled`: the time before this process was asked for, and nothing older will be found.
    """

    __slots__ = (
        "_from",
        "_hour",
        "_parts",
        "_seen",
        "_told",
        "_value",
        "closed",
        "hold",
        "is_filled",
        "keep",
        "offset",
        "rows",
    )

    def __init__(self, keep: int, *, offset: int = 0, hold: int = 1 << 62) -> None:
        self.keep = keep
        self.hold = hold
        self.offset = offset
        self.rows: deque[Hour] = deque()
        self.closed: list[Hour] = []
        self.is_filled = False
        self._parts: list[tuple[float, int]] = []
        self._value: float | None = None
        self._from = 0
        self._hour = 0
        self._seen = 0
        self._told = 0

    def hour_of(self, at: int) -> int:
        """The start of the hour in which an instant lies."""
        return (at - self.offset) // HOUR_MS * HOUR_MS + self.offset

    def push(self, at: int, value: float | None) -> None:
        """The series has this value from `at` on; an older instant counts as the newest one so far."""
        at = max(at, self._seen)
        self.advance(at)
        if value != self._value:
            self._cut(at)
            self._value = value
        self._told = at

    def advance(self, until: int) -> None:
        """The value of now held until then; the hours that are over by then are complete."""
        if until <= self._seen:
            return
        silent = self._told + self.hold
        if self._value is not None and silent < until:
            self._pass(silent)
            self._cut(silent)
            self._value = None
        self._pass(until)

    def _pass(self, until: int) -> None:
        self._seen = until
        hour = self.hour_of(until)
        if self._value is not None and hour - self._hour <= self.keep:
            while self._hour < hour:
                end = self._hour + HOUR_MS
                self._cut(end)
                self._close()
                self._hour = end
        elif hour > self._hour:  # nothing was known, or nobody asked for longer than anything is kept
            self._close()
            self._hour = self._from = hour

    def load(self, rows: Iterable[Hour]) -> None:
        """Take up complete hours that were kept elsewhere, oldest first. A row that knows nothing is a mark only.

        What is pushed from now on counts from the end of the newest one.
        """
        for row in rows:
            self.is_filled |= not row.known
            if row.known:
                self.rows.append(row)
        if self.rows:
            self._from = self._hour = self._seen = self.rows[-1].start + HOUR_MS
        self._evict()

    def fill(self, rows: Iterable[Hour]) -> list[Hour]:
        """Put older hours before those that are there; returns those that were used, with the mark that says so."""
        first = self.rows[0].start if self.rows else self._hour or None
        used = [row for row in rows if row.known and (first is None or row.start < first)]
        self.rows.extendleft(reversed(used))
        self._evict()
        self.is_filled = True
        begin = used[0].start if used else first or self.hour_of(self._seen)
        return [Hour(begin - HOUR_MS, 0, 0.0, 0.0, 0.0), *used]

    def take_closed(self) -> list[Hour]:
        """The hours completed since the last call."""
        taken, self.closed = self.closed, []
        return taken

    def _cut(self, at: int) -> None:
        """What held since the last cut is a part. Only changes and hours cut, so that asking changes nothing."""
        if self._value is not None and at > self._from:
            self._parts.append((self._value, at - self._from))
            if len(self._parts) > MAX_PARTS:
                self._parts = _merged(sorted(self._parts))
        self._from = at

    def _close(self) -> None:
        if not self._parts:
            return
        parts, self._parts = sorted(self._parts), []
        known = sum(part[1] for part in parts)
        mean = sum(value * weight for value, weight in parts) / known
        row = Hour(self._hour, known, mean, parts[0][0], parts[-1][0], _knots(parts, known))
        self.rows.append(row)
        self.closed.append(row)
        self._evict()

    def _evict(self) -> None:
        rows = self.rows
        while rows and rows[0].start < rows[-1].start - self.keep:
            rows.popleft()


def percentile(hours: Sequence[Hour], share: float) -> float:
    """The value below which the series was for this share of the known time of all these hours (one at least)."""
    parts = sorted((knot, hour.known / len(hour.knots)) for hour in hours for knot in hour.knots)
    wanted = share * sum(weight for _, weight in parts)
    seen = 0.0
    for value, weight in parts:
        seen += weight
        if seen >= wanted:
            return value
    return parts[-1][0]


def _knots(parts: Sequence[tuple[float, int]], known: int) -> array[float]:
    """KNOTS values, each standing for an equal share of the known time; `parts` sorted. An array, for it is small."""
    found = array("d")
    seen = 0
    for value, weight in parts:
        seen += weight
        while len(found) < KNOTS and (2 * len(found) + 1) * known <= 2 * KNOTS * seen:
            found.append(value)
    return found


def _merged(parts: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """Every two neighbours as one; the lowest and the highest stay as they are."""
    middle = parts[1:-1]
    found = [parts[0]]
    for first, second in zip(middle[::2], middle[1::2], strict=False):
        known = first[1] + second[1]
        found.append(((first[0] * first[1] + second[0] * second[1]) / known, known))
    if len(middle) % 2:
        found.append(middle[-1])
    return [*found, parts[-1]]
