"""What is told after the live readings have gone on: it is judged from the store, and stands in the list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from facility.bus import MemoryBus
from facility.errors import StoreError
from rules.life.rows import AlarmRow
from rules.records.records import Records
from rules.role import late, readback
from rules.role.past import Past
from rules.role.service import Rules
from tests.rules.plant import CLOCK, Line, Store, a_sample, a_site, at_work
from tests.services.hook import Hook, a_hook
from tests.services.waiting import until

HOUR = 3_600_000


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """Where pushes arrive."""
    async with a_hook() as running:
        yield running


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be waited for."""
    monkeypatch.setattr(readback, "CATCH_UP", 0.0)
    monkeypatch.setattr(readback, "TRIES", 1)
    monkeypatch.setattr(late, "QUIET", 0.0)
    monkeypatch.setattr(late, "LOOK", 0.01)
    monkeypatch.setattr(late, "AGAIN", 0.01)


def gone() -> StoreError:
    """The store is away."""
    return StoreError("influxdb", "gone")


async def alarms(records: Records) -> dict[tuple[str, str], AlarmRow]:
    """Every alarm by its rule and asset; none twice."""
    rows = (await records.alarms(limit=100)).items
    found = {(row.rule, row.asset): row for row in rows}
    assert len(found) == len(rows)
    return found


async def judged(rules: Rules, spans: int = 1) -> None:
    """Wait until so many spans were judged, and what they came to is written."""
    await until(lambda: rules.metrics().get("late_spans", 0) >= spans)
    await until(lambda: rules.metrics()["waiting_judgements"] == 0)


async def test_what_came_and_went_while_rules_and_store_were_away_is_in_the_list(
    records: Records, tmp_path: Path, hook: Hook
) -> None:
    site, bus, store, start = a_site(tmp_path, hook.url), MemoryBus(), Store(), CLOCK.ms() - 2 * HOUR
    line = Line(bus)
    async with at_work(site, records, bus=bus, store=store) as rules:
        first = a_sample("EL-001", start, car_overload=False, alarm_car_button=False)
        store.samples.append(first)
        await line.send(first)
        await until(lambda: rules.metrics().get("samples", 0) == 1)
    # nobody listens: pressed and let go; another one is overloaded and stays so
    store.samples += [
        a_sample("EL-001", start + 60_000, alarm_car_button=True),
        a_sample("EL-001", start + 90_000, alarm_car_button=False),
        a_sample("EL-003", start + 95_000, car_overload=True),
    ]
    store.fault = gone
    async with at_work(site, records, bus=bus, store=store) as rules:
        await line.send(a_sample("EL-005", CLOCK.ms(), car_overload=True))
        await hook.wait_for(1)
        assert set(await alarms(records)) == {("overload", "EL-005")}
        store.fault = lambda: None
        await judged(rules)
        found = await alarms(records)
        await line.send(a_sample("EL-003", CLOCK.ms(), car_overload=False))
        await until(lambda: rules.metrics()["judgements"] >= 5)
    assert {key: (row.state, row.raised_at, row.cleared_at, row.historical) for key, row in found.items()} == {
        ("overload", "EL-005"): ("unacknowledged", found["overload", "EL-005"].raised_at, None, False),
        ("button", "EL-001"): ("returned", start + 60_000, start + 90_000, True),
        ("overload", "EL-003"): ("unacknowledged", start + 95_000, None, True),
    }
    # what still stood was handed to the live engine, which has cleared it
    assert (await alarms(records))["overload", "EL-003"].state == "returned"


async def test_history_that_follows_live_readings_is_judged_too(records: Records, tmp_path: Path, hook: Hook) -> None:
    site, bus, store, now = a_site(tmp_path, hook.url), MemoryBus(), Store(), CLOCK.ms()
    past = [
        a_sample("EL-001", now - HOUR, alarm_car_button=True, car_overload=False),
        a_sample("EL-001", now - HOUR + 30_000, alarm_car_button=False),
        a_sample("EL-001", now - HOUR + 40_000, car_overload=True),
    ]
    async with at_work(site, records, bus=bus, store=store) as rules:
        line = Line(bus)
        live = a_sample("EL-001", now, alarm_car_button=False, car_overload=True)
        store.samples += [*past, live]
        await line.send(live)
        await hook.wait_for(1)
        before = await alarms(records)
        await line.send(*past, hist=True)
        await judged(rules)
        assert rules.late.floor is None
    found = await alarms(records)
    assert {key: (row.state, row.raised_at) for key, row in found.items()} == {
        ("overload", "EL-001"): ("unacknowledged", now),
        ("button", "EL-001"): ("returned", now - HOUR),
    }
    # the alarm that stands is known better by the live engine
    assert found["overload", "EL-001"] == before["overload", "EL-001"]
    assert len(hook.posts) == 1


async def test_what_is_owed_keeps_the_cursors_back(records: Records, tmp_path: Path, hook: Hook) -> None:
    site, bus, store, now = a_site(tmp_path, hook.url), MemoryBus(), Store(), CLOCK.ms()
    pressed = [
        a_sample("EL-001", now - HOUR, alarm_car_button=True),
        a_sample("EL-001", now - HOUR + 30_000, alarm_car_button=False),
    ]
    async with at_work(site, records, bus=bus, store=store) as rules:
        live = a_sample("EL-001", now, alarm_car_button=False)
        store.samples += [*pressed, live]
        await Line(bus).send(live)
        await until(lambda: rules.metrics().get("samples", 0) >= 1)
        store.fault = gone
        await Line(bus, seq=1).send(*pressed, hist=True)
        await until(lambda: rules.late.floor == now - HOUR - 1)
    assert (await records.cursors("s1"))["g0"].assets == {"EL-001": now - HOUR - 1}
    store.fault = lambda: None
    async with at_work(site, records, bus=bus, store=store):
        pass
    assert {key: row.state for key, row in (await alarms(records)).items()} == {("button", "EL-001"): "returned"}
    assert (await records.cursors("s1"))["g0"].assets == {"EL-001": now}


async def test_a_past_told_late_does_not_move_an_alarm_back(records: Records, tmp_path: Path, hook: Hook) -> None:
    """Young enough to page, and yet older than what the alarm has become."""
    site, bus, store, now = a_site(tmp_path, hook.url), MemoryBus(), Store(), CLOCK.ms()
    past = [
        a_sample("EL-001", now - 30_000, alarm_car_button=True),
        a_sample("EL-001", now - 20_000, alarm_car_button=False),
    ]
    live = [a_sample("EL-001", now, alarm_car_button=True), a_sample("EL-001", now + 1, alarm_car_button=False)]
    async with at_work(site, records, bus=bus, store=store) as rules:
        line = Line(bus)
        store.samples += [*past, *live]
        await line.send(*live)
        await hook.wait_for(2)
        await line.send(*past, hist=True)
        await judged(rules)
        (row,) = (await records.alarms(limit=10)).items
        assert (row.state, row.raised_at, row.cleared_at, row.raise_count) == ("returned", now, now + 1, 1)
        journal = [(item.event, item.at) for item in await records.journal(row.id)]
    assert journal == [("raise", now), ("clear", now + 1), ("raise", now - 30_000), ("clear", now - 20_000)]
    assert len(hook.posts) == 2


def test_two_stretches_make_one_that_has_both() -> None:
    one, other = Past(100, 200, {"a": 50, "b": 120}), Past(80, 300, {"b": 90})
    assert one.with_(other) == Past(80, 300, {"a": 50, "b": 90})
    assert one.judged == 50
