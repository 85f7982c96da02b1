"""The gateway: its drivers, each in a task of its own, one publisher, a status. The only shell of the edge."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence

from facility import wire
from facility.assets import GATEWAY_CLASS
from facility.bus import Bus, Message
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.errors import BusError
from facility.presence import STATUS
from facility.readings import Quality
from facility.wire import DeviceStatus, Status
from gateway.changes import Changes, forsaken, served
from gateway.commander import Commander
from gateway.driver import Driver
from gateway.drivers import Drivers
from gateway.health import State
from gateway.lesson_book import LessonBook
from gateway.machine import Machine
from gateway.meter import Figures
from gateway.override_book import OverrideBook
from gateway.poller import ModbusPoller
from gateway.publisher import Publisher
from gateway.selfwatch import EVERY, SelfWatch
from gateway.spool import Spool
from gateway.targets import Targets

log = logging.getLogger(__name__)

AGAIN = 5.0
"""Seconds between two times of telling everything again."""
LESSONS = 5.0
"""Seconds between two looks whether something was learnt."""
RESTART = 5.0
"""Seconds until a driver that failed in an unforeseen way is started again."""
GRACE = 1.0
"""Seconds that a stopping gateway waits for confirmations; what is not confirmed is in the spool."""


def new_boot() -> str:
    """An id for one start of a gateway, never used before."""
    return secrets.token_hex(6)


def will(site_id: str, gateway_id: str, boot: str) -> Message:
    """The last will that the gateway's MQTT connection is opened with."""
    return Message(wire.status_topic(site_id, gateway_id), wire.encode(Status(online=False, boot=boot)), retain=True)


