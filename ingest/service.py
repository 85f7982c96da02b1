"""Ingest: subscribe, decode, batch, store, confirm. Nothing is confirmed before it is in the store or in quarantine.

Ingest keeps nothing of its own. While the store is down it holds a bounded queue, retries with back-off and confirms
nothing; what does not fit is dropped and the gateway sends it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from itertools import count

from facility.bus import Bus, Subscription
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.errors import BusError, StoreError
from facility.wire import (
    ANYBODY,
    DERIVED,
    AlarmNotice,
    Batch,
    Stored,
    alarms_topic,
    encode,
    readings_topic,
    stored_topic,
)
from ingest.accounting import Accounting, Gap, ranges
from ingest.admission import Admission
from ingest.batch import Collector, Limits
from ingest.deadletters import DeadLetters
from ingest.intake import Intake, Item, Key
from ingest.letters import NewLetter
from ingest.store import ReadingStore, Refused

log = logging.getLogger(__name__)

Observer = Callable[[str, Batch, int], None]
"""(gateway, batch, ms UTC at which it was durable)"""

BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts while the store is down; the last one repeats."""
MAX_ALARMS = 10_000
"""Alarm notices that may wait for the store; older ones are dropped and counted."""
BURST = 200
"""Messages taken in one go before others get their turn on the event loop."""
GREET_EVERY = 0.2
"""Seconds between looks at the connection, to greet the gateways when it is there anew."""
LAST_FLUSH = 3.0
"""Seconds that a stop gives the store to take what is queued."""


