"""LiveCache: the newest wins, history and strangers don't, and what can't be trusted never looks live."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.live import GRACE_S, LiveCache
from facility.bus import MemoryBus, Message
from facility.errors import StoreError
from facility.presence import SILENT_MS, STATUS
from facility.readings import Quality, Reading, Sample
from facility.wire import (
    DERIVED,
    AlarmNotice,
    Batch,
    Status,
    again_topic,
    alarms_topic,
    encode,
    readings_topic,
    status_topic,
)
from ingest.memory_store import MemoryStore
from tests.api.house import NOW, HeldClock, House, a_house, small_site
from tests.gateway.plant import LoopClock

FLOOR = ("EL-01", "car.floor")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


def a_cache(folder: Path, clock: HeldClock | None = None, bus: MemoryBus | None = None) -> LiveCache:
    site, catalog = small_site(folder)
    return LiveCache(site, catalog, bus=bus or MemoryBus(), clock=clock or HeldClock())


def batch(seq: int, at: int, value: float, *, hist: bool = False, gateway: str = "gw-1") -> Message:
    sample = Sample("EL-01", at, {"car.floor": value})
    return Message(readings_topic("tower", gateway), encode(Batch("b", seq, [sample], hist)))


def word(gateway: str = "gw-1", *, online: bool = True, boot: str = "b") -> Message:
    """A gateway says that it is there, or that it is not."""
    return Message(status_topic("tower", gateway), encode(Status(online=online, boot=boot)))


READINGS = st.lists(
    st.tuples(st.integers(NOW - 5_000, NOW), st.integers(0, 90), st.booleans(), st.sampled_from(list(Quality))),
    min_size=1,
    max_size=40,
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(READINGS)
def test_the_newest_live_reading_wins(folder: Path, taken: list[tuple[int, int, bool, Quality]]) -> None:
    cache = a_cache(folder)
    expected: tuple[int, int, Quality] | None = None
    for at, value, hist, quality in taken:
        bad = {} if quality is Quality.GOOD else {"car.floor": quality}
        given_value = value if quality is Quality.GOOD else None
        sample = Sample("EL-01", at, {"car.floor": given_value}, bad)
        cache.take(Message(readings_topic("tower", "gw-1"), encode(Batch("b", 1, [sample], hist))))
        if not hist and (expected is None or at >= expected[0]):
            expected = (at, value, quality)
    found = cache.reading(*FLOOR)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.at, found.quality) == (expected[0], expected[2])
    assert found.value == (expected[1] if expected[2] is Quality.GOOD else None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200),
    st.sampled_from(["fm/v1/tower/gw-1/readings", "fm/v1/tower/gw-1/status", "x", "fm/v1/tower/alarms"]),
)
def test_rubbish_is_counted_and_stops_nothing(folder: Path, payload: bytes, topic: str) -> None:
    cache = a_cache(folder)
    cache.take(Message(topic, payload))
    assert cache.counts["undecodable"] == 1
    cache.take(batch(1, NOW, 3))
    assert cache.reading(*FLOOR) is not None


def test_strangers_are_counted_and_not_kept(folder: Path) -> None:
    cache = a_cache(folder)
    cache.put([Reading("EL-99", "car.floor", NOW, 1.0), Reading("EL-01", "car.wings", NOW, 2.0)])
    cache.take(batch(1, NOW, 3, gateway="gw-9"))
    assert cache.counts["unknown"] == 3
    assert cache.latest() == []


def test_what_the_rules_work_out_is_shown_and_lives_without_a_gateway(folder: Path) -> None:
    clock = HeldClock()
    cache = a_cache(folder, clock)
    cache.take(batch(1, NOW, 3, gateway=DERIVED))
    assert cache.counts["unknown"] == 0
    found = cache.reading(*FLOOR)
    assert found is not None
    assert (found.value, found.quality) == (3, Quality.GOOD)


def test_a_value_gets_stale_after_a_heartbeat_and_three_intervals(folder: Path) -> None:
    clock = HeldClock()
    cache = a_cache(folder, clock)
    cache.take(batch(1, NOW, 3))
    quality = []
    for second in (0, 299, 303, 304):
        clock.at = NOW + second * 1000
        cache.take(word())
        found = cache.reading(*FLOOR)
        assert found is not None
        quality.append(found.quality)
        assert found.value == 3
    assert quality == [Quality.GOOD, Quality.GOOD, Quality.GOOD, Quality.STALE]


def test_a_reading_from_the_future_is_not_trusted_and_blocks_nothing(folder: Path) -> None:
    clock = HeldClock()
    cache = a_cache(folder, clock)
    cache.take(batch(1, NOW + 3_600_000, 3))
    found = cache.reading(*FLOOR)
    assert found is not None
    assert (found.quality, found.value, found.at) == (Quality.CLOCK, None, NOW)
    clock.forward(1)
    cache.take(batch(2, NOW + 1000, 4))
    found = cache.reading(*FLOOR)
    assert found is not None
    assert (found.quality, found.value) == (Quality.GOOD, 4)


async def test_a_gateway_that_is_gone_makes_its_values_stale_and_no_other(house: House) -> None:
    live = house.deps.live
    await house.reading("EL-01", "car.floor", 3)
    await house.reading("FA-01", "panel.fire", False, gateway="gw-2")
    await house.status("gw-2", online=False)
    await until(lambda: quality(live, "FA-01", "panel.fire") is Quality.STALE)
    assert quality(live, *FLOOR) is Quality.GOOD
    await house.status("gw-2")
    await until(lambda: quality(live, "FA-01", "panel.fire") is Quality.GOOD)


async def test_what_the_store_remembers_is_stale_until_its_gateway_speaks(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house, running(house.deps.live):
        await house.deps.live.warmed.wait()
        assert house.deps.live.put([Reading("EL-01", "car.floor", NOW, 3.0)])
        assert quality(house.deps.live, *FLOOR) is Quality.STALE
        await house.status("gw-2")
        await house.status("gw-1")
        await until(lambda: quality(house.deps.live, *FLOOR) is Quality.GOOD)


async def test_it_is_warm_with_what_the_store_has(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.reading("EL-01", "car.floor", 5)
        async with running(house.deps.live):
            await asyncio.wait_for(house.deps.live.warmed.wait(), 2)
            found = house.deps.live.reading(*FLOOR)
            assert found is not None
            assert found.value == 5


@pytest.mark.looptime
async def test_a_store_that_is_down_delays_the_warming_only(tmp_path: Path) -> None:
    site, catalog = small_site(tmp_path)
    store, bus = FailingStore(catalog), MemoryBus()
    live = LiveCache(site, catalog, bus=bus, clock=HeldClock(), store=store)
    async with running(live):
        await asyncio.sleep(1)
        assert not live.warmed.is_set()
        message = batch(1, NOW, 3)
        await bus.publish(message.topic, message.payload)
        await asyncio.sleep(1)
        assert live.reading(*FLOOR) is not None
        store.fails = 0
        await asyncio.wait_for(live.warmed.wait(), 20)


@pytest.mark.looptime
async def test_without_the_broker_nothing_is_live(tmp_path: Path) -> None:
    bus, clock = BrokenBus(), HeldClock()
    live = a_cache(tmp_path, clock, bus)
    async with running(live):
        await asyncio.sleep(1)
        live.take(batch(1, NOW, 3))
        assert quality(live, *FLOOR) is Quality.GOOD
        bus.there = False
        await asyncio.sleep(1)
        clock.forward(GRACE_S - 0.1)
        assert quality(live, *FLOOR) is Quality.GOOD
        clock.forward(0.1)
        assert quality(live, *FLOOR) is Quality.STALE
        bus.there = True
        assert quality(live, *FLOOR) is Quality.GOOD


@contextlib.asynccontextmanager
async def listening(
    folder: Path,
) -> AsyncIterator[tuple[LiveCache, BrokenBus, list[tuple[float, str, dict[str, Any]]]]]:
    """A cache in the loop's own time with one client of its stream: (second, kind, data) as the client gets them."""
    site, catalog = small_site(folder)
    bus, clock = BrokenBus(), LoopClock()
    live = LiveCache(site, catalog, bus=bus, clock=clock)
    heard: list[tuple[float, str, dict[str, Any]]] = []

    async def listen() -> None:
        with live.fanout.subscribe() as client:
            while True:
                for item in await client.take():
                    data = json.loads(item.wire.partition(b"data: ")[2])
                    heard.append((asyncio.get_running_loop().time(), item.kind, data))

    client = asyncio.create_task(listen())
    async with running(live):
        yield live, bus, heard
    client.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await client


