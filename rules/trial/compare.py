"""Two sets of alarms of the same time laid side by side: which are new, gone, earlier, later, longer, shorter. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from rules.engine import Key

NEAR_MS = 60_000
"""Two alarms that do not overlap are the same one if one begins within a minute of the other's end."""
SAME_MS = 1000
"""A difference below this is none."""
NIGHT = (22, 6)
"""The hours of night: from 22:00 to 06:00."""


class Change(StrEnum):
    """What became of an alarm."""

    ADDED = "added"
    REMOVED = "removed"
    EARLIER = "earlier"
    LATER = "later"
    LONGER = "longer"
    SHORTER = "shorter"


@dataclass(frozen=True, slots=True)
class Episode:
    """An alarm from its raise to its clear; `cleared` None: it stands at the end. Instants are ms UTC."""

    key: Key
    raised: int
    cleared: int | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """The same alarm on both sides; None where a side has none."""

    old: Episode | None
    new: Episode | None

    @property
    def first(self) -> Episode:
        """The one of the new side, if there is one."""
        found = self.new or self.old
        assert found
        return found

    @property
    def changes(self) -> tuple[Change, ...]:
        """How the new one differs; empty when it does not."""
        if self.old is None:
            return (Change.ADDED,)
        if self.new is None:
            return (Change.REMOVED,)
        found = []
        if abs(self.moved) >= SAME_MS:
            found.append(Change.EARLIER if self.moved < 0 else Change.LATER)
        if abs(self.grown) >= SAME_MS:
            found.append(Change.LONGER if self.grown > 0 else Change.SHORTER)
        return tuple(found)

    @property
    def moved(self) -> int:
        """ms by which the new one is raised later (earlier: negative)."""
        return self.new.raised - self.old.raised if self.old and self.new else 0

    @property
    def grown(self) -> int:
        """ms by which the new one lasts longer; 0 where either stands at the end."""
        if not self.old or not self.new or self.old.cleared is None or self.new.cleared is None:
            return 0
        return (self.new.cleared - self.new.raised) - (self.old.cleared - self.old.raised)


def pair(old: Iterable[Episode], new: Iterable[Episode]) -> list[Pair]:
    """Alarms of the same rule, index and asset that overlap, or nearly do, belong together; by the instant of raise."""
    sides: dict[Key, tuple[list[Episode], list[Episode]]] = {}
    for number, side in enumerate((old, new)):
        for episode in side:
            sides.setdefault(episode.key, ([], []))[number].append(episode)
    found = [item for before, after in sides.values() for item in _pair(before, after)]
    return sorted(found, key=lambda item: (item.first.raised, item.first.key))


def _pair(old: list[Episode], new: list[Episode]) -> Iterator[Pair]:
    old, new = sorted(old, key=lambda item: item.raised), sorted(new, key=lambda item: item.raised)
    left = right = 0
    while left < len(old) and right < len(new):
        before, after = old[left], new[right]
        if _over(before, after):
            yield Pair(before, None)
            left += 1
        elif _over(after, before):
            yield Pair(None, after)
            right += 1
        else:
            yield Pair(before, after)
            left, right = left + 1, right + 1
    yield from (Pair(item, None) for item in old[left:])
    yield from (Pair(None, item) for item in new[right:])


def _over(first: Episode, second: Episode) -> bool:
    """Whether the first one is over well before the second begins."""
    return first.cleared is not None and first.cleared + NEAR_MS < second.raised


@dataclass
class Tally:
    """Counts of one rule, one day or one hour: how many on each side, and what changed."""

    old: int = 0
    new: int = 0
    changes: Counter[Change] = field(default_factory=Counter)

    def add(self, item: Pair) -> None:
        """Count one pair."""
        self.old += item.old is not None
        self.new += item.new is not None
        self.changes.update(item.changes)

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return {"old": self.old, "new": self.new} | {change.value: self.changes[change] for change in Change}


@dataclass
class Comparison:
    """Pairs counted in all, by rule, by local day and by hour of night (of the raise)."""

    pairs: list[Pair]
    total: Tally = field(default_factory=Tally)
    rules: dict[str, Tally] = field(default_factory=dict)
    days: dict[str, Tally] = field(default_factory=dict)
    nights: dict[int, Tally] = field(default_factory=dict)


def compare(old: Iterable[Episode], new: Iterable[Episode], *, time_zone: str) -> Comparison:
    """Lay both sides side by side."""
    zone = ZoneInfo(time_zone)
    found = Comparison(pair(old, new))
    found.nights = {hour % 24: Tally() for hour in range(NIGHT[0], NIGHT[1] + 24)}
    for item in found.pairs:
        local = datetime.fromtimestamp(item.first.raised / 1000, zone)
        tallies = [found.total, found.rules.setdefault(item.first.key[0], Tally())]
        tallies.append(found.days.setdefault(local.date().isoformat(), Tally()))
        if local.hour in found.nights:
            tallies.append(found.nights[local.hour])
        for tally in tallies:
            tally.add(item)
    found.days = dict(sorted(found.days.items()))
    return found
