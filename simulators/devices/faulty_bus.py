"""A gateway's connection to the broker that can be cut, be dead without anybody noticing, or say everything twice.

It wraps the bus that the gateway would have had. The bus itself stays connected, so what the broker would do when the
line is cut is done here: it tells the last will, keeps no session, and gives retained messages to who subscribes anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress

from facility.bus import Bus, Message, Subscription
from facility.errors import BusError

log = logging.getLogger(__name__)

FAULTS = frozenset({"offline", "frozen", "duplicates"})
"""The faults of a gateway's connection, named as in `simulators/faults/gateway.yaml`."""
NEIGHBOUR = 0.2
"""Seconds that a message waits for the one that is to overtake it."""


class FaultyBus:
    """A Bus; without a fault it is the one that it wraps. `will` is the last will that the broker tells for it.

    `lost` counts messages, out and in, that a fault swallowed; `repeated` those published a second time.
    """

    def __init__(self, bus: Bus, *, will: Message | None = None) -> None:
        self.lost = self.repeated = 0
        self._bus, self._will = bus, will
        self._on: set[str] = set()
        self._line = asyncio.Event()
        self._line.set()
        self._taps: list[_Tap] = []
        self._overtaker: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether the broker is there, and the line to it."""
        return self._line.is_set() and self._bus.connected

    async def wait_connected(self) -> None:
        """Return once both are there."""
        while not self.connected:
            await self._line.wait()
            await self._bus.wait_connected()

    def begin(self, fault: str) -> None:
        """A fault begins. Needs the running event loop."""
        self._on.add(fault)
        if fault == "offline" and self._line.is_set():
            self._line.clear()
            for tap in self._taps:
                tap.close()
            if self._will:
                self._start(self._tell(self._will))

    def end(self, fault: str) -> None:
        """A fault ends; nothing if it is not on. Needs the running event loop."""
        self._on.discard(fault)
        if fault == "offline" and not self._line.is_set():
            self._line.set()
            for tap in self._taps:
                tap.open()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """As Bus; BusError while the line is cut, and lost without a word while it is frozen."""
        message = Message(topic, payload, retain)
        if "frozen" in self._on:
            self.lost += 1
            await asyncio.sleep(0)
        elif "duplicates" in self._on:
            await self._publish_twice(message)
        else:
            await self._put(message)

    @asynccontextmanager
    async def subscribe(self, *filters: str, limit: int = 10_000) -> AsyncIterator[Subscription]:
        """As Bus."""
        tap = _Tap(self, self._bus, Subscription(filters, limit))
        self._taps.append(tap)
        try:
            if self._line.is_set():
                await tap.open().wait()
            yield tap.out
        finally:
            self._taps.remove(tap)
            await tap.end()

    def passes(self) -> bool:
        """Whether a message that the broker sends now arrives; one that does not is counted."""
        lost = "frozen" in self._on or not self._line.is_set()
        self.lost += lost
        return not lost

    async def _publish_twice(self, message: Message) -> None:
        """The next message overtakes this one, if it comes soon; each is published twice."""
        waiting, self._overtaker = self._overtaker, None
        if waiting is None:
            self._overtaker = overtaken = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(NEIGHBOUR):
                    await overtaken.wait()
            if self._overtaker is overtaken:
                self._overtaker = None
        try:
            for _ in range(2):
                await self._put(message)
            self.repeated += 1
        finally:
            if waiting:
                waiting.set()

    async def _put(self, message: Message) -> None:
        if not self._line.is_set():
            raise BusError("the line to the broker is cut")
        await self._bus.publish(message.topic, message.payload, retain=message.retain)

    async def _tell(self, will: Message) -> None:
        try:
            await self._bus.publish(will.topic, will.payload, retain=will.retain)
        except BusError as error:
            log.info("nobody tells the last will: %s", error)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Tap:
    """One subscription of the gateway, filled from one of the bus while the line is there."""

    def __init__(self, owner: FaultyBus, bus: Bus, out: Subscription) -> None:
        self.out = out
        self._owner, self._bus = owner, bus
        self._task: asyncio.Task[None] | None = None

    def open(self) -> asyncio.Event:
        """Subscribe at the bus; the event is set once that is done, or has failed."""
        done = asyncio.Event()
        self._task = asyncio.create_task(self._fill(done, after=self._task), name=f"faulty {self.out.filters}")
        self._task.add_done_callback(lambda _: done.set())
        return done

    def close(self) -> None:
        """Hear nothing more, and keep no session."""
        if self._task:
            self._task.cancel()

    async def end(self) -> None:
        """Leave; raises what ended the filling before its time."""
        self.close()
        if self._task:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()

    async def _fill(self, done: asyncio.Event, after: asyncio.Task[None] | None) -> None:
        if after:
            await asyncio.wait([after])
        async with self._bus.subscribe(*self.out.filters) as messages:
            done.set()
            async for message in messages:
                if self._owner.passes():
                    self.out.offer(message)
