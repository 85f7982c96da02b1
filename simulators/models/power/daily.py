"""What follows the hour of the day, with its exact mean over any stretch of time; pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise


class DayCurve:
    """A value by the hour: straight lines between `knots` of (hour, value), the first at 0 and the last at 24."""

    def __init__(self, knots: Sequence[tuple[float, float]]) -> None:
        self._hours = [hour for hour, _ in knots]
        self._values = [value for _, value in knots]
        self._sums = [0.0]
        for (hour, value), (later, other) in pairwise(knots):
            self._sums.append(self._sums[-1] + (later - hour) * (value + other) / 2)

    def at(self, hour: float) -> float:
        """The value at an hour; hours beyond a day begin again."""
        hour %= 24
        after = bisect_right(self._hours, hour, hi=len(self._hours) - 1)
        start, end = self._hours[after - 1], self._hours[after]
        low, high = self._values[after - 1], self._values[after]
        return low + (high - low) * (hour - start) / (end - start)

    def mean(self, hour: float, seconds: float) -> float:
        """The mean over the `seconds` that end at `hour`; below a second it is the value there."""
        if seconds < 1.0:
            return self.at(hour)
        length = seconds / 3600
        return (self._integral(hour) - self._integral(hour - length)) / length

    def top(self, hour: float, seconds: float) -> float:
        """The highest value within the `seconds` that end at `hour`."""
        begin = hour - seconds / 3600
        if hour - begin >= 24:
            return max(self._values)
        knots = [knot + day for day in (-24, 0) for knot in self._hours if begin <= knot + day <= hour]
        return max(self.at(time) for time in (begin, hour, *knots))

    def _integral(self, hour: float) -> float:
        """Value times hours since an hour 0."""
        days, rest = divmod(hour, 24)
        before = bisect_right(self._hours, rest, hi=len(self._hours) - 1) - 1
        part = (rest - self._hours[before]) * (self._values[before] + self.at(rest)) / 2
        return days * self._sums[-1] + self._sums[before] + part


OFFICE = DayCurve([(0, 0.42), (6, 0.42), (9, 1.0), (12, 1.0), (13, 0.9), (14, 1.0), (18, 0.95), (22, 0.5), (24, 0.42)])
"""The load of an office tower as a share of its peak."""
