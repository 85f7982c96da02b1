"""What every bus promises, over MemoryBus, Mosquitto and iotcore, and over a line to them that has no fault."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from facility.broker import Kind, embedded_broker
from facility.bus import Bus, MemoryBus, Message, Subscription
from facility.errors import BusError
from facility.mqtt_bus import Broker, MqttBus
from simulators.devices.faulty_bus import FaultyBus
from tests.services.waiting import until

Opener = Callable[[str], Any]
"""Client id -> a connected bus."""


@pytest_asyncio.fixture(params=["memory", "mosquitto", "iotcore", "faultless memory", "faultless mosquitto"])
async def open_bus(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    """A function that opens one more client of the same broker."""
    memory = MemoryBus()
    kind = request.param.removeprefix("faultless ")
    broker: Broker | None = None if kind == "memory" else request.getfixturevalue(kind)
    async with AsyncExitStack() as stack:

        async def opened(name: str) -> Bus:
            bus: Bus = memory
            if broker is not None:
                bus = await stack.enter_async_context(MqttBus(broker, client_id=f"{name}-{request.node.name}"[:60]))
            if kind != request.param:
                bus = FaultyBus(bus)
            await asyncio.wait_for(bus.wait_connected(), 5)
            return bus

        yield opened


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic of the test's own, since the brokers are shared."""
    name = request.node.name.replace("[", "-").rstrip("]")
    return f"test/{name}"


async def take(subscription: Subscription) -> Message:
    """The next message; a TimeoutError after 5 s."""
    return await asyncio.wait_for(anext(subscription), 5)  # type: ignore[arg-type]


async def test_a_subscriber_gets_what_is_published_in_order(open_bus: Opener, topic: str) -> None:
    sender, receiver = await open_bus("sender"), await open_bus("receiver")
    async with receiver.subscribe(f"{topic}/+/readings") as messages:
        for number in range(50):
            await sender.publish(f"{topic}/gw-1/readings", str(number).encode())
        got = [await take(messages) for _ in range(50)]
    assert [message.payload for message in got] == [str(number).encode() for number in range(50)]
    assert {message.topic for message in got} == {f"{topic}/gw-1/readings"}
    assert not any(message.retain for message in got)


async def test_filters_cover_one_level_or_all(open_bus: Opener, topic: str) -> None:
    bus = await open_bus("one")
    async with bus.subscribe(f"{topic}/a/+") as one, bus.subscribe(f"{topic}/#") as all_:
        await bus.publish(f"{topic}/b/c", b"1")
        await bus.publish(f"{topic}/a/b/c", b"2")
        await bus.publish(f"{topic}/a/b", b"3")
        assert (await take(one)).payload == b"3"
        # a broker may send one copy for each filter that covers a message (MQTT 3.1.1, 3.3.5)
        seen: list[bytes] = []
        while not seen or seen[-1] != b"3":
            seen.append((await take(all_)).payload)
    assert list(dict.fromkeys(seen)) == [b"1", b"2", b"3"]


async def test_a_retained_message_waits_for_a_late_subscriber(open_bus: Opener, topic: str) -> None:
    sender, receiver = await open_bus("sender"), await open_bus("receiver")
    await sender.publish(f"{topic}/status", b"old", retain=True)
    await sender.publish(f"{topic}/status", b"new", retain=True)
    async with receiver.subscribe(f"{topic}/status") as messages:
        message = await take(messages)
    assert (message.payload, message.retain) == (b"new", True)


async def test_an_empty_retained_message_forgets(open_bus: Opener, topic: str) -> None:
    bus = await open_bus("one")
    await bus.publish(f"{topic}/status", b"there", retain=True)
    await bus.publish(f"{topic}/status", b"", retain=True)
    async with bus.subscribe(f"{topic}/#") as messages:
        await bus.publish(f"{topic}/other", b"marker")
        assert (await take(messages)).payload == b"marker"


async def test_after_leaving_nothing_more_arrives(open_bus: Opener, topic: str) -> None:
    bus = await open_bus("one")
    async with bus.subscribe(f"{topic}/a") as gone:
        pass
    async with bus.subscribe(f"{topic}/b") as marker:
        await bus.publish(f"{topic}/a", b"1")
        await bus.publish(f"{topic}/b", b"2")
        assert (await take(marker)).payload == b"2"
    assert gone.waiting() == 0


async def test_what_does_not_fit_is_counted(open_bus: Opener, topic: str) -> None:
    bus = await open_bus("one")
    async with bus.subscribe(f"{topic}/small", limit=2) as small, bus.subscribe(f"{topic}/end") as end:
        for number in range(5):
            await bus.publish(f"{topic}/small", str(number).encode())
        await bus.publish(f"{topic}/end", b"")
        await take(end)
        assert small.waiting() == 2
        assert small.dropped == 3
        assert [(await take(small)).payload for _ in range(2)] == [b"0", b"1"]


async def test_a_payload_of_the_largest_size_arrives(open_bus: Opener, topic: str) -> None:
    payload = b"x" * 262_144
    sender, receiver = await open_bus("sender"), await open_bus("receiver")
    async with receiver.subscribe(f"{topic}/big") as messages:
        await sender.publish(f"{topic}/big", payload)
        assert (await take(messages)).payload == payload


