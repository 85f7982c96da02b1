"""What is held against one point, reading by reading: a few numbers a check, and a truth that changes seldom.

Pure, and built for speed: it sees every reading of the points that it watches. A check takes readings in order (`push`)
and says whether its truth has turned; only then the engine looks at the rule behind it. Truths turn with readings
alone, so that ticks and batches change none of them; a device tells every value again within its heartbeat.
A truth is None, unknown, while the point has no value for a reason that is not the check's own.

Nearly every reading is good and near the last one. A check names the steps that are nothing to it (`falls`, `rises`);
while all truths of a point are false, two comparisons pass such a reading by, for all its checks together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Protocol

from facility.readings import Quality
from rules.language.frame import Frame, Slot

Truth = Callable[[], bool | None]

NO_VALUE = frozenset((Quality.SENTINEL, Quality.RANGE, Quality.SENSOR, Quality.ENUM))
"""The device answers, and has no value that can be: an open loop, a dead sensor. A lost link is its gateway's alarm."""
RESET_MS = 600_000
"""How long a counter that began anew is told."""
ENDS = tuple(
    sorted({float(10**n) for n in range(3, 16)} | {2.0**n / 10**k for n in (15, 16, 31, 32) for k in range(4)})
)
"""Where registers and displays of counters roll over, by the decimals that a scale gives them."""
NEAR_END = 0.002
"""Share of its end within which a counter that falls has rolled over."""
LEAST = 5e-324
"""The smallest step that there is."""
JITTER = 1e-6
"""Share of its value by which a counter may fall and mean nothing: the rounding of floats."""


class Check(Protocol):
    """One thing that is looked for. `truth` is what it finds now.

    `falls`, `rises`: once the truth is false, a good value that differs from the one before by less than these, down
    and up, leaves it false and is nothing to remember, so that it need not be pushed.
    """

    truth: bool | None
    falls: float
    rises: float

    def push(self, at: int, last: float | None, value: float | None, quality: Quality | None) -> bool:
        """The next reading, `value` None when it is not good, `last` the good one before; whether the truth turned."""


class NoValue:
    """The device answers, but this point has no value."""

    __slots__ = ("falls", "rises", "truth")

    def __init__(self) -> None:
        self.truth: bool | None = None
        self.falls = self.rises = inf

    def push(self, at: int, last: float | None, value: float | None, quality: Quality | None) -> bool:  # noqa: ARG002
        """See Check."""
        before = self.truth
        self.truth = False if value is not None else True if quality in NO_VALUE else None
        return self.truth is not before


class _Often:
    """So many events (`times`) within a span of `within` ms."""

    __slots__ = ("_events", "_times", "_within", "falls", "rises", "truth")

    def __init__(self, times: int, within: int, *, falls: float, rises: float) -> None:
        self.truth: bool | None = None
        self.falls, self.rises = falls, rises
        self._times, self._within = times, within
        self._events: deque[int] = deque(maxlen=times)

    def _turned(self, at: int, value: float | None) -> bool:
        before = self.truth
        if value is None:
            self.truth = None
        else:
            self.truth = len(self._events) == self._times and at - self._events[0] < self._within
        return self.truth is not before


class Noisy(_Often):
    """The value turns round, by at least `step` from one reading to the next, `times` within a span."""

    __slots__ = ("_rising",)

    def __init__(self, step: float, times: int, within: int) -> None:
        super().__init__(times, within, falls=step, rises=step)
        self._rising: bool | None = None

    def push(self, at: int, last: float | None, value: float | None, quality: Quality | None) -> bool:  # noqa: ARG002
        """See Check."""
        if value is not None and last is not None and not -self.falls < value - last < self.rises:
            rising = value > last
            if rising is not self._rising:
                self._rising = rising
                self._events.append(at)
        return self._turned(at, value)


class Chattering(_Often):
    """The value changes `times` within a span."""

    __slots__ = ()

    def __init__(self, times: int, within: int) -> None:
        super().__init__(times, within, falls=LEAST, rises=LEAST)

    def push(self, at: int, last: float | None, value: float | None, quality: Quality | None) -> bool:  # noqa: ARG002
        """See Check."""
        if value is not None and last is not None and value != last:
            self._events.append(at)
        return self._turned(at, value)


