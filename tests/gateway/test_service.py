"""The whole gateway against real peers: what it reads is stored once, what fails is told, and stopping is orderly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from facility import wire
from facility.assets import Line
from facility.bus import Bus, MemoryBus
from facility.clock import SystemClock
from facility.config import Site
from facility.mqtt_bus import Broker, MqttBus
from facility.points import Limits, Register, Table
from facility.readings import Quality, Value
from facility.wire import DeviceStatus, Status
from gateway import service
from gateway.driver import Sink
from gateway.file_spool import FileSpool
from gateway.health import State
from gateway.poller import ModbusPoller
from gateway.service import Gateway, new_boot, will
from gateway.spool import MemorySpool, Spool
from tests.gateway.plant import NATIVE, POLLED, Box, LoopClock, a_catalog, a_device, a_site, modbus_server, raw_server
from tests.services.ports import free_port
from tests.services.waiting import until

STATUS_TOPIC = wire.status_topic("s", "gw")


class Ingest:
    """Stores and confirms; keeps every reading by its identity, and what came twice."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.readings: dict[tuple[str, str, int], tuple[Value, Quality]] = {}
        self.received = 0
        self.statuses: list[Status] = []
        self._seen: set[tuple[str, int]] = set()

    async def run(self) -> None:
        async with self.bus.subscribe(wire.readings_topic("s", "gw"), STATUS_TOPIC) as messages:
            async for message in messages:
                if message.topic == STATUS_TOPIC:
                    self.statuses.append(wire.decode(Status, message.payload))
                    continue
                batch = wire.decode(wire.Batch, message.payload)
                if (batch.boot, batch.seq) not in self._seen:
                    self._seen.add((batch.boot, batch.seq))
                    self.received += batch.count
                    for sample in batch.samples:
                        for key, value in sample.values.items():
                            self.readings[sample.asset, key, sample.at] = (value, sample.quality_of(key))
                stored = wire.Stored(batch.boot, [(batch.seq, batch.seq)])
                await self.bus.publish(wire.stored_topic("s", "gw"), wire.encode(stored))

    def last(self, asset: str, key: str) -> tuple[Value, Quality] | None:
        """The newest reading of a point."""
        found = [(at, reading) for (name, point, at), reading in self.readings.items() if (name, point) == (asset, key)]
        return max(found)[1] if found else None


@asynccontextmanager
async def working(site: Site, bus: Bus, spool: Spool) -> AsyncIterator[tuple[Gateway, Ingest]]:
    ingest = Ingest(bus)
    gateway = Gateway(site, "gw", a_catalog(), bus=bus, spool=spool, clock=SystemClock(), version="9.9")
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


def good(value: Value) -> tuple[Value, Quality]:
    return value, Quality.GOOD


@pytest.mark.slow
async def test_what_devices_say_is_stored_once_and_counted_exactly(tmp_path: Path) -> None:
    bus, box = MemoryBus(), Box(volts=2301)
    async with modbus_server(box) as port:
        native = a_device("d2", profile="native", params={"base": "dev/2", "id": "7"})
        site = a_site(a_device(line=Line(port=port)), native)
        async with working(site, bus, FileSpool(tmp_path / "q.sqlite")) as (gateway, ingest):
            await until(lambda: ingest.last("M-d1", "volts") == good(230.1))
            await bus.publish("dev/2/state", json.dumps({"id": 7, "u": 12}).encode())
            await until(lambda: ingest.last("M-d2", "volts") == good(12))
            for volts in range(100, 200, 20):
                box.volts = volts
                await until(lambda volts=volts: ingest.last("M-d1", "volts") == good(volts / 10))  # type: ignore[misc]
        assert gateway.sent == ingest.received == len(ingest.readings)
        assert gateway.status().spool_batches == 0
        assert gateway.crashes == 0


