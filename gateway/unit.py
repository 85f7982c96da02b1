"""Pure: one polled device: its planned blocks, what they have told, what it refuses, how it is.

A block that is answered with an illegal-address exception is divided until the registers that the device really lacks
stand alone; what follows from that is in lessons.py. The points that are refused are told as bad (COMM), counted and
shown; the others keep their values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from facility.assets import Device
from facility.points import Limits, Point, Profile, Register
from facility.readings import Quality
from facility.wire import DeviceStatus
from gateway import health
from gateway.codec import Block
from gateway.health import Health, State
from gateway.lessons import Lessons
from gateway.meter import Figures, Meter
from gateway.planner import Read, divided, halves, interval, plan, schedule, wanted
from gateway.report import HEARTBEAT, BlockReport, Change
from gateway.timing import timing

PATIENCE = 3
"""Failed answers of one block in a row after which its points are told as bad, the others of the device going on."""
SHOWN = 5
"""Points that are named one by one when they give nothing."""


class Watched:
    """One read and what it has told. `error` is why it gives nothing although the device answers."""

    def __init__(self, read: Read, points: Mapping[str, Point], heartbeat: int) -> None:
        self.read = read
        self.report = BlockReport(Block(read, points), heartbeat)
        self.failures = 0
        self.error = ""

    @property
    def point(self) -> str:
        """The first point of the read; the only one of a block that is refused."""
        return self.read.registers[0].point


class Job:
    """The blocks of one interval class of a unit. `seconds`: what a round of them is predicted to take."""

    def __init__(self, unit: Unit, every: float) -> None:
        self.unit = unit
        self.interval = every
        self.blocks: list[Watched] = []
        self.took: float | None = None
        """Seconds that the last whole round took."""

    @property
    def seconds(self) -> float:
        """Predicted, from the plan as it is now."""
        return sum(self.unit.pace.read(block.read.size) for block in self.blocks)


class Unit:
    """One device behind a connection. ValueError when its profile asks for what no request can read."""

    def __init__(
        self,
        device: Device,
        profile: Profile,
        points: Mapping[str, Point],
        *,
        heartbeat: int = HEARTBEAT,
        lessons: Lessons | None = None,
    ) -> None:
        self.device = device
        self.profile = profile
        self.limits: Limits = profile.limits
        self.timeout = device.line.timeout or profile.limits.timeout
        self.pace = timing(device.line, profile.limits)
        self.health = Health()
        self.lessons = Lessons() if lessons is None else lessons
        self.is_new = True
        """Until the device has answered for the first time, and again after it was gone."""
        self.meter = Meter()
        self.counts = {"requests": 0, "failures": 0, "overruns": 0, "refused": 0}
        self._points = points
        self._heartbeat = heartbeat
        self._registers = wanted(profile, device)
        self._divided = False
        every = sorted({interval(register, device, points) for register in self._registers})
        self.jobs = [Job(self, seconds) for seconds in every]
        self.interval = min(every, default=1.0)
        self.replan()

    @property
    def registers(self) -> tuple[Register, ...]:
        """What is read of it, under the keys that the device gives them."""
        return self._registers

    @property
    def points(self) -> Mapping[str, Point]:
        """The points of its class."""
        return self._points

    def replan(self) -> None:
        """Plan anew, with all that was learnt, as if nothing had ever been told."""
        refused = self.lessons.refused
        cycles = schedule(self.profile, self.device, self._points, cuts=self.lessons.all_cuts, without=refused)
        planned = {cycle.interval: cycle.reads for cycle in cycles}
        for job in self.jobs:
            job.blocks = [self._watch(read) for read in planned.get(job.interval, ())]
            job.blocks += [self._refused_block(read) for read in plan(self._left_out(job.interval), self.limits)]
        self._count()

    def asked(self, job: Job, now: int) -> list[Watched]:
        """The blocks of a job that are to be read now (ms), in their order."""
        if not self.lessons.refused:
            return list(job.blocks)
        return [block for block in job.blocks if not (block.error and self.lessons.is_left_out(block.point, now))]

    def succeeded(self, job: Job, now: int) -> None:
        """After a poll of `job` that the device answered at `now` (ms)."""
        back = self.health.was_down and not self.health.successes
        self.health = health.succeeded(self.health)
        if back:
            self.lessons.came_back()
        if self._divided:
            self._divided = False
        elif self.lessons.unproven or self.lessons.trial:
            self._prove(job)
        elif self.lessons.cuts and self.lessons.expire(now):
            self.replan()

    def _prove(self, job: Job) -> None:
        """The cut on trial was not needed, if a read across it was answered; on to the next one."""
        if self.lessons.trial is None or any(self._crosses_trial(block) for block in job.blocks):
            while self.lessons.try_without():
                self.replan()
                if any(self._crosses_trial(block) for other in self.jobs for block in other.blocks):
                    return

    def _crosses_trial(self, block: Watched) -> bool:
        if self.lessons.trial is None:
            return False
        table, at = self.lessons.trial
        return block.read.table is table and block.read.address < at < block.read.end

    def took_back(self, block: Watched, now: int) -> bool:
        """Whether a refused block was refused because of the cut on trial; the plan is then as it was before."""
        if not self._crosses_trial(block):
            return False
        self.lessons.needs_trial(now)
        self.replan()
        return True

    def failed(self, at: float, error: str, jitter: float) -> bool:
        """After a poll that it did not; true when the device has just gone down."""
        before = self.health.state
        self.counts["failures"] += 1
        self.health = health.failed(self.health, at, interval=self.interval, error=error, jitter=jitter)
        gone = self.health.state is State.DOWN
        self.is_new = self.is_new or gone
        return gone and before is not State.DOWN

    def lost(self, now: int) -> Iterator[tuple[int, Change]]:
        """What has to be told when the device is down, each with its instant in ms."""
        for job in self.jobs:
            for block in job.blocks:
                change = block.report.lost(Quality.COMM, now)
                if change:
                    yield block.report.stamp, change

    def divide(self, job: Job, block: Watched, now: int) -> list[Watched]:
        """Put two or more blocks in the place of a refused one; empty when it can't be divided."""
        place = divided(block.read)
        if place is None:
            return []
        self.lessons.cut(place, now)
        self._divided = True
        reads = halves(block.read, self.limits, self.pace, self.lessons.all_cuts)
        found = [self._watch(read) for read in reads]
        index = job.blocks.index(block)
        job.blocks[index : index + 1] = found
        return found

    def refuse(self, block: Watched, error: str, now: int) -> None:
        """A block that can't be divided is left out for a while."""
        block.error = error
        for register in block.read.registers:
            self.lessons.refuse(register, error, now)
        self._count()

    def accept(self, block: Watched) -> None:
        """A block was answered: it is refused no longer."""
        block.failures, block.error = 0, ""
        for register in block.read.registers:
            self.lessons.accept(register.point)
        self._count()

    def figures(self) -> Figures:
        """What is measured of it."""
        p50, p99 = self.meter.percentiles()
        took = [job.took for job in self.jobs if job.took is not None]
        return Figures(
            requests=self.counts["requests"],
            overruns=self.counts["overruns"],
            errors=dict(self.meter.errors),
            rtt_p50=p50,
            rtt_p99=p99,
            cycle_predicted=sum(job.seconds for job in self.jobs),
            cycle=sum(took) if len(took) == len(self.jobs) else None,
            bad_points=sum(block.report.bad for job in self.jobs for block in job.blocks),
        )

    def refused(self) -> list[Watched]:
        """The blocks that give nothing although the device answers."""
        return [block for job in self.jobs for block in job.blocks if block.error]

    @property
    def firmware(self) -> Read | None:
        """The read that tells which firmware the device has, where the profile knows one."""
        register = self.profile.firmware
        return Read(register.table, register.address, register.words, (register,)) if register else None

    def found_firmware(self, data: bytes) -> None:
        """The device said which firmware it has; another one than before makes every lesson void."""
        text = data.decode("ascii", "ignore").strip("\0 ")
        if self.lessons.found_firmware(text if text.isprintable() and text else data.hex()):
            self.replan()

    def status(self) -> DeviceStatus:
        """As the gateway tells it; up with refused registers is failing, and says which."""
        if self.health.state is State.UP and (bad := self.refused()):
            points = [register.point for block in bad for register in block.read.registers]
            more = f" and {len(points) - SHOWN} more" if len(points) > SHOWN else ""
            error = f"no value for {', '.join(points[:SHOWN])}{more}: {bad[0].error}"
            return DeviceStatus(State.FAILING, error, self._learnt(), self.meter.share)
        return DeviceStatus(self.health.state, self.health.error, self._learnt(), self.meter.share)

    def _learnt(self) -> str:
        if not self.lessons:
            return ""
        return f"{len(self.lessons.refused)} points refused, {len(self.lessons.cuts)} places not read across"

    def _count(self) -> None:
        self.counts["refused"] = len(self.lessons.refused)

    def _left_out(self, every: float) -> list[Register]:
        """The refused registers of an interval class; they are asked for together when their time comes."""
        return [
            register
            for register in self._registers
            if register.point in self.lessons.refused and interval(register, self.device, self._points) == every
        ]

    def _refused_block(self, read: Read) -> Watched:
        block = self._watch(read)
        block.error = self.lessons.refused[block.point].error
        return block

    def _watch(self, read: Read) -> Watched:
        return Watched(read, self._points, self._heartbeat)
