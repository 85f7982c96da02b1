"""Sliding windows over one series, exact, driven by the readings' own time (ms).

A series is a step function: a value holds until the next reading. That is what report by exception means (a device that
is silent has not changed), so means are weighted by time, and the value in force when the window opens belongs to it.
`None` stands for a reading that is not good: a gap, which weighs nothing and is never a minimum or a change.

`push(at, value)` takes readings in order; an older instant counts as the newest one so far. `value(now)` gives the
window's result, or None while it can't be known. A window over values (average, extremes, deviation, rate) speaks once
it has seen half of its length since its first good reading, so that "10-minute mean" never means one reading; when it
has held nothing good for its whole length, it begins anew. Counts and differences speak from the first reading, for
what they have not seen could only be added. Memory is bounded: past MAX_ROWS changes the oldest are let go, and counted
in `shortened`.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Protocol

MAX_ROWS = 4096
"""Changes that one window keeps at most."""
_EXACT_EVERY = 10_000


class Window(Protocol):
    """What every window can do. Truth windows take and give booleans, which Python counts as numbers."""

    def push(self, at: int, value: float | None) -> None:
        """One reading of the series; None if it was not good."""

    def value(self, now: int) -> float | None:
        """The result over (now - length, now], or None while unknown."""


class Steps:
    """The step function over the last `length` ms: `rows` of (from, value), the first in force as the window opens."""

    __slots__ = ("length", "rows", "shortened", "since")

    def __init__(self, length: int) -> None:
        self.length = length
        self.rows: deque[tuple[int, float | None]] = deque()
        self.since: int | None = None
        self.shortened = 0

    def push(self, at: int, value: float | None) -> None:
        """See Window. Equal neighbours are one row."""
        rows = self.rows
        if rows:
            begin, last = rows[-1]
            if value == last:
                return
            if at < begin:
                at = begin
            self._closed(begin, last, at)
            if last is None and begin <= at - self.length:
                self.since = None  # nothing good for a whole length: begin anew
        rows.append((at, value))
        if self.since is None and value is not None:
            self.since = at
        if rows[0][0] <= at - self.length:
            self._evict(at - self.length)
        if len(rows) > MAX_ROWS:
            self.shortened += 1
            self._drop()

    def known(self, now: int) -> bool:
        """True once half of the length has been seen."""
        self._evict(now - self.length)
        return self.since is not None and 2 * (now - self.since) >= self.length

    def _evict(self, start: int) -> None:
        rows = self.rows
        while len(rows) > 1 and rows[1][0] <= start:
            self._drop()
        if self.since is not None and len(rows) == 1 and rows[0][1] is None and rows[0][0] <= start:
            self.since = None

    def _drop(self) -> None:
        begin, value = self.rows.popleft()
        self._opened(begin, value, self.rows[0][0])

    def _closed(self, begin: int, value: float | None, until: int) -> None:
        """A row's end is known now."""

    def _opened(self, begin: int, value: float | None, until: int) -> None:
        """A row has left the window."""


class Average(Steps):
    """The mean weighted by time; gaps weigh nothing."""

    __slots__ = ("_area", "_dropped", "_weight")

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._area = 0.0
        self._weight = 0
        self._dropped = 0

    def value(self, now: int) -> float | None:
        """See Window."""
        rows, length = self.rows, self.length
        start = now - length
        if rows and rows[0][0] <= start:
            self._evict(start)
        since = self.since
        if since is None or 2 * (now - since) < length:
            return None
        area, weight = self._area, self._weight
        begin, value = rows[0]
        if begin < start and value is not None and len(rows) > 1:
            area -= value * (start - begin)
            weight -= start - begin
        begin, value = rows[-1]
        if value is not None and now > begin:
            open_ms = min(now - begin, length)
            area += value * open_ms
            weight += open_ms
        return area / weight if weight else value

    def _closed(self, begin: int, value: float | None, until: int) -> None:
        if value is not None:
            self._area += value * (until - begin)
            self._weight += until - begin

    def _opened(self, begin: int, value: float | None, until: int) -> None:
        if value is not None:
            self._area -= value * (until - begin)
            self._weight -= until - begin
        self._dropped += 1
        if self._dropped % _EXACT_EVERY == 0 or not self._weight:
            self._recompute()

    def _recompute(self) -> None:
        """Take the sum afresh, for what is added and subtracted ten thousand times drifts."""
        rows = list(self.rows)
        self._area = sum(value * (until - begin) for (begin, value), (until, _) in pairwise(rows) if value is not None)


class Deviation:
    """The standard deviation weighted by time, of differences to the first value so that large numbers lose nothing."""

    __slots__ = ("_mean", "_origin", "_squares")

    def __init__(self, length: int) -> None:
        self._mean = Average(length)
        self._squares = Average(length)
        self._origin: float | None = None

    def push(self, at: int, value: float | None) -> None:
        """See Window."""
        if self._origin is None and value is not None:
            self._origin = value
        apart = None if value is None else value - (self._origin or 0.0)
        self._mean.push(at, apart)
        self._squares.push(at, None if apart is None else apart * apart)

    def value(self, now: int) -> float | None:
        """See Window."""
        mean, squares = self._mean.value(now), self._squares.value(now)
        if mean is None or squares is None:
            return None
        return float(max(squares - mean * mean, 0.0) ** 0.5)


