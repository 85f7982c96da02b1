"""From samples to confirmed batches, in virtual time: nothing lost, nothing counted twice, bounded in flight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from facility import wire
from facility.bus import MemoryBus, Message
from facility.errors import BusError
from facility.readings import Quality
from gateway.publisher import BATCH, CROWD, GATHERED, LINGER, PROBE, WINDOW, Publisher
from gateway.spool import Entry, MemorySpool, Spool
from tests.gateway.plant import LoopClock

TOPIC = wire.readings_topic("s", "gw")


class Broker(MemoryBus):
    """A memory bus that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.there = True

    @property
    def connected(self) -> bool:
        return self.there

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if not self.there:
            raise BusError("no broker")
        await super().publish(topic, payload, retain=retain)


class Ingest:
    """Confirms what it stores, while it is `awake`."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus
        self.awake = True
        self.heard: list[tuple[float, wire.Batch]] = []
        self.stored: dict[tuple[str, int], wire.Batch] = {}

    async def run(self) -> None:
        async with self.bus.subscribe(TOPIC, limit=1_000_000) as batches:
            async for message in batches:
                await self.take(message)

    async def take(self, message: Message) -> None:
        batch = wire.decode(wire.Batch, message.payload)
        self.heard.append((asyncio.get_running_loop().time(), batch))
        if self.awake:
            self.stored[batch.boot, batch.seq] = batch
            await self.confirm(batch.boot, [(batch.seq, batch.seq)])

    async def confirm(self, boot: str, ranges: list[tuple[int, int]]) -> None:
        await self.bus.publish(wire.stored_topic("s", "gw"), wire.encode(wire.Stored(boot, ranges)))

    def values(self) -> list[object]:
        """Every stored value of the point p, in order of time."""
        samples = [sample for batch in self.stored.values() for sample in batch.samples]
        return [sample.values["p"] for sample in sorted(samples, key=lambda sample: sample.at)]


@asynccontextmanager
async def publishing(spool: Spool, bus: Broker, *, boot: str = "b1") -> AsyncIterator[tuple[Publisher, Ingest]]:
    ingest = Ingest(bus)
    publisher = Publisher("s", "gw", boot, bus=bus, spool=spool, clock=LoopClock())
    tasks = [asyncio.create_task(ingest.run()), asyncio.create_task(publisher.run())]
    await asyncio.sleep(0.001)
    try:
        yield publisher, ingest
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)


async def tell(publisher: Publisher, values: Sequence[int], every: float = 0.25) -> None:
    for value in values:
        publisher.add("A", LoopClock().ms(), {"p": value}, {})
        await asyncio.sleep(every)


@pytest.mark.looptime
async def test_samples_of_a_tenth_of_a_second_travel_together_and_are_confirmed() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus) as (publisher, ingest):
        began = asyncio.get_running_loop().time()
        await tell(publisher, range(5), every=0.01)
        await asyncio.sleep(1)
    ((at, batch),) = ingest.heard
    assert at - began <= LINGER + 0.01
    assert (batch.boot, batch.seq, batch.hist, batch.count) == ("b1", 1, False, 5)
    assert [sample.values["p"] for sample in batch.samples] == [0, 1, 2, 3, 4]
    assert (publisher.sent, publisher.last_seq, spool.batches, publisher.waiting) == (5, 1, 0, 0)


@pytest.mark.looptime
async def test_a_greeting_of_ingest_brings_the_unconfirmed_again_at_once_and_nothing_else() -> None:
    async with publishing(MemorySpool(), Broker()) as (publisher, ingest):
        await tell(publisher, [1], every=0.2)
        ingest.awake = False
        await tell(publisher, [2, 3], every=0.2)
        ingest.awake = True
        greeted = asyncio.get_running_loop().time()
        await ingest.confirm(wire.ANYBODY, [])
        await asyncio.sleep(0.5)
        again = [(at - greeted, batch.seq) for at, batch in ingest.heard if at >= greeted]
    assert [seq for _, seq in again] == [2, 3]
    assert max(at for at, _ in again) < 0.1
    assert ingest.values() == [1, 2, 3]


@pytest.mark.looptime
async def test_a_batch_is_bounded_in_bytes_and_a_huge_sample_is_cut() -> None:
    bus = Broker()
    async with publishing(MemorySpool(), bus) as (publisher, ingest):
        values = {f"a_rather_long_name_of_a_point[{n}].value": n for n in range(20_000)}
        publisher.add("A", 1, dict(values), dict.fromkeys(values, Quality.COMM))
        await asyncio.sleep(1)
    found: dict[str, object] = {}
    for _, batch in ingest.heard:
        assert len(wire.encode(batch)) <= BATCH + 200
        for sample in batch.samples:
            assert sample.at == 1
            assert sample.quality == dict.fromkeys(sample.values, Quality.COMM)
            assert not set(found) & set(sample.values)
            found |= sample.values
    assert found == values
    assert publisher.sent == 20_000


@pytest.mark.looptime
async def test_what_is_not_confirmed_is_sent_again_and_counted_once() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus) as (publisher, ingest):
        ingest.awake = False
        await tell(publisher, range(8))
        await asyncio.sleep(15)
        assert spool.batches == 8
        ingest.awake = True
        await asyncio.sleep(40)
        assert ingest.values() == list(range(8))
        assert (publisher.sent, spool.batches) == (8, 0)
        assert not any(batch.hist for batch in ingest.stored.values())


@pytest.mark.looptime
async def test_a_night_without_ingest_stays_quiet_and_then_drains_in_order_as_history() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus) as (publisher, ingest):
        ingest.awake = False
        await tell(publisher, range(300), every=1.0)
        await asyncio.sleep(300)
        before = len(ingest.heard)
        await asyncio.sleep(300)
        assert len(ingest.heard) - before <= PROBE * 300 / 25
        ingest.awake = True
        first = len(ingest.heard)
        await asyncio.sleep(60)
        assert ingest.values() == list(range(300))
        assert spool.batches == 0
        order = [batch.seq for _, batch in ingest.heard[first:]]
        assert order == sorted(order)
        assert all(batch.hist for batch in ingest.stored.values())
        publisher.add("A", LoopClock().ms(), {"p": 300}, {})
        await asyncio.sleep(1)
        assert not ingest.stored["b1", 301].hist


@pytest.mark.looptime
async def test_without_a_broker_everything_waits_and_live_goes_first_afterwards() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus) as (publisher, ingest):
        bus.there = False
        await tell(publisher, range(400), every=0.2)
        assert publisher.waiting == spool.batches == 400
        bus.there = True
        publisher.add("A", LoopClock().ms(), {"p": 400}, {})
        await asyncio.sleep(20)
    assert ingest.values() == list(range(401))
    heard = [batch.samples[-1].values["p"] for _, batch in ingest.heard]
    assert heard.index(400) <= 60
    assert sorted(heard) == list(range(401))
    assert spool.batches == 0


@pytest.mark.looptime
async def test_what_was_in_flight_when_the_broker_went_is_sent_again() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus) as (publisher, ingest):
        ingest.awake = False
        await tell(publisher, range(3))
        bus.there = False
        await asyncio.sleep(2)
        ingest.awake = bus.there = True
        await asyncio.sleep(2.5)
    assert ingest.values() == [0, 1, 2]
    assert publisher.counts["resent"] == 3


@pytest.mark.looptime
async def test_a_publish_that_fails_is_tried_again() -> None:
    class Refusing(Broker):
        left = 3

        async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
            if topic == TOPIC and self.left:
                self.left -= 1
                raise BusError("not now")
            await super().publish(topic, payload, retain=retain)

    async with publishing(MemorySpool(), Refusing()) as (publisher, ingest):
        await tell(publisher, range(2))
        await asyncio.sleep(10)
    assert ingest.values() == [0, 1]
    assert publisher.counts["failed"] == 3


@pytest.mark.looptime
async def test_batches_of_an_earlier_start_go_out_as_history_under_their_own_number() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus, boot="old") as (publisher, ingest):
        ingest.awake = False
        await tell(publisher, range(3))
    async with publishing(spool, bus, boot="new") as (publisher, ingest):
        await asyncio.sleep(3)
        publisher.add("A", LoopClock().ms(), {"p": 3}, {})
        await asyncio.sleep(3)
    assert {key: batch.hist for key, batch in ingest.stored.items()} == {
        ("old", 1): True, ("old", 2): True, ("old", 3): True, ("new", 1): False,
    }  # fmt: skip
    assert publisher.sent == 1
    assert spool.batches == 0


@pytest.mark.looptime
async def test_what_waits_goes_out_under_the_name_that_the_site_has_now() -> None:
    spool, bus = MemorySpool(), Broker()
    bus.there = False
    async with publishing(spool, bus, boot="old") as (publisher, _):
        await tell(publisher, range(3))
    bus.there = True
    renamed = Publisher("another-site", "another-gateway", "new", bus=bus, spool=spool, clock=LoopClock())
    topic = wire.readings_topic("another-site", "another-gateway")
    async with bus.subscribe(topic) as heard:
        running = asyncio.create_task(renamed.run())
        await asyncio.sleep(5)
        batches = [wire.decode(wire.Batch, message.payload) for _ in range(3) if (message := heard.take_nowait())]
        running.cancel()
        await asyncio.wait([running])
    assert [(batch.boot, batch.seq, batch.hist) for batch in batches] == [("old", seq, True) for seq in (1, 2, 3)]
    assert spool.batches == 3


@pytest.mark.looptime
async def test_large_batches_of_history_do_not_crowd_the_way() -> None:
    class Slow(Broker):
        """A line of 5 Mbit/s, one after the other, and how much of it is queued."""

        free = 0.0
        behind = 0.0

        async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
            now = asyncio.get_running_loop().time()
            if topic == TOPIC and self.there:
                self.free = max(self.free, now) + len(payload) / 625_000
                self.behind = max(self.behind, self.free - now)
                await asyncio.sleep(self.free - now)
            await super().publish(topic, payload, retain=retain)

    spool, bus = MemorySpool(), Slow()
    async with publishing(spool, bus) as (publisher, ingest):
        bus.there = False
        for value in range(100):
            publisher.add("A", LoopClock().ms(), {"p": value, "q": "x" * (BATCH - 1_000)}, {})
            await asyncio.sleep(1)
        bus.there = True
        await asyncio.sleep(100)
    assert ingest.values() == list(range(100))
    assert spool.batches == 0
    assert bus.behind < 2 * CROWD / 625_000


@pytest.mark.looptime
async def test_no_more_than_a_window_is_in_flight_and_the_rest_is_told_once() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus) as (publisher, ingest):
        ingest.awake = False
        await tell(publisher, range(WINDOW + 50), every=0.101)
        await asyncio.sleep(0.5)
        assert {batch.seq for _, batch in ingest.heard} == set(range(1, WINDOW + 51))
        counts = publisher.counts
        assert counts["told"] + counts["published"] - counts["resent"] == WINDOW + 50
        assert counts["told"] > 0
        assert counts["resent"] <= 4 * PROBE
        assert spool.batches == WINDOW + 50
        assert spool.batches - publisher.waiting <= WINDOW


@pytest.mark.looptime
async def test_whoever_watches_hears_live_batches_though_nobody_stores() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus) as (publisher, ingest):
        ingest.awake = False
        for second in range(600):
            publisher.add("A", LoopClock().ms(), {"p": second}, {})
            await asyncio.sleep(1)
            newest = ingest.heard[-1][1] if second < 10 else max((b for _, b in ingest.heard), key=lambda b: b.seq)
            assert newest.samples[-1].values["p"] == second
            assert not newest.hist
        assert spool.batches == 600
        ingest.awake = True
        await asyncio.sleep(60)
        assert ingest.values() == list(range(600))
        assert (publisher.sent, spool.batches) == (600, 0)


@pytest.mark.looptime
async def test_a_confirmation_that_is_none_is_counted_and_changes_nothing() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus) as (publisher, ingest):
        ingest.awake = False
        await tell(publisher, range(1))
        for payload in (b"{", b'{"boot":1}', b"x" * (wire.MAX_PAYLOAD + 1)):
            await bus.publish(wire.stored_topic("s", "gw"), payload)
        await ingest.confirm("another", [(1, 10)])
        await asyncio.sleep(0.5)
        assert publisher.counts["undecodable"] == 3
        assert spool.batches == 1


@pytest.mark.looptime
async def test_a_spool_that_hangs_does_not_fill_the_memory() -> None:
    class Hanging(MemorySpool):
        async def append(self, entries: Sequence[Entry]) -> list[Entry]:
            await asyncio.sleep(1_000_000)
            return await super().append(entries)

    async with publishing(Hanging(), Broker()) as (publisher, _):
        for value in range(400):
            publisher.add("A", value, {"p": "x" * (BATCH - 1000)}, {})
            await asyncio.sleep(0.2)
        assert publisher.sent >= 399
        assert publisher.shed >= 399 - GATHERED // (BATCH - 1000) - 2


class SlowSpool(MemorySpool):
    """A disk that takes its time."""

    async def append(self, entries: Sequence[Entry]) -> list[Entry]:
        await asyncio.sleep(0.5)
        return await super().append(entries)


@pytest.mark.looptime
async def test_finish_waits_for_a_batch_that_is_on_its_way_into_the_spool() -> None:
    spool = SlowSpool()
    async with publishing(spool, Broker()) as (publisher, ingest):
        publisher.add("A", 1, {"p": 1}, {})
        await asyncio.sleep(LINGER + 0.1)
        assert not spool.batches
        assert await publisher.finish(2.0)
        assert ingest.values() == [1]


@pytest.mark.looptime
async def test_finish_flushes_and_waits_for_the_confirmations() -> None:
    spool, bus = MemorySpool(), Broker()
    async with publishing(spool, bus) as (publisher, ingest):
        publisher.add("A", 1, {"p": 1}, {})
        assert await publisher.finish(1.0)
        assert ingest.values() == [1]
        ingest.awake = False
        publisher.add("A", 2, {"p": 2}, {})
        assert not await publisher.finish(1.0)
        assert spool.batches == 1


@pytest.mark.looptime
async def test_history_of_a_device_has_batches_of_its_own_that_say_so() -> None:
    spool = MemorySpool()
    async with publishing(spool, Broker()) as (publisher, ingest):
        for value in range(3):
            publisher.add("A", value, {"p": value}, {}, hist=True)
            publisher.add("A", 100 + value, {"p": 100 + value}, {})
        await asyncio.sleep(1)
        assert [(batch.seq, batch.hist, batch.count) for _, batch in ingest.heard] == [(1, False, 3), (2, True, 3)]
        assert ingest.values() == [0, 1, 2, 100, 101, 102]
        assert (publisher.sent, spool.batches) == (6, 0)
        publisher.add("A", 7, {f"p{number}": "x" * 1000 for number in range(300)} | {"p": 7}, {}, hist=True)
        await asyncio.sleep(1)
        assert {batch.hist for _, batch in ingest.heard[2:]} == {True}
        assert sum(batch.count for _, batch in ingest.heard[2:]) == 301


@pytest.mark.looptime
async def test_history_of_a_device_stays_history_when_it_is_sent_again() -> None:
    spool = MemorySpool()
    async with publishing(spool, Broker()) as (publisher, ingest):
        ingest.awake = False
        publisher.add("A", 1, {"p": 1}, {}, hist=True)
        await asyncio.sleep(15)
        assert len(ingest.heard) >= 2
        assert {batch.hist for _, batch in ingest.heard} == {True}
