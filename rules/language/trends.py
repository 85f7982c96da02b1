"""What is usual at this hour, and where a value is heading: answers over days, from hourly summaries. Pure.

All of them look at complete hours only, so that they change once an hour and cost nothing in between. Each says nothing
(None) until a share of its span has been seen:

    p95_of_hour   this hour of the day on at least USUAL_DAYS days, each known for half of it or more
    slope         hours that are known for a third of the span together
    days_to       the same, and a trend that leads to the limit: not away from it, and not at rest
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from rules.language.summaries import HOUR_MS, Hour, Hours, percentile
from rules.language.windowkinds import WindowKind

DAY_MS = 24 * HOUR_MS
USUAL_DAYS = 3
_LEAST_SHARE = 3
"""A trend needs one part in so many of its span."""


class Trend:
    """An answer over the complete hours of the last `span` ms, worked out once an hour. It is pushed nothing itself."""

    __slots__ = ("_answer", "_at", "_hours", "_rows", "_span")

    def __init__(self, hours: Hours, span: int) -> None:
        self._hours = hours
        self._span = span
        self._at = -1
        self._rows = 0
        self._answer: float | None = None

    def push(self, at: int, value: float | None) -> None:
        """Nothing: the hours take the readings."""

    def value(self, now: int) -> float | None:
        """See Window."""
        hours = self._hours
        hours.advance(now)
        at = hours.hour_of(now)
        # hours that were filled in later count from then on
        if at != self._at or len(hours.rows) != self._rows:
            self._at, self._rows = at, len(hours.rows)
            self._answer = self._worked_out([row for row in hours.rows if at - self._span <= row.start < at], at)
        return self._answer

    def _worked_out(self, rows: list[Hour], at: int) -> float | None:
        raise NotImplementedError


class UsualOfHour(Trend):
    """The 95th percentile of the series in this local hour of the day."""

    __slots__ = ("_zone",)

    def __init__(self, hours: Hours, span: int, zone: ZoneInfo) -> None:
        super().__init__(hours, span)
        self._zone = zone

    def _worked_out(self, rows: list[Hour], at: int) -> float | None:
        wanted = self._hour(at)
        same = [row for row in rows if self._hour(row.start) == wanted and 2 * row.known >= HOUR_MS]
        return percentile(same, 0.95) if len(same) >= USUAL_DAYS else None

    def _hour(self, at: int) -> int:
        return datetime.fromtimestamp(at / 1000, self._zone).hour


class Slope(Trend):
    """How fast the series rises, per day: least squares over the hours' means, weighted by their known time."""

    __slots__ = ()

    def _worked_out(self, rows: list[Hour], at: int) -> float | None:
        line = _line(rows, self._span, at)
        return line[1] if line else None


class DaysTo(Trend):
    """How many days from now the straight line through the series reaches `limit`."""

    __slots__ = ("_limit",)

    def __init__(self, hours: Hours, span: int, limit: float) -> None:
        super().__init__(hours, span)
        self._limit = limit

    def _worked_out(self, rows: list[Hour], at: int) -> float | None:
        line = _line(rows, self._span, at)
        if line is None or not line[1]:
            return None
        days = (self._limit - line[0]) / line[1]
        return days if 0 <= days < 1e6 else None


TRENDS: Mapping[str, Callable[[WindowKind, Hours, ZoneInfo], Trend]] = {
    "p95_of_hour": lambda kind, hours, zone: UsualOfHour(hours, kind.length, zone),
    "slope": lambda kind, hours, _: Slope(hours, kind.length),
    "days_to": lambda kind, hours, _: DaysTo(hours, kind.length, kind.argument),
}


def seconds_of_readings(function: str, seconds: float) -> float:
    """How much of the past a window wants as readings: its span, or for a trend the open hour and what came before."""
    return 1.25 * HOUR_MS / 1000 if function in TRENDS else seconds


def _line(rows: list[Hour], span: int, at: int) -> tuple[float, float] | None:
    """(value at `at`, rise per day) of the line through the rows; None where too little is known."""
    known = sum(row.known for row in rows)
    if not known or _LEAST_SHARE * known < span:
        return None
    days = [(row.start + HOUR_MS / 2 - at) / DAY_MS for row in rows]
    day = sum(x * row.known for x, row in zip(days, rows, strict=True)) / known
    mean = sum(row.mean * row.known for row in rows) / known
    spread = sum((x - day) ** 2 * row.known for x, row in zip(days, rows, strict=True))
    if not spread:
        return None
    rise = sum((x - day) * (row.mean - mean) * row.known for x, row in zip(days, rows, strict=True)) / spread
    return mean - day * rise, rise
