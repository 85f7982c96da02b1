"""The percentile of a step function over a sliding window, weighted by time; exact, and bounded as every window is."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from rules.language.windows import Steps


class Percentile(Steps):
    """The least value that the series did not exceed for `percent` of the known time of the window.

    Gaps weigh nothing. It keeps the values in order, each once, with the ms that it lasted.
    """

    __slots__ = ("_percent", "_values", "_weights")

    def __init__(self, length: int, *, percent: float) -> None:
        super().__init__(length)
        self._percent = percent
        self._values: list[float] = []
        self._weights: list[int] = []

    def value(self, now: int) -> float | None:
        """See Window."""
        if not self.known(now):
            return None
        rows, start = self.rows, now - self.length
        begin, first = rows[0]
        outside = start - begin if len(rows) > 1 and begin < start else 0
        begin, last = rows[-1]
        inside = min(max(now - begin, 0), self.length)
        self._weigh(first, -outside)
        self._weigh(last, inside)
        found = self._found()
        self._weigh(last, -inside)
        self._weigh(first, outside)
        return last if found is None else found

    def _found(self) -> float | None:
        sums = list(accumulate(self._weights))
        return self._values[bisect_left(sums, sums[-1] * self._percent / 100)] if sums else None

    def _weigh(self, value: float | None, weight: int) -> None:
        """Let a value last for `weight` ms more; what lasts no more is gone."""
        if value is None or not weight:
            return
        place = bisect_left(self._values, value)
        if place == len(self._values) or self._values[place] != value:
            self._values.insert(place, value)
            self._weights.insert(place, weight)
            return
        self._weights[place] += weight
        if not self._weights[place]:
            del self._values[place], self._weights[place]

    def _closed(self, begin: int, value: float | None, until: int) -> None:
        self._weigh(value, until - begin)

    def _opened(self, begin: int, value: float | None, until: int) -> None:
        self._weigh(value, begin - until)
