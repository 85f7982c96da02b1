"""A broker that is away for hours, in virtual time: a gateway's real publisher and spool file, real ingest, a store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from caretaker_demo import DEMO_SITE
from facility.bus import MemoryBus
from facility.config import load_site
from facility.errors import BusError
from facility.wire import Batch
from gateway.file_spool import FileSpool
from gateway.publisher import Publisher
from ingest.deadletters import DeadLetters
from ingest.memory_store import MemoryStore
from ingest.service import Ingest
from tests.gateway.plant import LoopClock

T = TypeVar("T")

BATCHES = 1.4
"""Batches a second of the busier gateway of the demonstration tower, a quiet day, measured over two minutes."""
POINTS = ("car.floor", "car.load", "car.speed", "drive.motor_temp", "drive.current")
"""It tells 3.9 readings a second of what changes and some 2.4 of heartbeats: four and a half a batch."""


class Broker(MemoryBus):
    """A memory bus that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self._there = asyncio.Event()
        self._there.set()

    @property
    def connected(self) -> bool:
        return self._there.is_set()

    async def wait_connected(self) -> None:
        await self._there.wait()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if not self.connected:
            raise BusError("no broker")
        await super().publish(topic, payload, retain=retain)

    def go(self) -> None:
        self._there.clear()

    def come(self) -> None:
        self._there.set()


class WatchedSpool(FileSpool):
    """The spool's file with its work done on the loop, since a virtual clock waits for no thread; watches its bound."""

    most = 0
    most_on_disk = 0

    async def _call(self, work: Callable[[], T]) -> T:
        done = work()
        self.most = max(self.most, self.bytes)
        assert self.bytes <= self.limit
        return done

    def look_at_the_file(self) -> None:
        size = sum(file.stat().st_size for file in self.path.parent.glob(f"{self.path.name}*"))
        self.most_on_disk = max(self.most_on_disk, size)


@dataclass
class Durable:
    """One batch as it became durable: its seq, whether it was history, made and stored when (s), its readings."""

    seq: int
    hist: bool
    made: float
    at: float
    readings: int


@dataclass
class Outage:
    """One gateway, its way, and what became of its batches."""

    folder: Path
    limit: int
    durable: list[Durable] = field(default_factory=list)

    def __post_init__(self) -> None:
        site, catalog = load_site(DEMO_SITE, env={})
        self.site, self.gateway = site, site.gateways[0]
        self.clock, self.bus = LoopClock(), Broker()
        self.spool = WatchedSpool(self.folder / "q.sqlite", limit=self.limit, clock=self.clock)
        self.store = MemoryStore(catalog)
        self.letters = DeadLetters(":memory:")
        self.publisher = Publisher(site.id, self.gateway, "b1", bus=self.bus, spool=self.spool, clock=self.clock)
        self.ingest = Ingest(
            site,
            catalog,
            bus=self.bus,
            store=self.store,
            dead_letters=self.letters,
            clock=self.clock,
            observer=self._see,
        )
        self._asset = next(asset.id for asset in site.assets.values() if asset.asset_class == "elevator")
        self._told = 0
        self.back = 0.0
        """When (s) the broker came back."""

    def _see(self, _: str, batch: Batch, at: int) -> None:
        made, start = batch.samples[0].at, self.clock.start
        self.durable.append(Durable(batch.seq, batch.hist, (made - start) / 1000, (at - start) / 1000, batch.count))

    async def tell(self, seconds: float) -> None:
        """Readings at the demonstration's rate for so long."""
        for number in range(round(seconds * BATCHES)):
            self._told += 1
            points = POINTS[: 4 + self._told % 2]
            self.publisher.add(self._asset, self.clock.ms(), dict.fromkeys(points, self._told % 40), {})
            await self.clock.sleep(1 / BATCHES)
            if number % 500 == 0:
                self.spool.look_at_the_file()

    def figures(self, drained: float) -> str:
        """What happened, for the documentation."""
        history = sum(item.hist for item in self.durable)
        return (
            f"{self.publisher.last_seq:,} batches, {self.publisher.sent:,} readings; at most {self.spool.most:,} bytes "
            f"of {self.limit:,}, {self.spool.most_on_disk:,} on disk; {self.spool.shed:,} readings given up; "
            f"{history:,} batches of history drained in {drained:.0f} s"
        )

    async def run(self, hours: float) -> float:
        """A minute of peace, the outage, and then everything until the spool is empty; seconds that draining took."""
        await self.spool.open()
        work = [asyncio.create_task(self.ingest.run()), asyncio.create_task(self.publisher.run())]
        await self.clock.sleep(0.5)
        await self.tell(60)
        await self.clock.sleep(2)
        self.bus.go()
        await self.tell(hours * 3600)
        self.bus.come()
        self.back = back = self.clock.monotonic()
        live = asyncio.create_task(self.tell(3600))
        while self.spool.batches > 5:
            await self.clock.sleep(0.5)
        drained = self.clock.monotonic() - back
        live.cancel()
        await asyncio.wait([live])
        assert await self.publisher.finish(30)
        for task in work:
            task.cancel()
        await asyncio.wait(work)
        await self.spool.close()
        self.letters.close()
        return drained
