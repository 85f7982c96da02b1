"""A simulated native device on one side of a bus, the gateway's own driver with its shipped profile on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from facility.assets import Device
from facility.bus import MemoryBus, Message
from facility.catalog import Catalog
from facility.readings import Quality, Value
from gateway.health import State
from gateway.mqtt import MqttDevice
from simulators.devices.natives import NATIVES
from simulators.models.model import Model
from tests.gateway.plant import LoopClock, Recorder

ASSET = "X-01"
WAIT = 0.05


class Rig:
    """`step` lets the model's time and the loop's go on together; `seen` is what the gateway knows."""

    def __init__(self, catalog: Catalog, profile: str, model: Model, device: Device) -> None:
        self.model, self.bus, self.sink = model, MemoryBus(), Recorder()
        made = NATIVES[profile](device, model, "Asia/Shanghai")
        assert made is not None
        self.native = made
        found = catalog.profiles[profile]
        points = catalog.classes[found.asset_class].points
        self.driver = MqttDevice(device, found, points, self.bus, LoopClock())
        self.said: list[Message] = []
        self._here = False

    @property
    def state(self) -> State:
        """What the gateway thinks of the device."""
        return State(self.driver.status()[self.driver.device.id].state)

    def seen(self, key: str) -> tuple[Value, Quality]:
        """The newest value of a point and its quality."""
        return self.sink.last(ASSET)[key]

    async def greet(self) -> None:
        """The device connects."""
        self._here = True
        await self._say(self.native.hello(self.model.values(), self._now()))

    async def leave(self) -> None:
        """The device, or the broker for it, says goodbye; from then on it answers nothing."""
        self._here = False
        await self._say(self.native.bye())

    async def step(self, seconds: float, *, by: float = 1.0) -> None:
        """Time goes by; the device speaks when it wants to."""
        for _ in range(round(seconds / by)):
            await asyncio.sleep(by - WAIT if by > WAIT else 0)
            if by > 1.0:
                self.model.leap(by - 1.0)
            self.model.step(min(by, 1.0))
            await self._say(self.native.update(self.model.values(), self._now()))

    async def answer(self) -> None:
        """Answer what the gateway asks, for ever."""
        async with self.bus.subscribe(*self.native.topics) as requests:
            async for request in requests:
                if self._here:
                    await self._say(self.native.asked(request, self.model.values(), self._now()))

    async def _say(self, messages: list[Message]) -> None:
        for message in messages:
            self.said.append(message)
            await self.bus.publish(message.topic, message.payload, retain=message.retain)
        await asyncio.sleep(WAIT)

    def _now(self) -> float:
        return LoopClock().ms() / 1000


@asynccontextmanager
async def reading(
    catalog: Catalog, profile: str, model: Model, params: Mapping[str, str], rename: Mapping[str, str] | None = None
) -> AsyncIterator[Rig]:
    """A device that has greeted, and a gateway that reads it. Needs virtual time."""
    device = Device("X-01-dev", "gw", profile, ASSET, params=dict(params), rename=dict(rename or {}))
    rig = Rig(catalog, profile, model, device)
    tasks = [asyncio.create_task(rig.driver.run(rig.sink)), asyncio.create_task(rig.answer())]
    await asyncio.sleep(WAIT)
    await rig.greet()
    try:
        yield rig
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
