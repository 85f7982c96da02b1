"""The gateway's durable queue: what was measured and is not yet known to be stored.

A batch goes in with its number (boot, seq) before it is published, and comes out when ingest has confirmed it, never
earlier. So the queue answers three questions: what is still unconfirmed, in order; how much is that; what had to be
given up. `MemorySpool` is the whole of it in memory; `FileSpool` (file_spool.py) keeps it in one SQLite file, written
by one thread of its own, so that the event loop never waits for the disk.

What is promised of the file: an append that returned survives kill -9 (and, with `synchronous="full"`, a power cut);
batches of earlier starts are still there, with the boot and seq they were born with.

The queue is bounded in bytes and in age. When it is full the oldest batches go first: they are history, the newest may
be an alarm. Readings given up are counted in `shed`.

Age is not what the calendar says. A clock that jumps a year ahead (a dead battery, a wrong time server) would make
everything old at once, and an outage is when clocks go wrong; what was given up then could not be had back. So a batch
ages by the time for which its gateway has run since, by the monotonic clock, added up over restarts in the file itself.
Nothing that the wall clock does can give up a batch; the price is that days without power don't count, and a batch may
live longer than `days` of the calendar, which only the bound in bytes has to bear.

A change of the settings destroys nothing. A limit that is lower than what waits is not enforced by deleting: the queue
takes no more than it holds, oldest out for new in, until it has drained to its limit. A batch lives by the `days` of
when it was put in or by those of now, whichever is longer. And batches belong to no device, class or site: they go out
under the topic of now, with the boot and seq they were born with.

When the disk refuses (full, failing), batches wait in a small memory
queue, `problem` says so, and every later append tries the disk again; a confirmation that could not be written down
is remembered and written with the next one. A file that is no database is put aside under another name, not deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from facility.clock import Clock, SystemClock

Ranges = Sequence[tuple[int, int]]
"""Inclusive (first, last) of seq."""

OVERHEAD = 100
"""Bytes that a batch is counted with beside its payload."""
NEAR = 0.8
"""From this part of a bound on it is told that batches will be given up."""
DAY_MS = 86_400_000


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
        """Readings given up since the start, for want of room or for their age."""
        ...

    @property
    def warning(self) -> str:
        """Why batches are given up or soon will be; empty while both bounds are far."""
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


def warning(size: int, limit: int, age: int, keep: int) -> str:
    """What is to be said of so many bytes, the oldest of them `age` ms old and kept for `keep`."""
    if size > limit:
        return f"the spool holds {size / 1e6:.1f} MB, more than the {limit / 1e6:g} MB that it may: it grows no more"
    if size > limit * NEAR:
        return "the spool is nearly full: its oldest batches will be given up"
    if age > keep * NEAR:
        return f"batches have waited for {age / DAY_MS:.1f} days: they are given up after {keep / DAY_MS:g}"
    return ""


class RunTime:
    """For how long (ms) a queue has been in use, over all its starts; no clock that is set changes it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before = 0
        self._since = 0.0

    def begin(self, before: int = 0) -> None:
        """A start; `before`: what it was until then."""
        self._before, self._since = before, self._clock.monotonic()

    def ms(self) -> int:
        """What it is now."""
        return self._before + round((self._clock.monotonic() - self._since) * 1000)


class MemorySpool:
    """The queue in memory: for tests, and for what the disk refuses."""

    def __init__(self, limit: int = 64_000_000, *, days: float = 30.0, clock: Clock | None = None) -> None:
        self.limit = limit
        self.problem = ""
        self.bytes = 0
        self.shed = 0
        self._keep = round(days * DAY_MS)
        self._run = RunTime(clock or SystemClock())
        self._born: dict[int, int] = {}
        self._entries: dict[int, Entry] = {}
        self._places: dict[tuple[str, int], int] = {}
        self._next = 1

    @property
    def batches(self) -> int:
        """How many batches are unconfirmed."""
        return len(self._entries)

    @property
    def warning(self) -> str:
        """Why batches are given up or soon will be."""
        oldest = next(iter(self._entries), None)
        age = 0 if oldest is None else self._run.ms() - self._born[oldest]
        return warning(self.bytes, self.limit, age, self._keep)

    async def open(self) -> None:
        """From now on batches age."""
        self._run.begin()

    async def close(self) -> None:
        """Nothing to do."""

    async def append(self, entries: Sequence[Entry]) -> list[Entry]:
        """Keep batches."""
        now = self._run.ms()
        while self._entries and now - self._born[oldest := next(iter(self._entries))] > self._keep:
            self._give_up(self._entries[oldest])
        return [self.put(entry, now) for entry in entries]

    async def waiting(self, after: int, count: int) -> list[Entry]:
        """The oldest unconfirmed batches with an id above `after`."""
        return self.pick(after, count)

    async def confirm(self, boot: str, ranges: Ranges) -> None:
        """Forget batches."""
        self.forget(boot, ranges)

    def put(self, entry: Entry, now: int = 0) -> Entry:
        """Keep one batch, under its own id if it has one; the oldest go when there is no room."""
        kept = entry if entry.id else replace(entry, id=self._next)
        self._next = max(self._next, kept.id + 1)
        while self._entries and self.bytes + kept.size > self.limit:
            self._give_up(next(iter(self._entries.values())))
        self._entries[kept.id] = kept
        self._born[kept.id] = now
        self._places[kept.boot, kept.seq] = kept.id
        self.bytes += kept.size
        return kept

    def pick(self, after: int, count: int) -> list[Entry]:
        """`waiting`, at once."""
        return list(islice((entry for entry in self._entries.values() if entry.id > after), count))

    def forget(self, boot: str, ranges: Ranges) -> None:
        """`confirm`, at once."""
        for first, last in ranges:
            if last - first < len(self._places):
                keys = [key for seq in range(first, last + 1) if (key := (boot, seq)) in self._places]
            else:
                keys = [key for key in self._places if key[0] == boot and first <= key[1] <= last]
            for key in keys:
                self._drop(self._entries[self._places[key]])

    def take(self) -> list[Entry]:
        """Everything, out of the queue."""
        found = list(self._entries.values())
        for entry in found:
            self._drop(entry)
        return found

    def _give_up(self, entry: Entry) -> None:
        self.shed += entry.readings
        self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        del self._entries[entry.id], self._born[entry.id]
        del self._places[entry.boot, entry.seq]
        self.bytes -= entry.size