async def send(bus: MemoryBus, *messages: Message) -> None:
    for message in messages:
        await bus.publish(message.topic, message.payload)


@pytest.mark.looptime
async def test_a_frozen_gateway_makes_its_points_stale_within_three_intervals_and_clients_hear_it(folder: Path) -> None:
    async with listening(folder) as (live, bus, heard):
        now, loop = LoopClock(), asyncio.get_running_loop()
        fire = Sample("FA-01", now.ms(), {"panel.fire": False})
        await send(bus, word(), word("gw-2"), batch(1, now.ms(), 3))
        await bus.publish(readings_topic("tower", "gw-2"), encode(Batch("b", 1, [fire])))
        for _ in range(6):
            await asyncio.sleep(STATUS)
            await send(bus, word(), word("gw-2"))
        frozen, seen = loop.time(), []
        for _ in range(50):
            await asyncio.sleep(1.0)
            if loop.time() % STATUS < 1:
                await send(bus, word("gw-2"))
            seen.append((loop.time() - frozen, quality(live, *FLOOR)))
            assert quality(live, "FA-01", "panel.fire") is Quality.GOOD
        assert next(second for second, found in seen if found is Quality.STALE) <= SILENT_MS / 1000 + 1
        assert [second for second, found in seen if found is Quality.GOOD][-1] >= SILENT_MS / 1000
        told = [(at - frozen, kind, data) for at, kind, data in heard if kind == "stale" or data.get("online") is False]
        assert [(kind, data.get("gateway", data.get("asset"))) for _, kind, data in told] == [
            ("gateway", "gw-1"), ("stale", "EL-01"),
        ]  # fmt: skip
        assert all(SILENT_MS / 1000 <= second <= SILENT_MS / 1000 + 1 for second, _, _ in told)
        assert (told[1][2]["stale"], told[1][2]["fresh"]) == (["car.floor"], [])


