"""Driver for the Modbus devices behind one connection: absolute schedule, one request at a time, back-off.

Every interval class of every device is a job with its own absolute times, staggered over the first second; a job that
comes too late skips what it missed and counts it. A unit that does not answer is left alone for 1 s .. 60 s.

Fairness on a shared line. The units that are down may together cost one tenth of the time (`SHARE`): after an attempt
that took T the next attempt on any of them waits 9 T. Let C be what one round of every live unit takes, T the longest
time-out, P the interval of a live unit, s = 0.1. While no unit is just falling silent,

* in any time W the dead units take at most T + s W;
* a poll of a live unit begins at most T + C late: one attempt on a dead unit and one round of the others;
* no poll is lost, and the mean period stays P, as long as T + C <= P. Otherwise an attempt may cost a unit up to
  1 + T / P polls, so its mean period grows by at most s (1 + P / T).

A unit that falls silent costs 3 T once, until it counts as down. On lines of their own devices do not touch each other.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from facility.clock import Clock
from facility.errors import DeviceError
from facility.readings import Quality
from facility.wire import DeviceStatus
from gateway.driver import Sink
from gateway.health import State
from gateway.meter import Figures
from gateway.modbus import DEAD, REFUSALS, ModbusConnection
from gateway.planner import Read
from gateway.report import Change
from gateway.unit import PATIENCE, Job, Unit, Watched

log = logging.getLogger(__name__)

STAGGER = 1.0
"""Seconds over which first polls are spread."""
SHARE = 0.1
"""Of a connection's time, for units that are down."""
EXTRA = 32
"""Requests that one poll may add to find out what a device refuses."""
NAP = 1.0
"""Seconds until a poller that has nothing to do looks whether its units are still the same."""


