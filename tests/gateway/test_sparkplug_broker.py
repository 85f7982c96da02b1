"""A whole gateway and an edge node at a real broker: birth on request, a lost message, history, a last will."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiomqtt
import pytest

from facility import wire
from facility.clock import SystemClock
from facility.mqtt_bus import Broker, MqttBus
from facility.readings import Quality, Value
from gateway import sparkplug_session
from gateway.health import State
from gateway.service import Gateway
from gateway.spool import MemorySpool
from tests.gateway.edge_node import NODE_PROFILE, PARAMS, EdgeNode
from tests.gateway.plant import POINTS, a_catalog, a_device, a_site
from tests.services.waiting import until

GOOD, STALE = Quality.GOOD, Quality.STALE


class House:
    """What the gateway has published: `now` from live batches, `history` from the others."""

    def __init__(self) -> None:
        self.now: dict[str, tuple[Value, Quality]] = {}
        self.history: list[tuple[int, dict[str, Value]]] = []

    async def listen(self, bus: MqttBus, site: str) -> None:
        async with bus.subscribe(wire.readings_topic(site, "gw")) as batches:
            async for message in batches:
                batch = wire.decode(wire.Batch, message.payload)
                for sample in batch.samples:
                    if batch.hist:
                        self.history.append((sample.at, sample.values))
                    else:
                        self.now |= {key: (value, sample.quality_of(key)) for key, value in sample.values.items()}
                stored = wire.Stored(batch.boot, [(batch.seq, batch.seq)])
                await bus.publish(wire.stored_topic(site, "gw"), wire.encode(stored))


class LiveNode(EdgeNode):
    """An edge node with a connection of its own, at QoS 0 as the specification wants it."""

    def __init__(self, broker: Broker, group: str) -> None:
        super().__init__(self._publish, group=group)
        self.asked = 0
        self._client = aiomqtt.Client(
            broker.host, broker.port, username=broker.username, password=broker.password, identifier=f"node-{group}",
            will=aiomqtt.Will(self.topic("NDEATH"), self.will(), qos=1),
        )  # fmt: skip

    async def _publish(self, topic: str, payload: bytes) -> None:
        await self._client.publish(topic, payload, qos=0)

    async def live(self, ready: asyncio.Event) -> None:
        """Be born when asked, until the connection breaks."""
        with suppress(aiomqtt.MqttError):
            async with self._client as client:
                await client.subscribe(self.topic("NCMD"), qos=1)
                ready.set()
                async for message in client.messages:
                    self.asked += 1
                    await self.command(bytes(message.payload))  # type: ignore[arg-type]

    def cut(self) -> None:
        """Lose the connection without a goodbye."""
        connection = self._client._client.socket()
        assert isinstance(connection, socket.socket)
        connection.shutdown(socket.SHUT_RDWR)


@asynccontextmanager
async def living(node: LiveNode) -> AsyncIterator[LiveNode]:
    ready = asyncio.Event()
    task = asyncio.create_task(node.live(ready))
    await asyncio.wait_for(ready.wait(), 5)
    try:
        yield node
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def gateway_at(broker: Broker, group: str) -> AsyncIterator[tuple[Gateway, House]]:
    house, params = House(), PARAMS | {"group": group, "host": f"host-{group}"}
    site = a_site(a_device(profile="node", params=params))
    async with MqttBus(broker, client_id=f"gw-{group}") as bus, MqttBus(broker, client_id=f"in-{group}") as other:
        await asyncio.wait_for(asyncio.gather(bus.wait_connected(), other.wait_connected()), 5)
        listening = asyncio.create_task(house.listen(other, site.id))
        await asyncio.sleep(0.05)
        gateway = Gateway(
            site, "gw", a_catalog(NODE_PROFILE), bus=bus, spool=MemorySpool(), clock=SystemClock(), version="t"
        )
        running = asyncio.create_task(gateway.run())
        try:
            yield gateway, house
        finally:
            gateway.stop()
            await asyncio.wait_for(running, 5)
            listening.cancel()
            await asyncio.wait([listening])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
async def test_the_life_of_an_edge_node(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparkplug_session, "ASK", 0.7)
    broker: Broker = request.getfixturevalue(kind)
    group = f"life-{kind}"
    async with living(LiveNode(broker, group)) as node, gateway_at(broker, group) as (gateway, house):
        # nobody told it to be born but the gateway
        await until(lambda: set(house.now) == set(POINTS) and house.now["volts"] == (230.0, GOOD))
        assert node.asked == 1
        assert gateway.status().devices["d1"].state == State.UP
        await node.tell({"Inputs/Volts": 240.0, "Inputs/Temp": -12})
        await until(lambda: house.now["temp"] == (-12, GOOD))
        assert house.now["volts"] == (240.0, GOOD)

        at = SystemClock().ms() - 600_000
        await node.tell({"Inputs/Volts": 99.0}, is_historical=True, timestamp=at)
        await until(lambda: house.history == [(at, {"volts": 99.0})])
        assert house.now["volts"] == (240.0, GOOD)

        node.lose = True
        await node.tell({"Inputs/Volts": 111.0})
        await node.tell({"Inputs/Temp": 33})
        # the request waits for its turn
        assert gateway.counters()["d1"]["rebirths"] == 1
        await until(lambda: gateway.counters()["d1"]["gaps"] == 1)
        assert gateway.status().devices["d1"].state == State.FAILING
        await until(lambda: house.now["temp"] == (33, GOOD))
        assert (house.now["volts"], node.asked) == ((111.0, GOOD), 2)
        assert gateway.status().devices["d1"].state == State.UP

        node.cut()
        await until(lambda: house.now == dict.fromkeys(POINTS, (None, STALE)))
        assert gateway.status().devices["d1"] == wire.DeviceStatus(State.DOWN, "the node's last will came")


@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
async def test_the_host_s_state_is_there_for_a_node_that_comes_late(kind: str, request: pytest.FixtureRequest) -> None:
    broker: Broker = request.getfixturevalue(kind)
    group = f"host-{kind}"
    async with MqttBus(broker, client_id=f"late-{group}") as late:
        await asyncio.wait_for(late.wait_connected(), 5)
        async with gateway_at(broker, group), late.subscribe(f"spBv1.0/STATE/host-{group}") as states:
            assert b'"online":true' in (await asyncio.wait_for(anext(states), 5)).payload  # type: ignore[arg-type]
        async with late.subscribe(f"spBv1.0/STATE/host-{group}") as states:
            assert b'"online":false' in (await asyncio.wait_for(anext(states), 5)).payload  # type: ignore[arg-type]
