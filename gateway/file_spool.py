"""FileSpool: the gateway's durable queue in one SQLite file. What it promises stands in spool.py."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Literal, TypeVar

from facility.clock import Clock, SystemClock
from facility.errors import StoreError
from gateway.spool import DAY_MS, OVERHEAD, Entry, MemorySpool, Ranges, RunTime, warning

T = TypeVar("T")

_DISK = "the disk refuses"
_OVERFLOW = 8_000_000
"""Bytes kept in memory while the disk refuses."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS batch (
  id INTEGER PRIMARY KEY, boot TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, readings INTEGER NOT NULL,
  payload BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS batch_number ON batch (boot, seq);
CREATE TABLE IF NOT EXISTS ledger (boot TEXT PRIMARY KEY, batches INTEGER NOT NULL, readings INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS life (one INTEGER PRIMARY KEY, ran INTEGER NOT NULL);
INSERT OR IGNORE INTO life (one, ran) VALUES (1, 0);
"""
_LATER = ("born", "keep")
"""Columns that files of the first version lack: when (ms of `life`) a batch was put in, for how long it was to stay."""
_OLDEST = "SELECT id, born, keep FROM batch ORDER BY id LIMIT ?"
_COUNT = f"SELECT count(*), coalesce(sum(length(payload) + {OVERHEAD}), 0), coalesce(sum(readings), 0) FROM batch"  # noqa: S608 - constants
_LEDGER = """
INSERT INTO ledger (boot, batches, readings) VALUES (?, 1, ?)
ON CONFLICT (boot) DO UPDATE SET batches = batches + 1, readings = readings + excluded.readings
"""
"""What was ever put in, by boot: the other side of the account that the store gives, exact over every crash."""
_BY_SEQ = " WHERE boot = ? AND seq BETWEEN ? AND ?"
_BY_ID = " WHERE id <= ?"


def left_behind(folder: Path, gateways: Collection[str]) -> list[tuple[Path, int]]:
    """Spool files of gateways that the site does not have (any more), and how many batches wait in each for nobody."""
    found = []
    for path in sorted(folder.glob("*.sqlite")):
        if path.stem in gateways:
            continue
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as sql:
                (batches,) = sql.execute("SELECT count(*) FROM batch").fetchone()
        except sqlite3.Error:
            continue  # none of ours, or in use: then somebody does send what is in it
        if batches:
            found.append((path, batches))
    return found


class FileSpool:
    """The queue in one SQLite file. One process at a time may have it open."""

    def __init__(
        self,
        path: Path,
        *,
        limit: int = 256_000_000,
        days: float = 30.0,
        synchronous: Literal["normal", "full"] = "normal",
        clock: Clock | None = None,
    ) -> None:
        self.path = path
        self.limit = limit
        self.problem = ""
        self.failures = 0
        self._synchronous = synchronous
        self._keep = round(days * DAY_MS)
        self._run = RunTime(clock or SystemClock())
        self._now = 0
        self._oldest: tuple[int, int] | None = None
        self._batches = 0
        self._bytes = 0
        self._shed = 0
        self._overflow = MemorySpool(min(limit, _OVERFLOW))
        self._unwritten: list[tuple[str, int, int]] = []
        self._next = 1
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    @property
    def batches(self) -> int:
        """How many batches are unconfirmed."""
        return self._batches + self._overflow.batches

    @property
    def bytes(self) -> int:
        """What they take of `limit`."""
        return self._bytes + self._overflow.bytes

    @property
    def shed(self) -> int:
        """Readings given up since the start, for want of room or for their age."""
        return self._shed + self._overflow.shed

    @property
    def warning(self) -> str:
        """Why batches are given up or soon will be."""
        born, keep = self._oldest or (self._run.ms(), self._keep)
        return warning(self._bytes, self.limit, self._run.ms() - born, max(keep, self._keep))

    async def open(self) -> None:
        """Open or create the file. StoreError when it can't be, or when another process has it."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._run.begin(await self._call(self._open))
        self._now = self._run.ms()

    async def append(self, entries: Sequence[Entry]) -> list[Entry]:
        """Keep batches: one transaction; in memory where the disk refuses."""
        self._now = self._run.ms()
        return await self._call(lambda: self._append(entries))

    async def waiting(self, after: int, count: int) -> list[Entry]:
        """The oldest unconfirmed batches with an id above `after`; what memory holds is newer than what disk holds."""
        return await self._call(lambda: self._waiting(after, count))

    async def confirm(self, boot: str, ranges: Ranges) -> None:
        """Forget batches."""
        await self._call(lambda: self._confirm(boot, ranges))

    async def close(self) -> None:
        """Close the file; what memory holds goes to disk first where the disk takes it."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown()

    async def _call(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            raise StoreError("spool", f"{self.path} is not open", retry=False)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # everything below runs in the one thread

    def _open(self) -> int:
        """Open the file; for how long it has been in use."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
        except sqlite3.OperationalError as error:
            raise StoreError("spool", f"{self.path}: {error}; is another gateway running?") from error
        except sqlite3.DatabaseError as error:
            aside = self._put_aside()
            self._connection = self._connect()
            self.problem = f"{self.path.name} was damaged ({error}) and is kept as {aside.name}"
        except OSError as error:
            raise StoreError("spool", f"{self.path}: {error.strerror}") from error
        self._batches, self._bytes, _ = self._sql.execute(_COUNT).fetchone()
        self._next = self._sql.execute("SELECT coalesce(max(id), 0) + 1 FROM batch").fetchone()[0]
        self._look_at_the_oldest()
        return int(self._sql.execute("SELECT ran FROM life").fetchone()[0])

    def _connect(self) -> sqlite3.Connection:
        sql = sqlite3.connect(self.path, isolation_level=None, timeout=0.5, check_same_thread=False)
        try:
            sql.execute("PRAGMA locking_mode=EXCLUSIVE")
            sql.execute("PRAGMA journal_mode=WAL")
            sql.execute(f"PRAGMA synchronous={self._synchronous.upper()}")
            sql.execute("PRAGMA journal_size_limit=4000000")
            sql.executescript(_SCHEMA)
            known = {row[1] for row in sql.execute("PRAGMA table_info(batch)")}
            for name in _LATER:
                if name not in known:
                    sql.execute(f"ALTER TABLE batch ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
            sql.execute("SELECT max(id) FROM batch").fetchone()
        except sqlite3.Error:
            sql.close()
            raise
        return sql

    @property
    def _sql(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError("spool", f"{self.path} is not open", retry=False)
        return self._connection

    def _put_aside(self) -> Path:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged{number}")).exists():
            number += 1
        self.path.rename(aside)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        return aside

    def _append(self, entries: Sequence[Entry]) -> list[Entry]:
        numbered = [replace(entry, id=self._next + index) for index, entry in enumerate(entries)]
        self._next += len(numbered)
        pending = [*self._overflow.take(), *numbered]
        try:
            self._write(lambda: self._insert(pending))
        except (sqlite3.Error, OSError) as error:
            self._refused(error)
            for entry in pending:
                self._overflow.put(entry)
        return numbered

    def _confirm(self, boot: str, ranges: Ranges) -> None:
        self._overflow.forget(boot, ranges)
        self._unwritten += [(boot, first, last) for first, last in ranges]
        try:
            self._write(lambda: None)
        except (sqlite3.Error, OSError) as error:
            self._refused(error)

    def _write(self, work: Callable[[], None]) -> None:
        """One transaction: confirmations that are still owed, then `work`. The counts follow only when it is done."""
        before = self._batches, self._bytes, self._shed, self._oldest
        sql = self._sql
        try:
            sql.execute("BEGIN IMMEDIATE")
            for confirmed in self._unwritten:
                self._delete(_BY_SEQ, confirmed)
            work()
            self._look_at_the_oldest()
            sql.execute("UPDATE life SET ran = ?", (self._now,))
            sql.execute("COMMIT")
        except BaseException:
            self._batches, self._bytes, self._shed, self._oldest = before
            if sql.in_transaction:
                sql.execute("ROLLBACK")
            raise
        self._unwritten.clear()
        if self.problem.startswith(_DISK):
            self.problem = ""

    def _insert(self, entries: Sequence[Entry]) -> None:
        self._give_up_the_old()
        # more than the limit only where it was lowered: then it grows no more
        room = max(self.limit, self._bytes)
        size = sum(entry.size for entry in entries)
        while self._batches and self._bytes + size > room:
            (last,) = self._sql.execute("SELECT max(id) FROM (SELECT id FROM batch ORDER BY id LIMIT 16)").fetchone()
            self._shed += self._delete(_BY_ID, (last,))
        self._sql.executemany(_LEDGER, [(entry.boot, entry.readings) for entry in entries])
        kept = list(entries)
        while len(kept) > 1 and size > room:
            size -= kept[0].size
            self._shed += kept.pop(0).readings
        self._sql.executemany(
            "INSERT INTO batch (id, boot, seq, at, readings, payload, born, keep) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(e.id, e.boot, e.seq, e.at, e.readings, e.payload, self._now, self._keep) for e in kept],
        )
        self._batches += len(kept)
        self._bytes += size

    def _give_up_the_old(self) -> None:
        while self._is_over(self._oldest):
            rows = self._sql.execute(_OLDEST, (64,)).fetchall()
            old = [row[0] for row in takewhile(lambda row: self._is_over(row[1:]), rows)]
            if old:
                self._shed += self._delete(_BY_ID, (old[-1],))
            self._look_at_the_oldest()

    def _is_over(self, lived: tuple[int, int] | None) -> bool:
        return lived is not None and self._now - lived[0] > max(lived[1], self._keep)

    def _look_at_the_oldest(self) -> None:
        row = self._sql.execute(_OLDEST, (1,)).fetchone()
        self._oldest = (row[1], row[2]) if row else None

    def _delete(self, where: str, values: Sequence[object]) -> int:
        """Delete batches; returns how many readings they held."""
        batches, size, readings = self._sql.execute(_COUNT + where, values).fetchone()
        if batches:
            self._sql.execute("DELETE FROM batch" + where, values)  # noqa: S608 - one of two constants
            self._batches -= batches
            self._bytes -= size
        return int(readings)

    def _waiting(self, after: int, count: int) -> list[Entry]:
        found: list[Entry] = []
        try:
            while not found and (rows := self._rows(after, count)):
                after = rows[-1].id
                found = [entry for entry in rows if not self._is_confirmed(entry)]
        except sqlite3.Error as error:
            self._refused(error)
        return found + self._overflow.pick(after, count - len(found))

    def _rows(self, after: int, count: int) -> list[Entry]:
        rows = self._sql.execute(
            "SELECT boot, seq, at, readings, payload, id FROM batch WHERE id > ? ORDER BY id LIMIT ?", (after, count)
        )
        return [Entry(*row) for row in rows]

    def _is_confirmed(self, entry: Entry) -> bool:
        return any(entry.boot == boot and first <= entry.seq <= last for boot, first, last in self._unwritten)

    def _refused(self, error: Exception) -> None:
        self.failures += 1
        self.problem = f"{_DISK} {self.path.name}: {error}; new readings are kept in memory only"

    def _close(self) -> None:
        if self._connection is None:
            return
        if self._overflow.batches or self._unwritten:
            self._append(())
        self._connection.close()
        self._connection = None
