"""ReadingStore in memory: for tests and short runs; the same contract, nothing survives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from facility.assets import Asset
from facility.catalog import Catalog
from facility.points import Kind
from facility.readings import Quality, Reading, Sample, Value
from facility.wire import AlarmNotice
from ingest.intervals import Intervals
from ingest.latest import Latest
from ingest.store import NUMERIC, Bucket, Delivery, Refused, Totals, WriteResult, coerce, fill, settle, steps

_Series = dict[int, tuple[Value, Quality]]


class MemoryStore:
    """Readings in dictionaries. `catalog` fixes the type of every point."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._series: dict[tuple[str, str], _Series] = {}
        self._classes: dict[str, str] = {}
        self._batches: dict[tuple[str, str], Intervals] = {}
        self._alarms: dict[tuple[str, int], AlarmNotice] = {}
        self._latest = Latest(self._kind)

    def _kind(self, asset_class: str, point: str) -> Kind | None:
        found = self._catalog.point(asset_class, point)
        return found.kind if found else None

    async def write(self, deliveries: Sequence[Delivery]) -> WriteResult:
        """Keep the deliveries; a (gateway, boot, seq) that was there already changes nothing."""
        stored = replayed = 0
        refused: list[Refused] = []
        for delivery in deliveries:
            batch = delivery.batch
            if not self._batches.setdefault((delivery.gateway, batch.boot), Intervals()).add(batch.seq):
                replayed += batch.count
                continue
            for sample in batch.samples:
                for reading in self._take(sample, delivery.classes[sample.asset], refused):
                    self._latest.put(delivery.classes[sample.asset], reading)
                    stored += 1
        return WriteResult(stored, replayed, tuple(refused))

    def _take(self, sample: Sample, asset_class: str, refused: list[Refused]) -> Iterator[Reading]:
        self._classes[sample.asset] = asset_class
        for point, given in sample.values.items():
            kind = self._kind(asset_class, point)
            if kind is None:
                refused.append(Refused(f"{sample.asset} {point} {given!r}", f"{asset_class} has no such point"))
                continue
            value, quality = settle(given, sample.quality_of(point))
            value = coerce(kind, value)
            self._series.setdefault((sample.asset, point), {})[sample.at] = (value, quality)
            yield Reading(sample.asset, point, sample.at, value, quality)

    async def write_alarm(self, notice: AlarmNotice) -> None:
        """Keep an alarm transition."""
        await self.write_alarms([notice])

    async def write_alarms(self, notices: Sequence[AlarmNotice]) -> None:
        """Keep several alarm transitions."""
        self._alarms.update({(notice.id, notice.version): notice for notice in notices})

    async def alarms(self, start: int, end: int, *, limit: int = 1000) -> list[AlarmNotice]:
        """Alarm transitions of a time range, oldest first."""
        found = [notice for notice in self._alarms.values() if start <= notice.at < end]
        return sorted(found, key=lambda notice: (notice.at, notice.version))[-limit:]

    async def latest(self, assets: Sequence[str] = ()) -> list[Reading]:
        """The newest reading of every point."""
        return self._latest.readings(assets)

    def _range(self, asset: str, points: Sequence[str], start: int, end: int) -> list[Reading]:
        found = [
            Reading(name, point, at, value, quality)
            for (name, point), series in self._series.items()
            if name == asset and (not points or point in points)
            for at, (value, quality) in series.items()
            if start <= at < end
        ]
        return sorted(found, key=lambda reading: (reading.at, reading.point))

    async def between(
        self, asset: str, points: Sequence[str], start: int, end: int, *, limit: int = 10_000
    ) -> list[Reading]:
        """Readings of a time range, oldest first."""
        return self._range(asset, points, start, end)[-limit:] if limit > 0 else []

    async def buckets(self, asset: str, point: str, start: int, end: int, *, count: int = 300) -> list[Bucket]:
        """The history of a numeric point in equal steps."""
        if self._kind(self._classes.get(asset, ""), point) not in NUMERIC:
            return []
        step, number = steps(start, end, count)
        values: dict[int, list[float]] = {}
        for reading in self._range(asset, [point], start, end):
            if reading.value is not None:
                values.setdefault((reading.at - start) // step, []).append(float(reading.value))
        found = {
            index: Bucket(start + index * step, len(held), sum(held) / len(held), min(held), max(held))
            for index, held in values.items()
        }
        return fill(start, step, number, found)

    async def samples(self, start: int, end: int, *, assets: Sequence[str] = ()) -> AsyncIterator[Sample]:
        """All samples, oldest first."""
        wanted = sorted(set(assets) or self._classes)
        found: dict[tuple[int, str], list[Reading]] = {}
        for asset in wanted:
            for reading in self._range(asset, (), start, end):
                found.setdefault((reading.at, asset), []).append(reading)
        for (at, asset), held in sorted(found.items(), key=lambda item: item[0]):
            bad: dict[str, Quality] = {
                reading.point: reading.quality for reading in held if reading.quality is not Quality.GOOD
            }
            yield Sample(asset, at, {reading.point: reading.value for reading in held}, bad)

    async def totals(self) -> Totals:
        """How much is held."""
        detail: dict[str, int] = {}
        for (asset, _point), series in self._series.items():
            detail[self._classes[asset]] = detail.get(self._classes[asset], 0) + len(series)
        return Totals(sum(detail.values()), 0, detail)

    async def expire(self, before: int) -> int:
        """Forget readings older than `before`."""
        gone = 0
        for key, series in self._series.items():
            kept = {at: value for at, value in series.items() if at >= before}
            gone += len(series) - len(kept)
            self._series[key] = kept
        self._latest.forget(before)
        return gone

    def adopt(self, assets: Mapping[str, Asset], catalog: Catalog) -> None:  # noqa: ARG002 - a store's signature
        """See ReadingStore."""
        self._catalog = catalog

    async def close(self) -> None:
        """Nothing to release."""
