"""The rules role whole: bus, engine, records, outbox, with a real database file and a real webhook receiver."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from facility.bus import MemoryBus
from facility.errors import StoreError
from facility.settings import RecordsSettings
from facility.wire import readings_topic
from rules.desk.commands import Commands
from rules.life.rows import AlarmRow
from rules.records import schema
from rules.records.records import Applied, Records, open_records
from rules.role import readback, service
from rules.role.service import Rules
from tests.rules.plant import BUTTON, CLOCK, LIFTS, OVERLOAD, Line, Store, a_book, a_sample, a_site, at_work
from tests.services.hook import Hook, a_hook
from tests.services.waiting import until


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """Where pushes arrive."""
    async with a_hook() as running:
        yield running


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stores of these tests have everything at once."""
    monkeypatch.setattr(readback, "CATCH_UP", 0.0)
    monkeypatch.setattr(service, "HOUSEKEEPING", 0.02)


async def rows(records: Records) -> list[AlarmRow]:
    """Every alarm, the oldest first."""
    return list(reversed((await records.alarms(limit=1000)).items))


async def settled(rules: Rules, judgements: int) -> None:
    """Wait until so many judgements were made and written."""
    await until(lambda: rules.metrics().get("judgements", 0) >= judgements)
    await until(lambda: rules.metrics()["waiting_judgements"] == 0)


async def test_a_reading_becomes_an_alarm_a_ticket_and_a_push(records: Records, tmp_path: Path, hook: Hook) -> None:
    bus = MemoryBus()
    async with at_work(a_site(tmp_path, hook.url), records, bus=bus):
        now = CLOCK.ms()
        await Line(bus).send(a_sample("EL-001", now, car_overload=True))
        await hook.wait_for(1)
    (row,) = await rows(records)
    assert (row.rule, row.asset, row.state, row.raised_at, row.facts) == (
        "overload",
        "EL-001",
        "unacknowledged",
        now,
        {"car.overload": True},
    )
    body = hook.posts[0].body
    assert (body["asset"], body["at"], body["since"], body["ticket"]) == ("EL-001", now, now, row.ticket_id)
    assert body["facts"] == {"car.overload": True}
    assert body["url"] == f"http://127.0.0.1:8443/alarms/{row.id}"


async def test_what_can_not_be_used_is_counted_and_stops_nothing(records: Records, tmp_path: Path, hook: Hook) -> None:
    bus = MemoryBus()
    async with at_work(a_site(tmp_path, hook.url), records, bus=bus) as rules:
        now = CLOCK.ms()
        await bus.publish(readings_topic("s1", "g0"), b"{no json")
        await Line(bus, "g9").send(a_sample("EL-001", now, car_overload=True))
        await Line(bus).send(a_sample("NOBODY", now, car_overload=True), a_sample("EL-003", now, car_overload=True))
        await settled(rules, 1)
        counted = rules.metrics()
    assert (counted["undecodable"], counted["unknown_gateway"], counted["engine_unknown_asset"]) == (1, 1, 1)
    assert [row.asset for row in await rows(records)] == ["EL-003"]


