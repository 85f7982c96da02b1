"""The devices of a site that speak MQTT themselves, all over one connection: what they say, answer and publish."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from facility.bus import Bus, Message
from facility.clock import Clock
from facility.errors import BusError
from facility.hardware import Fault, On, Subject
from facility.readings import Value
from simulators.devices.native import NativeDevice
from simulators.devices.native_link import FAULTS, NativeLink
from simulators.faultfile import repertoire
from simulators.scenario import Action

T = TypeVar("T")
OUTBOX = 1_000
"""Messages of one device that may wait for the broker."""


@dataclass(slots=True)
class Native:
    """A device on the broker, its link, and whether it has greeted since the connection came up."""

    id: str
    asset: str
    device: NativeDevice
    link: NativeLink = field(default_factory=NativeLink)
    outbox: asyncio.Queue[Message] = field(default_factory=lambda: asyncio.Queue(OUTBOX))
    greeted: bool = False
    silent: bool = False
    """It is dead, whatever its link is."""


class Guard(Protocol):
    """Lets a device do something; None when it has crashed, which is then known and harms nobody else."""

    def __call__(self, device: str, act: Callable[[], T], /) -> T | None: ...


class NativeHost:
    """Devices by id. `values`: asset -> what its sensors show now. Without a bus nobody says anything.

    `published`, `unpublished`: messages to the broker, and those it was not there for.
    """

    def __init__(
        self, bus: Bus | None, clock: Clock, values: Callable[[str], Mapping[str, Value]], *, guard: Guard
    ) -> None:
        self.devices: dict[str, Native] = {}
        self.published = self.unpublished = 0
        self._bus, self._clock, self._values, self._guard = bus, clock, values, guard

    def add(self, id_: str, asset: str, device: NativeDevice) -> None:
        """Another device."""
        self.devices[id_] = Native(id_, asset, device)

    def subjects(self) -> dict[tuple[On, str], Subject]:
        """Every device with the faults of its link."""
        faults = {name: fault for name, fault in repertoire().faults_of(On.DEVICE).items() if name in FAULTS}
        return {(On.DEVICE, id_): Subject(On.DEVICE, id_, faults) for id_ in self.devices}

    def begin(self, action: Action) -> None:
        """A fault of a link begins; ValueError for an unknown fault."""
        native, fault = self._known(action)
        native.link.begin(fault.name, fault.filled(action.params))
        if not native.link.is_up:
            self.leave(native)

    def end(self, action: Action) -> None:
        """A fault of a link ends; ValueError for an unknown fault."""
        native, fault = self._known(action)
        native.link.end(fault.name)

    async def run(self) -> None:
        """Publish and answer until cancelled."""
        if self._bus is None:
            return
        async with asyncio.TaskGroup() as tasks:
            for native in self.devices.values():
                tasks.create_task(self._answer(native, self._bus), name=f"simulated {native.id} answers")
                tasks.create_task(self._send(native), name=f"simulated {native.id} speaks")

    def tell(self, native: Native, dt: float) -> bool:
        """Let a device speak after `dt` seconds, when there is a broker; whether it had something new to say.

        It greets again after every reconnect.
        """
        if self._bus is None or not self._bus.connected or not native.link.is_up or native.silent:
            native.greeted = False
            return False
        self._queue(native, native.link.step(dt))
        if not native.link.speaks:
            return False
        values, seconds = self._values(native.asset), self._clock.ms() / 1000
        messages = [] if native.greeted else native.device.hello(values, seconds)
        native.greeted = True
        fresh = native.device.update(values, seconds)
        self._queue(native, native.link.carry(messages + fresh))
        return bool(fresh)

    def silence(self, native: Native, *, silent: bool) -> None:
        """A device is dead, or lives; one that dies drops off the broker."""
        if silent and not native.silent:
            self.leave(native)
        native.silent = silent

    def leave(self, native: Native) -> None:
        """A device drops off the broker, which tells its last will, if it has one; what it had still to say is lost."""
        while not native.outbox.empty():
            native.outbox.get_nowait()
        if native.greeted:
            self._queue(native, native.device.bye())
        native.greeted = False

    async def stop(self) -> None:
        """Say goodbye, where there is somebody to say it to."""
        if self._bus and self._bus.connected:
            for native in self.devices.values():
                for message in native.device.bye() if native.link.is_up else ():
                    await self._publish(message)

    def _known(self, action: Action) -> tuple[Native, Fault]:
        faults = repertoire().faults_of(On.DEVICE)
        if action.name not in FAULTS:
            raise ValueError(f"{action.subject} has no fault {action.name!r}; known: {', '.join(sorted(FAULTS))}")
        return self.devices[action.subject], faults[action.name]

    def _queue(self, native: Native, messages: Iterable[Message]) -> None:
        for message in messages:
            try:
                native.outbox.put_nowait(message)
            except asyncio.QueueFull:
                self.unpublished += 1

    async def _send(self, native: Native) -> None:
        """Publish what one device says, in order; a broker that hangs holds up nobody else."""
        task = asyncio.current_task()
        while not (task and task.cancelling()):  # the client's wait_for may swallow a cancellation in 3.11
            message = await native.outbox.get()
            if not await self._publish(message):
                native.greeted = False

    async def _publish(self, message: Message) -> bool:
        """Publish one message; False, and counted, when the broker is not there."""
        try:
            if self._bus is None:
                raise BusError("no broker")
            await self._bus.publish(message.topic, message.payload, retain=message.retain)
        except BusError:
            self.unpublished += 1
            return False
        self.published += 1
        return True

    async def _answer(self, native: Native, bus: Bus) -> None:
        """Answer what the broker brings for one device."""
        async with bus.subscribe(*native.device.topics, limit=1000) as requests:
            async for request in requests:
                if native.link.speaks and not native.silent:
                    self._guard(native.id, partial(self._reply, native, request))

    def _reply(self, native: Native, request: Message) -> None:
        answers = native.device.asked(request, self._values(native.asset), self._clock.ms() / 1000)
        self._queue(native, native.link.carry(answers))
