"""ReadingStore in one DuckDB file: the default where there is no InfluxDB. One process, no server.

A write is one transaction of readings together with the numbers of their batches, on disk when `write` returns; so a
batch that comes again is recognised exactly, also after kill -9. DuckDB blocks: one thread writes, two read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import msgspec

from facility.catalog import Catalog
from facility.errors import StoreError
from facility.points import Kind
from facility.readings import Quality, Reading, Sample, Value
from facility.wire import AlarmNotice
from ingest.duckdb_file import ALL_ROWS, NEWEST, connect, seal
from ingest.duckdb_rows import QUALITIES, Rows
from ingest.intervals import Intervals
from ingest.latest import Latest
from ingest.store import NUMERIC, Bucket, Delivery, Refused, Totals, WriteResult, coerce, fill, steps

log = logging.getLogger(__name__)

T = TypeVar("T")

SEAL_ROWS = 2_000_000
SEAL_AGE_MS = 3_600_000
"""`live` is sealed at this many rows, or when its readings span this long."""
PAGE = 20_000
"""Rows fetched at once by `samples`."""


class DuckDBStore:
    """Readings in a DuckDB file. Make it with `await DuckDBStore.open(path, catalog=...)`."""

    def __init__(self, path: Path | str, *, catalog: Catalog, seal_rows: int = SEAL_ROWS) -> None:
        self._path = path
        self._catalog = catalog
        self._seal_rows = seal_rows
        self._writer = ThreadPoolExecutor(1, "duckdb-write")
        self._readers = ThreadPoolExecutor(2, "duckdb-read")
        self._db: duckdb.DuckDBPyConnection | None = None
        self._series: dict[str, dict[str, int]] = {}
        self._about: dict[int, tuple[str, str, str, Kind]] = {}
        self._batches: dict[tuple[str, str], Intervals] = {}
        self._touched: dict[tuple[str, str], int] = {}
        self._newest: dict[str, int] = {}
        self._latest = Latest(self._kind)
        self._live_rows = 0
        self._live_since = 0

    @classmethod
    async def open(cls, path: Path | str, *, catalog: Catalog, seal_rows: int = SEAL_ROWS) -> DuckDBStore:
        """Open or create the file; `:memory:` for none. StoreError when it is locked or not ours."""
        store = cls(path, catalog=catalog, seal_rows=seal_rows)
        try:
            await store._on(store._writer, store._load)  # noqa: SLF001 - its own
        except StoreError:
            await store.close()
            raise
        return store

    # --- threads

    async def _on(self, threads: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
        """Run blocking work; whatever DuckDB complains of becomes a StoreError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)
        except (duckdb.Error, RuntimeError) as error:
            raise StoreError("readings", f"{self._path}: {str(error).strip().splitlines()[0]}") from error

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a query on a cursor of its own (in a reading thread)."""
        if self._db is None:
            raise StoreError("readings", f"{self._path} is closed or could not be opened again")
        with self._db.cursor() as cursor:
            return cursor.execute(sql, list(parameters)).fetchall()

    # --- state

    def _kind(self, asset_class: str, point: str) -> Kind | None:
        found = self._catalog.point(asset_class, point)
        return found.kind if found else None

    def _load(self) -> None:
        """Open the file, if need be, and read what this process keeps of it in memory."""
        if self._db is None:
            self._db = connect(self._path)
        self._series, self._about, self._batches, self._touched, self._newest = {}, {}, {}, {}, {}
        for sid, asset, asset_class, point in self._rows("SELECT sid, asset, class, point FROM series ORDER BY sid"):
            kind = self._kind(asset_class, point)
            # a point that the catalog no longer has is still there to be read
            self._series.setdefault(asset, {})[point] = sid
            self._about[sid] = (asset, asset_class, point, kind or Kind.ANALOG)
        for gateway, boot, first, last, ms in self._rows("SELECT gateway, boot, first, last, ms FROM batches"):
            self._batches.setdefault((gateway, boot), Intervals()).add(first, last)
            self._touched[gateway, boot] = max(ms, self._touched.get((gateway, boot), 0))
        self._warm()

    def _warm(self) -> None:
        latest = Latest(self._kind)
        for sid, ms, number, text, code in self._rows(NEWEST):
            asset, asset_class, point, _ = self._about[sid]
            latest.put(asset_class, Reading(asset, point, ms, number if text is None else text, QUALITIES[code]))
            self._newest[asset] = max(ms, self._newest.get(asset, -1))
        self._latest = latest
        self._live_rows, self._live_since = self._rows("SELECT count(*), coalesce(min(ms), 0) FROM live")[0]

    def _reset(self) -> None:
        """After a failed write: begin again from what is on disk, in a new connection if the old one is spoilt."""
        try:
            if self._db is not None:
                self._db.execute("ROLLBACK")
        except duckdb.Error:
            log.debug("nothing to roll back")
        try:
            self._load()
        except (duckdb.Error, StoreError):
            if self._db is not None:
                self._db.close()
            self._db = None

    # --- writing (in the writing thread)

    async def write(self, deliveries: Sequence[Delivery]) -> WriteResult:
        """Make the deliveries durable in one transaction; batches that are there already are left out."""
        result, fresh = await self._on(self._writer, self._write, deliveries)
        for delivery in fresh:
            for sample in delivery.batch.samples:
                self._latest.note(sample, delivery.classes[sample.asset])
        return result

    def _write(self, deliveries: Sequence[Delivery]) -> tuple[WriteResult, list[Delivery]]:
        if self._db is None:
            self._load()
        fresh, seqs, replayed = self._fresh(deliveries)
        if not fresh:
            return WriteResult(0, replayed), []
        try:
            return self._insert(fresh, seqs, replayed), fresh
        except duckdb.Error:
            self._reset()
            raise

    def _fresh(self, deliveries: Sequence[Delivery]) -> tuple[list[Delivery], dict[tuple[str, str], Intervals], int]:
        """The deliveries that are new, their numbers by gateway and boot, and how many readings were there already."""
        fresh: list[Delivery] = []
        seqs: dict[tuple[str, str], Intervals] = {}
        replayed = 0
        for delivery in deliveries:
            key, seq = (delivery.gateway, delivery.batch.boot), delivery.batch.seq
            if seq in self._batches.get(key, ()) or not seqs.setdefault(key, Intervals()).add(seq):
                replayed += delivery.batch.count
            else:
                fresh.append(delivery)
        return fresh, seqs, replayed

    def _insert(self, fresh: list[Delivery], seqs: dict[tuple[str, str], Intervals], replayed: int) -> WriteResult:
        db = self._db
        assert db is not None
        db.execute("BEGIN")
        rows = Rows(self._series, self._newest, self._new_series)
        refused: list[Refused] = []
        for delivery in fresh:
            for sample in delivery.batch.samples:
                asset_class = delivery.classes[sample.asset]
                for point in rows.add(sample, asset_class):
                    what = f"{sample.asset} {point} @{sample.at} = {sample.values[point]!r}"
                    refused.append(Refused(what, f"the class {asset_class} has no such point"))
        newest = max((sample.at for delivery in fresh for sample in delivery.batch.samples), default=0)
        if len(rows):
            db.register("incoming", rows.table())
            db.execute(
                "INSERT INTO live SELECT sid, ms, CASE WHEN q = 0 AND NOT isnan(num) THEN num END, txt, q, late = 1 "
                "FROM incoming"
            )
            db.unregister("incoming")
        ranges = [(*key, *range_, newest) for key, held in seqs.items() for range_ in held.ranges()]
        db.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", ranges)
        db.execute("COMMIT")
        self._remember(seqs, len(rows), newest)
        return WriteResult(len(rows), replayed, tuple(refused))

    def _remember(self, seqs: dict[tuple[str, str], Intervals], rows: int, newest: int) -> None:
        """What a committed write changes in memory; seals `live` when it is due."""
        for key, held in seqs.items():
            known = self._batches.setdefault(key, Intervals())
            for first, last in held.ranges():
                known.add(first, last)
            self._touched[key] = max(newest, self._touched.get(key, 0))
        self._live_rows += rows
        self._live_since = self._live_since or newest
        if self._live_rows >= self._seal_rows or newest - self._live_since > SEAL_AGE_MS:
            self._seal()

    def _new_series(self, asset: str, asset_class: str, point: str) -> int | None:
        kind = self._kind(asset_class, point)
        if kind is None or self._db is None:
            return None
        sid = len(self._about) + 1
        self._db.execute("INSERT INTO series VALUES (?, ?, ?, ?)", [sid, asset, asset_class, point])
        self._series.setdefault(asset, {})[point] = sid
        self._about[sid] = (asset, asset_class, point, kind)
        return sid

    def _seal(self) -> None:
        """Move `live` away. It can wait: when it fails, the rows are safe where they are."""
        if self._db is None:
            return
        rows = [
            (*key, first, last, self._touched[key])
            for key, held in self._batches.items()
            for first, last in held.ranges()
        ]
        try:
            seal(self._db, rows)
            self._live_rows, self._live_since = 0, 0
        except duckdb.Error as error:
            log.warning("readings could not be sealed, they stay where they are: %s", error)
            self._reset()
            self._live_since = max(self._newest.values(), default=0)

    async def write_alarm(self, notice: AlarmNotice) -> None:
        """Keep an alarm transition."""
        await self.write_alarms([notice])

    async def write_alarms(self, notices: Sequence[AlarmNotice]) -> None:
        """Keep several alarm transitions in one transaction."""
        rows = [(notice.at, notice.id, notice.version, msgspec.json.encode(notice).decode()) for notice in notices]

        def insert() -> None:
            if self._db is None:
                self._load()
            assert self._db is not None
            try:
                self._db.execute("BEGIN")
                self._db.executemany("INSERT INTO alarms VALUES (?, ?, ?, ?)", rows)
                self._db.execute("COMMIT")
            except duckdb.Error:
                self._reset()
                raise

        if rows:
            await self._on(self._writer, insert)

    async def expire(self, before: int) -> int:
        """Forget readings, alarm transitions and batch numbers older than `before`; returns how many readings."""

        def delete() -> int:
            if self._db is None:
                self._load()
            assert self._db is not None
            try:
                self._db.execute("BEGIN")
                gone = 0
                for table in ("sealed", "live"):
                    row = self._db.execute(f"DELETE FROM {table} WHERE ms < ?", [before]).fetchone()  # noqa: S608
                    gone += row[0] if row else 0
                for table in ("newest", "alarms", "batches"):
                    self._db.execute(f"DELETE FROM {table} WHERE ms < ?", [before])  # noqa: S608 - constants
                self._db.execute("COMMIT")
                self._load()
            except duckdb.Error:
                self._reset()
                raise
            return gone

        return await self._on(self._writer, delete)

    # --- reading (in the reading threads)

    async def latest(self, assets: Sequence[str] = ()) -> list[Reading]:
        """The newest reading of every point, from memory."""
        return self._latest.readings(assets)

    def _reading(self, row: tuple[Any, ...]) -> Reading:
        sid, ms, number, text, code = row
        asset, _, point, kind = self._about[sid]
        value: Value = None if code else coerce(kind, number if text is None else text)
        return Reading(asset, point, ms, value, QUALITIES[code])

    async def between(
        self, asset: str, points: Sequence[str], start: int, end: int, *, limit: int = 10_000
    ) -> list[Reading]:
        """Readings of a time range, oldest first; the newest `limit` of them."""
        ids = self._series.get(asset, {})
        sids = [ids[point] for point in points or ids if point in ids]
        if not sids or limit < 1:
            return []
        where = f"sid IN ({', '.join(map(str, sids))}) AND ms >= {int(start)} AND ms < {int(end)}"
        sql = f"SELECT sid, ms, num, txt, q FROM {ALL_ROWS.format(where=where)} ORDER BY ms DESC, o DESC LIMIT ?"  # noqa: S608
        found: dict[tuple[int, int], Reading] = {}
        wanted = limit
        while True:
            rows = await self._on(self._readers, self._rows, sql, [wanted])
            for row in rows:
                # newest first, so of several at one instant the first one seen is the last one written
                found.setdefault((row[1], row[0]), self._reading(row))
            if len(found) >= limit or len(rows) < wanted:
                break
            wanted *= 2
        return sorted(found.values(), key=lambda reading: (reading.at, reading.point))[-limit:]

    async def buckets(self, asset: str, point: str, start: int, end: int, *, count: int = 300) -> list[Bucket]:
        """The history of a numeric point in equal steps."""
        sid = self._series.get(asset, {}).get(point)
        if sid is None or self._about[sid][3] not in NUMERIC:
            return []
        step, number = steps(start, end, count)
        rows_of = ALL_ROWS.format(where=f"sid = {sid} AND ms >= {int(start)} AND ms < {int(end)}")
        sql = (
            f"SELECT (ms - {int(start)}) // {step} AS b, count(num), avg(num), min(num), max(num), bool_or(late) "  # noqa: S608
            "FROM {rows} GROUP BY b"
        )
        found = await self._on(self._readers, self._rows, sql.format(rows=rows_of))
        if any(row[5] for row in found):
            single = f"(SELECT ms, arg_max_null(num, o) AS num, false AS late FROM {rows_of} GROUP BY ms)"  # noqa: S608
            found = await self._on(self._readers, self._rows, sql.format(rows=single))
        buckets = {row[0]: Bucket(start + row[0] * step, *row[1:5]) for row in found if row[1]}
        return fill(start, step, number, buckets)

    async def samples(self, start: int, end: int, *, assets: Sequence[str] = ()) -> AsyncIterator[Sample]:
        """All samples, oldest first."""
        where = f"ms >= {int(start)} AND ms < {int(end)}"
        if assets:
            sids = [sid for asset in assets for sid in self._series.get(asset, {}).values()]
            where += f" AND sid IN ({', '.join(map(str, sids)) or 'NULL'})"
        sql = f"SELECT sid, ms, num, txt, q FROM {ALL_ROWS.format(where=where)} ORDER BY ms, o"  # noqa: S608
        if self._db is None:
            raise StoreError("readings", f"{self._path} is closed or could not be opened again")
        cursor = self._db.cursor()
        try:
            await self._on(self._readers, cursor.execute, sql)
            held: list[tuple[Any, ...]] = []
            while rows := await self._on(self._readers, cursor.fetchmany, PAGE):
                # the last instant of a page may go on in the next one
                rows = held + rows
                last = rows[-1][1]
                cut = next(index for index in range(len(rows) - 1, -2, -1) if index < 0 or rows[index][1] != last) + 1
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
            bad = {point: held.quality for point, held in readings.items() if held.quality is not Quality.GOOD}
            yield Sample(asset, at, {point: held.value for point, held in readings.items()}, bad)

    async def alarms(self, start: int, end: int, *, limit: int = 1000) -> list[AlarmNotice]:
        """Alarm transitions of a time range, oldest first; the newest `limit` of them."""
        sql = (
            "SELECT notice FROM alarms WHERE ms >= ? AND ms < ? "
            "QUALIFY row_number() OVER (PARTITION BY id, version ORDER BY rowid DESC) = 1 "
            "ORDER BY ms DESC, version DESC LIMIT ?"
        )
        rows = await self._on(self._readers, self._rows, sql, [start, end, max(0, limit)])
        return [msgspec.json.decode(row[0], type=AlarmNotice) for row in reversed(rows)]

    async def totals(self) -> Totals:
        """How much is stored; duplicates are looked for only where rows came late."""
        rows_of = ALL_ROWS.format(where="true")
        sql = f"SELECT class, count(*) FROM {rows_of} JOIN series USING (sid) GROUP BY class"  # noqa: S608
        twice = (
            f"SELECT class, count(*) - count(DISTINCT (sid, ms)) FROM {rows_of} JOIN series USING (sid) "  # noqa: S608
            f"WHERE (sid, ms) IN (SELECT (sid, ms) FROM {rows_of} WHERE late) GROUP BY class"
        )
        rows = dict(await self._on(self._readers, self._rows, sql))
        double = dict(await self._on(self._readers, self._rows, twice))
        detail = {name: number - double.get(name, 0) for name, number in sorted(rows.items())}
        return Totals(sum(detail.values()), sum(double.values()), detail)

    async def close(self) -> None:
        """Wait for what is under way, then release the file."""

        def shut() -> None:
            if self._db is not None:
                self._db.close()
                self._db = None

        await asyncio.get_running_loop().run_in_executor(None, self._readers.shutdown)
        if not self._writer._shutdown:  # noqa: SLF001
            await asyncio.get_running_loop().run_in_executor(self._writer, shut)
        self._writer.shutdown()