class ModbusPoller:
    """The units behind one `ModbusConnection`. `random` gives numbers in [0, 1) for jitter and phase."""

    def __init__(
        self, connection: ModbusConnection, units: Sequence[Unit], clock: Clock, random: Callable[[], float]
    ) -> None:
        self._connection = connection
        self.units = units
        self._clock = clock
        self._random = random
        self._probe_at = 0.0
        self._current = set(units)
        self._heap: list[tuple[float, int, Job]] = []
        self._order = count()
        self.late = 0.0
        """Seconds, the most that a poll began after its time since this was last set to 0."""

    @property
    def name(self) -> str:
        """The line."""
        return f"modbus {self._connection.line.name}"

    @property
    def connection(self) -> ModbusConnection:
        """The line, for those who command what is behind it."""
        return self._connection

    def status(self) -> Mapping[str, DeviceStatus]:
        """Each unit by device id."""
        return {unit.device.id: unit.status() for unit in self.units}

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """requests, failures (polls), overruns (polls skipped), refused (points) of each unit."""
        return {unit.device.id: unit.counts for unit in self.units}

    def figures(self) -> Mapping[str, Figures]:
        """See Driver."""
        return {unit.device.id: unit.figures() for unit in self.units}

    def again(self, sink: Sink) -> None:
        """See Driver."""
        for unit in self.units:
            for block in (block for job in unit.jobs for block in job.blocks):
                block.report.again()
                if unit.health.state is State.DOWN or block.error:
                    self._tell_lost(unit, block, sink)

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled."""
        self._heap.clear()
        self._enter(self.units)
        try:
            while True:
                first = self._heap[0] if self._heap else None
                wait = first[0] - self._clock.monotonic() if first else NAP
                if wait > 0:
                    await self._clock.sleep(min(wait, NAP))
                if first and wait <= NAP and self._heap and self._heap[0] is first:
                    await self._turn(sink)
        finally:
            self._connection.close()

    def adopt(self, units: Sequence[Unit]) -> None:
        """Poll these units from now on. Those that stay keep their times and what they told, and the connection; of
        those that go nothing more is told."""
        fresh = [unit for unit in units if unit not in self._current]
        self.units, self._current = units, set(units)
        self._heap[:] = [entry for entry in self._heap if entry[2].unit in self._current]
        heapq.heapify(self._heap)
        self._enter(fresh)

    def _enter(self, units: Sequence[Unit]) -> None:
        """Spread the first polls of these units over the next second."""
        start, phase = self._clock.monotonic(), self._random()
        jobs = [job for unit in units for job in unit.jobs]
        for index, job in enumerate(jobs):
            due = start + min(job.interval, STAGGER) * ((phase + index / len(jobs)) % 1)
            heapq.heappush(self._heap, (due, next(self._order), job))

    async def _turn(self, sink: Sink) -> None:
        """The poll that is due."""
        due, _, job = heapq.heappop(self._heap)
        self.late = max(self.late, self._clock.monotonic() - due)
        await self._poll(job, sink)
        if job.unit in self._current:
            heapq.heappush(self._heap, (self._next(job, due), next(self._order), job))

    def _next(self, job: Job, due: float) -> float:
        """The next time of the job's own grid that is not past, and not before the unit may be asked again."""
        now = self._clock.monotonic()
        following = due + job.interval
        if following <= now:
            missed = int((now - following) / job.interval) + 1
            following += missed * job.interval
            if job.unit.health.state is State.UP:
                job.unit.counts["overruns"] += missed
        retry = job.unit.health.retry_at
        if job.unit.health.state is State.DOWN:
            retry = max(retry, self._probe_at)
        return max(following, retry, now + self._connection.quarantine(job.unit.device.unit))

    async def _poll(self, job: Job, sink: Sink) -> None:
        unit = job.unit
        began = self._clock.monotonic()
        if began < unit.health.retry_at or (unit.health.state is State.DOWN and began < self._probe_at):
            return
        if self._connection.quarantine(unit.device.unit) > 0:
            return  # the others do not wait for it
        try:
            answered = await self._blocks(job, sink)
        except DeviceError as error:
            self._failed(unit, error, sink)
            now = self._clock.monotonic()
            if unit.health.state is State.DOWN:
                self._probe_at = now + (now - began) * (1 / SHARE - 1)
            return
        if answered:
            job.took = self._clock.monotonic() - began
            unit.succeeded(job, self._clock.ms())
            if unit.is_new:
                unit.is_new = False
                await self._identify(unit)

    def _failed(self, unit: Unit, error: DeviceError, sink: Sink) -> None:
        """Without a connection no unit behind it can answer, so none has to find out by itself."""
        at_once = self.units if error.kind in ("refused", "timeout") and not self._connection.connected else [unit]
        now = self._clock.monotonic()
        for other in at_once:
            if other is not unit and now < other.health.retry_at:
                continue
            if other.failed(now, str(error).partition(": ")[2], self._random()):
                for at, change in other.lost(self._clock.ms()):
                    self._tell(other, at, change, sink)

    async def _blocks(self, job: Job, sink: Sink) -> bool:
        """Read the job's blocks; false when there was none to read. DeviceError when the device did not answer."""
        todo = job.unit.asked(job, self._clock.ms())
        todo.reverse()
        extra, errors, good = EXTRA, [], 0
        while todo:
            block = todo.pop()
            try:
                await self._block(job.unit, block, sink)
                good += 1
            except DeviceError as error:
                if error.kind != "exception" or error.code in DEAD:
                    raise
                if error.code not in REFUSALS:
                    errors.append(error)
                    self._stumbled(job.unit, block, error, sink)
                    continue
                good += 1
                if job.unit.took_back(block, self._clock.ms()):
                    return await self._blocks(job, sink)
                parts = job.unit.divide(job, block, self._clock.ms()) if error.code != 1 else []
                if parts and extra >= len(parts):
                    extra -= len(parts)
                    todo.extend(reversed(parts))
                elif not parts:
                    self._refused(job.unit, block, error, sink)
        if errors and not good:
            raise errors[0]
        return bool(good)

    async def _block(self, unit: Unit, block: Watched, sink: Sink) -> None:
        data = await self._read(unit, block.read)
        change = block.report.update(data, self._clock.ms())
        if change:
            self._tell(unit, block.report.stamp, change, sink)
        if block.error or block.failures:
            unit.accept(block)

    async def _read(self, unit: Unit, read: Read) -> bytes:
        unit.counts["requests"] += 1
        try:
            data = await self._connection.read(
                unit.device.id, unit.device.unit, read, unit.timeout, quiet=unit.limits.delay
            )
        except DeviceError as error:
            unit.meter.failed(error.kind)
            raise
        unit.meter.answered(self._connection.took)
        return data

    async def _identify(self, unit: Unit) -> None:
        """Ask which firmware the device has, where its profile says how; a device that does not tell has none."""
        if unit.firmware is None:
            return
        try:
            unit.found_firmware(await self._read(unit, unit.firmware))
        except DeviceError as error:
            log.info("%s does not tell its firmware: %s", unit.device.id, error)

    def _stumbled(self, unit: Unit, block: Watched, error: DeviceError, sink: Sink) -> None:
        """The device answered that it can't just now; only when that goes on its points are bad."""
        block.failures += 1
        if block.failures >= PATIENCE:
            block.error = str(error).partition(": ")[2]
            self._tell_lost(unit, block, sink)

    def _refused(self, unit: Unit, block: Watched, error: DeviceError, sink: Sink) -> None:
        unit.refuse(block, str(error).partition(": ")[2], self._clock.ms())
        self._tell_lost(unit, block, sink)

    def _tell_lost(self, unit: Unit, block: Watched, sink: Sink) -> None:
        change = block.report.lost(Quality.COMM, self._clock.ms())
        if change:
            self._tell(unit, block.report.stamp, change, sink)

    def _tell(self, unit: Unit, at: int, change: Change, sink: Sink) -> None:
        """A unit that was taken away in the middle of its poll has nothing more to tell."""
        if unit in self._current:
            sink.add(unit.device.asset, at, *change)
