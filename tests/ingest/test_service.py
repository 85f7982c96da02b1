"""Ingest as a whole over the memory bus: what is stored, what is kept apart, what is confirmed, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.errors import StoreError
from facility.readings import Quality
from facility.wire import ANYBODY, MAX_PAYLOAD, AlarmNotice, Batch, Stored, decode, encode
from ingest.batch import Limits
from ingest.deadletters import DeadLetters
from ingest.memory_store import MemoryStore
from ingest.service import Ingest
from ingest.store import Delivery, Refused, WriteResult
from tests.ingest.building import LIFT, T0, a_batch, a_notice, a_sample, a_site, catalog

TOPIC = "fm/v1/tower/gw-1/readings"


class FixedClock(SystemClock):
    """The loop's clock for delays, a fixed instant for readings."""

    def ms(self) -> int:
        return T0


class FragileStore(MemoryStore):
    """A memory store that can be down, refuse lines, or break."""

    def __init__(self) -> None:
        super().__init__(catalog())
        self.down: Exception | None = None
        self.refuse: tuple[Refused, ...] = ()
        self.attempts = 0
        self.writes: list[int] = []

    async def write(self, deliveries: Sequence[Delivery]) -> WriteResult:
        self.attempts += 1
        if self.down:
            raise self.down
        self.writes.append(len(deliveries))
        return msgspec_replace(await super().write(deliveries), self.refuse)

    async def write_alarms(self, notices: Sequence[AlarmNotice]) -> None:
        if self.down:
            raise self.down
        await super().write_alarms(notices)


def msgspec_replace(result: WriteResult, refused: tuple[Refused, ...]) -> WriteResult:
    return WriteResult(result.readings, result.replayed, refused or result.refused)


