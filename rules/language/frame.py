"""What is known of one asset at this instant: the newest reading of each point that a rule uses, and its windows.

A value here is good or None. It becomes None when a reading is not good, when it is not of the type that its point's
kind fixes, and when no good reading has come for so long that a live device would have spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from facility.points import Kind, Point
from facility.presence import HEARTBEAT_MS
from facility.readings import Quality, Value
from rules.language.relation import Relation
from rules.language.summaries import HOUR_MS, Hours
from rules.language.trends import TRENDS
from rules.language.windowkinds import WindowKind, make_window
from rules.language.windows import Window

MIN_GRACE_MS = 15_000

_TYPES: Mapping[Kind, frozenset[type]] = {
    Kind.ANALOG: frozenset((float, int)),
    Kind.COUNTER: frozenset((float, int)),
    Kind.DISCRETE: frozenset((bool,)),
    Kind.ENUM: frozenset((int,)),
    Kind.TEXT: frozenset((str,)),
}


class Guard(Protocol):
    """What looks at every reading of a point before the rules do (rules/book/data)."""

    distrust: bool

    def take(self, at: int) -> bool:
        """The slot has just taken a reading, and may be given another value; whether rules have to be looked at."""


class Slot:
    """The newest reading of one point. `value` is Any because the point's kind, checked here, fixes its type.

    `at` is the reading's instant (0: none yet), `good_at` that of the newest good one, `limit` how long (ms) it holds.
    """

    __slots__ = ("at", "feeds", "good_at", "guard", "limit", "point", "quality", "types", "value")

    def __init__(self, point: Point) -> None:
        self.point = point
        self.types = _TYPES[point.kind]
        self.limit = HEARTBEAT_MS + max(int(3000 * point.interval), MIN_GRACE_MS)
        self.value: Any = None
        self.quality: Quality | None = None
        self.at = 0
        self.good_at = 0
        self.feeds: dict[Feed, None] = {}
        self.guard: Guard | None = None

    def take(self, at: int, value: Value, quality: Quality) -> bool:
        """The next reading; False if its type is not that of the point (then it counts as bad)."""
        self.at = at
        if quality is Quality.GOOD and type(value) in self.types and value == value:  # NaN is no value
            self.value = value
            self.quality = quality
            self.good_at = at
            return True
        self.value = None
        self.quality = Quality.SENSOR if quality is Quality.GOOD else quality
        return quality is not Quality.GOOD


class Feed:
    """What takes the values of a series, and the expression that gives them."""

    __slots__ = ("push", "read")

    def __init__(self, window: Window | Hours, read: Callable[[], float | None]) -> None:
        self.push = window.push
        self.read = read


class Tally:
    """Counts how often it is called: whatever has no finite answer calls the one of its rule."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        """One more. It gives None, the unknown."""
        self.count += 1


class Frame:
    """Slots and windows of one asset. `now` (ms) is the instant that windows are asked for; the engine sets it.

    `tallies`: rule id -> how often an expression of it had no finite answer.
    `hours`: the summaries behind its baselines and trends, by the text of the series. `zone`: where it is.
    `relatives` gives the frames of the assets that a relation asks; the engine sets it before rules are bound.
    """

    def __init__(
        self, points: Mapping[str, Point], rated: Mapping[str, float], *, zone: ZoneInfo = ZoneInfo("UTC")
    ) -> None:
        self._points = points
        self._windows: dict[tuple[WindowKind, str], Window] = {}
        self._next_expiry = 0
        self._hushed: dict[Slot, tuple[int, Any]] = {}
        self.hours: dict[str, Hours] = {}
        self.zone = zone
        self.rated = rated
        self.relatives: Callable[[Relation], Sequence[Frame]] = lambda _: ()
        self.slots: dict[str, Slot] = {}
        self.now = 0
        self.tallies: dict[str, Tally] = {}
        self.blame("")

    def slot(self, key: str) -> Slot:
        """The slot of a point, made when first asked for; KeyError if the class has no such point."""
        if key not in self.slots:
            self.slots[key] = Slot(self._points[key])
        return self.slots[key]

    def window(
        self, kind: WindowKind, *, source: str, points: Iterable[str], read: Callable[[], float | None]
    ) -> Window:
        """The window over what `read` gives, whose text is `source`; one for all rules that ask for the same."""
        key = (kind, source)
        if key not in self._windows:
            slots = [self.slot(point) for point in points]
            if kind.function in TRENDS:
                self._windows[key] = TRENDS[kind.function](kind, self._summed(kind, source, slots, read), self.zone)
            else:
                counter = len(slots) == 1 and slots[0].point.kind is Kind.COUNTER and slots[0].point.key == source
                self._windows[key] = window = make_window(kind, counter=counter)
                _feed(slots, Feed(window, read))
        return self._windows[key]

    def _summed(self, kind: WindowKind, source: str, slots: Sequence[Slot], read: Callable[[], float | None]) -> Hours:
        """The hourly summaries of a series, one for all that ask for it, as long as the longest of them wants."""
        hours = self.hours.get(source)
        if hours is None:
            ahead = datetime(2024, 1, 1, tzinfo=self.zone).utcoffset() or timedelta()
            offset = -round(ahead.total_seconds() * 1000) % HOUR_MS
            hours = self.hours[source] = Hours(kind.length, offset=offset, hold=min(slot.limit for slot in slots))
            _feed(slots, Feed(hours, read))
        hours.keep = max(hours.keep, kind.length)
        return hours

    def fed(self, at: int, slots: Iterable[Slot]) -> None:
        """Pass the new values of these slots on to their windows, to each window once."""
        feeds: dict[Feed, None] = {}
        for slot in slots:
            feeds.update(slot.feeds)
        for feed in feeds:
            feed.push(at, feed.read())

    def blame(self, rule: str) -> None:
        """What is bound from now on counts its faults as those of this rule; a shared window is its first rule's."""
        self.tally = self.tallies.setdefault(rule, Tally())

    @property
    def faults(self) -> int:
        """How often an expression had no finite answer, which is unknown."""
        return sum(tally.count for tally in self.tallies.values())

    def begin(self, at: int) -> None:
        """From now on silence counts: points without any reading have their whole limit from here."""
        for slot in self.slots.values():
            slot.good_at = slot.good_at or at

    def hush(self, at: int, points: Iterable[str]) -> list[Slot]:
        """Nobody speaks for these points now: good values become unknown. Returns the slots that this changes.

        How long they have been silent themselves is counted on, so that `stale(x)` is true when it would be anyway.
        """
        turned = [slot for key in points if (slot := self.slots.get(key)) and slot.value is not None]
        for slot in turned:
            self._hushed[slot] = slot.at, slot.value
            slot.value = None
        if turned:
            self.fed(at, turned)
        return turned

    def unhush(self, at: int, points: Iterable[str]) -> list[Slot]:
        """Somebody speaks for them again: what was told last stands, unless there was more or it has grown too old."""
        turned = []
        for key in points:
            slot = self.slots.get(key)
            if slot is None or slot not in self._hushed:
                continue
            told_at, value = self._hushed.pop(slot)
            if slot.at == told_at and slot.quality is Quality.GOOD:
                slot.value = value
                turned.append(slot)
        if turned:
            self.fed(at, turned)
        return turned

    def expiries(self, at: int) -> list[int]:
        """The instants up to `at` at which values grew too old to believe and nobody has said so yet, in order."""
        if at < self._next_expiry:
            return []
        known = (slot for slot in self.slots.values() if slot.quality in (None, Quality.GOOD))
        return sorted({instant for slot in known if (instant := slot.good_at + slot.limit) <= at})

    def expire(self, at: int) -> list[Slot]:
        """The slots whose last good reading has just become too old to believe; their value is unknown from now on."""
        if at < self._next_expiry:
            return []
        expired = []
        due = [at + HEARTBEAT_MS]
        for slot in self.slots.values():
            if slot.quality not in (None, Quality.GOOD):
                continue
            if slot.good_at + slot.limit > at:
                due.append(slot.good_at + slot.limit)
                continue
            slot.value = None
            slot.quality = Quality.STALE
            expired.append(slot)
        # readings only move an expiry forward, so nothing can be due before this
        self._next_expiry = min(due)
        if expired:
            self.fed(at, expired)
        return expired


def _feed(slots: Iterable[Slot], feed: Feed) -> None:
    for slot in slots:
        slot.feeds[feed] = None