class CounterReset(_Often):
    """A counter fell although it was not at its end. `end`: the upper bound of its range, where it has one."""

    __slots__ = ("_ends",)

    def __init__(self, end: float | None) -> None:
        super().__init__(1, RESET_MS, falls=LEAST, rises=inf)
        self._ends = ENDS if end is None else (*ENDS, end)

    def push(self, at: int, last: float | None, value: float | None, quality: Quality | None) -> bool:  # noqa: ARG002
        """See Check."""
        if value is not None and last is not None and self._fell(last, value):
            self._events.append(at)
        return self._turned(at, value)

    def _fell(self, last: float, value: float) -> bool:
        return value < last - JITTER * abs(last) and not self._rolled_over(last, value)

    def _rolled_over(self, last: float, value: float) -> bool:
        """It stood just before an end, and counts on from zero."""
        return any(
            end * (1 - NEAR_END) - 1 <= last <= end * (1 + JITTER) and value <= end * NEAR_END for end in self._ends
        )


class Stuck:
    """The value has been the same for `length` ms while what moves with it moved (`moved`).

    Exactly the same: a live signal has noise, and what is told again after a heartbeat differs in its last digits.
    """

    __slots__ = ("_frame", "_last", "_length", "_moved", "_since", "_slot")

    def __init__(self, slot: Slot, length: int, frame: Frame, moved: Truth) -> None:
        self._slot, self._length, self._frame, self._moved = slot, length, frame, moved
        self._last: float | None = None
        self._since = 0

    def push(self, at: int, value: float | None) -> None:
        """The next reading."""
        if value is not None and value != self._last:
            self._last, self._since = value, at

    def when(self) -> bool | None:
        """Whether it is stuck."""
        varied = self.varied()
        return None if varied is None else False if varied else self._moved()

    def varied(self) -> bool | None:
        """Whether it has changed within the length; unknown while it tells nothing (distrusted, it still tells)."""
        slot = self._slot
        if slot.value is None and slot.quality is not Quality.SENSOR:
            return None
        return self._frame.now - self._since < self._length


class PointGuard:
    """All checks of one point, between its reading and the rules.

    `distrust` true: the point is stuck, so that whatever it tells is bad for every other rule.
    """

    __slots__ = ("_checks", "_down", "_falls", "_last", "_recent", "_rises", "_slot", "_stuck", "_up", "distrust")

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._checks: list[Check] = []
        self._stuck: Stuck | None = None
        self._recent: deque[float] | None = None
        self._last: float | None = None
        self._falls = self._rises = inf
        # a step between them need not be looked at; no step is between zeros
        self._down = self._up = 0.0
        self.distrust = False

    def add(self, check: Check) -> Truth:
        """Hold one more against it; what the check finds, to be asked at any time. Unknown while nobody speaks."""
        self._checks.append(check)
        self._falls, self._rises = min(self._falls, check.falls), min(self._rises, check.rises)
        self._down = self._up = 0.0
        slot = self._slot
        if isinstance(check, NoValue):
            return lambda: check.truth
        return lambda: None if slot.value is None else check.truth

    def look_if_stuck(self, length: int, frame: Frame, moved: Truth) -> Stuck:
        """Look whether it is stuck."""
        self._stuck = Stuck(self._slot, length, frame, moved)
        return self._stuck

    def varied(self) -> bool | None:
        """Whether it has changed lately, where it is looked whether it is stuck."""
        return self._stuck.varied() if self._stuck else None

    def despike(self) -> None:
        """From now on the other rules see the median of the last three values: one wrong sample is none."""
        self._recent = self._recent or deque(maxlen=3)

    def take(self, at: int) -> bool:
        """The slot has just taken a reading; whether the truth of one of the checks has turned."""
        value, last = self._slot.value, self._last
        if value is not None:
            self._last = value
            if last is not None and self._down < value - last < self._up:
                return False
        turned, calm = False, value is not None
        for check in self._checks:
            if check.push(at, last, value, self._slot.quality):
                turned = True
            if check.truth is not False:
                calm = False
        if self._stuck is not None or self._recent is not None:
            self._guarded(at, value)
        else:
            self._down, self._up = (-self._falls, self._rises) if calm else (0.0, 0.0)
        return turned

    def _guarded(self, at: int, value: float | None) -> None:
        if self._stuck is not None:
            self._stuck.push(at, value)
        if value is None:
            return
        if self._recent is not None:
            self._recent.append(value)
            if len(self._recent) == 3:
                self._slot.value = sorted(self._recent)[1]
        if self.distrust:
            self._slot.value, self._slot.quality = None, Quality.SENSOR


def guard_of(frame: Frame, key: str) -> PointGuard:
    """The guard of a point, made when first asked for."""
    slot = frame.slot(key)
    if not isinstance(slot.guard, PointGuard):
        slot.guard = PointGuard(slot)
    return slot.guard
