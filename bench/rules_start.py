"""How long the rules take to start with 10,000 active alarms in their records.

`rules_start.live_s`: seconds from nothing to judging readings, without the catalog and the rulebook, and without the
moment that ingest is given; `rules_start.cpu_s` the processor's part of it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.rules_storm import POINTS, Counting, a_house, lift
from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.readings import Sample
from facility.settings import RecordsSettings
from rules.life.rows import Cursor
from rules.records.records import Records, open_records
from rules.role.readback import CATCH_UP

LIFTS = 2_000
PORTION = 1_000


def run() -> dict[str, float]:
    """Raise them, then start."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(Path(folder)))


async def _run(folder: Path) -> dict[str, float]:
    async with open_records(RecordsSettings(), folder) as records:
        alarms = await _raise(folder, records)
    began, cpu = time.perf_counter(), time.process_time()
    async with open_records(RecordsSettings(), folder) as records:
        rules = a_house(folder, records, Counting(), MemoryBus(), lifts=LIFTS)
        task = asyncio.create_task(rules.run())
        try:
            await asyncio.wait_for(rules.live.wait(), 120)
            seconds, used = time.perf_counter() - began - CATCH_UP, time.process_time() - cpu
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    return {"rules_start.live_s": seconds, "rules_start.cpu_s": used, "rules_start.alarms": alarms}


async def _raise(folder: Path, records: Records) -> int:
    """Every alarm of every lift, as readings of just now raise them; how many."""
    rules, now = a_house(folder, records, Counting(), MemoryBus(), lifts=LIFTS), SystemClock().ms()
    found = []
    for number in range(LIFTS):
        found += rules.engine.on_sample(Sample(lift(number), now, dict.fromkeys(POINTS, True)))
    cursor = Cursor(gateway="g", boot="b", seq=1, at=now, assets={lift(n): now for n in range(LIFTS)})
    for start in range(0, len(found), PORTION):
        part = found[start : start + PORTION]
        await records.apply(part, rules.routing, now, cursors=[cursor], sifter=rules.sifter)
    return len(found)
