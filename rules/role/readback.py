"""Stored readings, read back: what came before a start, and what a gap in the batches jumped over."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from facility.clock import Clock
from facility.errors import StoreError
from facility.readings import Sample

log = logging.getLogger(__name__)

CATCH_UP = 1.5
"""Seconds that ingest is given to store what was on its way when the rules (re)started, or lost a batch."""
TRIES = 3
YIELD_EVERY = 200
"""Stored samples after which everything else gets its turn."""

Take = Callable[[Sample], None]


class History(Protocol):
    """The store's samples of [start, end), oldest first; ms UTC. Of these assets only, if any are named."""

    def __call__(self, start: int, end: int, *, assets: Sequence[str] = ()) -> AsyncIterator[Sample]:
        """Begin to read."""


class ReadBack:
    """Made and used by the rules role. `room` waits while nothing more can be judged; `counts` is the role's own."""

    def __init__(
        self, history: History, *, clock: Clock, counts: Counter[str], room: Callable[[], Awaitable[None]]
    ) -> None:
        self._history, self._clock, self._counts, self._room = history, clock, counts, room
        self._gaps: dict[str, tuple[int, int]] = {}
        self._fillers: dict[str, asyncio.Task[None]] = {}

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What reads in the background."""
        return list(self._fillers.values())

    async def read(self, start: int, end: int, take: Take, *, assets: Sequence[str] = ()) -> bool:
        """Hand over the stored samples; a store that is not there is tried thrice, then done without (and counted).

        False when it was not there: what is missing may be asked for again, then with some of it twice.
        """
        number = 0
        for attempt in range(TRIES):
            try:
                async for sample in self._history(start, end, assets=assets):
                    take(sample)
                    start = max(start, sample.at)
                    number += 1
                    if number % YIELD_EVERY == 0:
                        await asyncio.sleep(0)
                    await self._room()
                return True
            except StoreError as error:
                self._counts["history_errors"] += 1
                log.warning("rules can't read history: %s", error)
            if attempt < TRIES - 1:
                await self._clock.sleep(1.0)
        return False

    async def settled(self) -> None:
        """Wait until ingest has had time to store what was on its way."""
        await self._clock.sleep(CATCH_UP)

    def note_gap(self, gateway: str, start: int, end: int, take: Take) -> None:
        """Batches between these instants did not come: read them, once ingest had time to store them."""
        older = self._gaps.get(gateway)
        self._gaps[gateway] = (min(start, older[0]), max(end, older[1])) if older else (start, end)
        if (task := self._fillers.get(gateway)) is None or task.done():
            self._fillers[gateway] = asyncio.create_task(self._fill(gateway, take), name=f"rules: gap of {gateway}")

    async def _fill(self, gateway: str, take: Take) -> None:
        while gateway in self._gaps:
            await self.settled()
            start, end = self._gaps.pop(gateway)
            await self.read(start, end + 1, take)
