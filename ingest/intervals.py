"""Sets of whole numbers kept as sorted, disjoint, inclusive ranges: what has arrived, and the holes between."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable


class Intervals:
    """A growing set of integers. `add` costs a binary search and, rarely, a splice."""

    __slots__ = ("_firsts", "_lasts", "size")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self.size = 0
        for first, last in ranges:
            self.add(first, last)

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._firsts, number) - 1
        return index >= 0 and number <= self._lasts[index]

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def ranges(self) -> list[tuple[int, int]]:
        """The ranges, in order; two of them never touch."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def add(self, first: int, last: int | None = None) -> int:
        """Put first..last in (only `first`, without `last`); returns how many were new."""
        last = first if last is None else last
        if last < first:
            raise ValueError(f"a range from {first} to {last} is backwards")
        if self._lasts and first == self._lasts[-1] + 1:
            # the everyday case: the next number of an unbroken row
            self._lasts[-1] = last
            self.size += last - first + 1
            return last - first + 1
        return self._splice(first, last)

    def _splice(self, first: int, last: int) -> int:
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        had = sum(self._lasts[index] - self._firsts[index] + 1 for index in range(low, high))
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]
        new = last - first + 1 - had
        self.size += new
        return new

    def gaps(self) -> list[tuple[int, int]]:
        """The holes between the first and the last number."""
        return [(last + 1, first - 1) for last, first in zip(self._lasts, self._firsts[1:], strict=False)]

    def missing(self) -> int:
        """How many numbers lie in the holes."""
        return self._lasts[-1] - self._firsts[0] + 1 - self.size if self._firsts else 0