async def test_connected_says_so(open_bus: Opener) -> None:
    bus = await open_bus("one")
    await bus.wait_connected()
    assert bus.connected


@pytest.fixture(params=["mosquitto", "iotcore"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each real broker."""
    found: Broker = request.getfixturevalue(request.param)
    return found


async def test_the_last_will_is_told_when_a_client_breaks_off(broker: Broker, topic: str) -> None:
    will = Message(f"{topic}/status", b'{"online":false}', retain=True)
    async with MqttBus(broker, client_id=f"watch-{broker.port}") as watcher:
        await asyncio.wait_for(watcher.wait_connected(), 5)
        async with watcher.subscribe(f"{topic}/#") as messages:
            dying = MqttBus(broker, client_id=f"dying-{broker.port}", will=will)
            async with dying:
                await asyncio.wait_for(dying.wait_connected(), 5)
                await dying.publish(f"{topic}/status", b'{"online":true}', retain=True)
                assert (await take(messages)).payload == b'{"online":true}'
                client = dying._client
                assert client is not None
                client._client.socket().shutdown(2)  # type: ignore[union-attr]  # the cable is pulled
                assert (await take(messages)).payload == will.payload


async def test_a_clean_end_tells_no_last_will(broker: Broker, topic: str) -> None:
    will = Message(f"{topic}/status", b"will")
    async with MqttBus(broker, client_id=f"watch-{broker.port}") as watcher:
        await asyncio.wait_for(watcher.wait_connected(), 5)
        async with watcher.subscribe(f"{topic}/#") as messages:
            async with MqttBus(broker, client_id=f"leaving-{broker.port}", will=will) as leaving:
                await asyncio.wait_for(leaving.wait_connected(), 5)
            await watcher.publish(f"{topic}/marker", b"marker")
            assert (await take(messages)).payload == b"marker"


async def test_a_wrong_password_is_refused_and_told(mosquitto: Broker, caplog: pytest.LogCaptureFixture) -> None:
    stranger = Broker(mosquitto.host, mosquitto.port, mosquitto.username, "wrong-password")
    async with MqttBus(stranger, client_id="stranger") as bus:
        with pytest.raises(BusError, match="no connection"):
            await bus.publish("x", b"")
        await until(lambda: "MQTT broker" in caplog.text)
        assert not bus.connected
    assert "wrong-password" not in caplog.text


async def test_iotcore_hangs_up_on_a_wrong_password(iotcore: Broker) -> None:
    reader, writer = await asyncio.open_connection(iotcore.host, iotcore.port)
    body = b"\x00\x04MQTT\x04\xc2\x00\x0f\x00\x01s\x00\x09caretaker\x00\x05wrong"
    writer.write(bytes([0x10, len(body)]) + body)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_who_subscribes_while_the_bus_connects_is_not_forgotten(broker: Broker, topic: str) -> None:
    async with MqttBus(broker, client_id=f"early-{broker.port}") as bus, AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(bus.subscribe(f"{topic}/{number}")) for number in range(3)]
        await until(lambda: bus._client is not None)  # the broker has answered, the bus is asking for what it holds
        for number in range(3, 6):
            opened.append(await stack.enter_async_context(bus.subscribe(f"{topic}/{number}")))
        await asyncio.wait_for(bus.wait_connected(), 5)
        for number, subscription in enumerate(opened):
            await bus.publish(f"{topic}/{number}", str(number).encode())
            assert (await take(subscription)).payload == str(number).encode()


def test_a_broker_does_not_show_its_password(broker: Broker) -> None:
    assert broker.password
    assert broker.password not in repr(broker)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
async def test_clients_are_back_after_the_broker_was_killed(
    kind: Kind, tmp_path: Path, topic: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(kind)  # skips where it is not installed
    async with embedded_broker(tmp_path, prefer=kind) as broker, MqttBus(broker, client_id="survivor") as bus:
        await asyncio.wait_for(bus.wait_connected(), 5)
        async with bus.subscribe(f"{topic}/#") as messages:
            await _kill_broker(tmp_path, bus)
            await asyncio.wait_for(bus.wait_connected(), 10)
            await bus.publish(f"{topic}/again", b"here")
            assert (await take(messages)).payload == b"here"


async def _kill_broker(folder: Path, bus: MqttBus) -> None:
    os.kill(int((folder / "broker.pid").read_text()), signal.SIGKILL)
    await until(lambda: not bus.connected)


async def test_whoever_publishes_all_the_time_can_be_stopped(open_bus: Opener, topic: str) -> None:
    bus = await open_bus("busy")
    said = 0

    async def publish() -> None:
        nonlocal said
        while True:
            await bus.publish(topic, b"")
            said += 1
            await asyncio.sleep(0)

    for number in range(60):
        task, before = asyncio.create_task(publish()), said
        await until(lambda before=before, number=number: said >= before + number % 3)  # type: ignore[misc]
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=2)
        if not done:  # so that it does not outlive the test
            task.cancel()
            await asyncio.wait([task], timeout=2)
        assert done
        assert task.cancelled()
