"""The outbox worker: at least once, one worker at a time, retries, visible deaths, notices that wait for the broker."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.errors import BusError
from facility.settings import RecordsSettings
from facility.wire import AlarmNotice, alarms_topic
from rules.notification.channels import Channel, ChannelError, WebhookChannel
from rules.notification.notify import Message
from rules.records import schema
from rules.records.records import Records, open_records
from rules.role.outbox import FIRST_DELAY_MS, GIVE_UP_MS, LEASE_MS, LONGEST_DELAY_MS, Outbox, next_attempt
from tests.rules.builders import a_judgement, a_routing, an_emergency
from tests.services.hook import a_hook
from tests.services.waiting import until

ROUTING = a_routing()
CLOCK = SystemClock()


class Phone:
    """A channel that does what the test says with each message, and remembers them."""

    def __init__(self, act: Callable[[int], Exception | None] = lambda _count: None) -> None:
        self.got: list[Message] = []
        self.together = 0
        self.most = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self._act = act

    async def send(self, message: Message) -> None:
        self.got.append(message)
        self.together += 1
        self.most = max(self.most, self.together)
        try:
            await self.hold.wait()
        finally:
            self.together -= 1
        error = self._act(len(self.got))
        if error:
            raise error

    async def close(self) -> None:
        pass


class AwayBus(MemoryBus):
    """A broker that can be away, or fail while it seems to be there."""

    away = False
    failing = False

    @property
    def connected(self) -> bool:
        return not self.away

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self.away or self.failing:
            raise BusError("no broker")
        await super().publish(topic, payload, retain=retain)


@asynccontextmanager
async def working(
    records: Records, channels: dict[str, Channel], *, bus: MemoryBus | None = None
) -> AsyncIterator[Outbox]:
    """A worker that runs while the test does."""
    outbox = Outbox("s1", records, channels, bus=bus or MemoryBus(), clock=CLOCK)
    task = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def fire(records: Records, *assets: str) -> None:
    """Emergencies at these assets: a message to each of the two channels, and a notice, each."""
    now = CLOCK.ms()
    await records.apply([a_judgement(rule=an_emergency(), asset=asset, at=now) for asset in assets], ROUTING, now)


async def settled(records: Records, *, dead: int = 0) -> None:
    """Wait until nothing is pending."""
    async with asyncio.timeout(8):
        while True:
            counts = await records.counts()
            if not counts.outbox_pending:
                break
            await asyncio.sleep(0.01)
    assert counts.outbox_dead == dead


async def test_what_is_queued_leaves_at_once_and_is_written_down(records: Records) -> None:
    duty, boss, bus = Phone(), Phone(), MemoryBus()
    async with bus.subscribe(alarms_topic("s1")) as notices, working(records, {"duty": duty, "boss": boss}, bus=bus):
        await asyncio.sleep(0)
        await fire(records, "EL-01")
        await settled(records)
        assert [message.asset for message in (*duty.got, *boss.got)] == ["EL-01", "EL-01"]
        notice = notices.take_nowait()
    assert notice
    assert msgspec.json.decode(notice.payload, type=AlarmNotice).event == "raise"
    rows = (await records.outbox(kind="message")).items
    for row in rows:
        assert (row.state, row.attempts, row.error) == ("sent", 1, "")
        assert row.sent_at is not None
        assert row.sent_at >= row.created_at
        (delivery,) = await records.deliveries(row.id)
        assert (delivery.ok, delivery.attempt, delivery.channel) == (True, 1, row.channel)


async def test_what_another_process_queued_is_found(records: Records, tmp_path: Path) -> None:
    duty = Phone()
    async with working(records, {"duty": duty, "boss": Phone()}):
        async with open_records(RecordsSettings(path="records.sqlite"), tmp_path) as other:
            await fire(other, "EL-01")
        await until(lambda: len(duty.got) == 1)


async def test_a_failure_is_tried_again_with_the_same_key(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.role.outbox.FIRST_DELAY_MS", 20)
    duty = Phone(lambda count: ChannelError("duty", "busy", retry=True) if count < 3 else None)
    async with working(records, {"duty": duty, "boss": Phone()}):
        await fire(records, "EL-01")
        await settled(records)
    assert len(duty.got) == 3
    assert len({message.key for message in duty.got}) == 1
    (row,) = (item for item in (await records.outbox(kind="message")).items if item.channel == "duty")
    assert (row.state, row.attempts) == ("sent", 3)
    tries = await records.deliveries(row.id)
    assert [(item.attempt, item.ok, item.error) for item in tries] == [
        (1, False, "channel duty: busy"),
        (2, False, "channel duty: busy"),
        (3, True, ""),
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ChannelError("duty", "HTTP 404", retry=False), "channel duty: HTTP 404"),
        (None, "people.yaml has no such channel"),
    ],
    ids=["refused", "channel gone"],
)
async def test_what_can_never_leave_is_dead_and_visible(
    records: Records, caplog: pytest.LogCaptureFixture, error: ChannelError | None, text: str
) -> None:
    channels: dict[str, Channel] = {"boss": Phone()}
    if error:
        channels["duty"] = Phone(lambda _count: error)
    async with working(records, channels) as outbox:
        await fire(records, "EL-01")
        await settled(records, dead=1)
    (row,) = (await records.outbox(state="dead")).items
    assert text in row.error
    assert outbox.tally.dead == 1
    assert row.key in caplog.text


async def test_a_day_without_success_is_death(records: Records) -> None:
    await fire(records, "EL-01")
    async with records.writing() as connection:
        await connection.execute(update(schema.outbox).values(created_at=CLOCK.ms() - GIVE_UP_MS))
    duty = Phone(lambda _count: ChannelError("duty", "busy", retry=True))
    async with working(records, {"duty": duty, "boss": Phone()}):
        await settled(records, dead=1)


async def test_a_fault_in_a_channel_is_a_failed_attempt_and_not_the_end(records: Records) -> None:
    duty = Phone(lambda count: ZeroDivisionError("a bug") if count == 1 else None)
    async with working(records, {"duty": duty, "boss": Phone()}) as outbox:
        await fire(records, "EL-01")
        await until(lambda: outbox.tally.failed == 1)
        await fire(records, "EL-02")
        await until(lambda: len(duty.got) == 2)
    errors = [row.error for row in (await records.outbox(state="pending")).items]
    assert errors == ["ZeroDivisionError: a bug"]


async def test_a_dead_channel_delays_no_other_and_is_bounded(records: Records) -> None:
    duty, boss = Phone(), Phone()
    duty.hold.clear()
    async with working(records, {"duty": duty, "boss": boss}):
        await fire(records, *(f"EL-{n:02}" for n in range(20)))
        await until(lambda: len(boss.got) == 20)
        assert duty.most == 8
        duty.hold.set()
        await settled(records)
    assert len(duty.got) == 20


async def test_emergencies_leave_first(records: Records) -> None:
    now = CLOCK.ms()
    duty = Phone()
    await records.apply([a_judgement(asset=f"P-{n}", at=now) for n in range(12)], ROUTING, now)
    await fire(records, "EL-01")
    async with working(records, {"duty": duty, "boss": Phone()}):
        await settled(records)
    assert duty.got[0].asset == "EL-01"


async def test_notices_wait_for_the_broker(records: Records) -> None:
    bus = AwayBus()
    bus.away = True
    async with bus.subscribe(alarms_topic("s1")) as notices:
        async with working(records, {"duty": Phone(), "boss": Phone()}, bus=bus) as outbox:
            await fire(records, "EL-01", "EL-02")
            await until(lambda: outbox.tally.sent == 4)
            waiting = (await records.outbox(kind="notice")).items
            assert [(row.state, row.attempts) for row in waiting] == [("pending", 0)] * 2
            bus.away = False
            await settled(records)
        assert notices.waiting() == 2


async def test_a_notice_that_the_broker_refused_is_tried_again(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rules.role.outbox.FIRST_DELAY_MS", 20)
    bus = AwayBus()
    bus.failing = True
    async with working(records, {"duty": Phone(), "boss": Phone()}, bus=bus) as outbox:
        await fire(records, "EL-01")
        await until(lambda: outbox.tally.failed >= 1)
        bus.failing = False
        await settled(records)


async def test_two_workers_never_send_the_same_row_at_once(records: Records, tmp_path: Path) -> None:
    duty, boss = Phone(), Phone()
    channels: dict[str, Channel] = {"duty": duty, "boss": boss}
    async with (
        open_records(RecordsSettings(path="records.sqlite"), tmp_path) as other,
        working(records, channels),
        working(other, channels),
    ):
        await fire(records, *(f"EL-{n:02}" for n in range(40)))
        await settled(records)
    for phone in (duty, boss):
        assert len(phone.got) == len({message.key for message in phone.got}) == 40


async def test_a_worker_that_stops_lets_go_at_once(records: Records) -> None:
    duty = Phone()
    duty.hold.clear()
    async with working(records, {"duty": duty, "boss": Phone()}):
        await fire(records, "EL-01")
        await until(lambda: len(duty.got) == 1)
    again = Phone()
    async with working(records, {"duty": again, "boss": Phone()}):
        await settled(records)  # far sooner than the lease
    assert [message.key for message in again.got] == [message.key for message in duty.got]


SENDER = """
import asyncio, sys
from pathlib import Path
from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.settings import RecordsSettings
from rules.notification.channels import WebhookChannel
from rules.role.outbox import Outbox
from rules.records.records import open_records

