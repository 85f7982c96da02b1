"""The outbox worker: takes what is due, sends it, tries again, gives up visibly. At least once, with a key.

A row is claimed with a lease before it is sent, so that two workers never send it at once; a worker that dies holds it
no longer than the lease, and whoever takes it then sends it with the same key. Each channel is a lane of its own with
a bounded number of messages on their way, so a dead channel delays no other one; within a lane, emergencies first.

The worker is woken by `Records.outbox_changed` at once for what this process queued, and looks every 200 ms for what
other processes did. Notices for the bus wait, unclaimed, while the broker is away.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, insert, select, update

from facility.bus import Bus
from facility.clock import Clock
from facility.errors import BusError, StoreError
from facility.wire import alarms_topic
from rules.life.rows import OutboxRow, row
from rules.notification.channels.protocol import Channel, ChannelError
from rules.notification.notify import Message
from rules.records.records import Records
from rules.records.schema import deliveries, outbox

log = logging.getLogger(__name__)

POLL = 0.2
"""Seconds between looks for what other processes queued."""
LEASE_MS = 15_000
"""How long a claimed row is nobody else's; longer than any attempt."""
LONGEST_ATTEMPT = 10.0
"""Seconds after which an attempt has failed, whatever the channel does."""
FIRST_DELAY_MS = 1_000
LONGEST_DELAY_MS = 300_000
GIVE_UP_MS = 24 * 3600 * 1000
"""A message that did not leave for a day is dead: kept, shown, not sent."""
MESSAGE_SLOTS = 8
NOTICE_SLOTS = 256
"""How many of one lane are on their way at once; notices are claimed when half of their slots are free."""
ERROR_KEPT = 500

_message = msgspec.json.Decoder(Message)


