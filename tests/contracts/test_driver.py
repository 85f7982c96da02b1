"""One suite for every driver: the same machine over Modbus (a pymodbus server), native MQTT, Sparkplug B."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

import pytest

from facility.assets import Line
from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.readings import Quality
from gateway.driver import Driver
from gateway.health import State
from gateway.modbus import ModbusConnection
from gateway.mqtt import MqttDevice
from gateway.poller import ModbusPoller
from gateway.sparkplug import SparkplugNode
from gateway.sparkplug_points import NodePoints
from gateway.unit import Unit
from tests.gateway.edge_node import NODE_PROFILE, PARAMS, EdgeNode
from tests.gateway.plant import NATIVE, POINTS, POLLED, Box, Recorder, a_device, modbus_server
from tests.services.waiting import until

GOOD = Quality.GOOD
ALL = set(POINTS)


class Rig(Protocol):
    """A machine and the driver that reads it."""

    driver: Driver
    gone: Quality
    """What a point is called whose machine is gone."""

    async def show(self, *, volts: float, mode: int, temp: float | None = 20.0) -> None:
        """Let the machine have these values and be heard."""
        ...

    async def die(self) -> None:
        """Let the machine be gone."""
        ...


class ModbusRig:
    """The machine behind a pymodbus server."""

    gone = Quality.COMM

    def __init__(self) -> None:
        self.box = Box()
        self.port = 0
        self.driver: Driver
        self._serving: asyncio.Task[None] | None = None

    async def show(self, *, volts: float, mode: int, temp: float | None = 20.0) -> None:
        self.box.volts, self.box.mode = round(volts * 10), mode
        self.box.temp = -0x8000 if temp is None else int(temp)
        if self._serving is None:
            ready = asyncio.Event()
            self._serving = asyncio.create_task(self._serve(ready))
            await ready.wait()

    async def die(self) -> None:
        if self._serving:
            self._serving.cancel()
            await asyncio.wait([self._serving])
            self._serving = None

    async def _serve(self, ready: asyncio.Event) -> None:
        async with modbus_server(self.box, port=self.port) as self.port:
            ready.set()
            await asyncio.Event().wait()


class MqttRig:
    """The machine on a bus; it answers nothing, it speaks."""

    gone = Quality.COMM

    def __init__(self) -> None:
        self.bus = MemoryBus()
        profile = replace(NATIVE, stale_after=60.0)
        device = a_device(profile="native", params={"base": "dev/1", "id": "7"})
        self.driver: Driver = MqttDevice(device, profile, POINTS, self.bus, SystemClock())

    async def show(self, *, volts: float, mode: int, temp: float | None = 20.0) -> None:
        await self.bus.publish("dev/1/online", b"true", retain=True)
        words = {0: "off", 1: "on"}.get(mode, "??")
        state = {"id": 7, "u": volts, "t": temp, "e": 70000, "mode": words, "run": True, "alarm": False}
        await self.bus.publish("dev/1/state", json.dumps(state).encode())

    async def die(self) -> None:
        await self.bus.publish("dev/1/online", b"false", retain=True)


class SparkplugRig:
    """The machine behind an edge node, which is born when it first speaks and after it was gone."""

    gone = Quality.STALE

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.node = EdgeNode(self.bus.publish)
        self.alive = False
        points = NodePoints(a_device(profile="node", params=PARAMS), NODE_PROFILE, POINTS)
        self.driver: Driver = SparkplugNode(("G", "N"), [points], self.bus, SystemClock())

    async def show(self, *, volts: float, mode: int, temp: float | None = 20.0) -> None:
        words = {0: "off", 1: "on"}.get(mode, "??")
        values = {"Inputs/Volts": float(volts), "Inputs/Temp": None if temp is None else int(temp), "Mode": words}
        if not self.alive:
            self.node.values.update(values)
            await self.node.birth()
            self.alive = True
        else:
            await self.node.tell(values)

    async def die(self) -> None:
        await self.bus.publish(self.node.topic("NDEATH"), self.node.will())
        self.alive = False


@pytest.fixture(params=["modbus", "mqtt", "sparkplug"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param != "modbus":
        yield MqttRig() if request.param == "mqtt" else SparkplugRig()
        return
    modbus = ModbusRig()
    await modbus.show(volts=230, mode=1)
    device = a_device(line=Line(port=modbus.port))
    unit = Unit(device, POLLED, POINTS)
    modbus.driver = ModbusPoller(ModbusConnection(Line("127.0.0.1", modbus.port)), [unit], SystemClock(), lambda: 0.5)
    yield modbus
    await modbus.die()


@asynccontextmanager
async def running(driver: Driver) -> AsyncIterator[Recorder]:
    sink = Recorder()
    task = asyncio.create_task(driver.run(sink))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        yield sink
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def test_tells_every_point_in_its_canonical_form(rig: Rig) -> None:
    async with running(rig.driver) as sink:
        await rig.show(volts=230.5, mode=1, temp=-5)
        await until(lambda: sink.last("M-d1").get("volts") == (230.5, GOOD) and set(sink.last("M-d1")) == ALL)
        last = sink.last("M-d1")
        assert last["temp"] == (-5, GOOD)
        assert last["energy"] == (70_000, GOOD)
        assert last["mode"] == (1, GOOD)
        assert last["running"] == (True, GOOD)
        assert last["alarm"] == (False, GOOD)
        assert rig.driver.status()["d1"].state == State.UP
        assert rig.driver.status()["d1"].error == ""


async def test_tells_a_change_and_not_what_stays(rig: Rig) -> None:
    async with running(rig.driver) as sink:
        await rig.show(volts=230, mode=1)
        await until(lambda: set(sink.last("M-d1")) == ALL)
        told = sink.count("M-d1", "energy")
        for volts in (230.2, 230.4, 240):
            await rig.show(volts=volts, mode=1)
        await until(lambda: sink.last("M-d1")["volts"] == (240, GOOD))
        assert sink.count("M-d1", "energy") == told
        assert [values for _, _, values, _ in sink.samples][-1] == {"volts": 240}


async def test_tells_everything_again_when_asked(rig: Rig) -> None:
    async with running(rig.driver) as sink:
        await rig.show(volts=230, mode=1)
        await until(lambda: set(sink.last("M-d1")) == ALL)
        told = {key: sink.count("M-d1", key) for key in ALL}
        rig.driver.again(sink)
        await rig.show(volts=230, mode=1)
        await until(lambda: all(sink.count("M-d1", key) == told[key] + 1 for key in ALL))
        assert sink.last("M-d1")["volts"] == (230, GOOD)


@pytest.mark.slow
async def test_tells_again_of_a_device_that_is_gone(rig: Rig) -> None:
    async with running(rig.driver) as sink:
        await rig.show(volts=230, mode=1)
        await until(lambda: set(sink.last("M-d1")) == ALL)
        await rig.die()
        await until(lambda: rig.driver.status()["d1"].state == State.DOWN)
        before = len(sink.samples)
        rig.driver.again(sink)
        again = [(values, quality) for _, _, values, quality in sink.samples[before:]]
        assert {key for values, _ in again for key in values} == ALL
        assert all(set(quality.values()) == {rig.gone} for _, quality in again)


async def test_a_missing_value_and_an_unknown_state_are_bad_and_have_no_number(rig: Rig) -> None:
    async with running(rig.driver) as sink:
        await rig.show(volts=5000, mode=9, temp=None)
        await until(lambda: sink.last("M-d1").get("volts") == (None, Quality.RANGE))
        await until(lambda: sink.last("M-d1").get("mode") == (None, Quality.ENUM))
        value, quality = sink.last("M-d1")["temp"]
        assert value is None
        assert quality in (Quality.SENTINEL, Quality.SENSOR)


@pytest.mark.slow
async def test_a_device_that_goes_is_told_once_and_comes_back(rig: Rig) -> None:
    async with running(rig.driver) as sink:
        await rig.show(volts=230, mode=1)
        await until(lambda: set(sink.last("M-d1")) == ALL)
        await rig.die()
        await until(lambda: rig.driver.status()["d1"].state == State.DOWN)
        assert rig.driver.status()["d1"].error
        assert sink.last("M-d1") == dict.fromkeys(ALL, (None, rig.gone))
        assert all(sum(q.get(key) is rig.gone for _, _, _, q in sink.samples) == 1 for key in ALL)
        await rig.show(volts=230, mode=1)
        await until(lambda: rig.driver.status()["d1"].state == State.UP)
        assert set(sink.last("M-d1").values()) >= {(230, GOOD), (1, GOOD)}
        assert {quality for _, quality in sink.last("M-d1").values()} == {GOOD}


async def test_no_point_is_told_twice_for_one_instant(rig: Rig) -> None:
    async with running(rig.driver) as sink:
        for volts in (10, 20, 30, 40):
            await rig.show(volts=volts, mode=1)
            await until(lambda volts=volts: sink.last("M-d1").get("volts") == (volts, GOOD))  # type: ignore[misc]
    seen = [(key, at) for _, at, values, _ in sink.samples for key in values]
    assert len(seen) == len(set(seen))
