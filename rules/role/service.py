"""The rules role: readings from the bus into the engine, judgements into the records, messages out of the house.

Nothing judged is lost. Judgements wait in memory only until the next transaction, which writes all of them together
with how far the rules are (the cursors), so that what a killed process had judged but not written is judged again from
the stored readings, and what it had written is not. Messages are rows of the same transaction; the outbox sends them.

The steps of a start: subscribe (what arrives waits in the queue), give ingest a moment to store what was on its way,
warm the engine with stored samples up to the cursors, take up the active alarms, judge the stored samples after the
cursors, then live. What was judged from readings older than five minutes is recorded and pages nobody; but an alarm
that still stands a few seconds later is told, whatever raised it (docs/decisions/0007-replayed-readings-and-paging.md).
What the gateways say of themselves is judged like readings, and is not stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from facility.again import ask_again
from facility.bus import Bus, Message, Subscription
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.errors import DecodeError, StoreError
from facility.readings import Sample
from facility.wire import DERIVED, Batch, decode, parse_topic, readings_topic, status_topic, stored_topic
from rules.book.compiled import Rulebook
from rules.effects import Judgement, Standing
from rules.engine import OLD_MS, Engine
from rules.judges import Judges
from rules.life.rows import Cursor
from rules.linkage.judge import Linkage
from rules.notification.channels import Channel
from rules.notification.notify import Routing
from rules.notification.sift import Sifter
from rules.performance.actors import Monthly
from rules.records.delays import Delays, load_delays
from rules.records.linkage_runs import open_runs
from rules.records.records import Records
from rules.role.baselines import Baselines
from rules.role.gateways import Gateways
from rules.role.keeping import Keeper
from rules.role.late import Late
from rules.role.outbox import Outbox
from rules.role.past import Past
from rules.role.readback import History, ReadBack
from rules.role.sequence import Arrival, Progress, seen_until
from rules.role.settling import remember, settle
from rules.role.taking_up import take_up_trials
from rules.role.tasks import cancel
from rules.role.telling import Telling
from rules.role.tending import note_orphans, tend

log = logging.getLogger(__name__)

TICK = 0.1
TICK_LAG_MS = 200
"""The engine's time runs this much behind the clock: readings travel that long."""
TICK_SHARE = 20
"""A tick that takes long is followed by a pause this many times as long."""
HOUSEKEEPING = 1.0
SETTLED_MS = 5_000
"""How long an alarm must have stood before it is told late."""
MAX_WAITING = 50_000
"""Batches that wait to be judged."""


