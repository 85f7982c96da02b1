"""The gateway's durable queue: what was measured and is not yet known to be stored.

A batch goes in with its number (boot, seq) before it is published, and comes out when ingest has confirmed it, never
earlier. So the queue answers three questions: what is still unconfirmed, in order; how much is that; what had to be
given up. `MemorySpool` is the whole of it in memory; `FileSpool` (file_spool.py) keeps it in one SQLite file, written
by one thread of its own, so that the event loop never waits for the disk.

What is promised of the file: an append that returned survives kill -9 (and, with `synchronous="full"`, a power cut);
batches of earlier starts are still there, with the boot and seq they were born with.

The queue is bounded in bytes. When it is full the oldest batches go first: they are history, the newest may be an
alarm. Readings given up are counted in `shed`. When the disk refuses (full, failing), batches wait in a small memory
queue, `problem` says so, and every later append tries the disk again; a confirmation that could not be written down
is remembered and written with the next one. A file that is no database is put aside under another name, not deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

Ranges = Sequence[tuple[int, int]]
"""Inclusive (first, last) of seq."""

OVERHEAD = 100
"""Bytes that a batch is counted with beside its payload."""
NEAR_FULL = 0.8


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch: its number, when it was made (ms UTC), how many readings it holds, its payload. `id` is its place."""

    boot: str
    seq: int
    at: int
    readings: int
    payload: bytes
    id: int = 0

    @property
    def size(self) -> int:
        """Bytes it is counted with."""
        return len(self.payload) + OVERHEAD


class Spool(Protocol):
    """What the publisher needs of a queue. Calls may overlap; each is done as a whole."""

    limit: int
    problem: str

    @property
    def batches(self) -> int:
        """How many batches are unconfirmed."""
        ...

    @property
    def bytes(self) -> int:
        """What they take of `limit`."""
        ...

    @property
    def shed(self) -> int:
        """Readings given up since the start for want of room."""
        ...

    @property
    def near_full(self) -> bool:
        """Whether more than four fifths of the room are taken."""
        ...

    async def open(self) -> None:
        """Get ready; StoreError when that can't be."""
        ...

    async def append(self, entries: Sequence[Entry]) -> list[Entry]:
        """Keep batches, in order; returns them with their ids. Does not raise for a full or failing disk."""
        ...

    async def waiting(self, after: int, count: int) -> list[Entry]:
        """The oldest unconfirmed batches with an id above `after`, at most `count`."""
        ...

    async def confirm(self, boot: str, ranges: Ranges) -> None:
        """Forget batches: they are stored."""
        ...

    async def close(self) -> None:
        """Leave everything safe."""
        ...


class MemorySpool:
    """The queue in memory: for tests, and for what the disk refuses."""

    def __init__(self, limit: int = 64_000_000) -> None:
        self.limit = limit
        self.problem = ""
        self.bytes = 0
        self.shed = 0
        self._entries: dict[int, Entry] = {}
        self._places: dict[tuple[str, int], int] = {}
        self._next = 1

    @property
    def batches(self) -> int:
        """How many batches are unconfirmed."""
        return len(self._entries)

    @property
    def near_full(self) -> bool:
        """Whether more than four fifths of the room are taken."""
        return self.bytes > self.limit * NEAR_FULL

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def append(self, entries: Sequence[Entry]) -> list[Entry]:
        """Keep batches."""
        return [self.put(entry) for entry in entries]

    async def waiting(self, after: int, count: int) -> list[Entry]:
        """The oldest unconfirmed batches with an id above `after`."""
        return self.pick(after, count)

    async def confirm(self, boot: str, ranges: Ranges) -> None:
        """Forget batches."""
        self.forget(boot, ranges)

    def put(self, entry: Entry) -> Entry:
        """Keep one batch, under its own id if it has one; the oldest go when there is no room."""
        kept = entry if entry.id else replace(entry, id=self._next)
        self._next = max(self._next, kept.id + 1)
        while self._entries and self.bytes + kept.size > self.limit:
            oldest = next(iter(self._entries.values()))
            self.shed += oldest.readings
            self._drop(oldest)
        self._entries[kept.id] = kept
        self._places[kept.boot, kept.seq] = kept.id
        self.bytes += kept.size
        return kept

    def pick(self, after: int, count: int) -> list[Entry]:
        """`waiting`, at once."""
        return list(islice((entry for entry in self._entries.values() if entry.id > after), count))

    def forget(self, boot: str, ranges: Ranges) -> None:
        """`confirm`, at once."""
        for first, last in ranges:
            for key in [key for key in self._places if key[0] == boot and first <= key[1] <= last]:
                self._drop(self._entries[self._places[key]])

    def take(self) -> list[Entry]:
        """Everything, out of the queue."""
        found = list(self._entries.values())
        for entry in found:
            self._drop(entry)
        return found

    def _drop(self, entry: Entry) -> None:
        del self._entries[entry.id]
        del self._places[entry.boot, entry.seq]
        self.bytes -= entry.size