async def main(folder, url):
    async with open_records(RecordsSettings(path="records.sqlite"), Path(folder)) as records:
        channels = {name: WebhookChannel(name, url) for name in ("duty", "boss")}
        await Outbox("s1", records, channels, bus=MemoryBus(), clock=SystemClock()).run()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_what_was_on_its_way_when_the_process_was_killed_is_sent_again_with_the_same_key(
    records: Records, tmp_path: Path
) -> None:
    async with a_hook() as hook:
        hook.hold.clear()
        await fire(records, "EL-01")
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", SENDER, str(tmp_path), hook.url)
        try:
            await hook.wait_for(2, limit=20)
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        hook.hold.set()
        killed = hook.keys
        held = (await records.outbox(kind="message")).items
        assert {row.state for row in held} == {"pending"}
        async with records.writing() as connection:  # as if the lease had run out
            await connection.execute(update(schema.outbox).values(lease_until=schema.outbox.c.lease_until - LEASE_MS))
        channels: dict[str, Channel] = {name: WebhookChannel(name, hook.url) for name in ("duty", "boss")}
        async with working(records, channels):
            await settled(records)
        for channel in channels.values():
            await channel.close()
        assert sorted(hook.keys) == sorted(killed * 2)


@given(attempts=st.integers(1, 10_000), age=st.integers(0, GIVE_UP_MS * 2), chance=st.floats(0, 1))
def test_the_pause_doubles_up_to_five_minutes_and_ends_after_a_day(attempts: int, age: int, chance: float) -> None:
    at = 10**12
    due = next_attempt(attempts, at - age, at, chance)
    if age >= GIVE_UP_MS:
        assert due is None
        return
    assert due is not None
    pause = due - at
    full = min(FIRST_DELAY_MS * 2 ** min(attempts - 1, 30), LONGEST_DELAY_MS)
    assert full / 2 - 1 <= pause <= full