class Bench:
    """A running ingest, with the gateway's end of the bus."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.bus = MemoryBus()
        self.store = FragileStore()
        self.letters = DeadLetters(":memory:")
        self.stored: dict[str, set[int]] = {}
        self.greeted: list[str] = []
        self.seen: list[tuple[str, int]] = []
        self.ingest = Ingest(
            a_site(folder),
            catalog(),
            bus=self.bus,
            store=self.store,
            dead_letters=self.letters,
            clock=FixedClock(),
            observer=lambda gateway, batch, at: self.seen.append((gateway, batch.seq)),
            **more,  # type: ignore[arg-type]
        )

    async def send(self, *batches: Batch, topic: str = TOPIC) -> None:
        for batch in batches:
            await self.bus.publish(topic, encode(batch))

    async def listen(self) -> None:
        async with self.bus.subscribe("fm/v1/tower/+/stored") as messages:
            async for message in messages:
                answer = decode(Stored, message.payload)
                if answer.boot == ANYBODY:
                    self.greeted.append(message.topic)
                for first, last in answer.ranges:
                    self.stored.setdefault(answer.boot, set()).update(range(first, last + 1))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.05)

    async def confirmed(self, *seqs: int, boot: str = "b1") -> None:
        await self.until(lambda: set(seqs) <= self.stored.get(boot, set()))


@asynccontextmanager
async def running(folder: Path, **more: object) -> AsyncIterator[Bench]:
    bench = Bench(folder, **more)
    tasks = [asyncio.create_task(bench.listen()), asyncio.create_task(bench.ingest.run())]
    await asyncio.sleep(0.01)
    try:
        yield bench
    finally:
        for task in reversed(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        bench.letters.close()


pytestmark = pytest.mark.looptime


async def test_a_batch_is_stored_confirmed_and_told_to_the_observer(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        await bench.send(a_batch(1), a_batch(2))
        await bench.confirmed(1, 2)
        assert bench.seen == [("gw-1", 1), ("gw-1", 2)]
        assert bench.store.writes == [2], "one write for what arrived together"
        assert (await bench.store.totals()).readings == 2
        metrics = bench.ingest.metrics()
    assert metrics["readings_stored"] == 2
    assert metrics["batches_confirmed"] == 2
    assert metrics["queue_readings"] == metrics["gaps"] == 0
    assert metrics["store_up"] == 1.0


async def test_enough_readings_are_written_before_their_age_asks_for_it(tmp_path: Path) -> None:
    async with running(tmp_path, limits=Limits(readings=3, age=60.0)) as bench:
        began = asyncio.get_running_loop().time()
        await bench.send(a_batch(1), a_batch(2), a_batch(3))
        await bench.confirmed(1, 2, 3)
        assert asyncio.get_running_loop().time() - began < 1.0


async def test_gateways_are_greeted_once_ingest_listens(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        await bench.until(lambda: len(bench.greeted) >= 3)
    assert bench.greeted == [f"fm/v1/tower/{name}/stored" for name in ("gw-1", "gw-2", "rules")]


async def test_a_shared_subscription_is_asked_for_by_its_name(tmp_path: Path) -> None:
    async with running(tmp_path, share="ingest") as bench:
        await bench.send(a_batch(1))
        await bench.confirmed(1)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"not json", "malformed"),
        (b'{"boot": "b1"}', "seq"),
        (b'{"boot":"b1","seq":1,"samples":[["EL-01",1,{"car.floor":NaN}]]}', "JSON"),
        (b'{"boot":"b1","seq":1,"samples":[["EL-01",1,{"car.floor":1e999}]]}', "out of range"),
        (b'{"boot":"b 1","seq":1,"samples":[]}', "boot"),
        (b'{"boot":"b1","seq":0,"samples":[]}', "seq starts at 1"),
        (b"[" * 100_000, ""),
        (b'"' + b"x" * MAX_PAYLOAD + b'"', "limit"),
        (b"\xff\xfe", ""),
        (b"", "truncated"),
    ],
)
async def test_what_does_not_decode_is_kept_and_stops_nothing(tmp_path: Path, payload: bytes, reason: str) -> None:
    async with running(tmp_path) as bench:
        await bench.bus.publish(TOPIC, payload)
        await bench.send(a_batch(1))
        await bench.confirmed(1)
        (letter,) = bench.letters.list()
        assert letter.kind == "payload"
        assert letter.topic == TOPIC
        assert letter.size == len(payload)
        assert letter.payload == payload[: len(letter.payload)]
        assert reason in letter.reason
        assert bench.ingest.metrics()["dead_letters"] == 1


async def test_readings_that_do_not_fit_go_to_quarantine_and_the_batch_is_confirmed(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        good = a_sample(at=T0, car__floor=3.0, car__moving=1, car__wings=2.0)
        await bench.send(a_batch(1, good, a_sample("EL-99", T0, car__floor=1.0), a_sample(at=T0 + 1, car__floor="x")))
        await bench.confirmed(1)
        held = await bench.store.between(LIFT, [], T0, T0 + 10)
        assert [(reading.point, reading.value) for reading in held] == [("car.floor", 3.0)]
        letters = {letter.payload.decode(): letter.reason for letter in bench.letters.list()}
        assert len(letters) == 4
        assert "bool" not in "".join(letters.values())
        assert letters[f"EL-99 car.floor @{T0} = 1.0"] == "there is no such asset in this site"
        assert "no such point" in letters[f"EL-01 car.wings @{T0} = 2.0"]
        assert "str" in letters[f'EL-01 car.floor @{T0 + 1} = "x"']
        assert bench.ingest.metrics()["readings_quarantined"] == 4
        assert bench.ingest.metrics()["readings_stored"] == 1


async def test_an_unknown_gateway_is_quarantined_and_confirmed(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        await bench.send(a_batch(1), topic="fm/v1/tower/gw-x/readings")
        await bench.confirmed(1)
        assert (await bench.store.totals()).readings == 0
        (letter,) = bench.letters.list()
        assert "gw-x" in letter.reason
        assert decode(Batch, letter.payload) == a_batch(1)
        assert bench.ingest.metrics()["readings_quarantined"] == 1


async def test_a_reading_from_the_future_is_kept_without_its_value(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        await bench.send(a_batch(1, a_sample(at=T0 + 60_000, car__floor=1.0), a_sample(at=T0 + 60_001, car__floor=2.0)))
        await bench.confirmed(1)
        held = await bench.store.between(LIFT, [], T0, T0 + 70_000)
        assert [(reading.value, reading.quality) for reading in held] == [(1.0, Quality.GOOD), (None, Quality.CLOCK)]
        assert bench.ingest.metrics()["readings_future"] == 1
        assert bench.letters.counts()["letters"] == 0


async def test_while_the_store_is_down_nothing_is_confirmed_and_then_everything_is(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        bench.store.down = StoreError("test", "down for a while")
        await bench.send(*(a_batch(seq) for seq in range(1, 6)))
        await bench.until(lambda: bench.store.attempts >= 4)
        assert bench.stored == {}
        assert bench.ingest.metrics()["store_up"] == 0.0
        assert "down for a while" in bench.ingest.error
        assert bench.ingest.metrics()["queue_batches"] == 5
        await bench.send(a_batch(3))  # sent again in the meantime
        bench.store.down = None
        await bench.confirmed(1, 2, 3, 4, 5)
        assert bench.ingest.error == ""
        assert (await bench.store.totals()).readings == 5
        assert bench.ingest.metrics()["batches_waiting_again"] == 1


async def test_a_defect_in_the_store_is_like_a_store_that_is_down(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        bench.store.down = ZeroDivisionError("a defect")
        await bench.send(a_batch(1))
        await bench.until(lambda: bench.store.attempts >= 2)
        assert bench.stored == {}
        bench.store.down = None
        await bench.confirmed(1)


async def test_the_queue_is_bounded_and_what_did_not_fit_comes_again(tmp_path: Path) -> None:
    size = len(encode(a_batch(1)))
    async with running(tmp_path, limits=Limits(bytes=3 * size + 5)) as bench:
        bench.store.down = StoreError("test", "down")
        await bench.send(a_batch(1))
        await bench.until(lambda: bench.store.attempts >= 1)
        await bench.send(*(a_batch(seq) for seq in range(2, 8)))
        await bench.until(lambda: bench.ingest.metrics()["queue_dropped"] == 3)
        assert bench.ingest.metrics()["queue_bytes"] <= 4 * size
        await bench.bus.publish("fm/v1/tower/alarms", encode(a_notice(1)))  # has a queue of its own
        bench.store.down = None
        await bench.until(lambda: bench.ingest.metrics()["alarms_stored"] == 1)
        await bench.confirmed(1, 2, 3, 4)
        assert bench.stored["b1"] == {1, 2, 3, 4}
        await bench.send(a_batch(5), a_batch(6), a_batch(7))
        await bench.confirmed(5, 6, 7)


async def test_a_batch_that_is_in_the_store_is_confirmed_again_without_a_write(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        await bench.send(a_batch(1))
        await bench.confirmed(1)
        bench.stored.clear()
        bench.store.down = StoreError("test", "down")
        await bench.send(a_batch(1))
        await bench.confirmed(1)
        assert bench.ingest.metrics()["batches_again"] == 1
        assert bench.store.attempts == 1


async def test_after_a_restart_a_replay_is_recognised_by_the_store(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        await bench.store.write([Delivery("gw-1", a_batch(1), {LIFT: "elevator"})])
        await bench.send(a_batch(1))
        await bench.confirmed(1)
        assert bench.ingest.metrics()["readings_replayed"] == 1
        assert (await bench.store.totals()).readings == 1


async def test_what_the_store_refuses_is_kept_and_the_batch_confirmed(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        bench.store.refuse = (Refused("elevator,asset=EL-01 x=1 5", "field type conflict"),)
        await bench.send(a_batch(1))
        await bench.confirmed(1)
        (letter,) = bench.letters.list()
        assert letter.payload == b"elevator,asset=EL-01 x=1 5"
        assert letter.reason == "field type conflict"


async def test_without_room_for_dead_letters_only_their_batches_wait(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        bench.letters.close()  # every further use is a StoreError
        await bench.send(a_batch(1, a_sample("EL-99")), a_batch(2))
        await bench.confirmed(2)
        assert bench.stored == {"b1": {2}}
        assert bench.ingest.metrics()["dead_letter_errors"] == 1


async def test_gaps_in_the_numbers_are_shown_until_they_close(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        await bench.send(a_batch(1), a_batch(4))
        await bench.confirmed(1, 4)
        assert [(gap.gateway, gap.boot, gap.first, gap.last) for gap in bench.ingest.gaps()] == [("gw-1", "b1", 2, 3)]
        assert bench.ingest.metrics()["gaps"] == 2
        await bench.send(a_batch(2), a_batch(3))
        await bench.confirmed(2, 3)
        assert bench.ingest.gaps() == []


async def test_alarm_transitions_are_kept_even_when_the_store_is_down_for_a_while(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        bench.store.down = StoreError("test", "down")
        await bench.bus.publish("fm/v1/tower/alarms", encode(a_notice(1)))
        await bench.until(lambda: bench.ingest.metrics()["store_errors"] >= 2)
        await bench.bus.publish("fm/v1/tower/alarms", encode(a_notice(2, event="clear")))
        bench.store.down = None
        await bench.until(lambda: bench.ingest.metrics()["alarms_stored"] == 2)
        assert [notice.event for notice in await bench.store.alarms(T0, T0 + 1)] == ["raise", "clear"]


async def test_a_stop_flushes_what_is_queued_and_confirms_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=Limits(age=60.0))
    listener, task = asyncio.create_task(bench.listen()), asyncio.create_task(bench.ingest.run())
    await asyncio.sleep(0.01)
    await bench.send(a_batch(1))
    await bench.until(lambda: bench.ingest.metrics()["queue_batches"] == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bench.confirmed(1)
    listener.cancel()


async def test_a_stop_with_the_store_down_is_quick_and_confirms_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    task = asyncio.create_task(bench.ingest.run())
    await asyncio.sleep(0.01)
    bench.store.down = StoreError("test", "down")
    await bench.send(a_batch(1))
    await bench.until(lambda: bench.store.attempts >= 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.ingest.metrics()["batches_confirmed"] == 0


async def test_old_readings_expire_by_the_hour(tmp_path: Path) -> None:
    async with running(tmp_path) as bench:
        old = T0 - 401 * 86_400_000
        await bench.send(a_batch(1, a_sample(at=old), a_sample(at=T0)))
        await bench.confirmed(1)
        await asyncio.sleep(61)
        assert bench.ingest.metrics()["readings_expired"] == 1
        assert (await bench.store.totals()).readings == 1