class Extreme:
    """The smallest (`sign` -1) or largest (+1) value in force at some instant of the window."""

    __slots__ = ("_begin", "_best", "_last", "_sign", "_since", "length", "shortened")

    def __init__(self, length: int, *, sign: int) -> None:
        self.length = length
        self.shortened = 0
        self._sign = sign
        # (signed value, until), values falling: the monotonic queue of rows that have ended
        self._best: deque[tuple[float, int]] = deque()
        self._last: float | None = None
        self._begin = 0
        self._since: int | None = None

    def push(self, at: int, value: float | None) -> None:
        """See Window."""
        signed = None if value is None else value * self._sign
        if signed == self._last:
            return
        at = max(at, self._begin)
        self._evict(at - self.length)
        last, best = self._last, self._best
        if last is not None and at > self._begin:
            while best and best[-1][0] <= last:
                best.pop()
            best.append((last, at))
            if len(best) > MAX_ROWS:
                self.shortened += 1
                best.popleft()
        self._last, self._begin = signed, at
        if self._since is None and signed is not None:
            self._since = at

    def value(self, now: int) -> float | None:
        """See Window."""
        self._evict(now - self.length)
        if self._since is None or 2 * (now - self._since) < self.length:
            return None
        found = self._last
        if self._best and (found is None or self._best[0][0] > found):
            found = self._best[0][0]
        return None if found is None else found * self._sign

    def _evict(self, start: int) -> None:
        best = self._best
        while best and best[0][1] <= start:
            best.popleft()
        if self._last is None and not best and self._begin <= start:
            self._since = None


class Delta(Steps):
    """The newest good value less the one in force as the window opened. A `counter` that falls began again at zero.

    With `per_second` the difference is divided by the seconds it took, and half of the length must have been seen.
    """

    __slots__ = ("_counter", "_lost", "_per_second", "_raw")

    def __init__(self, length: int, *, counter: bool = False, per_second: bool = False) -> None:
        super().__init__(length)
        self._counter = counter
        self._per_second = per_second
        self._lost = 0.0
        self._raw: float | None = None

    def push(self, at: int, value: float | None) -> None:
        """See Window. Gaps are passed over: the value before one still is the one to differ from."""
        if value is None:
            return
        if self._counter:
            if self._raw is not None and value < self._raw:
                self._lost += self._raw
            self._raw = value
            value += self._lost
        super().push(at, value)

    def value(self, now: int) -> float | None:
        """See Window."""
        self._evict(now - self.length)
        if not self.rows:
            return None
        begin, first = self.rows[0]
        last = self.rows[-1][1]
        if first is None or last is None:
            return None
        if not self._per_second:
            return last - first
        if not self.known(now):
            return None
        return (last - first) * 1000 / (now - max(begin, now - self.length))


class Count:
    """How often the value changed; of a truth with `rising`, how often it became true after having been false."""

    __slots__ = ("_instants", "_last", "_rising", "length", "shortened")

    def __init__(self, length: int, *, rising: bool = False) -> None:
        self.length = length
        self.shortened = 0
        self._rising = rising
        self._instants: deque[int] = deque()
        self._last: float | None = None

    def push(self, at: int, value: float | None) -> None:
        """See Window."""
        if value is None or value == self._last:
            return
        if self._last is not None and (value or not self._rising):
            instants = self._instants
            instants.append(max(at, instants[-1]) if instants else at)
            while instants[0] <= at - self.length or len(instants) > MAX_ROWS:
                self.shortened += instants[0] > at - self.length
                instants.popleft()
        self._last = value

    def value(self, now: int) -> float | None:
        """See Window."""
        instants = self._instants
        while instants and instants[0] <= now - self.length:
            instants.popleft()
        return None if self._last is None else len(instants)


class Held:
    """Whether a truth has lasted for the whole length. Unknown is neither: the answer is unknown, the time runs on."""

    __slots__ = ("_known", "_since", "length")

    def __init__(self, length: int) -> None:
        self.length = length
        self._known: bool | None = None
        self._since: int | None = None

    def push(self, at: int, value: float | None) -> None:
        """See Window."""
        self._known = None if value is None else bool(value)
        if value:
            self._since = at if self._since is None else self._since
        elif value is not None:
            self._since = None

    def value(self, now: int) -> bool | None:
        """See Window."""
        if not self._known or self._since is None:
            return self._known
        return now - self._since >= self.length


class Since:
    """Seconds since a truth last became true; one that is true when first seen counts from then.

    Unknown before that, and while the truth is unknown, which is no change.
    """

    __slots__ = ("_at", "_known", "_last")

    def __init__(self) -> None:
        self._at: int | None = None
        self._known = False
        self._last = False

    def push(self, at: int, value: float | None) -> None:
        """See Window."""
        self._known = value is not None
        if value is None:
            return
        if value and not self._last:
            self._at = at if self._at is None else max(at, self._at)
        self._last = bool(value)

    def value(self, now: int) -> float | None:
        """See Window."""
        return (now - self._at) / 1000 if self._known and self._at is not None else None
