"""The rules role over a restart: a delay that ran is over at its own instant, although no reading is there any more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from facility.bus import MemoryBus
from rules.records.records import Records
from rules.records.schema_life import delays
from rules.role import readback
from rules.rule import Raises, Severity
from tests.rules.plant import CLOCK, Line, Store, a_book, a_compiled, a_sample, a_site, at_work
from tests.services.hook import Hook, a_hook
from tests.services.waiting import until

PLAIN = a_compiled("slow", "car.overload", Severity.MAINTENANCE, Raises.TICKET)
SLOW = replace(PLAIN, rule=replace(PLAIN.rule, delay=600.0))


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """Where pushes arrive."""
    async with a_hook() as running:
        yield running


async def test_a_delay_of_ten_minutes_is_kept_and_ends_at_its_instant(
    records: Records, tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readback, "CATCH_UP", 0.0)
    now = CLOCK.ms()
    site, begun = a_site(tmp_path, hook.url), now - 597_000
    book, store = a_book(site, [SLOW]), Store()
    async with at_work(site, records, bus=(bus := MemoryBus()), book=book) as rules:
        newest = a_sample("EL-001", now, car_overload=True)
        await Line(bus).send(a_sample("EL-001", begun, car_overload=True), newest)
        await until(lambda: rules.metrics().get("samples") == 2)
    (kept,) = await records.rows(select(delays))
    assert (kept["asset"], kept["phase"], kept["running"]) == ("EL-001", "pending", begun)
    store.samples.append(newest)  # the store does not reach back to the beginning
    async with at_work(site, records, bus=MemoryBus(), book=book, store=store):
        await hook.wait_for(1, limit=15.0)
    (row,) = (await records.alarms()).items
    assert (row.raised_at, row.since) == (begun + 600_000, begun)
    assert await records.rows(select(delays)) == []