def next_attempt(attempts: int, created_at: int, at: int, chance: float) -> int | None:
    """When to try again after the `attempts`-th failure: 1 s doubling to 5 min, halved at most by `chance` (0..1).

    None after a day. Pure; instants are ms.
    """
    if at - created_at >= GIVE_UP_MS:
        return None
    delay = min(FIRST_DELAY_MS << min(attempts - 1, 16), LONGEST_DELAY_MS)
    return at + round(delay * (1 - chance / 2))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt: no error is success; `final` means never again."""

    item: OutboxRow
    at: int
    took_ms: int
    error: str = ""
    final: bool = False


@dataclass(slots=True)
class Tally:
    """What this worker has done since it started."""

    sent: int = 0
    notices: int = 0
    failed: int = 0
    dead: int = 0
    database_errors: int = 0


@dataclass(slots=True)
class Outbox:
    """Sends what the records' outbox of one site holds. `run()` runs until it is cancelled; `tally` counts."""

    site: str
    records: Records
    channels: Mapping[str, Channel]
    bus: Bus = field(kw_only=True)
    clock: Clock = field(kw_only=True)
    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    tally: Tally = field(default_factory=Tally)
    _flying: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _lanes: dict[tuple[str, str], int] = field(default_factory=dict)
    _outcomes: list[Outcome] = field(default_factory=list)

    async def run(self) -> None:
        """Send until cancelled; then write down what was sent and let go of the rest."""
        try:
            while True:
                self.records.outbox_changed.clear()
                try:
                    await self._settle()
                    busy = await self._launch()
                except StoreError as error:
                    self.tally.database_errors += 1
                    log.warning("outbox: %s", error)
                    await asyncio.sleep(1.0)
                    continue
                if not busy and not self._outcomes:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(POLL):  # wait_for may swallow a cancellation in 3.11
                            await self.records.outbox_changed.wait()
        finally:
            await self._let_go()

    async def _launch(self) -> bool:
        """Claim what is due and has a free slot, and start sending it; whether anything was claimed."""
        now = self.clock.ms()
        claimed: list[OutboxRow] = []
        for kind, channel in await self._due_lanes(now):
            free = self._slots(kind) - self._lanes.get((kind, channel), 0)
            if free <= 0 or (kind == "notice" and (free < NOTICE_SLOTS // 2 or not self.bus.connected)):
                continue
            claimed += await self._claim(kind, channel, now, free)
        for item in claimed:
            lane = (item.kind, item.channel)
            self._lanes[lane] = self._lanes.get(lane, 0) + 1
            self._flying[item.id] = asyncio.create_task(self._attempt(item), name=f"outbox {item.key}")
        return bool(claimed)

    async def _due_lanes(self, now: int) -> Sequence[tuple[str, str]]:
        query = select(outbox.c.kind, outbox.c.channel).where(self._is_due(now)).distinct()
        async with self.records.reading() as connection:
            return [(kind, channel) for kind, channel in await connection.execute(query)]

    def _is_due(self, now: int) -> ColumnElement[bool]:
        return and_(
            outbox.c.site == self.site,
            outbox.c.state == "pending",
            outbox.c.due_at <= now,
            outbox.c.lease_until <= now,
        )

    async def _claim(self, kind: str, channel: str, now: int, limit: int) -> list[OutboxRow]:
        wanted = (
            select(outbox.c.id)
            .where(self._is_due(now), outbox.c.kind == kind, outbox.c.channel == channel)
            .order_by(outbox.c.priority if kind == "message" else outbox.c.id, outbox.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claim = (
            update(outbox)
            .where(outbox.c.id.in_(wanted.scalar_subquery()), self._is_due(now))
            .values(lease_until=now + LEASE_MS, lease_owner=self.owner, attempts=outbox.c.attempts + 1)
            .returning(outbox)
        )
        async with self.records.writing() as connection:
            claimed = [row(OutboxRow, found) for found in (await connection.execute(claim)).mappings()]
        fresh = [item for item in claimed if item.id not in self._flying]
        return sorted(fresh, key=lambda item: (item.priority if kind == "message" else 0, item.id))

    @staticmethod
    def _slots(kind: str) -> int:
        return NOTICE_SLOTS if kind == "notice" else MESSAGE_SLOTS

    async def _attempt(self, item: OutboxRow) -> None:
        """Send one row and note what came of it."""
        at, start = self.clock.ms(), self.clock.monotonic()
        task = asyncio.create_task(self._deliver(item))
        try:
            await asyncio.wait({task}, timeout=LONGEST_ATTEMPT)
        finally:
            finished = task.done()
            task.cancel()
        took = round((self.clock.monotonic() - start) * 1000)
        error, final = _verdict(task) if finished else (f"no answer within {LONGEST_ATTEMPT:g} s", False)
        self._outcomes.append(Outcome(item, at, took, error[:ERROR_KEPT], final))
        self._lanes[item.kind, item.channel] -= 1
        self.records.outbox_changed.set()

    async def _deliver(self, item: OutboxRow) -> None:
        if item.kind == "notice":
            await self.bus.publish(alarms_topic(item.site), item.payload.encode())
            return
        channel = self.channels.get(item.channel)
        if channel is None:
            raise ChannelError(item.channel, "people.yaml has no such channel any more", retry=False)
        await channel.send(_message.decode(item.payload))

    async def _settle(self) -> None:
        """Write down every outcome so far, in one transaction."""
        outcomes = list(self._outcomes)
        if not outcomes:
            return
        now = self.clock.ms()
        changes = [self._change(outcome, now) for outcome in outcomes]
        tries = [_delivery(outcome) for outcome in outcomes if outcome.item.kind == "message"]
        names = ("state", "due_at", "sent_at", "error")
        statement = (
            update(outbox)
            .where(outbox.c.id == bindparam("row_id"), outbox.c.lease_owner == self.owner)
            .values({name: bindparam(name) for name in names} | {"lease_until": 0})
        )
        async with self.records.writing() as connection:
            await connection.execute(statement, changes)
            if tries:
                await connection.execute(insert(deliveries), tries)
        del self._outcomes[: len(outcomes)]
        for outcome, change in zip(outcomes, changes, strict=True):
            self._flying.pop(outcome.item.id, None)
            self._count(outcome, change["state"])

    def _change(self, outcome: Outcome, now: int) -> dict[str, Any]:
        item = outcome.item
        change = {"row_id": item.id, "state": "sent", "due_at": item.due_at, "sent_at": None, "error": outcome.error}
        if not outcome.error:
            return change | {"sent_at": outcome.at + outcome.took_ms}
        due = None if outcome.final else next_attempt(item.attempts, item.created_at, now, random.random())
        return change | ({"state": "dead"} if due is None else {"state": "pending", "due_at": due})

    def _count(self, outcome: Outcome, state: str) -> None:
        item = outcome.item
        if state == "sent":
            self.tally.sent += item.kind == "message"
            self.tally.notices += item.kind == "notice"
            return
        self.tally.failed += 1
        self.tally.dead += state == "dead"
        level = logging.ERROR if state == "dead" else logging.WARNING
        log.log(level, "%s %s, attempt %d: %s: %s", item.kind, item.key, item.attempts, state, outcome.error)

    async def _let_go(self) -> None:
        """Stop what is on its way, write down what is known, free what is not, so that the next worker may go on."""
        for task in self._flying.values():
            task.cancel()
        await asyncio.gather(*self._flying.values(), return_exceptions=True)
        free = update(outbox).where(outbox.c.lease_owner == self.owner, outbox.c.state == "pending")
        try:
            await self._settle()
            async with self.records.writing() as connection:
                await connection.execute(free.values(lease_until=0))
        except StoreError as error:
            log.warning("outbox: what was on its way is sent again after its lease: %s", error)


def _verdict(task: asyncio.Task[None]) -> tuple[str, bool]:
    """(error, final) of a finished attempt; whatever a channel raises is an outcome, never the end of the worker."""
    error = asyncio.CancelledError("cancelled") if task.cancelled() else task.exception()
    if error is None:
        return "", False
    if isinstance(error, ChannelError):
        return str(error), not error.retry
    if isinstance(error, BusError):
        return str(error), False
    return f"{type(error).__name__}: {error}", isinstance(error, msgspec.DecodeError)


def _delivery(outcome: Outcome) -> dict[str, Any]:
    return {
        "outbox_id": outcome.item.id,
        "channel": outcome.item.channel,
        "attempt": outcome.item.attempts,
        "at": outcome.at,
        "took_ms": outcome.took_ms,
        "ok": not outcome.error,
        "error": outcome.error,
    }
