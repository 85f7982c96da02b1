"""ReadingStore in one DuckDB file: the default where there is no InfluxDB. One process, no server.

A write is one transaction of readings together with the numbers of their batches, on disk when `write` returns; so a
batch that comes again is recognised exactly, also after kill -9. DuckDB blocks: one thread writes, two read.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import msgspec

from facility.assets import Asset
from facility.catalog import Catalog
from facility.errors import StoreError
from facility.points import Kind
from facility.readings import Quality, Reading, Sample, Value
from facility.wire import AlarmNotice
from ingest.duckdb_file import SEAL_ROWS, ReadingsFile
from ingest.duckdb_rows import QUALITIES
from ingest.duckdb_schema import ALL_ROWS, NEWEST
from ingest.latest import Latest
from ingest.store import NUMERIC, Bucket, Delivery, Totals, WriteResult, coerce, fill, steps

T = TypeVar("T")

PAGE = 20_000
"""Rows fetched at once by `samples`."""


class DuckDBStore:
    """Readings in a DuckDB file. Make it with `await DuckDBStore.open(path, catalog=...)`."""

    def __init__(self, file: ReadingsFile, *, catalog: Catalog) -> None:
        self._file = file
        self._catalog = catalog
        self._writer = ThreadPoolExecutor(1, "duckdb-write")
        self._readers = ThreadPoolExecutor(2, "duckdb-read")
        self._latest = Latest(self._kind)
        self._generation = 0

    @classmethod
    async def open(cls, path: Path | str, *, catalog: Catalog, seal_rows: int = SEAL_ROWS) -> DuckDBStore:
        """Open or create the file; `:memory:` for none. StoreError when it is locked or not ours."""
        file = ReadingsFile(path, catalog=catalog, seal_rows=seal_rows)
        store = cls(file, catalog=catalog)
        try:
            await store._on(store._writer, file.load)
            await store._warm()
        except StoreError:
            await store.close()
            raise
        return store

    async def _on(self, threads: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
        """Run blocking work; whatever DuckDB complains of becomes a StoreError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)
        except (duckdb.Error, RuntimeError) as error:
            raise StoreError("readings", f"{self._file.path}: {str(error).strip().splitlines()[0]}") from error

    async def _query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        return await self._on(self._readers, self._file.query, sql, parameters)

    def _kind(self, asset_class: str, point: str) -> Kind | None:
        found = self._catalog.point(asset_class, point)
        return found.kind if found else None

    async def _warm(self) -> None:
        """Read the newest of every series from the file: at the start, and after a write of unknown outcome."""
        self._generation = self._file.generation
        latest = Latest(self._kind)
        for row in await self._query(NEWEST):
            latest.put(self._file.about[row[0]][1], self._reading(row))
        self._latest = latest

    async def write(self, deliveries: Sequence[Delivery]) -> WriteResult:
        """Make the deliveries durable in one transaction; batches that are there already are left out."""
        result, fresh = await self._on(self._writer, self._file.write, deliveries)
        if self._file.generation != self._generation:
            await self._warm()
        for delivery in fresh:
            for sample in delivery.batch.samples:
                self._latest.note(sample, delivery.classes[sample.asset])
        return result

    async def write_alarm(self, notice: AlarmNotice) -> None:
        """Keep an alarm transition."""
        await self.write_alarms([notice])

    async def write_alarms(self, notices: Sequence[AlarmNotice]) -> None:
        """Keep several alarm transitions in one transaction."""
        await self._on(self._writer, self._file.write_alarms, notices)

    async def expire(self, before: int) -> int:
        """Forget readings, alarm transitions and batch numbers older than `before`; returns how many readings."""
        gone = await self._on(self._writer, self._file.expire, before)
        self._latest.forget(before)
        return gone

    async def latest(self, assets: Sequence[str] = ()) -> list[Reading]:
        """The newest reading of every point, from memory."""
        return self._latest.readings(assets)

    def _reading(self, row: tuple[Any, ...]) -> Reading:
        sid, ms, number, text, code = row
        asset, _, point, kind = self._file.about[sid]
        value: Value = None if code else coerce(kind, number if text is None else text)
        return Reading(asset, point, ms, value, QUALITIES[code])

    async def between(
        self, asset: str, points: Sequence[str], start: int, end: int, *, limit: int = 10_000
    ) -> list[Reading]:
        """Readings of a time range, oldest first; the newest `limit` of them."""
        ids = self._file.series.get(asset, {})
        sids = [ids[point] for point in points or ids if point in ids]
        if not sids or limit < 1:
            return []
        where = f"sid IN ({', '.join(map(str, sids))}) AND ms >= {int(start)} AND ms < {int(end)}"
        sql = f"SELECT sid, ms, num, txt, q FROM {ALL_ROWS.format(where=where)} ORDER BY ms DESC, o DESC LIMIT ?"  # noqa: S608
        found: dict[tuple[int, int], Reading] = {}
        wanted = limit
        while True:
            rows = await self._query(sql, wanted)
            for row in rows:
                # newest first, so of several at one instant the first one seen is the last one written
                found.setdefault((row[1], row[0]), self._reading(row))
            if len(found) >= limit or len(rows) < wanted:
                break
            wanted *= 2
        return sorted(found.values(), key=lambda reading: (reading.at, reading.point))[-limit:]

    async def buckets(self, asset: str, point: str, start: int, end: int, *, count: int = 300) -> list[Bucket]:
        """The history of a numeric point in equal steps."""
        sid = self._file.series.get(asset, {}).get(point)
        if sid is None or self._file.about[sid][3] not in NUMERIC:
            return []
        step, number = steps(start, end, count)
        rows_of = ALL_ROWS.format(where=f"sid = {sid} AND ms >= {int(start)} AND ms < {int(end)}")
        sql = (
            f"SELECT (ms - {int(start)}) // {step} AS b, count(num), avg(num), min(num), max(num), bool_or(late) "  # noqa: S608
            "FROM {rows} GROUP BY b"
        )
        found = await self._query(sql.format(rows=rows_of))
        if any(row[5] for row in found):
            single = f"(SELECT ms, arg_max_null(num, o) AS num, false AS late FROM {rows_of} GROUP BY ms)"  # noqa: S608
            found = await self._query(sql.format(rows=single))
        buckets = {row[0]: Bucket(start + row[0] * step, *row[1:5]) for row in found if row[1]}
        return fill(start, step, number, buckets)

    async def samples(self, start: int, end: int, *, assets: Sequence[str] = ()) -> AsyncIterator[Sample]:
        """All samples, oldest first."""
        where = f"ms >= {int(start)} AND ms < {int(end)}"
        if assets:
            sids = [sid for asset in assets for sid in self._file.series.get(asset, {}).values()]
            where += f" AND sid IN ({', '.join(map(str, sids)) or 'NULL'})"
        sql = f"SELECT sid, ms, num, txt, q FROM {ALL_ROWS.format(where=where)} ORDER BY ms, o"  # noqa: S608
        cursor = self._file.cursor()
        try:
            await self._on(self._readers, cursor.execute, sql)
            held: list[tuple[Any, ...]] = []
            while rows := await self._on(self._readers, cursor.fetchmany, PAGE):
                # the last instant of a page may go on in the next one
                rows = held + rows
                last = rows[-1][1]
                cut = bisect_left(rows, last, key=itemgetter(1))
                for sample in self._samples(rows[:cut]):
                    yield sample
                held = rows[cut:]
            for sample in self._samples(held):
                yield sample
        finally:
            cursor.close()

    def _samples(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[Sample]:
        """Rows of whole instants, in order, as one sample for each asset and instant."""
        found: dict[tuple[int, str], dict[str, Reading]] = {}
        for row in rows:
            reading = self._reading(row)
            found.setdefault((reading.at, reading.asset), {})[reading.point] = reading
        for (at, asset), readings in sorted(found.items(), key=lambda item: item[0]):
            bad: dict[str, Quality] = {
                point: held.quality for point, held in readings.items() if held.quality is not Quality.GOOD
            }
            yield Sample(asset, at, {point: held.value for point, held in readings.items()}, bad)

    async def alarms(self, start: int, end: int, *, limit: int = 1000) -> list[AlarmNotice]:
        """Alarm transitions of a time range, oldest first; the newest `limit` of them."""
        sql = (
            "SELECT notice FROM alarms WHERE ms >= ? AND ms < ? "
            "QUALIFY row_number() OVER (PARTITION BY id, version ORDER BY rowid DESC) = 1 "
            "ORDER BY ms DESC, version DESC LIMIT ?"
        )
        rows = await self._query(sql, start, end, max(0, limit))
        return [msgspec.json.decode(row[0], type=AlarmNotice) for row in reversed(rows)]

    async def totals(self) -> Totals:
        """How much is stored; duplicates are looked for only where rows came late."""
        rows_of = ALL_ROWS.format(where="true")
        sql = f"SELECT class, count(*) FROM {rows_of} JOIN series USING (sid) GROUP BY class"  # noqa: S608
        twice = (
            f"SELECT class, count(*) - count(DISTINCT (sid, ms)) FROM {rows_of} JOIN series USING (sid) "  # noqa: S608
            f"WHERE (sid, ms) IN (SELECT (sid, ms) FROM {rows_of} WHERE late) GROUP BY class"
        )
        rows = dict(await self._query(sql))
        double = dict(await self._query(twice))
        detail = {name: number - double.get(name, 0) for name, number in sorted(rows.items())}
        return Totals(sum(detail.values()), sum(double.values()), detail)

    def adopt(self, assets: Mapping[str, Asset], catalog: Catalog) -> None:  # noqa: ARG002 - a store's signature
        """See ReadingStore."""
        self._catalog = catalog
        self._file.adopt(catalog)

    async def close(self) -> None:
        """Wait for what is under way, then release the file. Afterwards every call is a StoreError."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._readers.shutdown)
        await loop.run_in_executor(None, self._writer.shutdown)
        self._file.close()
