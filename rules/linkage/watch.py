"""What is known of each asset that a linkage looks at: the newest good and fresh readings, and conditions over them.

A reading is fresh for two of its poll intervals beyond the heartbeat after which a gateway repeats what has not
changed. A device that does not answer, and a gateway that is gone, make their readings unknown long before (quality,
`hush`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from facility.assets import Asset
from facility.catalog import Catalog
from facility.presence import HEARTBEAT_MS
from facility.readings import Quality, Sample
from rules.language.expression import Compiled
from rules.language.frame import Frame
from rules.linkage.run import Facts

QUIET = frozenset({Quality.GOOD, Quality.STALE, Quality.COMM})
"""Qualities that say nothing about the point itself: what is bad beside them is a fault of this very feedback."""


class Watched:
    """One asset. Conditions are bound once, and asked for as often as wanted."""

    def __init__(self, asset: Asset, catalog: Catalog) -> None:
        self.frame = Frame(catalog.classes[asset.asset_class].points, asset.rated)
        self._bound: dict[str, Callable[[], bool | None]] = {}

    def truth(self, condition: Compiled, key: str) -> bool | None:
        """Whether a condition holds now; None when that can't be seen. `key` tells conditions of one text apart."""
        return self.bind(condition, key)()

    def bind(self, condition: Compiled, key: str) -> Callable[[], bool | None]:
        """Make its points known, so that readings of them are kept."""
        if key not in self._bound:
            self._bound[key] = condition.bind(self.frame)
            for point in condition.points:
                slot = self.frame.slot(point)
                slot.limit = HEARTBEAT_MS + round(2000 * slot.point.interval)
        return self._bound[key]

    def take(self, sample: Sample) -> set[str]:
        """Keep what is newer; the points that were."""
        taken, fed = set(), []
        for key, value in sample.values.items():
            slot = self.frame.slots.get(key)
            if slot is None or sample.at <= slot.at:
                continue
            slot.take(sample.at, value, sample.quality_of(key))
            taken.add(key)
            if slot.feeds:
                fed.append(slot)
        self.frame.now = max(self.frame.now, sample.at)
        if fed:
            self.frame.fed(sample.at, fed)
        return taken

    def pass_to(self, at: int) -> set[str]:
        """Let time pass; the points that have become too old by it."""
        self.frame.now = max(self.frame.now, at)
        return {slot.point.key for slot in self.frame.expire(at)}

    def facts(self, points: Iterable[str]) -> Facts:
        """The newest readings of some points."""
        slots = [self.frame.slot(point) for point in points]
        return {
            slot.point.key: (slot.value, slot.quality.value if slot.quality else "missing", slot.at) for slot in slots
        }

    def newest(self, points: Iterable[str]) -> int:
        """The instant of the newest reading of some points, 0 when there is none."""
        return max((self.frame.slot(point).at for point in points), default=0)

    def is_blind(self, points: Iterable[str]) -> bool:
        """Whether the newest reading of one of them is bad by itself."""
        qualities = (self.frame.slot(point).quality for point in points)
        return any(quality is not None and quality not in QUIET for quality in qualities)


def watched(assets: Iterable[str], known: Mapping[str, Asset], catalog: Catalog) -> dict[str, Watched]:
    """A watch for each of these assets."""
    return {name: Watched(known[name], catalog) for name in dict.fromkeys(assets)}
