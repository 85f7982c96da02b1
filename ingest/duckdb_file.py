"""The writing side of a DuckDB file of readings. Everything here blocks and belongs to one thread, but for `query`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from facility.catalog import Catalog
from facility.errors import StoreError
from facility.points import Kind
from facility.wire import AlarmNotice
from ingest.duckdb_rows import Rows
from ingest.duckdb_schema import connect, seal
from ingest.intervals import Intervals
from ingest.store import Delivery, Refused, WriteResult

log = logging.getLogger(__name__)

SEAL_ROWS = 2_000_000
SEAL_AGE = 3_600_000
"""`live` is sealed at this many rows, or when its readings span this many ms."""

_INSERT = """
INSERT INTO live SELECT sid, ms, CASE WHEN q = 0 AND NOT isnan(num) THEN num END, txt, q, late = 1 FROM incoming
"""
Boot = tuple[str, str]
"""(gateway, boot)"""


class ReadingsFile:
    """One DuckDB file, what it holds of series and batches kept in memory beside it.

    `series`: asset -> point -> number. `about`: number -> (asset, class, point, kind). `generation` grows whenever a
    failed write made the file be read anew.
    """

    def __init__(self, path: Path | str, *, catalog: Catalog, seal_rows: int = SEAL_ROWS) -> None:
        self.path = path
        self.series: dict[str, dict[str, int]] = {}
        self.about: dict[int, tuple[str, str, str, Kind]] = {}
        self.generation = 0
        self._catalog = catalog
        self._seal_rows = seal_rows
        self._db: duckdb.DuckDBPyConnection | None = None
        self._batches: dict[Boot, Intervals] = {}
        self._touched: dict[Boot, int] = {}
        self._newest: dict[str, int] = {}
        self._top = self._live_since = self._live_rows = 0

    def adopt(self, catalog: Catalog) -> None:
        """This catalog from now on; a series that is there keeps the kind of its point."""
        self._catalog = catalog

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._db is None:
            self.load()
        if self._db is None:
            raise StoreError("readings", f"{self.path} is closed")
        return self._db

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of one's own for reading, from any thread; StoreError when the file is closed or spoilt."""
        if self._db is None:
            raise StoreError("readings", f"{self.path} is closed, or could not be opened again")
        return self._db.cursor()

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a query, from any thread."""
        with self.cursor() as cursor:
            return cursor.execute(sql, list(parameters)).fetchall()

    # --- state

    def load(self) -> None:
        """Open the file, if need be, and read what is kept of it in memory."""
        if self._db is None:
            self._db = connect(self.path)
        self.generation += 1
        self.series, self.about, self._batches, self._touched = {}, {}, {}, {}
        for sid, asset, asset_class, point in self.query("SELECT sid, asset, class, point FROM series ORDER BY sid"):
            found = self._catalog.point(asset_class, point)
            # a point that the catalog no longer has can still be read
            self.about[sid] = (asset, asset_class, point, found.kind if found else Kind.ANALOG)
            self.series.setdefault(asset, {})[point] = sid
        for gateway, boot, first, last, ms in self.query("SELECT gateway, boot, first, last, ms FROM batches"):
            self._batches.setdefault((gateway, boot), Intervals()).add(first, last)
            self._touched[gateway, boot] = max(ms, self._touched.get((gateway, boot), 0))
        sql = "SELECT asset, max(ms) FROM (SELECT sid, ms FROM live WHERE q <> 6 UNION ALL SELECT sid, ms FROM newest) "
        self._newest = dict(self.query(sql + "JOIN series USING (sid) GROUP BY asset"))
        self._top = max(self._newest.values(), default=0)
        rows, oldest = self.query("SELECT count(*), coalesce(min(ms), 0) FROM live")[0]
        self._live_rows, self._live_since = rows, max(oldest, self._top - SEAL_AGE) if rows else 0

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All or nothing. After a failure memory follows the file, in a new connection if the old one is spoilt."""
        db = self._open()
        try:
            db.execute("BEGIN")
            yield db
            db.execute("COMMIT")
        except BaseException:
            self._reset(db)
            raise

    def _reset(self, db: duckdb.DuckDBPyConnection) -> None:
        try:
            db.execute("ROLLBACK")
        except duckdb.Error as error:
            log.debug("nothing to roll back: %s", error)
        try:
            self.load()
        except (duckdb.Error, StoreError) as error:
            log.warning("%s has to be opened again: %s", self.path, error)
            self.close()

    def close(self) -> None:
        """Release the file; the next write would open it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    # --- readings

    def write(self, deliveries: Sequence[Delivery]) -> tuple[WriteResult, list[Delivery]]:
        """Store what is new of these deliveries, durably; returns the result and the deliveries that were new."""
        self._open()
        fresh, seqs, replayed = self._fresh(deliveries)
        if not fresh:
            return WriteResult(0, replayed), []
        refused: list[Refused] = []
        top = max((sample.at for one in fresh for sample in one.batch.samples if not sample.quality), default=self._top)
        with self._transaction() as db:
            rows = self._rows(fresh, refused)
            if len(rows):
                db.register("incoming", rows.table())
                db.execute(_INSERT)
                db.unregister("incoming")
            ranges = [(*key, *range_, top) for key, held in seqs.items() for range_ in held.ranges()]
            db.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", ranges)
        self._remember(seqs, len(rows), top)
        return WriteResult(len(rows), replayed, tuple(refused)), fresh

    def _fresh(self, deliveries: Sequence[Delivery]) -> tuple[list[Delivery], dict[Boot, Intervals], int]:
        """The deliveries that are new, their numbers by gateway and boot, and how many readings were there already."""
        fresh: list[Delivery] = []
        seqs: dict[Boot, Intervals] = {}
        replayed = 0
        for delivery in deliveries:
            key, seq = (delivery.gateway, delivery.batch.boot), delivery.batch.seq
            if seq in self._batches.get(key, ()) or not seqs.setdefault(key, Intervals()).add(seq):
                replayed += delivery.batch.count
            else:
                fresh.append(delivery)
        return fresh, seqs, replayed

    def _rows(self, fresh: Sequence[Delivery], refused: list[Refused]) -> Rows:
        rows = Rows(self.series, self._newest, self._new_series)
        for delivery in fresh:
            classes = delivery.classes
            for sample in delivery.batch.samples:
                for point in rows.add(sample, classes[sample.asset]):
                    what = f"{sample.asset} {point} @{sample.at} = {sample.values[point]!r}"
                    refused.append(Refused(what, f"the class {classes[sample.asset]} has no such point"))
        return rows

    def _new_series(self, asset: str, asset_class: str, point: str) -> int | None:
        found = self._catalog.point(asset_class, point)
        if found is None:
            return None
        sid = len(self.about) + 1
        self._open().execute("INSERT INTO series VALUES (?, ?, ?, ?)", [sid, asset, asset_class, point])
        self.about[sid] = (asset, asset_class, point, found.kind)
        self.series.setdefault(asset, {})[point] = sid
        return sid

    def _remember(self, seqs: dict[Boot, Intervals], rows: int, top: int) -> None:
        """What a committed write changes in memory; seals `live` when it is due."""
        for key, held in seqs.items():
            known = self._batches.setdefault(key, Intervals())
            for first, last in held.ranges():
                known.add(first, last)
            self._touched[key] = max(top, self._touched.get(key, 0))
        self._top = max(self._top, top)
        self._live_rows += rows
        self._live_since = self._live_since or self._top
        if self._live_rows >= self._seal_rows or self._top - self._live_since > SEAL_AGE:
            self._seal()

    def _seal(self) -> None:
        """Move `live` away. When that fails the rows are safe where they are, and it is tried again much later."""
        ranges = [
            (*key, *range_, self._touched[key]) for key, held in self._batches.items() for range_ in held.ranges()
        ]
        try:
            with self._transaction() as db:
                seal(db, ranges)
        except duckdb.Error as error:
            log.warning("readings could not be sealed, they stay where they are: %s", error)
        self._live_rows, self._live_since = 0, 0

    def write_alarms(self, notices: Sequence[AlarmNotice]) -> None:
        """Store alarm transitions."""
        rows = [(notice.at, notice.id, notice.version, msgspec.json.encode(notice).decode()) for notice in notices]
        if rows:
            with self._transaction() as db:
                db.executemany("INSERT INTO alarms VALUES (?, ?, ?, ?)", rows)

    def expire(self, before: int) -> int:
        """Delete what is older than `before`; returns how many rows of readings."""
        gone = 0
        with self._transaction() as db:
            for table in ("sealed", "live"):
                row = db.execute(f"DELETE FROM {table} WHERE ms < ?", [before]).fetchone()  # noqa: S608
                gone += row[0] if row else 0
            for table in ("newest", "alarms", "batches"):
                db.execute(f"DELETE FROM {table} WHERE ms < ?", [before])  # noqa: S608
        for key in [key for key, ms in self._touched.items() if ms < before]:
            del self._touched[key], self._batches[key]
        return gone