@dataclass
class Ingest:
    """The ingest role of one site. `share` names an MQTT shared subscription, for several processes at once.

    `observer` is told of every batch that became durable. The store belongs to the caller, who closes it.
    """

    site: Site
    catalog: Catalog
    _: KW_ONLY
    bus: Bus
    store: ReadingStore
    dead_letters: DeadLetters
    clock: Clock
    observer: Observer | None = None
    share: str | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._intake = self._new_intake()
        self._queue: Collector[Item] = Collector(self.limits)
        self._hand: list[Item] = []
        self._held: set[Key] = set()
        self._ready = asyncio.Event()
        self._confirm: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._to_confirm = asyncio.Event()
        self._notices: deque[AlarmNotice] = deque()
        self._noticed = asyncio.Event()
        self._subscription: Subscription | None = None
        self._books = Accounting()
        self._counts: dict[str, int] = defaultdict(int)
        self._last_write_ms = 0.0
        self.error = ""
        """Why the store does not take readings now; empty when it does."""

    async def run(self) -> None:
        """Work until cancelled; then flush what is queued, if the store is there."""
        prefix = f"$share/{self.share}/" if self.share else ""
        filters = (prefix + readings_topic(self.site.id, "+"), prefix + alarms_topic(self.site.id))
        try:
            async with self.bus.subscribe(*filters, limit=4_000) as subscription, asyncio.TaskGroup() as group:
                self._subscription = subscription
                for work in (self._greet, self._write, self._publish, self._write_alarms, self._expire):
                    group.create_task(work(), name=f"ingest {work.__name__}")
                await self._consume(subscription)
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._flush_last(), LAST_FLUSH)

    def adopt(self, site: Site, catalog: Catalog) -> None:
        """Take over a changed site while running. What was removed is let in as before until the next start, for its
        last readings may still be on their way or in a spool."""
        before = {name: asset for name, asset in self.site.assets.items() if asset.asset_class in catalog.classes}
        gateways = tuple(dict.fromkeys((*site.gateways, *self.site.gateways)))
        self.site = replace(site, assets=before | dict(site.assets), gateways=gateways)
        self.catalog = catalog
        self._intake = self._new_intake()

    def _new_intake(self) -> Intake:
        admission = Admission(self.site.assets, self.catalog, future_limit=self.site.settings.future_limit)
        return Intake(self.site.id, (*self.site.gateways, DERIVED), admission)

    async def _greet(self) -> None:
        """Tell the gateways whenever we begin to listen, so that what reached nobody is sent again at once."""
        greeting = encode(Stored(ANYBODY, []))
        while True:
            await self.bus.wait_connected()
            try:
                for gateway in (*self.site.gateways, DERIVED):
                    await self.bus.publish(stored_topic(self.site.id, gateway), greeting)
            except BusError as error:
                log.info("ingest could not greet the gateways: %s", error)
            while self.bus.connected:
                await self.clock.sleep(GREET_EVERY)

    # --- in

    async def _consume(self, subscription: Subscription) -> None:
        async for message in subscription:
            self._take(message.topic, message.payload)
            for _ in range(BURST):
                more = subscription.take_nowait()
                if more is None:
                    break
                self._take(more.topic, more.payload)
            else:
                await asyncio.sleep(0)

    def _take(self, topic: str, payload: bytes) -> None:
        """Understand one message and queue it."""
        if self._queue.bytes + len(payload) > self.limits.bytes and topic.endswith("/readings"):
            # not worth decoding: the gateway sends it again when there is room
            self._counts["queue_dropped"] += 1
            return
        item = self._intake.read(topic, payload, self.clock.ms())
        if isinstance(item, AlarmNotice):
            self._take_alarm(item)
            return
        self._counts["batches_received"] += 1
        if item.key and self._books.is_stored(*item.key):
            self._books.again(*item.key[:2])
            self._tell(item.key)
        elif item.key and item.key in self._held:
            self._counts["batches_waiting_again"] += 1
        elif self._queue.offer(item, self.clock.monotonic()):
            if item.key:
                self._held.add(item.key)
            if self._queue.full or len(self._queue) == 1:
                self._ready.set()
        else:
            self._counts["queue_dropped"] += 1

    def _take_alarm(self, notice: AlarmNotice) -> None:
        if len(self._notices) >= MAX_ALARMS:
            self._notices.popleft()
            self._counts["alarms_dropped"] += 1
        self._notices.append(notice)
        self._noticed.set()

    # --- through

    async def _write(self) -> None:
        while True:
            if not self._hand:
                await self._due()
                self._hand = self._queue.take()
            for attempt in count():
                if await self._store(self._hand):
                    break
                await self.clock.sleep(BACK_OFF[min(attempt, len(BACK_OFF) - 1)])
            self._hand = []

    async def _due(self) -> None:
        """Return when size or age asks for a flush."""
        while True:
            self._ready.clear()
            wait = self._queue.wait(self.clock.monotonic())
            if wait == 0.0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), wait)

    async def _store(self, items: list[Item]) -> bool:
        """Make items durable and see to their confirmation; False when the store is not there."""
        items = await self._quarantine(items)
        deliveries = [item.delivery for item in items if item.delivery and item.delivery.batch.samples]
        began = self.clock.monotonic()
        try:
            result = await self.store.write(deliveries) if deliveries else None
        except StoreError as error:
            self._fail(str(error))
            return False
        except Exception as error:
            # a defect of a driver must not end ingest: nothing is confirmed, so nothing is lost
            log.exception("the readings store failed in an unexpected way")
            self._fail(f"{type(error).__name__}: {error}")
            return False
        if result:
            self._last_write_ms = (self.clock.monotonic() - began) * 1000
            self._recovered()
            self._counts["readings_stored"] += result.readings
            self._counts["readings_replayed"] += result.replayed
            if result.refused and not await self._keep_refused(result.refused):
                self._release(items)
                return True
        self._durable(items)
        return True

    def _durable(self, items: Sequence[Item]) -> None:
        now = self.clock.ms()
        for item in items:
            if item.key:
                self._tell(item.key)
            if item.key and item.delivery:
                self._books.stored(*item.key)
            if item.delivery and self.observer:
                self.observer(item.delivery.gateway, item.delivery.batch, now)
            self._counts["readings_future"] += item.future
        self._release(items)

    def _release(self, items: Sequence[Item]) -> None:
        self._held.difference_update(item.key for item in items if item.key)

    async def _quarantine(self, items: list[Item]) -> list[Item]:
        """Keep the letters of these items; without room for them they are given up unconfirmed, the rest goes on."""
        letters = [letter for item in items for letter in item.letters]
        if not letters:
            return items
        if not await self._keep(letters):
            lost = [item for item in items if item.letters]
            self._release(lost)
            items[:] = [item for item in items if not item.letters]
            return items
        for item in items:
            self._counts["readings_quarantined"] += item.quarantined
            item.letters, item.quarantined = [], 0
        return items

    async def _keep(self, letters: Sequence[NewLetter]) -> bool:
        try:
            await asyncio.to_thread(self.dead_letters.add_many, letters)
        except StoreError as error:
            log.error("dead letters are lost: %s", error)
            self._counts["dead_letter_errors"] += len(letters)
            return False
        self._counts["dead_letters"] += len(letters)
        return True

    async def _keep_refused(self, refused: Sequence[Refused]) -> bool:
        topic, now = readings_topic(self.site.id, "+"), self.clock.ms()
        self._counts["readings_refused"] += len(refused)
        return await self._keep([NewLetter("reading", now, topic, one.reason, one.what.encode()) for one in refused])

    def _fail(self, reason: str) -> None:
        self._counts["store_errors"] += 1
        if not self.error:
            log.error("the readings store takes nothing, gateways keep their readings: %s", reason)
        self.error = reason

    def _recovered(self) -> None:
        if self.error:
            log.warning("the readings store is back")
            self.error = ""

    # --- out

    def _tell(self, key: Key) -> None:
        self._confirm[key[0], key[1]].add(key[2])
        self._to_confirm.set()

    async def _publish(self) -> None:
        while True:
            await self._to_confirm.wait()
            await self._publish_once()

    async def _publish_once(self) -> None:
        self._to_confirm.clear()
        taken, self._confirm = self._confirm, defaultdict(set)
        told = [self._publish_to(gateway, boot, seqs) for (gateway, boot), seqs in taken.items()]
        await asyncio.gather(*told)

    async def _publish_to(self, gateway: str, boot: str, seqs: set[int]) -> None:
        try:
            await self.bus.publish(stored_topic(self.site.id, gateway), encode(Stored(boot, ranges(seqs))))
        except BusError:
            # the gateway sends these again and is told then
            self._counts["confirm_errors"] += 1
        else:
            self._counts["batches_confirmed"] += len(seqs)

    async def _write_alarms(self) -> None:
        attempt = 0
        while True:
            await self._noticed.wait()
            self._noticed.clear()
            taken = list(self._notices)
            try:
                await self.store.write_alarms(taken)
            except StoreError as error:
                self._fail(str(error))
                await self.clock.sleep(BACK_OFF[min(attempt, len(BACK_OFF) - 1)])
                attempt += 1
                self._noticed.set()
                continue
            attempt = 0
            self._counts["alarms_stored"] += len(taken)
            for notice in taken:
                if self._notices and self._notices[0] is notice:
                    self._notices.popleft()

    async def _expire(self) -> None:
        delay = 60.0
        while True:
            await self.clock.sleep(delay)
            delay = 3600.0
            keep = self.site.settings.readings.retention_days * 86_400_000
            try:
                self._counts["readings_expired"] += await self.store.expire(self.clock.ms() - keep)
            except StoreError as error:
                self._fail(str(error))

    async def _flush_last(self) -> None:
        """Store and confirm what is queued, once; what fails stays with the gateways."""
        while self._hand or len(self._queue):
            items = self._hand or self._queue.take()
            self._hand = []
            if not await self._store(items):
                return
        await self._publish_once()

    # --- to look at

    def gaps(self, gateway: str = "") -> list[Gap]:
        """Batches that never came though later ones did."""
        return self._books.gaps(gateway)

    def metrics(self) -> dict[str, float]:
        """Counters since start, and gauges (`queue_*`, `store_up`, `last_write_ms`, `gaps` in batches)."""
        names = (
            "batches_received batches_confirmed batches_waiting_again readings_stored readings_replayed "
            "readings_quarantined readings_refused readings_future readings_expired dead_letters dead_letter_errors "
            "queue_dropped store_errors confirm_errors alarms_stored alarms_dropped"
        )
        found: dict[str, float] = {name: self._counts[name] for name in names.split()}
        return found | {
            "batches_again": self._books.duplicates,
            "subscription_dropped": self._subscription.dropped if self._subscription else 0,
            "queue_batches": len(self._queue) + len(self._hand),
            "queue_readings": self._queue.readings + sum(item.readings for item in self._hand),
            "queue_bytes": self._queue.bytes + sum(item.size for item in self._hand),
            "store_up": 0.0 if self.error else 1.0,
            "last_write_ms": self._last_write_ms,
            "gaps": self._books.missing(),
        }
