"""A changed site taken over by a running gateway: what did not change is not touched, and nobody notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility import wire
from facility.assets import Asset, Device, Line
from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site
from facility.points import Table
from facility.readings import Quality, Value
from gateway.changes import Changes, compare, forsaken, served
from gateway.drivers import Drivers
from gateway.file_spool import FileSpool
from gateway.lesson_book import LessonBook
from gateway.mqtt import MqttDevice
from gateway.poller import ModbusPoller
from gateway.service import Gateway
from gateway.unit import Unit
from tests.gateway.plant import (
    FAST,
    LABEL,
    NATIVE,
    POLLED,
    FakeLine,
    LoopClock,
    Recorder,
    a_catalog,
    a_device,
    a_site,
    good_reply,
)
from tests.services.ports import free_port
from tests.services.waiting import until

PARAMS = {"base": "dev", "id": "1"}

# --- the comparison


def test_a_device_is_the_same_only_if_entry_profile_and_class_are() -> None:
    old = a_site(a_device("a"), a_device("b"), a_device("c"), a_device("n", profile="native", params=PARAMS))
    new = a_site(a_device("b", speedup=2.0), a_device("c"), a_device("d"), a_device("n", profile="native", params={}))
    catalog = a_catalog()
    before, after = served(old, catalog, "gw"), served(new, catalog, "gw")
    assert compare(before, after) == Changes(("d",), ("b", "n"), ("a",))
    assert not compare(before, served(old, a_catalog(), "gw"))
    other = a_catalog(replace(POLLED, limits=replace(POLLED.limits, timeout=0.7)), NATIVE)
    assert compare(before, served(old, other, "gw")) == Changes(changed=("a", "b", "c"))
    points = {**catalog.classes["machine"].points}
    points["volts"] = replace(points["volts"], deadband=0.1)
    assert compare(before, served(old, a_catalog(points=points), "gw")).changed == ("a", "b", "c", "n")
    assert served(old, catalog, "another") == {}


def test_points_are_forsaken_only_where_the_asset_stays_and_nobody_else_gives_them() -> None:
    narrow = a_device("a", points=frozenset({"volts", "temp"}), rename={"temp": "energy"})
    old = served(a_site(narrow, a_device("b")), a_catalog(), "gw")
    assert forsaken(old.values(), a_site(a_device("b")), a_catalog()) == {}
    stays = replace(a_site(a_device("b")), assets=a_site(narrow, a_device("b")).assets)
    assert forsaken(old.values(), stays, a_catalog()) == {"M-a": ["energy", "volts"]}
    moved = a_device("z", asset="M-a", gateway="elsewhere", points=frozenset({"volts"}))
    assert forsaken(old.values(), replace(stays, devices=(moved, a_device("b"))), a_catalog()) == {"M-a": ["energy"]}


# --- any two lists of devices


def devices() -> st.SearchStrategy[tuple[Device, ...]]:
    """Devices with ids of a small pool on few lines, so that lists overlap in every way."""
    one = st.builds(
        lambda name, port, unit, speedup, native: (
            a_device(name, profile="native", params=PARAMS)
            if native
            else a_device(name, line=Line(port=port), unit=unit, speedup=speedup)
        ),
        st.sampled_from("abcdef"),
        st.sampled_from([1, 2, 3]),
        st.integers(1, 3),
        st.sampled_from([1.0, 2.0]),
        st.booleans(),
    )
    return st.lists(one, max_size=6, unique_by=lambda device: device.id).map(tuple)


def made(drivers: Drivers) -> dict[str, Unit | MqttDevice]:
    """What stands for each device."""
    found: dict[str, Unit | MqttDevice] = {}
    for driver in drivers.current:
        if isinstance(driver, ModbusPoller):
            assert driver.units
            assert {unit.device.line for unit in driver.units} == {driver._connection.line}
            found |= {unit.device.id: unit for unit in driver.units}
        elif isinstance(driver, MqttDevice):
            found[driver.device.id] = driver
    return found


@given(st.lists(devices(), min_size=2, max_size=4))
def test_any_list_of_devices_becomes_any_other_and_what_both_have_is_untouched(lists: list[tuple[Device, ...]]) -> None:
    async def run() -> None:
        drivers = Drivers(bus=MemoryBus(), clock=LoopClock(), book=LessonBook())
        before: Mapping[str, Device] = {}
        for wanted in lists:
            old, old_drivers = made(drivers), drivers.current
            old_lines = {unit.device.line for unit in old.values() if isinstance(unit, Unit)}
            turn = drivers.turn(served(a_site(*wanted), a_catalog(), "gw"))
            after = made(drivers)
            assert {name: item.device for name, item in after.items()} == {item.id: item for item in wanted}
            same = {item.id for item in wanted if before.get(item.id) == item}
            assert all(after[name] is old[name] for name in same)
            assert not any(after[name] is old.get(name) for name in after.keys() - same)
            lines = {unit.device.line for unit in after.values() if isinstance(unit, Unit)}
            kept = {
                item._connection.line
                for item in drivers.current
                if item in old_drivers and isinstance(item, ModbusPoller)
            }
            assert kept == lines & old_lines
            assert {*old_drivers} - {*turn.gone} | {*turn.fresh} == {*drivers.current}
            before = {item.id: item for item in wanted}

    asyncio.run(run())


# --- one line, in virtual time


def a_unit(number: int, **changes: object) -> Unit:
    return Unit(a_device(f"d{number}", unit=number, **changes), POLLED, a_catalog().classes["machine"].points)


@pytest.mark.looptime
async def test_units_come_and_go_on_a_line_and_the_others_keep_their_times_to_the_microsecond() -> None:
    line, sink = FakeLine(1, 2, 3, takes=0.001), Recorder()
    first, second, third = (a_unit(number) for number in (1, 2, 3))
    poller = ModbusPoller(line, [first, second], LoopClock(), lambda: 0.0)
    task = asyncio.create_task(poller.run(sink))
    await asyncio.sleep(1.01)
    poller.adopt([first, third])
    at = asyncio.get_running_loop().time()
    await asyncio.sleep(1.0)
    poller.adopt([first])
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.wait([task])
    polls = [
        one for one, read in ((one, read) for one, unit, read in line.asked if unit == 1) if read.table is Table.HOLDING
    ]
    assert all(later - one == pytest.approx(FAST, abs=0.003) for one, later in pairwise(polls))
    assert max(line.times(2)) <= at + 0.01
    assert at <= min(line.times(3)) <= at + FAST + 0.01
    assert max(line.times(3)) <= at + 1.01
    assert sink.count("M-d1", "volts") == 1
    assert first.counts["overruns"] == 0


@pytest.mark.looptime
async def test_a_unit_joins_a_line_that_waits_long_within_two_seconds() -> None:
    line = FakeLine(2, takes=0.001)
    slow, quick = a_unit(1, speedup=0.001), a_unit(2)
    poller = ModbusPoller(line, [slow], LoopClock(), lambda: 0.0)
    task = asyncio.create_task(poller.run(Recorder()))
    await asyncio.sleep(3)
    poller.adopt([slow, quick])
    await asyncio.sleep(2)
    assert line.times(2)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.looptime
async def test_what_a_removed_unit_still_answers_is_not_told() -> None:
    line, sink = FakeLine(1, 2, takes=0.4), Recorder()
    poller = ModbusPoller(line, [a_unit(1), a_unit(2)], LoopClock(), lambda: 0.0)
    task = asyncio.create_task(poller.run(sink))
    await asyncio.sleep(0.2)
    assert [unit for _, unit, _ in line.asked] == [1]
    poller.adopt(poller.units[1:])
    await asyncio.sleep(3)
    task.cancel()
    await asyncio.wait([task])
    assert {asset for asset, *_ in sink.samples} == {"M-d2"}


# --- a whole gateway on real sockets


@dataclass
class Plant:
    """A Modbus TCP server that counts: connections, and when which unit was asked."""

    port: int = 0
    connections: int = 0
    asked: list[tuple[float, int]] = field(default_factory=list)
    words: tuple[int, ...] = (2301, 20, 0, 7, 1)
    slow: asyncio.Event | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        try:
            while True:
                head = await reader.readexactly(6)
                frame = head + await reader.readexactly(int.from_bytes(head[4:6], "big"))
                self.asked.append((asyncio.get_running_loop().time(), frame[6]))
                if self.slow:
                    await self.slow.wait()
                writer.write(good_reply(frame, self.words))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.writers.discard(writer)
            writer.close()

    def times(self, unit: int) -> list[float]:
        return [at for at, asked in self.asked if asked == unit]


@asynccontextmanager
async def plants(number: int) -> AsyncIterator[list[Plant]]:
    found, servers = [Plant() for _ in range(number)], []
    for plant in found:
        servers.append(await asyncio.start_server(plant.serve, "127.0.0.1", 0))
        plant.port = servers[-1].sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        for server, plant in zip(servers, found, strict=True):
            server.close()
            for writer in tuple(plant.writers):
                writer.close()
            await server.wait_closed()


@dataclass
class Ingest:
    """Keeps every batch in its order; confirms while `there`."""

    bus: MemoryBus
    there: bool = True
    batches: dict[tuple[str, int], wire.Batch] = field(default_factory=dict)

    async def run(self) -> None:
        async with self.bus.subscribe(wire.readings_topic("s", "gw")) as messages:
            async for message in messages:
                if self.there:
                    batch = wire.decode(wire.Batch, message.payload)
                    self.batches[batch.boot, batch.seq] = batch
                    stored = wire.encode(wire.Stored(batch.boot, [(batch.seq, batch.seq)]))
                    await self.bus.publish(wire.stored_topic("s", "gw"), stored)

    def told(self, asset: str, key: str) -> list[tuple[Value, Quality]]:
        """What was told of a point, in the order of its instants."""
        found = [
            (sample.at, sample.values[key], sample.quality_of(key))
            for batch in self.batches.values()
            for sample in batch.samples
            if sample.asset == asset and key in sample.values
        ]
        return [(value, quality) for _, value, quality in sorted(found, key=lambda item: item[0])]


@asynccontextmanager
async def working(
    site: Site, folder: Path, *, catalog: Catalog | None = None, book: LessonBook | None = None
) -> AsyncIterator[tuple[Gateway, Ingest]]:
    bus = MemoryBus()
    ingest = Ingest(bus)
    gateway = Gateway(
        site, "gw", catalog or a_catalog(), bus=bus, spool=FileSpool(folder / "q.sqlite"), clock=SystemClock(),
        version="9", book=book,
    )  # fmt: skip
    storing = asyncio.create_task(ingest.run())
    await asyncio.sleep(0.01)
    running = asyncio.create_task(gateway.run())
    try:
        yield gateway, ingest
    finally:
        gateway.stop()
        async with asyncio.timeout(5):
            await running
        storing.cancel()
        await asyncio.wait([storing])


def with_assets(site: Site, *names: str) -> Site:
    """The site with these machines besides."""
    return replace(site, assets={**site.assets, **{name: Asset(name, "machine", LABEL) for name in names}})


GOOD = Quality.GOOD


@pytest.mark.slow
async def test_a_third_device_comes_changes_and_goes_and_two_others_notice_nothing(tmp_path: Path) -> None:
    async with plants(3) as (one, two, three):
        stay = (a_device("d1", line=Line(port=one.port)), a_device("d2", line=Line(port=two.port)))
        third = a_device("d3", line=Line(port=three.port))
        async with working(a_site(*stay), tmp_path) as (gateway, ingest):
            boot, drivers = gateway.boot, gateway.drivers
            await until(lambda: len(one.asked) > 10 and len(two.asked) > 10)
            assert await gateway.apply(a_site(*stay, third), a_catalog()) == Changes(added=("d3",))
            await until(lambda: ingest.told("M-d3", "volts") == [(230.1, GOOD)])
            faster = replace(third, speedup=2.0)
            assert await gateway.apply(a_site(*stay, faster), a_catalog()) == Changes(changed=("d3",))
            await until(lambda: len(ingest.told("M-d3", "volts")) == 2)
            assert three.connections == 1
            assert await gateway.apply(a_site(*stay), a_catalog()) == Changes(removed=("d3",))
            await until(lambda: not three.writers)
            polled = len(three.asked)
            assert not await gateway.apply(a_site(*stay), a_catalog())
            await until(lambda count=len(one.asked): len(one.asked) > count + 10)  # type: ignore[misc]
            assert len(three.asked) == polled
            assert gateway.drivers == drivers
            assert gateway.status().devices.keys() == {"d1", "d2"}
        assert (one.connections, two.connections) == (1, 1)
        for plant in (one, two):
            assert max(later - at for at, later in pairwise(plant.times(1))) < 10 * FAST
        assert len(ingest.told("M-d1", "volts")) == len(ingest.told("M-d2", "volts")) == 1
        assert {name for name, _ in ingest.batches} == {boot}
        assert sorted(seq for _, seq in ingest.batches) == list(range(1, len(ingest.batches) + 1))
        assert gateway.crashes == 0


@pytest.mark.slow
async def test_on_one_line_the_connection_and_the_other_units_stay(tmp_path: Path) -> None:
    async with plants(1) as (bus,):
        line = Line(port=bus.port)
        first, second, third = (a_device(f"d{unit}", line=line, unit=unit) for unit in (1, 2, 3))
        async with working(a_site(first, second), tmp_path) as (gateway, ingest):
            await until(lambda: len(bus.times(1)) > 10 and len(bus.times(2)) > 10)
            await gateway.apply(a_site(first, second, third), a_catalog())
            await until(lambda: ingest.told("M-d3", "volts") == [(230.1, GOOD)])
            await gateway.apply(a_site(first, replace(third, unit=4)), a_catalog())
            await until(lambda: len(bus.times(4)) > 5)
            counts = len(bus.times(1)), len(bus.times(2)), len(bus.times(3))
            await until(lambda: len(bus.times(1)) > counts[0] + 10)
            assert (len(bus.times(2)), len(bus.times(3))) == counts[1:]
        assert bus.connections == 1
        assert max(later - at for at, later in pairwise(bus.times(1))) < 10 * FAST
        assert len(ingest.told("M-d1", "volts")) == 1


@pytest.mark.slow
async def test_what_nobody_has_confirmed_survives_and_no_number_is_skipped(tmp_path: Path) -> None:
    async with plants(2) as (one, two):
        first = a_device("d1", line=Line(port=one.port))
        async with working(a_site(first), tmp_path) as (gateway, ingest):
            ingest.there = False
            for number in range(1, 6):
                one.words = (1000 + 100 * number, 20, 0, 7, 1)
                await until(lambda number=number: gateway.status().spool_batches >= number)  # type: ignore[misc]
            waiting = gateway.status().spool_batches
            await gateway.apply(a_site(first, a_device("d2", line=Line(port=two.port))), a_catalog())
            await gateway.apply(a_site(a_device("d2", line=Line(port=two.port))), a_catalog())
            assert gateway.status().spool_batches >= waiting
            ingest.there = True
            await ingest.bus.publish(wire.stored_topic("s", "gw"), wire.encode(wire.Stored(wire.ANYBODY, [])))
            await until(lambda: gateway.status().spool_batches == 0 and len(ingest.batches) > waiting, limit=20)
            assert [value for value, _ in ingest.told("M-d1", "volts")][:5] == [110.0, 120.0, 130.0, 140.0, 150.0]
            assert sorted(seq for _, seq in ingest.batches) == list(range(1, len(ingest.batches) + 1))


@pytest.mark.slow
async def test_a_point_that_nobody_reads_any_more_is_told_bad_once_if_its_asset_is_there(tmp_path: Path) -> None:
    async with plants(2) as (one, two):
        whole, other = a_device("d1", line=Line(port=one.port)), a_device("d2", line=Line(port=two.port))
        async with working(a_site(whole, other), tmp_path) as (gateway, ingest):
            await until(lambda: bool(ingest.told("M-d1", "temp") and ingest.told("M-d2", "temp")))
            narrow = replace(whole, points=frozenset({"volts"}))
            assert (await gateway.apply(a_site(narrow), a_catalog())).removed == ("d2",)
            await until(lambda: ingest.told("M-d1", "temp")[-1] == (None, Quality.COMM))
            await until(lambda: ingest.told("M-d1", "volts") == [(230.1, GOOD), (230.1, GOOD)])
            assert len(ingest.told("M-d1", "temp")) == 2
            assert ingest.told("M-d2", "temp") == [(20.0, GOOD)]
            await gateway.apply(with_assets(a_site(), "M-d1"), a_catalog())
            await until(lambda: ingest.told("M-d1", "volts")[-1] == (None, Quality.COMM))


@pytest.mark.slow
async def test_a_request_in_the_air_holds_nothing_up_and_a_native_device_goes_on(tmp_path: Path) -> None:
    async with plants(1) as (stuck,):
        stuck.slow = asyncio.Event()
        patient = replace(POLLED, limits=replace(POLLED.limits, timeout=30.0))
        catalog = a_catalog(patient, NATIVE)
        native = a_device("n", profile="native", params=PARAMS)
        slow = a_device("d1", line=Line(port=stuck.port))
        async with working(a_site(slow, native), tmp_path, catalog=catalog) as (gateway, ingest):
            await until(lambda: bool(stuck.asked))
            driver = next(item for item in gateway.drivers if isinstance(item, MqttDevice))
            async with asyncio.timeout(2):
                await gateway.apply(a_site(native), catalog)
            await ingest.bus.publish("dev/state", b'{"id": 1, "u": 12}')
            stuck.slow.set()
            assert gateway.drivers == (driver,)
            assert ingest.told("M-d1", "volts") == []


@pytest.mark.slow
async def test_an_unusable_device_is_told_and_mended_while_running(tmp_path: Path) -> None:
    async with plants(2) as (one, two):
        first = a_device("d1", line=Line(port=one.port))
        broken = a_device("d2", line=Line(port=two.port))
        tight = replace(POLLED, id="tight", limits=replace(POLLED.limits, registers=1))
        catalog = a_catalog(POLLED, NATIVE, tight)
        async with working(a_site(first), tmp_path, catalog=catalog) as (gateway, ingest):
            await until(lambda: bool(one.asked))
            await gateway.apply(a_site(first, replace(broken, profile="tight")), catalog)
            assert "profile tight" in gateway.status().devices["d2"].error
            await gateway.apply(a_site(first, broken), catalog)
            await until(lambda: ingest.told("M-d2", "volts") == [(230.1, GOOD)])
        assert one.connections == 1


async def test_what_a_removed_device_refused_is_forgotten_and_a_changed_one_keeps_it(tmp_path: Path) -> None:
    book = LessonBook(tmp_path / "learnt.json")
    line = Line(port=free_port())
    devices = [a_device("d1", line=line), a_device("d2", line=line, unit=2)]
    drivers = Drivers(bus=MemoryBus(), clock=LoopClock(), book=book)
    drivers.turn(served(a_site(*devices), a_catalog(), "gw"))
    for unit in made(drivers).values():
        assert isinstance(unit, Unit)
        unit.lessons.refuse(POLLED.registers[0], "no such register", 1)
    book.save()
    drivers.turn(served(a_site(replace(devices[0], speedup=2.0)), a_catalog(), "gw"))
    (unit,) = made(drivers).values()
    assert isinstance(unit, Unit)
    assert set(unit.lessons.refused) == {"volts"}
    assert book.changed
    book.save()
    again = LessonBook(tmp_path / "learnt.json")
    again.open()
    assert set(again._kept) == {"d1"}