@pytest.mark.slow
async def test_over_a_real_broker_with_a_last_will(tmp_path: Path, mosquitto: Broker) -> None:
    boot = new_boot()
    box = Box(volts=2301)
    async with (
        modbus_server(box) as port,
        MqttBus(mosquitto, client_id=f"gw-{boot}", will=will("s", "gw", boot)) as bus,
        MqttBus(mosquitto, client_id=f"ingest-{boot}") as other,
    ):
        ingest = Ingest(other)
        storing = asyncio.create_task(ingest.run())
        site = a_site(a_device(line=Line(port=port)))
        spool = FileSpool(tmp_path / "q.sqlite")
        gateway = Gateway(site, "gw", a_catalog(), bus=bus, spool=spool, clock=SystemClock(), version="9.9", boot=boot)
        running = asyncio.create_task(gateway.run())
        await until(lambda: ingest.last("M-d1", "volts") == good(230.1))
        await until(lambda: any(status.boot == boot and status.devices for status in ingest.statuses))
        gateway.stop()
        await running
        await until(lambda: not ingest.statuses[-1].online)
        assert ingest.received == gateway.sent == len(ingest.readings)
        storing.cancel()
        await asyncio.wait([storing])


@pytest.mark.slow
async def test_devices_that_fail_are_named_and_slow_no_other() -> None:
    bus = MemoryBus()
    async with modbus_server(Box()) as port, raw_server(lambda _: [b"\xff" * 20]) as garbage:
        site = a_site(
            a_device("good", line=Line(port=port)),
            a_device("refused", line=Line(port=free_port())),
            a_device("garbage", line=Line(port=garbage)),
        )
        async with working(site, bus, MemorySpool()) as (gateway, ingest):
            await until(lambda: ingest.last("M-garbage", "volts") == (None, Quality.COMM), limit=10)
            await until(lambda: ingest.last("M-refused", "volts") == (None, Quality.COMM), limit=10)
            states = gateway.status().devices
            assert states["good"] == DeviceStatus(State.UP, "")
            assert states["refused"].state == states["garbage"].state == State.DOWN
            assert "no connection" in states["refused"].error
            assert "no Modbus" in states["garbage"].error
            polls = gateway.counters()["good"]["requests"]
            (poller,) = (driver for driver in gateway.drivers if "good" in driver.status())
            assert isinstance(poller, ModbusPoller)
            before = asyncio.get_running_loop().time()
            await until(lambda: gateway.counters()["good"]["requests"] >= polls + 20)
            assert asyncio.get_running_loop().time() - before < 20 * 0.05


@pytest.mark.slow
async def test_the_status_is_retained_says_who_is_up_and_ends_with_goodbye() -> None:
    bus = MemoryBus()
    async with modbus_server(Box()) as port:
        site = a_site(a_device(line=Line(port=port)))
        async with working(site, bus, MemorySpool(limit=1_000_000)) as (gateway, ingest):
            await until(lambda: any(status.devices.get("d1") == DeviceStatus("up") for status in ingest.statuses))
            status = ingest.statuses[-1]
            assert (status.online, status.boot, status.version) == (True, gateway.boot, "9.9")
            assert status.spool_limit == 1_000_000
    async with bus.subscribe(STATUS_TOPIC) as late:
        goodbye = wire.decode(Status, (await anext(late)).payload)
    assert (goodbye.online, goodbye.boot, goodbye.sent) == (False, gateway.boot, gateway.sent)


def test_the_will_is_a_retained_status_that_is_offline() -> None:
    message = will("s", "gw", "b1")
    assert (message.topic, message.retain) == (STATUS_TOPIC, True)
    assert wire.decode(Status, message.payload) == Status(online=False, boot="b1")
    assert new_boot() != new_boot()


@pytest.mark.slow
async def test_a_cancelled_gateway_flushes_into_the_spool_first(tmp_path: Path) -> None:
    bus = MemoryBus()
    async with modbus_server(Box()) as port:
        spool = FileSpool(tmp_path / "q.sqlite")
        gateway = Gateway(
            a_site(a_device(line=Line(port=port))),
            "gw",
            a_catalog(),
            bus=bus,
            spool=spool,
            clock=SystemClock(),
            version="1",
        )
        running = asyncio.create_task(gateway.run())
        await until(lambda: gateway.status().devices["d1"].state == State.UP)
        running.cancel()
        await asyncio.wait([running], timeout=5)
        assert running.cancelled()
    again = FileSpool(tmp_path / "q.sqlite")
    await again.open()
    entries = await again.waiting(0, 100)
    assert sum(entry.readings for entry in entries) == gateway.sent >= 6
    await again.close()


