"""From samples to confirmed batches: linger, number, spool, publish, wait for `stored`, send again.

A batch goes through four stations, and leaves each only when the next has it:

* gathered: samples of at most `LINGER` seconds, or `BATCH` bytes, whichever comes first;
* sealed: it has its seq, and its readings count as sent;
* spooled: it is on disk;
* in flight: published, its confirmation is awaited. At most `WINDOW` batches are in flight; that is the back-pressure.

What is spooled and not in flight waits. It is fetched from the spool again, oldest first, at a bounded rate, in at most
half of the window, and so few bytes at a time that a live batch behind them is not long on a slow line: live goes
first. A batch comes back to waiting when it was not confirmed in `RESEND` seconds, when it could not be published, and
when the broker was gone meanwhile. A batch that is older than `HISTORY` seconds or of an earlier start is marked `hist`
when it is sent. What a device had stored itself is gathered apart from what holds now, and its batches are `hist` from
the start.

When confirmations stay out, nobody is storing: the window shrinks to `PROBE` batches, which are sent again every 2 s,
later every 30 s, so that a night without ingest does not fill the broker. Each confirmation doubles the window again.

Alarms and screens must not wait for the store: a new batch that finds no room in the window is published once all the
same, and then waits in the spool as if it had not been.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from facility import wire
from facility.bus import Bus, Message, Subscription
from facility.clock import Clock
from facility.errors import BusError, DecodeError
from facility.readings import Quality, Sample, Value
from gateway.spool import Entry, Spool

log = logging.getLogger(__name__)

LINGER = 0.1
BATCH = wire.MAX_PAYLOAD // 2
"""Bytes of a batch."""
WINDOW = 128
PROBE = 2
RESEND = 10.0
SILENCE = (2.0, 30.0)
"""Seconds between attempts while nobody confirms: the first, and the longest."""
HISTORY = 60.0
RATE = 400
"""Waiting batches sent per second, at most."""
CROWD = 262_144
"""Bytes of waiting batches in flight from which on no more are sent: half a second of a line of 5 Mbit/s."""
GATHERED = 16_000_000
"""Bytes of sealed batches that may wait for a spool that hangs; beyond that the oldest are given up."""


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    """wire.Batch with samples that are encoded already."""

    boot: str
    seq: int
    samples: list[msgspec.Raw]
    hist: bool = False


@dataclass(slots=True)
class _Gathered:
    """Encoded samples that have no batch yet; `size` in bytes, `count` in readings."""

    samples: list[msgspec.Raw] = field(default_factory=list)
    size: int = 0
    count: int = 0


@dataclass(slots=True)
class _Flight:
    """A published batch. `until` is when it is sent again, infinite while the broker has not taken it.

    `waited`: its bytes, if it went out behind the live ones; else 0.
    """

    id: int
    waited: int = 0
    until: float = float("inf")


class Publisher:
    """The Sink of every driver of one gateway."""

    def __init__(self, site: str, gateway: str, boot: str, *, bus: Bus, spool: Spool, clock: Clock) -> None:
        self.boot = boot
        self.sent = 0
        """Readings in batches that have a number: each is counted once, however often it is sent."""
        self.last_seq = 0
        self.counts = {"published": 0, "told": 0, "resent": 0, "failed": 0, "confirmed": 0, "undecodable": 0}
        self.shed = 0
        """Readings given up before they reached the spool."""
        self._topic = wire.readings_topic(site, gateway)
        self._stored = wire.stored_topic(site, gateway)
        self._bus, self._spool, self._clock = bus, spool, clock
        self._live, self._history = _Gathered(), _Gathered()
        self._sealed: list[Entry] = []
        self._flushing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._flights: dict[tuple[str, int], _Flight] = {}
        self._telling = 0
        self._window = WINDOW
        self._silence = 0.0
        self._cursor = 0
        self._group: asyncio.TaskGroup | None = None

    @property
    def waiting(self) -> int:
        """Unconfirmed batches that are not in flight."""
        return max(0, self._spool.batches - len(self._flights))

    def add(
        self, asset: str, at: int, values: dict[str, Value], quality: dict[str, Quality], *, hist: bool = False
    ) -> None:
        """Take one sample; never waits."""
        raw = wire.encode(Sample(asset, at, values, quality))
        if len(raw) > BATCH and len(values) > 1:
            self._add_halves(asset, at, values, quality, hist=hist)
            return
        gathered = self._history if hist else self._live
        if gathered.size + len(raw) > BATCH:
            self._seal(gathered)
        gathered.samples.append(msgspec.Raw(raw))
        gathered.size += len(raw) + 1
        gathered.count += len(values)
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with self._bus.subscribe(self._stored) as confirmations, asyncio.TaskGroup() as group:
            group.create_task(self._listen(confirmations), name="confirmations")
            group.create_task(self._catch_up(), name="history")
            self._group = group
            try:
                await self._flush_for_ever()
            finally:
                self._group = None

    async def finish(self, timeout: float) -> bool:
        """Flush, and wait until everything is confirmed, at most `timeout` seconds; whether it is."""
        await self._flush()
        end = self._clock.monotonic() + timeout
        while self._spool.batches and self._clock.monotonic() < end:
            await self._clock.sleep(0.02)
        return not self._spool.batches

    def _add_halves(
        self, asset: str, at: int, values: dict[str, Value], quality: dict[str, Quality], *, hist: bool
    ) -> None:
        keys = list(values)
        for part in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            bad = {key: quality[key] for key in part if key in quality}
            self.add(asset, at, {key: values[key] for key in part}, bad, hist=hist)

    def _seal(self, gathered: _Gathered) -> None:
        """Give what is gathered its number."""
        if not gathered.samples:
            return
        self.last_seq += 1
        self.sent += gathered.count
        payload = wire.encode(_Envelope(self.boot, self.last_seq, gathered.samples, gathered is self._history))
        self._sealed.append(Entry(self.boot, self.last_seq, self._clock.ms(), gathered.count, payload))
        gathered.samples, gathered.size, gathered.count = [], 0, 0
        while sum(entry.size for entry in self._sealed) > GATHERED:
            self.shed += self._sealed.pop(0).readings

    async def _flush_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            if not self._sealed:
                await self._clock.sleep(LINGER)
            self._wake.clear()
            await self._flush()

    async def _flush(self) -> None:
        """Put what is gathered into the spool, and what fits on its way; one at a time, so that who flushes last knows
        that everything is there."""
        async with self._flushing:
            self._seal(self._live)
            self._seal(self._history)
            entries, self._sealed = self._sealed, []
            if entries:
                self._start(await self._spool.append(entries))

    def _start(self, entries: list[Entry]) -> None:
        """Publish new batches as far as there is room."""
        for entry in entries:
            if not self._bus.connected:
                continue
            if len(self._flights) < self._window:
                self._send(entry, entry.payload, waited=0)
            elif self._group and self._telling < WINDOW:
                self._telling += 1
                self._group.create_task(self._tell(entry))
        if self.waiting:
            self._room.set()

    def _send(self, entry: Entry, payload: bytes, *, waited: int) -> None:
        if self._group is None:
            return
        flight = self._flights[entry.boot, entry.seq] = _Flight(entry.id, waited)
        self._group.create_task(self._publish(entry, flight, payload))

    async def _publish(self, entry: Entry, flight: _Flight, payload: bytes) -> None:
        try:
            await self._bus.publish(self._topic, payload)
        except BusError as error:
            self.counts["failed"] += 1
            log.info("batch %s waits: %s", entry.seq, error)
            self._return((entry.boot, entry.seq))
        else:
            self.counts["published"] += 1
            flight.until = self._clock.monotonic() + (self._silence or RESEND)

    async def _tell(self, entry: Entry) -> None:
        """Publish a new batch that has no place in the window, for those who watch; it waits on."""
        try:
            await self._bus.publish(self._topic, entry.payload)
        except BusError as error:
            log.info("batch %s is not told: %s", entry.seq, error)
        else:
            self.counts["told"] += 1
        finally:
            self._telling -= 1

    def _return(self, key: tuple[str, int]) -> None:
        """A batch in flight waits again."""
        flight = self._flights.pop(key, None)
        if flight is not None:
            self._cursor = min(self._cursor, flight.id - 1)

    async def _listen(self, confirmations: Subscription) -> None:
        async for message in confirmations:
            found = self._confirmed(message, confirmations)
            if found.pop(wire.ANYBODY, None) is not None:
                self._send_again()
            for boot, ranges in found.items():
                await self._spool.confirm(boot, ranges)
                for key in list(self._flights):
                    if key[0] == boot and any(first <= key[1] <= last for first, last in ranges):
                        del self._flights[key]
                if self._silence:
                    self._hurry()
                self._silence, self._window = 0.0, min(WINDOW, self._window * 2)
            if self.waiting:
                self._room.set()

    def _send_again(self) -> None:
        """Ingest has just begun to listen: what was published before may have reached nobody."""
        for key in [key for key, flight in self._flights.items() if flight.until != float("inf")]:
            self._return(key)
        self._silence, self._window = 0.0, max(self._window, WINDOW // 2)
        self._room.set()

    def _hurry(self) -> None:
        """Somebody stores again: what was sent while nobody did need not wait its whole time."""
        soon = self._clock.monotonic() + SILENCE[0]
        for flight in self._flights.values():
            if flight.until != float("inf"):
                flight.until = min(flight.until, soon)

    def _confirmed(self, message: Message, more: Subscription) -> dict[str, list[tuple[int, int]]]:
        """The ranges of this message and of all others that are there already, by boot."""
        found: dict[str, list[tuple[int, int]]] = {}
        following: Message | None = message
        while following is not None:
            try:
                stored = wire.decode(wire.Stored, following.payload)
            except DecodeError as error:
                self.counts["undecodable"] += 1
                log.warning("%s: a confirmation that is none: %s", self._stored, error)
            else:
                self.counts["confirmed"] += 1
                found.setdefault(stored.boot, []).extend(stored.ranges)
            following = more.take_nowait()
        return found

    async def _catch_up(self) -> None:
        """Send what waits, as far as window, rate and broker allow."""
        was_connected = self._bus.connected
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._room.wait()
            self._room.clear()
            connected = self._bus.connected
            self._look_after_flights(lost=connected and not was_connected)
            was_connected = connected
            if connected:
                await self._send_waiting()

    def _look_after_flights(self, *, lost: bool) -> None:
        now = self._clock.monotonic()
        late = [key for key, flight in self._flights.items() if now >= flight.until]
        if late:
            self._window = PROBE
            self._silence = min(SILENCE[1], max(SILENCE[0], self._silence * 2))
        if lost:
            late = [key for key, flight in self._flights.items() if flight.until != float("inf")]
        for key in late:
            self._return(key)

    async def _send_waiting(self) -> None:
        failures = self.counts["failed"]
        again = True
        while self.waiting and self._has_room() and self.counts["failed"] == failures:
            entries = await self._spool.waiting(self._cursor, 16)
            if not entries:
                if not again:
                    return
                self._cursor, again = 0, False
            for entry in entries:
                if not self._has_room():
                    return
                self._cursor = entry.id
                if (entry.boot, entry.seq) not in self._flights:
                    self.counts["resent"] += 1
                    self._send(entry, self._as_sent_now(entry), waited=entry.size)
                    await self._clock.sleep(1 / RATE)

    def _has_room(self) -> bool:
        few = len(self._flights) < max(1, self._window // 2)
        return few and sum(flight.waited for flight in self._flights.values()) < CROWD

    def _as_sent_now(self, entry: Entry) -> bytes:
        if entry.boot == self.boot and self._clock.ms() - entry.at < HISTORY * 1000:
            return entry.payload
        batch = wire.decode(wire.Batch, entry.payload)
        return wire.encode(msgspec.structs.replace(batch, hist=True))
