"""Pure: report by exception. A value is worth telling when it moved by its deadband, when its quality changed, or when
it has been quiet for a whole heartbeat; counters, enums and discrete points when they changed at all.

`BlockReport` watches the answer of one planned read and is built for speed: an answer with the same bytes as the one
before costs one comparison; otherwise only the slots whose raw content changed are decoded. That is exact, not a
guess: what has not changed since the last answer was judged then, against the same last told value.

`PointReport` does the same for values that come one by one (MQTT devices).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, compress
from operator import ne
from typing import Any

from facility.points import Kind, Point
from facility.presence import HEARTBEAT_MS
from facility.readings import Quality, Value
from gateway.codec import Block

HEARTBEAT = HEARTBEAT_MS
"""Milliseconds after which an unchanged value is told again."""
FORGOTTEN = -1
"""The instant of a value that has to be told again, whatever it is."""
_EARLY = 0.9
"""A heartbeat takes along what is due within the last tenth of its time, so that beats stay few."""
_SLACK = 1 - 1e-9
"""A step of exactly one deadband counts, in spite of binary fractions."""
_BACKWARDS = 1_000
"""Milliseconds that the clock may go back unnoticed; a stamp then follows the one before."""

Change = tuple[dict[str, Value], dict[str, Quality]]
"""Point -> value, and point -> quality for those that are not good."""

_GOOD = Quality.GOOD


def deadband(point: Point) -> float:
    """By how much a point must move to be told; 0 for any change."""
    return point.deadband * _SLACK if point.kind is Kind.ANALOG else 0.0


def next_stamp(now: int, last: int) -> int:
    """The ms for a new sample of a point last stamped `last`: never the same one twice while the clock runs or slews.

    A step back of more than a second is believed: a wrong clock was put right.
    """
    return now if now > last or last - now > _BACKWARDS else last + 1


class BlockReport:
    """What one planned read has told, and what it has to tell next. `at` is ms since 1970 UTC throughout."""

    def __init__(self, block: Block, heartbeat: int = HEARTBEAT) -> None:
        self.block = block
        self._heartbeat = heartbeat
        self._bands = tuple(deadband(point) for point in block.points)
        self._direct = all(users == (slot,) for slot, users in enumerate(block.users))
        self._numbers = tuple(range(len(block.users)))
        self._data = b""
        self._raws: tuple[Any, ...] | None = None
        size = len(block.keys)
        self._values: list[Value] = [None] * size
        self._qualities: list[Quality | None] = [None] * size
        self._told = [0] * size
        self._due = 0
        self.stamp = 0

    @property
    def bad(self) -> int:
        """How many of its points were told last as having no value."""
        return sum(quality is not None and quality is not _GOOD for quality in self._qualities)

    def update(self, data: bytes, now: int) -> Change | None:
        """What an answer (of the block's size) has to tell at `now`, or None. `stamp` is then its instant."""
        if data == self._data and self._due - self._heartbeat - _BACKWARDS <= now < self._due:
            return None
        at = next_stamp(now, self.stamp)
        self._due = min(self._due, at + self._heartbeat)
        raws = self.block.raws(data)
        values: dict[str, Value] = {}
        quality: dict[str, Quality] = {}
        self._compare(raws, self._candidates(raws), at, values, quality)
        self._data, self._raws = data, raws
        if at >= self._due:
            self._beat(raws, at, values, quality)
        if not values:
            return None
        self.stamp = at
        return values, quality

    def again(self) -> None:
        """Tell everything with the next answer, as if nothing had been told; the stamps go on."""
        self._data, self._raws, self._due = b"", None, 0
        self._qualities = [None] * len(self._qualities)

    def lost(self, quality: Quality, now: int) -> Change | None:
        """Tell every point as bad, once; the next answer is then compared with nothing."""
        self._data, self._raws = b"", None
        at = next_stamp(now, self.stamp)
        values: dict[str, Value] = {}
        for index, key in enumerate(self.block.keys):
            if self._qualities[index] is not quality:
                values[key] = None
                self._values[index], self._qualities[index], self._told[index] = None, quality, at
        if not values:
            return None
        self.stamp = at
        return values, dict.fromkeys(values, quality)

    def _candidates(self, raws: tuple[Any, ...]) -> Iterable[int]:
        """The registers whose raw content is not that of the last answer."""
        if self._raws is None:
            return range(len(self.block.keys))
        changed = compress(self._numbers, map(ne, raws, self._raws))
        if self._direct:
            return changed
        users = self.block.users
        return chain.from_iterable(users[slot] for slot in changed)

    def _compare(
        self,
        raws: tuple[Any, ...],
        candidates: Iterable[int],
        at: int,
        values: dict[str, Value],
        quality: dict[str, Quality],
    ) -> None:
        """The hot loop: everything it touches is local."""
        block, bands, told = self.block, self._bands, self._told
        finish, slots, keys = block.finish, block.slots, block.keys
        last_values, last_qualities = self._values, self._qualities
        for index in candidates:
            value, good = finish[index](raws[slots[index]])
            if good is last_qualities[index]:
                if good is not _GOOD:
                    continue
                band = bands[index]
                last = last_values[index]
                if (abs(value - last) < band) if band else value == last:  # type: ignore[operator]
                    continue
            values[keys[index]] = value
            if good is not _GOOD:
                quality[keys[index]] = good
            last_values[index] = value
            last_qualities[index] = good
            told[index] = at

    def _beat(self, raws: tuple[Any, ...], at: int, values: dict[str, Value], quality: dict[str, Quality]) -> None:
        """Tell again what has been quiet; the value of now, not the one last told."""
        block, old = self.block, self._heartbeat * _EARLY
        for index, key in enumerate(block.keys):
            if 0 <= at - self._told[index] < old:
                continue
            value, good = block.finish[index](raws[block.slots[index]])
            values[key] = value
            if good is not _GOOD:
                quality[key] = good
            self._values[index], self._qualities[index], self._told[index] = value, good, at
        self._due = min(self._told) + self._heartbeat


class PointReport:
    """The same for values that arrive one by one, by point key."""

    def __init__(self, heartbeat: int = HEARTBEAT) -> None:
        self._heartbeat = heartbeat
        self._last: dict[str, tuple[Value, Quality, int]] = {}
        self.stamp = 0

    @property
    def keys(self) -> tuple[str, ...]:
        """The points told so far."""
        return tuple(self._last)

    @property
    def bad(self) -> int:
        """How many of them were told last as having no value."""
        return sum(quality is not _GOOD for _, quality, _ in self._last.values())

    def offer(self, point: Point, value: Value, quality: Quality, at: int) -> bool:
        """Whether a value is worth telling; it then counts as told."""
        last = self._last.get(point.key)
        quiet = last is not None and last[2] != FORGOTTEN and 0 <= at - last[2] < self._heartbeat
        if quiet and last is not None and not self._differs(point, value, quality, last):
            return False
        self._last[point.key] = (value, quality, at)
        return True

    def again(self) -> None:
        """Whatever comes next is worth telling, as if it had been quiet for a whole heartbeat."""
        self._last = {key: (value, quality, FORGOTTEN) for key, (value, quality, _) in self._last.items()}

    def lost(self, keys: Iterable[str], quality: Quality, at: int) -> Change | None:
        """Tell these points as bad, each once."""
        last = self._last
        fresh = [key for key in keys if key not in last or last[key][1] is not quality or last[key][2] == FORGOTTEN]
        for key in fresh:
            self._last[key] = (None, quality, at)
        return (dict.fromkeys(fresh), dict.fromkeys(fresh, quality)) if fresh else None

    def _differs(self, point: Point, value: Value, quality: Quality, last: tuple[Value, Quality, int]) -> bool:
        if quality is not last[1]:
            return True
        if quality is not _GOOD:
            return False
        band = deadband(point)
        return abs(value - last[0]) >= band if band else value != last[0]  # type: ignore[operator]
