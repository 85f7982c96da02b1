"""The newest reading of every point, held in memory; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from facility.points import Kind
from facility.readings import Quality, Reading, Sample, Value
from ingest.store import coerce, settle

KindOf = Callable[[str, str], Kind | None]
"""(asset class, point key) -> kind; None when the class has no such point."""


class _Held:
    __slots__ = ("asset_class", "ats", "bad", "newest", "values")

    def __init__(self, asset_class: str) -> None:
        self.asset_class = asset_class
        self.values: dict[str, Value] = {}
        self.ats: dict[str, int] = {}
        self.bad: dict[str, Quality] = {}
        self.newest = -1


class Latest:
    """The newest value, instant and quality by asset and point. Of two at one instant the later to come wins."""

    def __init__(self, kind_of: KindOf) -> None:
        self._kind_of = kind_of
        self._assets: dict[str, _Held] = {}

    def note(self, sample: Sample, asset_class: str) -> None:
        """Take a sample in; older readings than those held change nothing."""
        held = self._assets.get(sample.asset)
        if held is None:
            held = self._assets[sample.asset] = _Held(asset_class)
        if sample.quality or sample.at < held.newest:
            self._each(held, sample)
            return
        held.newest = sample.at
        held.values.update(sample.values)
        held.ats.update(dict.fromkeys(sample.values, sample.at))
        if held.bad:
            for point in sample.values:
                held.bad.pop(point, None)

    def _each(self, held: _Held, sample: Sample) -> None:
        for point, value in sample.values.items():
            self.put(held.asset_class, Reading(sample.asset, point, sample.at, value, sample.quality_of(point)))

    def put(self, asset_class: str, reading: Reading) -> None:
        """Take one reading in."""
        held = self._assets.setdefault(reading.asset, _Held(asset_class))
        if reading.at < held.ats.get(reading.point, -1) or reading.quality is Quality.CLOCK:
            return
        value, quality = settle(reading.value, reading.quality)
        held.values[reading.point] = value
        held.ats[reading.point] = reading.at
        held.newest = max(held.newest, reading.at)
        if quality is Quality.GOOD:
            held.bad.pop(reading.point, None)
        else:
            held.bad[reading.point] = quality

    def forget(self, before: int) -> None:
        """Drop what is older than `before`."""
        for held in self._assets.values():
            for point in [point for point, at in held.ats.items() if at < before]:
                del held.ats[point], held.values[point]
                held.bad.pop(point, None)

    def readings(self, assets: Iterable[str] = ()) -> list[Reading]:
        """The newest readings of these assets (of all, if none are named), by asset and point."""
        return [reading for asset in sorted(set(assets) or self._assets) for reading in self._of(asset)]

    def _of(self, asset: str) -> Iterator[Reading]:
        held = self._assets.get(asset)
        if held is None:
            return
        for point in sorted(held.values):
            kind = self._kind_of(held.asset_class, point)
            value, quality = settle(held.values[point], held.bad.get(point, Quality.GOOD))
            yield Reading(asset, point, held.ats[point], coerce(kind, value) if kind else None, quality)