@pytest.mark.looptime
async def test_a_gateway_that_is_back_is_asked_to_tell_everything_and_clients_hear_what_counts_again(
    folder: Path,
) -> None:
    async with listening(folder) as (live, bus, heard), bus.subscribe(again_topic("tower", "+")) as asked:
        await send(bus, word(), batch(1, LoopClock().ms(), 3))
        await asyncio.sleep(1)
        await send(bus, word(online=False))
        await asyncio.sleep(1)
        assert quality(live, *FLOOR) is Quality.STALE
        while asked.take_nowait():
            pass
        await send(bus, word())
        await asyncio.sleep(1)
        assert quality(live, *FLOOR) is Quality.GOOD
        stale = [data for _, kind, data in heard if kind == "stale"]
        assert [(data["stale"], data["fresh"]) for data in stale] == [(["car.floor"], []), ([], ["car.floor"])]
        again = asked.take_nowait()
        assert again is not None
        assert again.topic == again_topic("tower", "gw-1")
        assert asked.take_nowait() is None


@pytest.mark.looptime
async def test_a_broker_that_goes_is_told_too_and_everybody_is_asked_afterwards(folder: Path) -> None:
    async with listening(folder) as (_, bus, heard), bus.subscribe(again_topic("tower", "+")) as asked:
        await send(bus, word(), batch(1, LoopClock().ms(), 3))
        await asyncio.sleep(1)
        while asked.take_nowait():
            pass
        bus.there = False
        await asyncio.sleep(GRACE_S + 2)
        assert [data["stale"] for _, kind, data in heard if kind == "stale"] == [["car.floor"]]
        bus.there = True
        await asyncio.sleep(1)
        assert [data["fresh"] for _, kind, data in heard if kind == "stale"] == [[], ["car.floor"]]
        assert [message.topic for _ in range(2) if (message := asked.take_nowait())] == [
            again_topic("tower", "gw-1"), again_topic("tower", "gw-2"),
        ]  # fmt: skip


