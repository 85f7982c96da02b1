"""Derived points at work: worked out anew when something that they look at changes, and told like readings. Pure.

A node is one derived point of one asset. What it gives is put into the asset's frame, where rules, windows and other
nodes see it, and kept to be told when it has changed by its deadband, when its quality has, or when it was told long
ago. Its instant is that of the reading that changed it, or one millisecond after its last one.

A value that is not known is told without a number. Its quality is that of the first input of its own asset that is not
good; `comm` where nobody speaks for that input; and `sensor` where all are good: too little is known yet, another asset
does not answer, or there is no finite answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush

from facility.points import Kind
from facility.presence import HEARTBEAT_MS
from facility.readings import Quality, Sample, Value
from rules.book.derived import CompiledPoint
from rules.book.kinship import Kinship
from rules.language.frame import Frame, Slot
from rules.language.trends import seconds_of_readings

AGAIN_MS = HEARTBEAT_MS // 2
"""A value that does not change is told again after this long, so that it does not grow stale while its inputs live."""
LOOK_MS = 5_000
"""How often it is looked for such."""
MAX_TOLD = 200_000
"""Readings that wait to be told; beyond that the oldest are given up, and counted."""

Place = tuple[str, str]


class Node:
    """One derived point of one asset. `rank`: after everything that it looks at."""

    __slots__ = (
        "_deadband",
        "asset",
        "frame",
        "inputs",
        "key",
        "next_at",
        "period",
        "rank",
        "read",
        "slot",
        "stored_at",
        "told",
        "told_at",
    )  # fmt: skip

    def __init__(self, rank: int, asset: str, item: CompiledPoint, frame: Frame) -> None:
        self.rank = rank
        self.asset = asset
        self.key = item.point.key
        self.frame = frame
        self.slot: Slot = frame.slot(self.key)
        self.inputs = [frame.slot(key) for key in item.compiled.points]
        self.read: Callable[[], float | bool | None] = item.compiled.bind(frame)
        # it lives as long as the slowest of its inputs
        self.slot.limit = max([self.slot.limit, *(slot.limit for slot in self.inputs)])
        spans = [seconds_of_readings(*window) for window in item.compiled.windows]
        self.period = max(1000, round(min(spans) * 1000 / 60)) if spans else 0
        self.next_at = 0
        self.stored_at = 0
        self.told: tuple[Value, Quality] | None = None
        self.told_at = 0
        self._deadband = item.point.deadband

    def evaluate(self, at: int) -> Sample | None:
        """Work it out at `at`; the reading, if it has to be told."""
        slot, frame = self.slot, self.frame
        at = max(at, slot.at + 1)
        frame.now = max(frame.now, at)
        found = self.read()
        value: Value = float(found) if found is not None and slot.point.kind is not Kind.DISCRETE else found
        quality = Quality.GOOD if value is not None else self._reason()
        slot.take(at, value, quality)
        if slot.feeds:
            frame.fed(at, [slot])
        if at - self.told_at < AGAIN_MS and self.told is not None and not self._differs(value, quality):
            return None
        self.told, self.told_at = (value, quality), at
        return Sample(self.asset, at, {self.key: value}, {} if quality is Quality.GOOD else {self.key: quality})

    def _differs(self, value: Value, quality: Quality) -> bool:
        before, before_quality = self.told or (None, Quality.STALE)
        if quality is not before_quality:
            return True
        if isinstance(value, float) and isinstance(before, float) and self._deadband:
            return abs(value - before) >= self._deadband
        return value != before

    def _reason(self) -> Quality:
        for slot in self.inputs:
            if slot.value is None:
                return Quality.COMM if slot.quality in (None, Quality.GOOD) else slot.quality
        return Quality.SENSOR


class Deriving:
    """All nodes of a site. `given_up`: readings that nobody took away in time."""

    def __init__(
        self, order: Iterable[tuple[str, CompiledPoint]], frames: Mapping[str, Frame], kinship: Kinship
    ) -> None:
        self.given_up = 0
        self.nodes: dict[Place, Node] = {}
        self._from: dict[Place, list[Node]] = {}
        self._told: list[Sample] = []
        for rank, (asset, item) in enumerate(order):
            node = self.nodes[asset, item.point.key] = Node(rank, asset, item, frames[asset])
            for key in item.compiled.points:
                self._from.setdefault((asset, key), []).append(node)
            for relation in item.compiled.relations:
                for other in kinship.related(asset, relation):
                    for key in relation.points:
                        self._from.setdefault((other, key), []).append(node)
        self._looked_at = _by_asset(self._from)
        self._derived = _by_asset(self.nodes)
        self._next_look = 0
        self._timed = [node for node in self.nodes.values() if node.period]

    def looked_at(self, asset: str) -> frozenset[str]:
        """The points of an asset that some node looks at."""
        return self._looked_at.get(asset, frozenset())

    def derived(self, asset: str) -> frozenset[str]:
        """The points of an asset that are worked out."""
        return self._derived.get(asset, frozenset())

    def due(self, at: int) -> list[Node]:
        """The nodes that time alone may have changed by `at`, and those that have to be told again."""
        found = [node for node in self._timed if node.next_at <= at and node.slot.at]
        for node in found:
            node.next_at = at + node.period
        if at >= self._next_look:
            self._next_look = at + LOOK_MS
            found += [node for node in self.nodes.values() if node.slot.at and at - node.told_at >= AGAIN_MS]
        return found

    def ripple(self, changed: Iterable[Place], at: int, *, also: Iterable[Node] = ()) -> list[Place]:
        """Work out what follows from changed points, in order; the derived points that got a reading."""
        waiting: dict[int, Node] = {}
        heap: list[int] = []

        def wait(nodes: Iterable[Node]) -> None:
            for node in nodes:
                if node.rank not in waiting:
                    waiting[node.rank] = node
                    heappush(heap, node.rank)

        wait(also)
        for place in changed:
            wait(self._from.get(place, ()))
        found: list[Place] = []
        while heap:
            node = waiting[heappop(heap)]
            if told := node.evaluate(at):
                self._tell(told)
            found.append((node.asset, node.key))
            wait(self._from.get((node.asset, node.key), ()))
        return found

    def stored(self, sample: Sample) -> None:
        """A sample as the store has it: what it holds of derived points need not be told again."""
        for key in sample.values:
            node = self.nodes.get((sample.asset, key))
            if node is not None and sample.at > node.stored_at:
                node.stored_at = sample.at

    def take_told(self) -> list[Sample]:
        """What has to be told since the last call, the oldest first; nothing that the store has already."""
        told, self._told = self._told, []
        return [sample for sample in told if sample.at > self._node(sample).stored_at]

    def _node(self, sample: Sample) -> Node:
        return self.nodes[sample.asset, next(iter(sample.values))]

    def _tell(self, sample: Sample) -> None:
        self._told.append(sample)
        if len(self._told) > MAX_TOLD:
            del self._told[: MAX_TOLD // 10]
            self.given_up += MAX_TOLD // 10


def _by_asset(places: Iterable[Place]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for asset, key in places:
        found.setdefault(asset, set()).add(key)
    return {asset: frozenset(keys) for asset, keys in found.items()}
