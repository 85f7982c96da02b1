"""A native device in virtual time: asking, silence, availability, retained words, garbage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from facility.bus import MemoryBus
from facility.points import Availability, Profile
from facility.readings import Quality
from gateway.health import State
from gateway.mqtt import MqttDevice, stale_after
from tests.gateway.plant import NATIVE, POINTS, LoopClock, Recorder, a_device

PROFILE = replace(NATIVE, stale_after=30.0)
SAYS = {"id": 7, "u": 12.0, "t": 20, "e": 1, "mode": "on", "run": True, "alarm": False}


@asynccontextmanager
async def listening(
    bus: MemoryBus, profile: Profile = PROFILE, **params: str
) -> AsyncIterator[tuple[MqttDevice, Recorder]]:
    device = a_device(profile="native", params={"base": "dev/1", "id": "7", **params})
    driver, sink = MqttDevice(device, profile, POINTS, bus, LoopClock()), Recorder()
    task = asyncio.create_task(driver.run(sink))
    await asyncio.sleep(0.01)
    try:
        yield driver, sink
    finally:
        task.cancel()
        await asyncio.wait([task])


async def say(bus: MemoryBus, payload: object = SAYS, *, retain: bool = False) -> None:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    await bus.publish("dev/1/state", raw, retain=retain)
    await asyncio.sleep(0.01)


@pytest.mark.looptime
async def test_asks_at_its_pace() -> None:
    bus = MemoryBus()
    async with bus.subscribe("dev/1/get") as asked, listening(bus) as (driver, _):
        await asyncio.sleep(10.1)
        assert 20 <= asked.waiting() <= 22
        assert (await anext(asked)).payload == b'{"id":"7"}'
        assert driver.counters()["d1"]["asks"] == asked.waiting() + 1


@pytest.mark.looptime
async def test_silence_makes_every_known_point_stale_once_and_a_word_brings_it_back() -> None:
    bus = MemoryBus()
    async with listening(bus) as (driver, sink):
        await say(bus)
        assert driver.status()["d1"].state == State.UP
        await asyncio.sleep(29)
        assert sink.last("M-d1")["volts"] == (12.0, Quality.GOOD)
        await asyncio.sleep(200)
        assert driver.status()["d1"].state == State.DOWN
        assert "silent for 30 s" in driver.status()["d1"].error
        assert sink.last("M-d1") == dict.fromkeys(POINTS, (None, Quality.STALE))
        assert sink.count("M-d1", "volts") == 2
        await say(bus)
        assert driver.status()["d1"].state == State.UP
        assert sink.last("M-d1")["volts"] == (12.0, Quality.GOOD)


@pytest.mark.looptime
async def test_a_device_that_was_never_heard_is_stale_too() -> None:
    async with listening(MemoryBus()) as (driver, sink):
        assert driver.status()["d1"].error == "not heard yet"
        await asyncio.sleep(31)
        assert sink.last("M-d1") == dict.fromkeys(POINTS, (None, Quality.STALE))


@pytest.mark.looptime
async def test_a_retained_word_gives_values_but_is_no_sign_of_life() -> None:
    bus = MemoryBus()
    await say(bus, retain=True)
    async with listening(bus) as (driver, sink):
        assert sink.last("M-d1")["volts"] == (12.0, Quality.GOOD)
        assert driver.status()["d1"].state == State.FAILING
        await asyncio.sleep(31)
        assert sink.last("M-d1")["volts"] == (None, Quality.STALE)


@pytest.mark.looptime
async def test_garbage_and_foreign_payloads_are_counted_and_named_and_stop_nothing() -> None:
    bus = MemoryBus()
    async with listening(bus) as (driver, sink):
        await say(bus, b'{"id": 7, "u": ')
        assert driver.status()["d1"].state == State.FAILING
        assert "dev/1/state: payload is broken JSON" in driver.status()["d1"].error
        await say(bus, {**SAYS, "id": 8})
        await say(bus)
        counts = driver.counters()["d1"]
        assert (counts["garbage"], counts["foreign"], counts["messages"]) == (1, 1, 3)
        assert driver.status()["d1"].state == State.UP
        assert sink.count("M-d1", "volts") == 1


@pytest.mark.looptime
async def test_garbage_is_no_sign_of_life() -> None:
    bus = MemoryBus()
    async with listening(bus) as (driver, _):
        await say(bus)
        for _ in range(50):
            await say(bus, b"{broken")
            await asyncio.sleep(1)
        status = driver.status()["d1"]
        assert status.state == State.DOWN
        assert "broken JSON" in status.error
        await say(bus)
        assert driver.status()["d1"].state == State.UP


@pytest.mark.looptime
async def test_an_announced_absence_is_told_at_once_and_ends_with_online() -> None:
    bus = MemoryBus()
    async with listening(bus) as (driver, sink):
        await say(bus)
        await bus.publish("dev/1/online", b"false", retain=True)
        await asyncio.sleep(0.01)
        assert driver.status()["d1"].state == State.DOWN
        assert sink.last("M-d1") == dict.fromkeys(POINTS, (None, Quality.COMM))
        await asyncio.sleep(100)
        assert sink.last("M-d1")["volts"] == (None, Quality.COMM)
        await bus.publish("dev/1/online", b"true", retain=True)
        await say(bus)
        assert driver.status()["d1"].state == State.UP
        assert sink.last("M-d1")["volts"] == (12.0, Quality.GOOD)


PLAIN = Availability("{base}/online", "online", "offline")
AS_JSON = Availability("{base}/online", '{"state":"online"}', '{"state":"offline"}')


@pytest.mark.looptime
@pytest.mark.parametrize("availability", [PLAIN, AS_JSON])
@pytest.mark.parametrize(("on", "off"), [(b"online", b"offline"), (b'{"state":"online"}', b' {"state": "offline"}\n')])
async def test_availability_is_understood_as_text_and_as_json(
    availability: Availability, on: bytes, off: bytes
) -> None:
    bus = MemoryBus()
    async with listening(bus, replace(PROFILE, availability=availability)) as (driver, sink):
        await say(bus)
        for nothing in (b'{"state":1}', b'{"state":', b"{}", b"\xff", b""):
            await bus.publish("dev/1/online", nothing)
            await asyncio.sleep(0.01)
            assert driver.status()["d1"].state == State.UP
        await bus.publish("dev/1/online", off, retain=True)
        await asyncio.sleep(0.01)
        assert driver.status()["d1"].state == State.DOWN
        assert "says offline" in driver.status()["d1"].error
        assert sink.last("M-d1")["volts"] == (None, Quality.COMM)
        await bus.publish("dev/1/online", on, retain=True)
        await say(bus)
        assert driver.status()["d1"].state == State.UP


@pytest.mark.looptime
async def test_a_device_may_have_a_silence_of_its_own() -> None:
    bus = MemoryBus()
    async with listening(bus, replace(PROFILE, asks=()), stale_after="25h") as (driver, sink):
        await say(bus)
        await asyncio.sleep(24.9 * 3600)
        assert sink.last("M-d1")["volts"] == (12.0, Quality.GOOD)
        await asyncio.sleep(0.2 * 3600)
        assert driver.status()["d1"].error == "silent for 90000 s"
        assert sink.last("M-d1")["volts"] == (None, Quality.STALE)


def test_a_silence_that_is_none() -> None:
    with pytest.raises(ValueError, match="'soon' is no duration"):
        stale_after(PROFILE, a_device(params={"stale_after": "soon"}))
    assert stale_after(PROFILE, a_device()) == PROFILE.stale_after
