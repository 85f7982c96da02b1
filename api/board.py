"""The alarm board: the live alarms as all screens show them, read from the records once for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from api.live import LiveCache
from facility.clock import Clock
from rules.drills.drills import Drill
from rules.drills.impairments import Impairment
from rules.life.rows import AlarmRow
from rules.records.related import FloodRow


@dataclass(frozen=True, slots=True)
class Glance:
    """What the records say now: live alarms, the flood if there is one, open drills, what is out of action."""

    alarms: Sequence[AlarmRow]
    flood: FloodRow | None = None
    drills: Sequence[Drill] = ()
    impairments: Sequence[Impairment] = ()


Read = Callable[[], Awaitable[Glance]]

LONGEST_S = 5.0
"""A board is read anew at least this often when somebody looks, even when nothing was told on the bus."""
SHORTEST_S = 0.2
"""However many transitions come: not more often than this."""


class Board:
    """Live alarms, worst first, and what all screens show. `read` asks the records; the bus says when that pays."""

    def __init__(self, read: Read, live: LiveCache, clock: Clock) -> None:
        self.revision = 0
        self.flood: FloodRow | None = None
        self.drills: Sequence[Drill] = ()
        self.impairments: Sequence[Impairment] = ()
        self._read = read
        self._live = live
        self._clock = clock
        self._lock = asyncio.Lock()
        self._rows: tuple[AlarmRow, ...] = ()
        self._read_at = float("-inf")
        self._seen = -1
        self._touched = False

    def touch(self) -> None:
        """Something was changed through this process: the next look reads anew."""
        self._touched = True

    async def alarms(self) -> tuple[AlarmRow, ...]:
        """The live alarms, sorted by severity, then newest first. StoreError when the records don't answer."""
        if self._due():
            async with self._lock:
                if self._due():
                    await self._refresh()
        return self._rows

    def _due(self) -> bool:
        age = self._clock.monotonic() - self._read_at
        changed = self._live.alarm_changes != self._seen
        return self._touched or age > LONGEST_S or (changed and age > SHORTEST_S)

    async def _refresh(self) -> None:
        self._touched = False
        self._seen = self._live.alarm_changes
        seen = await self._read()
        self.flood, self.drills, self.impairments = seen.flood, seen.drills, seen.impairments
        fresh = tuple(sorted(seen.alarms, key=lambda row: (row.severity, -(row.raised_at or row.opened_at), row.id)))
        if fresh != self._rows:
            self._rows = fresh
            self.revision += 1
        self._read_at = self._clock.monotonic()
