"""What can't be stored, kept for people: undecodable payloads and refused readings, in a SQLite file bounded in bytes.

Other processes may read the file while this one writes (WAL). The same letter again is counted, not kept twice. Past
the bound the oldest letters go, and how many went is kept.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from facility.errors import StoreError
from ingest.letters import NewLetter

MAX_PAYLOAD = 65_536
"""Bytes kept of one payload; the rest is cut, and `size` says how long it was."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, at INTEGER NOT NULL,
  topic TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL, size INTEGER NOT NULL, seen INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""
_INSERT = """
INSERT INTO letters (key, kind, at, topic, reason, payload, size, seen) VALUES (?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (key) DO UPDATE SET seen = seen + 1, at = max(at, excluded.at)
"""
_OLDEST = "SELECT id, length(payload) + length(reason) FROM letters ORDER BY id LIMIT 1"
_ADD = "INSERT INTO totals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET number = number + excluded.number"


@dataclass(frozen=True, slots=True)
class Letter:
    """One thing that could not be stored. `kind`: `payload` (undecodable) or `reading` (refused).

    `at`: ms UTC, when it was seen last.
    `topic` is where it came from, `size` the full length of the payload in bytes, `seen` how often it came.
    """

    id: int
    kind: str
    at: int
    topic: str
    reason: str
    payload: bytes
    size: int
    seen: int


class DeadLetters:
    """The box. Every method blocks for the disk and is safe from any thread.

    StoreError when the file can't be written (a full disk).
    """

    def __init__(self, path: Path | str, *, limit: int = 64 * 1024 * 1024) -> None:
        """Open or create the file (`:memory:` for none); `limit`: bytes of payloads kept."""
        self._path = str(path)
        self._limit = limit
        self._lock = threading.Lock()
        try:
            if self._path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=5)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            self._bytes = self._number("SELECT coalesce(sum(length(payload) + length(reason)), 0) FROM letters")
        except (sqlite3.Error, OSError) as error:
            raise StoreError("dead letters", f"{self._path}: {error}", retry=False) from error

    def _number(self, sql: str, *parameters: object) -> int:
        row = self._db.execute(sql, parameters).fetchone()
        return int(row[0]) if row else 0

    def add(self, letter: NewLetter) -> None:
        """Keep one letter."""
        self.add_many([letter])

    def add_many(self, letters: Iterable[NewLetter]) -> None:
        """Keep letters in one transaction; all of them or, with a StoreError, none."""
        with self._lock:
            before = self._bytes
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    for letter in letters:
                        self._insert(letter)
                    self._shrink()
                    self._db.execute("COMMIT")
                except sqlite3.Error:
                    self._bytes = before
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StoreError("dead letters", f"{self._path}: {error}") from error

    def _insert(self, letter: NewLetter) -> None:
        payload, key = letter.payload[:MAX_PAYLOAD], letter.digest()
        if not self._number("SELECT count(*) FROM letters WHERE key = ?", key):
            self._bytes += len(payload) + len(letter.reason)
        row = (key, letter.kind, letter.at, letter.topic[:512], letter.reason, payload, len(letter.payload))
        self._db.execute(_INSERT, row)
        self._db.execute(_ADD, (letter.kind, 1))

    def _shrink(self) -> None:
        """Drop the oldest letters until the rest fits, and remember how many went."""
        dropped = 0
        while self._bytes > self._limit:
            row = self._db.execute(_OLDEST).fetchone()
            if row is None:
                break
            self._db.execute("DELETE FROM letters WHERE id = ?", (row[0],))
            self._bytes -= row[1]
            dropped += 1
        if dropped:
            self._db.execute(_ADD, ("dropped", dropped))

    def list(self, *, limit: int = 100, after: int = 0) -> Sequence[Letter]:
        """The newest letters first; `after` is the id of the last one of the page before (0 for the first page)."""
        sql = (
            "SELECT id, kind, at, topic, reason, payload, size, seen FROM letters "
            "WHERE ? = 0 OR id < ? ORDER BY id DESC LIMIT ?"
        )
        with self._lock, closing(self._db.execute(sql, (after, after, limit))) as rows:
            return [Letter(*row) for row in rows]

    def counts(self) -> dict[str, int]:
        """`letters` and `bytes` kept now; `payload` and `reading` ever taken in; `dropped` for want of room."""
        with self._lock:
            totals = {str(name): int(number) for name, number in self._db.execute("SELECT name, number FROM totals")}
            kept = self._number("SELECT count(*) FROM letters")
            return {"payload": 0, "reading": 0, "dropped": 0, **totals, "letters": kept, "bytes": self._bytes}

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._db.close()