class Gateway:
    """One gateway of a site. `spool` is opened and closed by `run`."""

    def __init__(  # noqa: PLR0913 - the composition root hands over each part by name
        self,
        site: Site,
        gateway_id: str,
        catalog: Catalog,
        *,
        bus: Bus,
        spool: Spool,
        clock: Clock,
        version: str,
        boot: str | None = None,
        book: LessonBook | None = None,
        overrides: OverrideBook | None = None,
    ) -> None:
        self.boot = boot or new_boot()
        self._site, self._catalog = site, catalog
        self._id = gateway_id
        self._bus, self._spool, self._clock = bus, spool, clock
        self._version = version
        self._publisher = Publisher(site.id, gateway_id, self.boot, bus=bus, spool=spool, clock=clock)
        self._book = book or LessonBook()
        self._watch = SelfWatch(catalog.classes[GATEWAY_CLASS].points) if GATEWAY_CLASS in catalog.classes else None
        self._crashed: dict[str, str] = {}
        self._stopping = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.crashes = 0
        """Unforeseen failures of drivers; each is logged, and the driver started again."""
        self._drivers = Drivers(bus=bus, clock=clock, book=self._book)
        self._drivers.turn(served(site, catalog, gateway_id))
        targets = Targets(lambda: self.drivers, lambda: self._catalog.classes)
        self.commander = Commander(site.id, gateway_id, targets, bus=bus, clock=clock, book=overrides)

    @property
    def id(self) -> str:
        """As the site names it."""
        return self._id

    @property
    def drivers(self) -> tuple[Driver, ...]:
        """The drivers as they are now; `apply` changes them."""
        return self._drivers.current

    @property
    def sent(self) -> int:
        """Readings published for the first time since boot."""
        return self._publisher.sent

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Numbers by device id, and those of the publisher and of the commands under their own names."""
        found: dict[str, Mapping[str, int]] = {"publisher": self._publisher.counts, "commands": self.commander.counts}
        for driver in self.drivers:
            found.update(driver.counters())
        return found

    def status(self) -> Status:
        """The gateway about itself, now."""
        devices: dict[str, DeviceStatus] = dict(self._drivers.unusable)
        for driver in self.drivers:
            crash = self._crashed.get(driver.name)
            for device, state in driver.status().items():
                devices[device] = DeviceStatus(State.FAILING, crash) if crash else state
        return Status(
            online=True,
            boot=self.boot,
            at=self._clock.ms(),
            version=self._version,
            devices=devices,
            sent=self._publisher.sent,
            last_seq=self._publisher.last_seq,
            spool_batches=self._spool.batches,
            spool_bytes=self._spool.bytes,
            spool_limit=self._spool.limit,
            shed=self._spool.shed + self._publisher.shed,
            problem=self._problem(),
            storage_ok=not self._spool.problem,
            command_problem=self.commander.problem,
        )

    def stop(self) -> None:
        """Ask `run` to end in order: stop polling, flush, wait a moment for confirmations, say goodbye."""
        self._stopping.set()

    async def apply(self, site: Site, catalog: Catalog) -> Changes:
        """Take over a changed site while running: only what changed is stopped and started.

        Spool, publisher, boot and seq go on. A point that no device of the site gives any more is told as COMM, once,
        if its asset is still there.
        """
        self._catalog = catalog
        turn = self._drivers.turn(served(site, catalog, self._id))
        await self._end(turn.gone)
        now = self._clock.ms()
        for asset, keys in forsaken(turn.before, site, catalog).items():
            self._publisher.add(asset, now, dict.fromkeys(keys), dict.fromkeys(keys, Quality.COMM))
        self._begin(turn.fresh)
        return turn.changes

    async def run(self) -> None:
        """Work until `stop` or cancellation; both end in order. StoreError when the spool can't be opened."""
        await self._spool.open()
        try:
            async with asyncio.TaskGroup() as group:
                background = [
                    group.create_task(self._publisher.run(), name="publisher"),
                    group.create_task(self._tell_status(), name="status"),
                    group.create_task(self._tell_again(), name="again"),
                    group.create_task(self._write_lessons(), name="lessons"),
                    group.create_task(self._watch_itself(), name="self watch"),
                ]
                commands = group.create_task(self._command(), name="commands")
                try:
                    await self._drive()
                finally:
                    commands.cancel()
                    await self._say_goodbye()
                    for task in background:
                        task.cancel()
        finally:
            await self._spool.close()

    async def _drive(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._begin(self.drivers)
            try:
                await self._stopping.wait()
            finally:
                self._group = None
            for task in self._tasks.values():
                task.cancel()

    def _begin(self, drivers: Sequence[Driver]) -> None:
        """Run these, if the gateway runs; else they are run when it does."""
        group = self._group
        if group is None:
            return
        for driver in drivers:
            self._tasks[id(driver)] = group.create_task(self._guard(driver), name=driver.name)

    async def _end(self, drivers: Sequence[Driver]) -> None:
        """Return when these have let go of their connections."""
        ending = {task for driver in drivers if (task := self._tasks.pop(id(driver), None))}
        while ending:
            for task in ending:
                task.cancel()
            # again if need be: the wait_for of Python 3.11 may swallow a cancellation
            _, ending = await asyncio.wait(ending, timeout=1.0)
        for driver in drivers:
            self._crashed.pop(driver.name, None)

    async def _guard(self, driver: Driver) -> None:
        """Run one driver; what it did not foresee is told, and does not touch the others."""
        while True:
            try:
                await driver.run(self._publisher)
                return
            except Exception as error:
                self.crashes += 1
                self._crashed[driver.name] = f"internal error: {type(error).__name__}: {error}"
                log.exception("%s failed; it is started again in %s s", driver.name, RESTART)
            await self._clock.sleep(RESTART)
            self._crashed.pop(driver.name, None)

    async def _command(self) -> None:
        """Take commands; what was not foreseen is told, and touches no driver."""
        while True:
            try:
                await self.commander.run()
            except Exception:
                self.crashes += 1
                log.exception("taking commands failed; it is started again in %s s", RESTART)
            await self._clock.sleep(RESTART)

    async def _say_goodbye(self) -> None:
        await self._publisher.finish(GRACE if self._bus.connected else 0.0)
        goodbye = Status(
            online=False,
            boot=self.boot,
            at=self._clock.ms(),
            version=self._version,
            sent=self._publisher.sent,
            last_seq=self._publisher.last_seq,
        )
        await self._publish_status(goodbye)

    async def _tell_again(self) -> None:
        """Tell every value again when somebody asks, at most every few seconds."""
        async with self._bus.subscribe(wire.again_topic(self._site.id, self._id), limit=10) as asked:
            async for _ in asked:
                while asked.take_nowait():
                    pass
                for driver in self.drivers:
                    driver.again(self._publisher)
                if self._watch:
                    self._watch.again()
                await self._clock.sleep(AGAIN)

    def figures(self) -> Mapping[str, Figures]:
        """Each device by id, measured."""
        found: dict[str, Figures] = {}
        for driver in self.drivers:
            found.update(driver.figures())
        return found

    async def _watch_itself(self) -> None:
        """Tell what is measured of devices and process as readings of the gateway's own asset."""
        if self._watch is None:
            return
        machine = Machine(self._clock)
        while True:
            late = max((driver.late for driver in self.drivers if isinstance(driver, ModbusPoller)), default=0.0)
            for driver in self.drivers:
                if isinstance(driver, ModbusPoller):
                    driver.late = 0.0
            at, now = self._clock.ms(), self._clock.monotonic()
            change = self._watch.look(at, now, self.status().devices, self.figures(), machine.figures(late))
            if change:
                self._publisher.add(self._id, at, *change)
            await self._clock.sleep(EVERY)

    async def _write_lessons(self) -> None:
        """Keep what was learnt on disk; a lesson that a crash takes along is learnt again."""
        try:
            while True:
                await self._clock.sleep(LESSONS)
                if self._book.changed:
                    await asyncio.to_thread(self._book.write, self._book.taken())
        finally:
            if self._book.changed:
                self._book.save()

    async def _tell_status(self) -> None:
        told: tuple[Mapping[str, DeviceStatus], str] | None = None
        connected, due = False, 0.0
        while True:
            now = self._clock.monotonic()
            status = self.status()
            back = self._bus.connected and not connected
            connected = self._bus.connected
            seen = status.devices, status.command_problem
            wanted = back or now >= due or seen != told
            if wanted and await self._publish_status(status):
                told, due = seen, now + STATUS
            await self._clock.sleep(1.0)

    async def _publish_status(self, status: Status) -> bool:
        if not self._bus.connected:
            return False
        try:
            await self._bus.publish(wire.status_topic(self._site.id, self._id), wire.encode(status), retain=True)
        except BusError as error:
            log.info("status not told: %s", error)
            return False
        return True

    def _problem(self) -> str:
        problems = (self._spool.problem, self.commander.book.problem, self._book.problem, self._spool.warning)
        return next((problem for problem in problems if problem), "")