async def test_a_fault_of_ours_in_one_sample_stops_no_other(
    records: Records, tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = MemoryBus()
    async with at_work(a_site(tmp_path, hook.url), records, bus=bus) as rules:
        judge = rules.engine.on_sample

        def broken(sample: object, **more: bool) -> list[object]:
            if getattr(sample, "asset", "") == "EL-001":
                raise ZeroDivisionError
            return list(judge(sample, **more))  # type: ignore[arg-type]

        monkeypatch.setattr(rules.engine, "on_sample", broken)
        now = CLOCK.ms()
        await Line(bus).send(*(a_sample(name, now, car_overload=True) for name in ("EL-001", "EL-003")))
        await settled(rules, 1)
        assert rules.metrics()["failed_samples"] == 1


async def test_copies_are_passed_over_and_late_ones_are_taken(records: Records, tmp_path: Path, hook: Hook) -> None:
    bus = MemoryBus()
    async with at_work(a_site(tmp_path, hook.url), records, bus=bus) as rules:
        line, now = Line(bus), CLOCK.ms()
        await line.send(a_sample("EL-001", now, car_overload=True))
        await line.send(a_sample("EL-001", now, car_overload=True), seq=1)
        await line.send(a_sample("EL-003", now, car_overload=True), seq=4)
        await line.send(a_sample("EL-005", now, car_overload=True), seq=2)
        await settled(rules, 3)
        counted = rules.metrics()
        assert (counted["copies"], counted["batches"], counted["missing_batches"]) == (1, 3, 1)
    assert {row.asset for row in await rows(records)} == {"EL-001", "EL-003", "EL-005"}


async def test_a_gap_is_read_from_the_store(records: Records, tmp_path: Path, hook: Hook) -> None:
    bus, store, now = MemoryBus(), Store(), CLOCK.ms()
    async with at_work(a_site(tmp_path, hook.url), records, bus=bus, store=store) as rules:
        line = Line(bus)
        await line.send(a_sample("EL-001", now - 20, car_overload=False))
        store.samples.append(a_sample("EL-003", now - 10, alarm_car_button=True))
        await line.send(a_sample("EL-001", now, car_overload=False), seq=3)
        await hook.wait_for(1)
        counted = rules.metrics()
        assert (counted["gaps"], counted["samples_from_gaps"]) == (1, 1)
    assert [(row.rule, row.asset) for row in await rows(records)] == [("button", "EL-003")]


async def test_active_alarms_survive_a_restart_and_clear_after_it(records: Records, tmp_path: Path, hook: Hook) -> None:
    site, bus, store = a_site(tmp_path, hook.url), MemoryBus(), Store()
    line = Line(bus)
    async with at_work(site, records, bus=bus, store=store):
        store.samples.append(a_sample("EL-001", CLOCK.ms(), car_overload=True))
        await line.send(store.samples[-1])
        await hook.wait_for(1)
    async with at_work(site, records, bus=bus, store=store):
        store.samples.append(a_sample("EL-001", CLOCK.ms(), car_overload=True))
        await line.send(store.samples[-1])
        await line.send(a_sample("EL-001", CLOCK.ms() + 1, car_overload=False))
        await hook.wait_for(2)
    (row,) = await rows(records)
    assert (row.state, row.raise_count) == ("returned", 1)
    assert [post.body["event"] for post in hook.posts] == ["raise", "clear"]


async def test_what_happened_while_the_rules_were_down_is_judged_at_the_start(
    records: Records, tmp_path: Path, hook: Hook
) -> None:
    site, store = a_site(tmp_path, hook.url), Store()
    bus, now = MemoryBus(), CLOCK.ms()
    async with at_work(site, records, bus=bus, store=store) as rules:
        store.samples += [a_sample(name, now - 900_000, car_overload=False) for name in LIFTS[:8]]
        await Line(bus).send(*store.samples)
        await until(lambda: rules.metrics().get("samples") == 8)
    minutes = 60_000
    store.samples += [
        a_sample("EL-001", now - 10 * minutes, car_overload=True),  # came and went, long ago: recorded only
        a_sample("EL-001", now - 9 * minutes, car_overload=False),
        a_sample("EL-002", now - 2 * minutes, car_overload=True),  # came and went a moment ago: told
        a_sample("EL-002", now - 1 * minutes, car_overload=False),
        a_sample("EL-003", now - 8 * minutes, car_overload=True),  # came long ago and stands: told
    ]
    async with at_work(site, records, bus=bus, store=store) as rules:
        await hook.wait_for(3)
        assert rules.metrics()["samples_replayed"] == 5
    found = {row.asset: (row.state.value, row.historical, row.told) for row in await rows(records)}
    assert found == {
        "EL-001": ("returned", True, False),
        "EL-002": ("returned", False, True),
        "EL-003": ("unacknowledged", True, True),
    }
    told = sorted((str(post.body["asset"]), str(post.body["event"])) for post in hook.posts)
    assert told == [("EL-002", "clear"), ("EL-002", "raise"), ("EL-003", "raise")]
    async with at_work(site, records, bus=bus, store=store) as rules:
        await until(lambda: rules.metrics().get("samples_warmed", 0) > 0)
        assert rules.metrics().get("samples_replayed", 0) == 0
    assert len(await rows(records)) == 3
    assert len(hook.posts) == 3


async def test_a_first_start_judges_what_stands_and_replays_nothing(
    records: Records, tmp_path: Path, hook: Hook
) -> None:
    now = CLOCK.ms()
    store = Store(
        [
            a_sample("EL-001", now - 300_000, car_overload=True),
            a_sample("EL-001", now - 200_000, car_overload=False),
            a_sample("EL-003", now - 2_000, car_overload=True),
        ]
    )
    async with at_work(a_site(tmp_path, hook.url), records, store=store):
        await hook.wait_for(1)
    assert [row.asset for row in await rows(records)] == ["EL-003"]


async def test_judgements_wait_for_a_database_that_is_away(
    records: Records, tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, line_down = MemoryBus(), asyncio.Event()
    apply = records.apply

    async def failing(*given: object, **more: object) -> Applied:
        if not line_down.is_set():
            raise StoreError("records", "gone")
        return await apply(*given, **more)  # type: ignore[arg-type]

    async with at_work(a_site(tmp_path, hook.url), records, bus=bus) as rules:
        monkeypatch.setattr(records, "apply", failing)
        line = Line(bus)
        await line.send(a_sample("EL-001", CLOCK.ms(), car_overload=True))
        await until(lambda: rules.metrics().get("database_errors", 0) >= 1)
        await line.send(a_sample("EL-003", CLOCK.ms(), car_overload=True))
        await until(lambda: rules.metrics()["waiting_judgements"] == 2)
        line_down.set()
        await hook.wait_for(2)
        assert rules.metrics()["waiting_judgements"] == 0
    assert len(await rows(records)) == 2


async def test_a_store_that_is_away_at_the_start_does_not_keep_the_rules_from_work(
    records: Records, tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readback, "TRIES", 1)
    bus, store = MemoryBus(), Store()
    store.fault = lambda: StoreError("influxdb", "gone")
    async with at_work(a_site(tmp_path, hook.url), records, bus=bus, store=store) as rules:
        await Line(bus).send(a_sample("EL-001", CLOCK.ms(), alarm_car_button=True))
        await hook.wait_for(1)
        assert rules.metrics()["history_errors"] == 1


async def test_an_alarm_whose_rule_is_gone_stays_visible(records: Records, tmp_path: Path, hook: Hook) -> None:
    site, bus = a_site(tmp_path, hook.url), MemoryBus()
    async with at_work(site, records, bus=bus):
        await Line(bus).send(a_sample("EL-001", CLOCK.ms(), car_overload=True))
        await hook.wait_for(1)
    for _ in range(2):
        async with at_work(site, records, bus=bus, book=a_book(site, [BUTTON])) as rules:
            assert rules.metrics()["orphaned_alarms"] == 1
    (row,) = await rows(records)
    assert row.live
    assert [entry.event for entry in await records.journal(row.id)] == ["raise", "orphaned"]


async def test_a_shelving_ends_by_itself_and_tells_then(records: Records, tmp_path: Path, hook: Hook) -> None:
    site, bus = a_site(tmp_path, hook.url), MemoryBus()
    async with at_work(site, records, bus=bus) as rules:
        line, now = Line(bus), CLOCK.ms()
        await line.send(a_sample("EL-001", now, car_overload=True))
        await hook.wait_for(1)
        (row,) = await rows(records)
        commands = Commands(records, rules.routing)
        await commands.shelve(row.id, actor="wang", at=CLOCK.ms(), until=CLOCK.ms() + 300, reason="换钢丝绳")
        await line.send(a_sample("EL-001", now + 1, car_overload=False), a_sample("EL-001", now + 2, car_overload=True))
        await settled(rules, 3)
        assert len(hook.posts) == 1
        await hook.wait_for(2)
        await until(lambda: rules.metrics().get("shelvings_ended") == 1)  # counted once the message may have left
    assert [post.body["event"] for post in hook.posts] == ["raise", "raise"]


async def test_stopping_writes_what_was_judged(records: Records, tmp_path: Path, hook: Hook) -> None:
    site, bus = a_site(tmp_path, hook.url), MemoryBus()
    async with at_work(site, records, bus=bus) as rules:
        await Line(bus).send(*(a_sample(name, CLOCK.ms(), car_overload=True) for name in LIFTS[:50]))
        await until(lambda: rules.metrics().get("judgements") == 50)
    assert len(await rows(records)) == 50
    cursors = await records.cursors("s1")
    assert cursors["g0"].seq == 1
    assert set(cursors["g0"].assets) == set(LIFTS[:50])


CHILD = """
import asyncio, sys
from pathlib import Path
from facility.bus import MemoryBus
from facility.settings import RecordsSettings
from rules.role import readback
from rules.records import schema
from rules.role import service
from rules.records.records import open_records
from tests.rules.plant import CLOCK, LIFTS, Line, Store, a_sample, a_site, at_work

async def main(folder, url, start, pace):
    readback.CATCH_UP = 0.0
    bus, store = MemoryBus(), Store()
    async with open_records(RecordsSettings(path="records.sqlite"), Path(folder)) as records:
        async with at_work(a_site(Path(folder), url), records, bus=bus, store=store):
            lines = [Line(bus, "g0"), Line(bus, "g1")]
            for number, lift in enumerate(LIFTS):
                await asyncio.sleep((int(start) + number * int(pace) - CLOCK.ms()) / 1000)
                await lines[number % 2].send(a_sample(lift, int(start) + number * int(pace), car_overload=True))
            await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kill_after", [1, 40, 150])
async def test_killed_at_any_point_no_alarm_and_no_push_is_lost(
    records: Records, tmp_path: Path, hook: Hook, kill_after: int
) -> None:
    start, pace = CLOCK.ms() + 3_000, 5
    arguments = (str(tmp_path), hook.url, str(start), str(pace))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, *arguments)
    try:
        await hook.wait_for(kill_after, limit=30)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    before = {row.asset for row in await rows(records)}
    assert len(before) >= kill_after
    async with records.writing() as connection:  # as if the dead worker's leases had run out
        await connection.execute(update(schema.outbox).values(lease_until=0))
    # ingest has stored what the gateways sent, whoever was dead meanwhile
    store = Store(a_sample(lift, start + n * pace, car_overload=True) for n, lift in enumerate(LIFTS))
    await until(lambda: CLOCK.ms() > start + len(LIFTS) * pace)
    async with open_records(RecordsSettings(path="records.sqlite"), tmp_path) as again:
        async with at_work(a_site(tmp_path, hook.url), again, store=store) as rules:
            await until(lambda: len({*hook.keys}) == len(LIFTS), limit=40)
            assert rules.metrics().get("failed_samples", 0) == 0
        counts = await again.counts()
    found = await rows(records)
    assert sorted(row.asset for row in found) == sorted(LIFTS)
    assert (counts.alarms, counts.tickets, counts.dead) == (len(LIFTS), len(LIFTS), 0)
    assert {key.split(":")[0] for key in hook.keys} == {row.id for row in found}
    assert all(row.rule == OVERLOAD.rule.id for row in found)