@dataclass
class Rules:
    """The rules of one site. `run()` runs until cancelled; `metrics()` counts. `channels` are closed at the end."""

    site: Site
    catalog: Catalog
    rulebook: Rulebook
    bus: Bus = field(kw_only=True)
    records: Records = field(kw_only=True)
    channels: Mapping[str, Channel] = field(kw_only=True)
    clock: Clock = field(kw_only=True)
    history: History = field(kw_only=True)

    def __post_init__(self) -> None:
        """Put the parts together; nothing starts before `run`."""
        ahead = round(self.site.settings.future_limit * 1000)

        def another() -> Engine:
            return Engine(self.rulebook, self.site.assets, self.catalog, future_ms=ahead)

        self.engine = another()
        self.routing = Routing.of(self.site)
        site, ground = self.site, self.routing.ground
        self.linkage = Linkage(site.id, self.rulebook.linkage, site.assets, self.catalog, ground.mode)
        self.judges = Judges.of(self.engine, self.linkage, site, self.catalog, ground)
        self.sifter = Sifter.of(self.site, self.rulebook, self.routing, self.engine.seen)
        self.outbox = Outbox(self.site.id, self.records, self.channels, bus=self.bus, clock=self.clock)
        self.counts: Counter[str] = Counter()
        self.gateways = Gateways(
            self.site, self.catalog, self.judges, bus=self.bus, clock=self.clock, judge=self._try, counts=self.counts
        )
        self.telling = Telling(self.site.id, self.engine, bus=self.bus, clock=self.clock, counts=self.counts)
        self.live = asyncio.Event()
        self._progress: dict[str, Progress] = {}
        self.baselines = Baselines(self.site, self.engine, self.rulebook, self.catalog, self.records, self.counts)
        self.keeper = Keeper(
            self.site.id, self.records, self.routing, self.sifter, self.engine, self.linkage, self.baselines,
            self._cursors_now, self.clock, self.counts,
        )  # fmt: skip
        self.readback = ReadBack(self.history, clock=self.clock, counts=self.counts, room=self.keeper.room)
        self.late = Late(
            self.engine, another, self.rulebook, self.readback, self.clock, self.counts, take=self.keeper.judge
        )

    def metrics(self) -> dict[str, float]:
        """What happened since the start, and what waits now."""
        tally = self.outbox.tally
        return {
            **{name: float(number) for name, number in self.counts.items()},
            **{f"told_{name}": float(number) for name, number in self.sifter.reasons.items()},
            **self.engine.metrics(),
            "derived_unconfirmed": float(self.telling.unconfirmed),
            "waiting_judgements": float(self.keeper.waiting),
            "gateways_offline": float(self.gateways.offline),
            "missing_batches": float(sum(progress.missing for progress in self._progress.values())),
            **{f"messages_{name}": float(getattr(tally, name)) for name in ("sent", "failed", "dead")},
            "notices": float(tally.notices),
            "outbox_database_errors": float(tally.database_errors),
        }

    async def run(self) -> None:
        """Judge and tell until cancelled; then write down what was judged."""
        work: list[asyncio.Task[None]] = []
        try:
            async with (
                self.bus.subscribe(readings_topic(self.site.id, "+"), limit=MAX_WAITING) as readings,
                self.bus.subscribe(status_topic(self.site.id, "+")) as statuses,
                self.bus.subscribe(stored_topic(self.site.id, DERIVED)) as confirmations,
            ):
                work.append(asyncio.create_task(self.outbox.run(), name="outbox"))
                work.append(asyncio.create_task(self.keeper.run(), name="rules: records"))
                await self._start()
                work.append(asyncio.create_task(self._tick(), name="rules: ticks"))
                work.append(asyncio.create_task(self._housekeeping(), name="rules: housekeeping"))
                work.append(asyncio.create_task(Monthly(self.site, self.records, self.clock, self.counts).run()))
                work.append(asyncio.create_task(self._listen(readings), name="rules: readings"))
                work.append(asyncio.create_task(self.gateways.listen(statuses), name="rules: gateways"))
                work.append(asyncio.create_task(self.telling.run(), name="rules: derived points"))
                work.append(asyncio.create_task(self.telling.listen(confirmations), name="rules: confirmations"))
                work.append(asyncio.create_task(self.gateways.watch(TICK_LAG_MS), name="rules: silence"))
                work.append(asyncio.create_task(self.late.run(), name="rules: what came late"))
                self.baselines.begin(self.readback, self.clock)
                self.live.set()
                done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            await self._stop(work)

    async def _stop(self, work: list[asyncio.Task[None]]) -> None:
        outbox, rest = work[:1], work[1:] + self.readback.tasks + self.baselines.tasks
        await cancel(rest)
        await self.keeper.write()
        await cancel(outbox)
        for channel in self.channels.values():
            await channel.close()

    # start

    async def _start(self) -> None:
        cursors = await self._cursors()
        async with self.records.reading() as connection:
            delays = await load_delays(connection, self.site.id)
        self._progress = {name: Progress(name, cursors.get(name)) for name in self.site.gateways}
        await self.baselines.load(self.clock.ms())
        await self._take_up(delays)
        await remember(self.records, self.sifter, self.clock.ms())
        if cursors:
            await self.readback.settled()
        now = self.clock.ms()
        newest = max((cursor.at for cursor in cursors.values()), default=now)
        await self._replay(Past(newest, now, seen_until(cursors)))
        await self.keeper.write()
        await self._settle(0)
        self.keeper.judge(self.judges.on_tick(self.clock.ms() - TICK_LAG_MS))

    async def _cursors(self) -> dict[str, Cursor]:
        """How far the rules were; waits for a database that is not there yet: without it nothing can be told."""
        while True:
            try:
                await take_up_trials(self.records, self.site.id, self.rulebook, self.judges, self.clock.ms())
                return await self.records.cursors(self.site.id)
            except StoreError as error:
                self.keeper.database_error(error)
                await self.clock.sleep(1.0)

    async def _take_up(self, delays: Delays) -> None:
        """Give the engine what the records know; alarms that no rule answers to stay, with a remark."""
        rows, runs = await self.records.live_alarms(self.site.id), self.rulebook.keys
        known = {(row.rule, row.rule_index, row.asset): row for row in rows}
        active = [key for key, row in known.items() if row.alarm.is_active]
        self.judges.restore(await open_runs(self.records, self.site.id), active)
        lost = self.engine.restore(
            [key for key in active if key not in self.judges.apart],
            standing=[Standing(key, state) for key, state in delays.items() if state and key in runs],
            quiet=[key for key, row in known.items() if row.inhibited],
        )
        self.keeper.delays.begin(delays, runs)
        orphans = {key for key in known if key not in runs | self.judges.apart} | set(lost)
        self.counts["orphaned_alarms"] = len(orphans)
        if orphans:
            await note_orphans(self.records, self.routing, self.clock.ms(), [known[key] for key in orphans])

    async def _replay(self, past: Past) -> None:
        """Warm the engine with what was judged before, then judge what is stored since; what can't be read is owed."""

        def warm(sample: Sample) -> None:
            self.judges.warm(sample)
            self.counts["samples_warmed"] += 1

        def judge(sample: Sample) -> None:
            self._take_sample(self._home.get(sample.asset, self.site.gateways[0]), sample, historical=True)
            self.counts["samples_replayed"] += 1

        if not await past.read(self.readback, self.rulebook, warm=warm, judge=judge):
            self.late.owe("start", past)

    @cached_property
    def _home(self) -> dict[str, str]:
        """The gateway that an asset's devices belong to (one of them, where there are several)."""
        return {device.asset: device.gateway for device in self.site.devices}

    # readings

    async def _listen(self, subscription: Subscription) -> None:
        await ask_again(self.bus, self.site.id, self.site.gateways)
        async for message in subscription:
            self.counts["dropped_on_bus"] = subscription.dropped
            self._receive(message)
            await self.keeper.room()
            await asyncio.sleep(0)  # a full queue must not keep ticks and transactions waiting

    def _receive(self, message: Message) -> None:
        try:
            site, gateway, _ = parse_topic(message.topic)
            batch = decode(Batch, message.payload)
        except DecodeError:
            self.counts["undecodable"] += 1  # ingest keeps the bytes
            return
        if gateway == DERIVED:
            return  # what we have told ourselves
        progress = self._progress.get(gateway)
        if site != self.site.id or progress is None:
            self.counts["unknown_gateway"] += 1
            return
        before, boot = progress.at, progress.boot
        if (arrival := progress.arrive(batch)) is Arrival.COPY:
            self.counts["copies"] += 1
            return
        self.counts["batches"] += 1
        if arrival is Arrival.AFTER_GAP and batch.samples and before:
            self._note_gap(gateway, before, batch.samples[0].at, boot == batch.boot)
        if not batch.hist:
            self.gateways.spoke(gateway)
        older = self.engine.counts["old"]
        for sample in batch.samples:
            self._take_sample(gateway, sample, historical=batch.hist)
        if batch.hist and self.engine.counts["old"] > older:
            instants = [sample.at for sample in batch.samples]
            self.late.owe(gateway, Past(min(instants) - 1, max(instants)))

    def _take_sample(self, gateway: str, sample: Sample, *, historical: bool) -> None:
        now = self.clock.ms()
        if (found := self._ask(sample, historical=historical)) is None:
            return
        self.counts["samples"] += 1
        self._progress[gateway].take(sample.asset, sample.at, now)
        self.keeper.has_moved = True
        # the engine's own time starts with the first tick; before it only the clock knows what is old
        self.keeper.judge([replace(item, historical=historical and item.at < now - OLD_MS) for item in found])

    def _ask(self, sample: Sample, *, historical: bool = False) -> list[Judgement] | None:
        """What the engine says to a sample; a fault of ours in it is logged and counted, and stops no other one."""
        try:
            return self.judges.on_sample(sample, historical=historical)
        except Exception:
            self.counts["failed_samples"] += 1
            log.exception("rules: asset %s at %d", sample.asset, sample.at)
            return None

    def _try(self, what: str, work: Callable[[], list[Judgement]]) -> None:
        """Judge what is no reading; a fault of ours in it is logged and counted, and ends nothing."""
        try:
            self.keeper.judge(work())
        except Exception:
            self.counts["failed_ticks"] += 1
            log.exception("rules: %s", what)

    def _note_gap(self, gateway: str, start: int, end: int, same_boot: bool) -> None:
        self.counts["gaps"] += same_boot

        def take(sample: Sample) -> None:
            if self._home.get(sample.asset) == gateway:
                self._take_sample(gateway, sample, historical=True)
                self.counts["samples_from_gaps"] += 1

        self.readback.note_gap(gateway, start, end, take)

    # time

    async def _tick(self) -> None:
        while True:
            begun = self.clock.monotonic()
            self._try("tick", lambda: self.judges.on_tick(self.clock.ms() - TICK_LAG_MS))
            await self.clock.sleep(max(TICK, TICK_SHARE * (self.clock.monotonic() - begun)))

    async def _housekeeping(self) -> None:
        while True:
            await self.clock.sleep(HOUSEKEEPING)
            await self._settle(SETTLED_MS)

    async def _settle(self, standing: int) -> None:
        """Do what time alone does to alarms, tell what is due, and what stands untold for `standing` ms."""
        now = self.clock.ms()
        try:
            done = await tend(self.records, self.routing, now, self.engine.seen)
            self.counts["shelvings_ended"] += done.unshelved
            self.counts.update(await settle(self.records, self.sifter, now, settled_before=now - standing))
        except StoreError as error:
            self.keeper.database_error(error)

    def _cursors_now(self) -> list[Cursor]:
        """How far the rules are; a gateway that has told nothing has none, for it would call all history unjudged."""
        return [progress.cursor(self.late.floor) for progress in self._progress.values() if progress.at]
