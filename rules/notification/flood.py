"""When so many alarms come that each for itself tells nobody anything: begins, goes on, ends. Pure; instants are ms.

========  ==========================================  ========
state     what happens                                then
========  ==========================================  ========
calm      more than `start` alarms within `window`    flood
flood     fewer than `end` within `window`            calm
========  ==========================================  ========

Only the newest `start + 1` instants are kept: they say all of that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Due(StrEnum):
    """The summary that has to be told now."""

    NOTHING = ""
    BEGUN = "begun"
    GOES_ON = "goes_on"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Limits:
    """Spans are ms; see FloodSettings."""

    start: int = 10
    end: int = 5
    window: int = 600_000
    summary: int = 600_000
    urgent_per_minute: int = 10


@dataclass(frozen=True, slots=True)
class Flood:
    """`newest`: the instants of the newest alarms, in order. `began` while it lasts; `told`: of the last summary."""

    newest: tuple[int, ...] = ()
    began: int | None = None
    told: int | None = None

    @property
    def is_on(self) -> bool:
        """Whether it lasts."""
        return self.began is not None

    def count(self, now: int, limits: Limits) -> int:
        """How many of the newest alarms are within the window."""
        return sum(now - limits.window < at <= now for at in self.newest)


def raised(flood: Flood, at: int, limits: Limits) -> Flood:
    """One more alarm."""
    flood = replace(flood, newest=(*flood.newest, max(at, *flood.newest[-1:], at))[-(limits.start + 1) :])
    if flood.began is None and flood.count(at, limits) > limits.start:
        return replace(flood, began=at, told=None)
    return flood


def due(flood: Flood, now: int, limits: Limits) -> Due:
    """Which summary is due."""
    if flood.began is None:
        return Due.NOTHING
    if flood.told is None:
        return Due.BEGUN
    if flood.count(now, limits) < limits.end:
        return Due.ENDED
    return Due.GOES_ON if now - flood.told >= limits.summary else Due.NOTHING


def summed_up(flood: Flood, what: Due, now: int) -> Flood:
    """The flood after this summary was told."""
    if what is Due.ENDED:
        return replace(flood, began=None, told=None)
    return replace(flood, told=now)


def rebuilt(instants: Iterable[int], limits: Limits, now: int, *, began: int | None, told: int | None) -> Flood:
    """As it was before a restart: from the alarms of the last window, oldest first, and the flood on record if any."""
    flood = Flood(began=began, told=told)
    for at in instants:
        if now - limits.window < at:
            flood = raised(flood, at, limits)
    return flood