@pytest.mark.looptime
async def test_a_value_that_grows_too_old_by_itself_is_told_once_and_a_new_one_renews_it(folder: Path) -> None:
    async with listening(folder) as (live, bus, heard):
        await send(bus, word(), batch(1, LoopClock().ms(), 3))
        for _ in range(40):
            await asyncio.sleep(STATUS)
            await send(bus, word())
        assert quality(live, *FLOOR) is Quality.STALE
        (told,) = [(at, data) for at, kind, data in heard if kind == "stale"]
        assert told[1]["stale"] == ["car.floor"]
        assert 303 <= told[0] <= 310
        await send(bus, batch(2, LoopClock().ms(), 4))
        await asyncio.sleep(STATUS)
        assert quality(live, *FLOOR) is Quality.GOOD
        assert sum(kind == "stale" for _, kind, _ in heard) == 1


def notice(number: int, version: int = 1) -> Message:
    alarm = AlarmNotice(
        id=f"a{number}", rule="r", asset="EL-01", asset_class="elevator", severity=1, state="unacknowledged",
        suppression="none", event="raise", at=NOW, version=version, zh="困人", en="Entrapment",
    )  # fmt: skip
    return Message(alarms_topic("tower"), encode(alarm))


def test_missed_alarms_can_be_told_again_or_not_at_all(folder: Path) -> None:
    cache = a_cache(folder)
    for number in range(1500):
        cache.take(notice(number))
        cache.take(notice(number))
    assert cache.counts["alarms"] == 1500
    kept = cache.alarms_after(f"{NOW:x}-1490")
    assert kept is not None
    assert [item.id.partition("-")[2] for item in kept] == [str(number) for number in range(1491, 1501)]
    assert cache.alarms_after(f"{NOW:x}-1500") == []
    assert cache.alarms_after(f"{NOW:x}-500") is not None
    for lost in ("", "other-1", f"{NOW:x}-499", f"{NOW:x}-1501", f"{NOW:x}-x"):
        assert cache.alarms_after(lost) is None


class FailingStore(MemoryStore):
    """A store that is down for its first calls."""

    fails = 3

    async def latest(self, assets: object = ()) -> list[Reading]:
        if self.fails:
            raise StoreError("memory", "down")
        return await super().latest()


class BrokenBus(MemoryBus):
    """A bus whose broker can be taken away."""

    there = True

    @property
    def connected(self) -> bool:
        return self.there


@contextlib.asynccontextmanager
async def running(live: LiveCache):  # type: ignore[no-untyped-def]
    task = asyncio.create_task(live.run())
    try:
        await asyncio.wait_for(live.listening.wait(), 2)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def quality(live: LiveCache, asset: str, point: str) -> Quality | None:
    found = live.reading(asset, point)
    return found.quality if found else None


async def until(condition) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0)


def test_a_changed_site_is_taken_over_and_what_stays_keeps_its_values_and_clients(folder: Path) -> None:
    site, catalog = small_site(folder)
    cache = LiveCache(site, catalog, bus=MemoryBus(), clock=HeldClock())
    cache.take(batch(1, NOW, 7.0))
    with cache.fanout.subscribe() as client:
        lift = site.assets["EL-01"]
        assets = {**site.assets, "EL-77": replace(lift, id="EL-77")}
        cache.adopt(replace(site, assets=assets, devices=()), catalog)
        found = cache.reading(*FLOOR)
        assert found
        assert found.value == 7.0
        cache.take(
            Message(readings_topic("tower", "gw-1"), encode(Batch("b", 2, [Sample("EL-77", NOW, {"car.floor": 5.0})])))
        )
        assert [reading.asset for reading in cache.latest(["EL-77"])] == ["EL-77"]
        assert not client.cut
        cache.adopt(replace(site, assets={"EL-77": assets["EL-77"]}, devices=()), catalog)
        assert cache.reading(*FLOOR) is None
        assert cache.latest(["EL-01"]) == []
        assert [reading.asset for reading in cache.latest()] == ["EL-77"]
        cache.take(batch(3, NOW + 1, 8.0))
        assert cache.counts["unknown"] == 1