@pytest.mark.looptime
async def test_a_driver_that_breaks_is_told_and_started_again_and_the_others_go_on() -> None:
    class Broken:
        name = "broken"
        runs = 0

        async def run(self, sink: Sink) -> None:
            self.runs += 1
            if self.runs == 1:
                raise ZeroDivisionError("a bug")
            sink.add("M-x", LoopClock().ms(), {"p": 1}, {})
            await asyncio.Event().wait()

        def status(self) -> dict[str, DeviceStatus]:
            return {"x": DeviceStatus(State.UP)}

        def counters(self) -> dict[str, dict[str, int]]:
            return {}

    gateway = Gateway(a_site(), "gw", a_catalog(), bus=MemoryBus(), spool=MemorySpool(), clock=LoopClock(), version="1")
    gateway._drivers.current = (Broken(),)
    running = asyncio.create_task(gateway.run())
    await asyncio.sleep(1)
    assert gateway.crashes == 1
    assert gateway.status().devices["x"] == DeviceStatus(State.FAILING, "internal error: ZeroDivisionError: a bug")
    await asyncio.sleep(service.RESTART)
    assert gateway.status().devices["x"].state == State.UP
    assert gateway.sent == 1
    gateway.stop()
    await running


@pytest.mark.looptime
async def test_commands_that_break_are_taken_up_again_and_the_drivers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus()
    gateway = Gateway(a_site(), "gw", a_catalog(), bus=bus, spool=MemorySpool(), clock=LoopClock(), version="1")
    run, runs = gateway.commander.run, 0

    async def broken() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ZeroDivisionError("a bug")
        await run()

    monkeypatch.setattr(gateway.commander, "run", broken)
    running = asyncio.create_task(gateway.run())
    await asyncio.sleep(1)
    assert gateway.crashes == 1
    await asyncio.sleep(service.RESTART)
    now = LoopClock().ms()
    command = wire.Command("c1", "M-d1", "volts", 1.0, "ann", now, now + 1000)
    await bus.publish(wire.commands_topic("s", "gw"), wire.encode(command))
    await asyncio.sleep(1)
    assert gateway.counters()["commands"]["refused"] == 1
    gateway.stop()
    await running


def test_a_device_whose_profile_can_not_be_read_is_told_and_not_polled() -> None:
    registers = (Register("volts", Table.HOLDING, 0, "string", words=20),)
    wide = replace(POLLED, id="wide", registers=registers, limits=Limits(registers=16))
    site = a_site(a_device("d1", profile="wide"), a_device("d2"))
    gateway = Gateway(
        site, "gw", a_catalog(POLLED, wide), bus=MemoryBus(), spool=MemorySpool(), clock=SystemClock(), version="1"
    )
    status = gateway.status().devices
    assert status["d1"].state == State.DOWN
    assert "profile wide" in status["d1"].error
    assert set(status) == {"d1", "d2"}


def test_units_behind_one_address_share_a_connection_and_other_gateways_devices_are_left_alone() -> None:
    site = a_site(
        a_device("d1", unit=1),
        a_device("d2", unit=2),
        a_device("d3", line=Line(port=503)),
        a_device("d4", gateway="other"),
        a_device("d5", profile="native", params={"base": "b", "id": "1"}),
    )  # fmt: skip
    gateway = Gateway(
        site, "gw", a_catalog(POLLED, NATIVE), bus=MemoryBus(), spool=MemorySpool(), clock=SystemClock(), version="1"
    )
    assert sorted(sorted(driver.status()) for driver in gateway.drivers) == [["d1", "d2"], ["d3"], ["d5"]]


@pytest.mark.looptime
async def test_trouble_of_the_spool_is_in_the_status() -> None:
    spool = MemorySpool(limit=1_000)
    gateway = Gateway(a_site(), "gw", a_catalog(), bus=MemoryBus(), spool=spool, clock=LoopClock(), version="1")
    assert gateway.status().problem == ""
    spool.bytes = 900
    assert "nearly full" in gateway.status().problem
    spool.problem = "the disk refuses q.sqlite: full"
    assert gateway.status().problem == spool.problem
