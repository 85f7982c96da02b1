"""What was judged, on its way into the records: it waits in memory until the next transaction, which writes all of it.

The same transaction takes the cursors, the delays that run, the hours of baselines and the runs of the fire linkage, so
that what a killed process had judged but not written is judged again, and what it had written is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from facility.clock import Clock
from facility.errors import StoreError
from rules.effects import Judgement
from rules.engine import Engine
from rules.life.rows import Cursor
from rules.linkage.judge import Linkage
from rules.notification.notify import Routing
from rules.notification.sift import Sifter
from rules.records.delays import Unsaved, save_delays
from rules.records.linkage_runs import keep_runs
from rules.records.records import Beside, Records
from rules.records.summaries import save_hours
from rules.role.baselines import Baselines

log = logging.getLogger(__name__)

KEEP_EVERY = 2.0
"""Seconds after which the cursors are written although nothing was judged."""
PORTION = 500
"""Judgements of one transaction while more than these wait."""
MAX_JUDGEMENTS = 50_000
"""Judgements that wait for a database that is away; beyond that, batches wait on the bus and gaps are read back."""


@dataclass
class Keeper:
    """Made and used by the rules role. `cursors` says how far it is; `counts` is its own."""

    site: str
    records: Records
    routing: Routing
    sifter: Sifter
    engine: Engine
    linkage: Linkage
    baselines: Baselines
    cursors: Callable[[], list[Cursor]]
    clock: Clock
    counts: Counter[str]
    delays: Unsaved = field(default_factory=Unsaved)
    has_moved: bool = False

    def __post_init__(self) -> None:
        """Nothing waits yet."""
        self._waiting: list[Judgement] = []
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """How many judgements are not in the records yet."""
        return len(self._waiting)

    def judge(self, judgements: Sequence[Judgement]) -> None:
        """These are to be written."""
        if judgements:
            self.counts["judgements"] += len(judgements)
            self._waiting += judgements
            self._wake.set()

    async def room(self) -> None:
        """Wait while too many judgements wait for the database; what the bus drops meanwhile is read back later."""
        while len(self._waiting) >= MAX_JUDGEMENTS:
            self.counts["held_back"] += 1
            await self.clock.sleep(0.1)

    async def run(self) -> None:
        """Write whenever there is something, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_EVERY):  # wait_for may swallow a cancellation in 3.11
                    await self._wake.wait()
            self._wake.clear()
            if not await self.write():
                await self.clock.sleep(1.0)
                self._wake.set()

    async def write(self) -> bool:
        """All waiting judgements and the cursors; False when the database is away (they wait).

        In a storm a portion a transaction, the most severe first: an emergency must not wait for thousands of others.
        """
        async with self._writing:
            while len(self._waiting) > PORTION:
                self._waiting.sort(
                    key=lambda item: item.rule.severity
                )  # of one alarm, and of one severity, as they came
                if not await self._apply(PORTION):
                    return False
            return await self._write_rest()

    async def _write_rest(self) -> bool:
        """What is left, with all that says how far the rules are: it must not be ahead of the judgements."""
        number = len(self._waiting)
        # taken together, without an await in between: what is judged after it comes with the next one
        hours, delays = self.baselines.take(), self.delays.take(self.engine.changed_delays())
        if not (number or self.has_moved or hours or delays or self.linkage.is_dirty):
            return True
        cursors, runs = self.cursors(), self.linkage.take_dirty()
        self.has_moved = False
        now = self.clock.ms()

        async def keep(connection: AsyncConnection) -> None:
            await save_hours(connection, site=self.site, hours=hours, now=now)
            await save_delays(connection, self.site, delays)
            await keep_runs(connection, runs=runs, at=now)

        if not await self._apply(number, cursors, keep):
            self.linkage.put_back(runs)
            self.has_moved = True
            return False
        self.baselines.written(hours)
        self.delays.saved(delays)
        return True

    async def _apply(self, number: int, cursors: Sequence[Cursor] = (), beside: Beside | None = None) -> bool:
        """One transaction of the first `number` that wait."""
        try:
            done = await self.records.apply(
                self._waiting[:number],
                self.routing,
                self.clock.ms(),
                cursors=cursors,
                sifter=self.sifter,
                beside=beside,
            )
        except StoreError as error:
            self.database_error(error)
            return False
        del self._waiting[:number]
        for name in ("opened", "moved", "unchanged", "duplicates", "tickets"):
            self.counts[f"alarms_{name}"] += getattr(done, name)
        return True

    def database_error(self, error: StoreError) -> None:
        """The records are away: counted and logged; what was judged waits."""
        self.counts["database_errors"] += 1
        log.warning("rules: %s; %d judgements wait", error, len(self._waiting))
