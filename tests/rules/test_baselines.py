"""Baselines and trends at work: judged by the readings' own time, kept over restarts, filled from the store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.readings import Sample
from rules.book.compiled import CompiledRule, Rulebook
from rules.engine import Engine
from rules.language.summaries import HOUR_MS
from rules.language.trends import DAY_MS
from rules.records.records import Records
from rules.role.service import Rules
from rules.rule import Raises, Severity
from tests.rules.plant import CATALOG, CLOCK, Store, a_compiled, a_sample, a_site, at_work

T0 = 1_700_000_000_000 // DAY_MS * DAY_MS
RISING = a_compiled("rising", "slope(car.load, '2d') > 5", Severity.MAINTENANCE, Raises.TICKET)
UNUSUAL = a_compiled("unusual", "car.load > 1.5 * p95_of_hour(car.load, '7d')", Severity.MAINTENANCE, Raises.TICKET)
LIFT = "EL-001"


def an_engine(*rules: CompiledRule) -> Engine:
    site = a_site(Path(), "http://127.0.0.1:9/", lifts=[LIFT])
    book = Rulebook({LIFT: rules}, time_zone=site.time_zone)
    return Engine(book, site.assets, CATALOG, future_ms=90 * DAY_MS)


def load(at: int, value: float) -> Sample:
    return a_sample(LIFT, at, car_load=value)


def test_more_than_usual_at_this_hour_raises() -> None:
    engine = an_engine(UNUSUAL)
    found = []
    for at in range(T0, T0 + 4 * DAY_MS, 300_000):
        hour = at // HOUR_MS % 24
        busy = 60.0 if hour == 9 else 10.0
        found += engine.on_sample(load(at, 40.0 if at >= T0 + 3 * DAY_MS + 12 * HOUR_MS else busy))
        found += engine.on_tick(at)
    # sixty at nine is usual; forty at noon is not
    assert [(item.event, item.at - T0) for item in found] == [("raise", 3 * DAY_MS + 12 * HOUR_MS)]


gaps = st.lists(st.tuples(st.integers(60_000, 6 * HOUR_MS), st.integers(0, 100)), min_size=5, max_size=40)


@pytest.mark.slow
@given(gaps, st.lists(st.integers(0, 240 * HOUR_MS), max_size=20))
def test_when_it_is_ticked_changes_no_summary(story: list[tuple[int, int]], ticks: list[int]) -> None:
    at, samples = T0, []
    for gap, value in story:
        at += gap
        samples.append(load(at, float(value)))
    end = at + 2 * HOUR_MS
    plain, ticked = an_engine(RISING), an_engine(RISING)
    for sample in samples:
        plain.on_sample(sample)
    plain.on_tick(end)
    steps: list[tuple[int, int, Sample | None]] = [(sample.at, 0, sample) for sample in samples]
    steps += [(T0 + tick, 1, None) for tick in ticks if T0 + tick < end]
    for instant, _, given_sample in sorted(steps, key=lambda step: step[:2]):
        if given_sample is None:
            ticked.on_tick(instant)
        else:
            ticked.on_sample(given_sample)
    ticked.on_tick(end)
    ((_, _, wanted),), ((_, _, found),) = plain.summaries, ticked.summaries
    assert found.rows == wanted.rows


def past(now: int, days: float, *, rise: float) -> list[Sample]:
    """Readings every five minutes until a moment ago, rising by `rise` a day."""
    start = now - round(days * DAY_MS)
    return [load(at, rise * (at - start) / DAY_MS) for at in range(start, now - 1000, 300_000)]


async def until(rules: Rules, name: str, value: float) -> None:
    async with asyncio.timeout(20):
        while rules.metrics().get(name) != value:
            await asyncio.sleep(0.02)


async def test_a_new_rule_is_filled_from_the_store_and_a_restart_keeps_what_it_learned(
    records: Records, tmp_path: Path
) -> None:
    site = a_site(tmp_path, "http://127.0.0.1:9/", lifts=[LIFT])
    book = Rulebook({LIFT: (RISING,)}, time_zone=site.time_zone)
    now = CLOCK.ms()
    store = Store(past(now, 3, rise=10.0))
    async with at_work(site, records, store=store, book=book) as rules:
        await until(rules, "baselines_filled", 1)
        assert rules.metrics()["baselines_to_fill"] == 0
        assert rules.metrics()["baseline_samples"] > 200
        ((_, series, hours),) = rules.engine.summaries
        assert series == "car.load"
        assert len(hours.rows) >= 45
        learned = list(hours.rows)
    # nothing is read from the store any more than to warm: what was learned is in the records
    again = Store([sample for sample in store.samples if sample.at > now - 3 * HOUR_MS])
    async with at_work(site, records, store=again, book=book) as rules:
        ((_, _, hours),) = rules.engine.summaries
        assert list(hours.rows) == learned
        assert rules.metrics().get("baselines_to_fill", 0) == 0
        assert rules.metrics().get("baseline_samples", 0) == 0
    # the first look after the restart knew the trend
    assert [row.rule for row in (await records.alarms()).items] == ["rising"]
    assert all(now - start < 3 * HOUR_MS for start, _ in again.asked)
