"""One stream of events to many clients: each event is encoded once, each client has a bounded queue of its own.

A client that does not keep up is cut with a clear last event and counted; it never slows the others, and it never
misses an event without being told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

KINDS = ("readings", "stale", "alarm", "gateway", "command")
"""What a client may ask for."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event. `asset` is empty for what concerns no single asset. `wire` is what goes out."""

    kind: str
    asset: str
    wire: bytes
    id: str = ""


def event(kind: str, data: object, *, asset: str = "", id: str = "") -> Event:  # noqa: A002 - the name SSE gives it
    """An event with its bytes: `event:`, `id:` when there is one, and `data:` as one line of JSON."""
    head = f"id: {id}\n" if id else ""
    return Event(kind, asset, f"{head}event: {kind}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n", id)


class TooManyClientsError(Exception):
    """The stream has all the clients it can serve."""


class Subscriber:
    """One client's queue. `cut` says why it ends: empty while it runs, else `slow` or `stopping`."""

    def __init__(self, assets: frozenset[str], kinds: frozenset[str], limit: int) -> None:
        self.assets = assets
        self.kinds = kinds
        self.cut = ""
        self._limit = limit
        self._waiting: deque[Event] = deque()
        self._bell = asyncio.Event()

    def wants(self, item: Event) -> bool:
        """Whether the client asked for this event."""
        if item.kind not in self.kinds:
            return False
        return not (self.assets and item.asset) or item.asset in self.assets

    def offer(self, item: Event) -> bool:
        """Queue an event the client wants; False when it has just been cut for being slow."""
        if self.cut:
            return True
        if len(self._waiting) >= self._limit:
            self.end("slow")
            return False
        self._waiting.append(item)
        self._bell.set()
        return True

    def end(self, why: str) -> None:
        """No more events; the client is told after those that wait."""
        self.cut = self.cut or why
        self._bell.set()

    async def take(self) -> list[Event]:
        """Everything that waits, in order, once there is something; empty when it was ended and nothing is left."""
        while not self._waiting and not self.cut:
            self._bell.clear()
            await self._bell.wait()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class Fanout:
    """The clients. `limit` is how many events may wait for one client, `clients` how many there may be."""

    def __init__(self, *, limit: int = 2000, clients: int = 2000) -> None:
        self.cut = 0
        self.events = 0
        self._limit = limit
        self._clients = clients
        self._subscribers: set[Subscriber] = set()
        self._stopping = False

    def __len__(self) -> int:
        return len(self._subscribers)

    @contextmanager
    def subscribe(
        self, *, assets: frozenset[str] = frozenset(), kinds: frozenset[str] = frozenset(KINDS)
    ) -> Iterator[Subscriber]:
        """A queue of the events about these assets (all, if empty) of these kinds."""
        if len(self._subscribers) >= self._clients:
            raise TooManyClientsError
        subscriber = Subscriber(assets, kinds, self._limit)
        if self._stopping:
            subscriber.end("stopping")
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    def publish(self, item: Event) -> None:
        """Hand an event to everybody who wants it; never waits."""
        self.events += 1
        for subscriber in self._subscribers:
            if subscriber.wants(item) and not subscriber.offer(item):
                self.cut += 1

    def stop(self) -> None:
        """End every client, also those who come later."""
        self._stopping = True
        for subscriber in self._subscribers:
            subscriber.end("stopping")
