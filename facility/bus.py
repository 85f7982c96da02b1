"""Bus: publish and subscribe, as the roles see it. MemoryBus is the in-process form, MqttBus the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it arrived. `retain` is true when the broker kept it for late subscribers."""

    topic: str
    payload: bytes
    retain: bool = False


class Subscription:
    """Messages of one subscriber, in order, in a bounded queue. What does not fit is counted in `dropped`.

    Nobody loses readings by a drop: a gateway sends again what was not confirmed.
    """

    def __init__(self, filters: tuple[str, ...], limit: int) -> None:
        self.filters = filters
        self.dropped = 0
        self._queue: asyncio.Queue[Message] = asyncio.Queue(limit)

    def offer(self, message: Message) -> None:
        """Hand over a message without waiting."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.dropped += 1

    def waiting(self) -> int:
        """How many messages have arrived and were not taken yet."""
        return self._queue.qsize()

    def take_nowait(self) -> Message | None:
        """The next message if one is there."""
        try:
            return self._queue.get_nowait()
        except asyncio.QueueEmpty:
            return None

    def __aiter__(self) -> AsyncIterator[Message]:
        """Messages for ever; leave the `async with` to stop."""
        return self

    async def __anext__(self) -> Message:
        """The next message, waiting for it."""
        return await self._queue.get()


class Bus(Protocol):
    """What a role needs of a broker."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1; returns when the broker has it. BusError when it can't be told."""
        ...

    def subscribe(self, *filters: str, limit: int = 10_000) -> AbstractAsyncContextManager[Subscription]:
        """Subscribe at QoS 1 to MQTT filters (`+`, `#`); at most `limit` messages wait."""
        ...

    async def wait_connected(self) -> None:
        """Return once the broker is there (at once if it is)."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        ...


def matches(filter_: str, topic: str) -> bool:
    """Whether an MQTT filter covers a topic (MQTT 3.1.1, 4.7; `$share/group/` is stripped first)."""
    if filter_.startswith("$share/"):
        filter_ = filter_.split("/", 2)[2]
    wanted, given = filter_.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(given) or level not in ("+", given[index]):
            return False
    return len(wanted) == len(given)


class MemoryBus:
    """A broker inside the process: retained messages, filters, and nothing else. Held to the same contract suite."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._retained: dict[str, Message] = {}

    @property
    def connected(self) -> bool:
        """Always."""
        return True

    async def wait_connected(self) -> None:
        """At once."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand the message to every matching subscription; keep it when `retain` (an empty one forgets)."""
        if retain:
            if payload:
                self._retained[topic] = Message(topic, payload, retain=True)
            else:
                self._retained.pop(topic, None)
        message = Message(topic, payload)
        for subscription in tuple(self._subscriptions):
            if any(matches(filter_, topic) for filter_ in subscription.filters):
                subscription.offer(message)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def subscribe(self, *filters: str, limit: int = 10_000) -> AsyncIterator[Subscription]:
        """Subscribe; retained messages come first."""
        subscription = Subscription(filters, limit)
        for message in self._retained.values():
            if any(matches(filter_, message.topic) for filter_ in filters):
                subscription.offer(message)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)
