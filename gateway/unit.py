"""Pure: one polled device: its planned blocks, what they have told, what was refused, how it is.

Refused reads are learnt from: a block answered with an illegal-address exception is cut in two until the registers
that the device really lacks stand alone; those are told as bad (COMM), counted and shown, left out, and tried again
from time to time. The others keep their values. What was learnt is forgotten when the device was gone: after a
restart it may have grown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from facility.assets import Device
from facility.points import Limits, Point, Profile
from facility.readings import Quality
from facility.wire import DeviceStatus
from gateway import health
from gateway.codec import Block
from gateway.health import Health, State
from gateway.planner import Cycle, Read, halves, schedule
from gateway.report import HEARTBEAT, BlockReport, Change

RETRY_REFUSED = 60.0
"""Seconds until registers that were refused one by one are tried again."""
PATIENCE = 3
"""Failed answers of one block in a row after which its points are told as bad, the others of the device going on."""


class Watched:
    """One read and what it has told. `refused_until` is monotonic seconds, 0 while the block is read."""

    def __init__(self, read: Read, points: Mapping[str, Point], heartbeat: int) -> None:
        self.read = read
        self.report = BlockReport(Block(read, points), heartbeat)
        self.refused_until = 0.0
        self.failures = 0
        self.error = ""


class Job:
    """The blocks of one interval class of a unit."""

    def __init__(self, unit: Unit, cycle: Cycle) -> None:
        self.unit = unit
        self.interval = cycle.interval
        self.planned = cycle.reads
        self.blocks: list[Watched] = []
        self.reset()

    def reset(self) -> None:
        """Back to the plan, as if nothing had ever been read."""
        self.blocks = [self.unit.watch(read) for read in self.planned]

    def split(self, block: Watched) -> list[Watched]:
        """Put two halves in the place of a refused block; empty when it can't be cut."""
        parts = [self.unit.watch(read) for read in halves(block.read, self.unit.limits)]
        if parts:
            index = self.blocks.index(block)
            self.blocks[index : index + 1] = parts
        return parts


class Unit:
    """One device behind a connection. ValueError when its profile asks for what no request can read."""

    def __init__(
        self, device: Device, profile: Profile, points: Mapping[str, Point], heartbeat: int = HEARTBEAT
    ) -> None:
        self.device = device
        self.limits: Limits = profile.limits
        self.health = Health()
        self.counts = {"requests": 0, "failures": 0, "overruns": 0, "refused": 0}
        self._points = points
        self._heartbeat = heartbeat
        self.jobs = [Job(self, cycle) for cycle in schedule(profile, device, points)]
        self.interval = min((job.interval for job in self.jobs), default=1.0)

    def watch(self, read: Read) -> Watched:
        """A block that has told nothing yet."""
        return Watched(read, self._points, self._heartbeat)

    def succeeded(self) -> None:
        """After a poll that the device answered."""
        back = self.health.was_down and not self.health.successes
        self.health = health.succeeded(self.health)
        if back and self.refused():
            for job in self.jobs:
                job.reset()
            self.counts["refused"] = 0

    def failed(self, at: float, error: str, jitter: float) -> bool:
        """After a poll that it did not; true when the device has just gone down."""
        before = self.health.state
        self.counts["failures"] += 1
        self.health = health.failed(self.health, at, interval=self.interval, error=error, jitter=jitter)
        return self.health.state is State.DOWN and before is not State.DOWN

    def lost(self, now: int) -> Iterator[tuple[int, Change]]:
        """What has to be told when the device is down, each with its instant in ms."""
        for job in self.jobs:
            for block in job.blocks:
                change = block.report.lost(Quality.COMM, now)
                if change:
                    yield block.report.stamp, change

    def refuse(self, block: Watched, error: str, until: float) -> None:
        """A block that can't be cut any further is left out until then."""
        if not block.refused_until:
            self.counts["refused"] += len(block.read.registers)
        block.refused_until, block.error = until, error

    def accept(self, block: Watched) -> None:
        """A block was answered: it is refused no longer."""
        if block.refused_until:
            self.counts["refused"] -= len(block.read.registers)
        block.refused_until, block.failures, block.error = 0.0, 0, ""

    def refused(self) -> list[Watched]:
        """The blocks that give nothing although the device answers."""
        return [block for job in self.jobs for block in job.blocks if block.error]

    def status(self) -> DeviceStatus:
        """As the gateway tells it; up with refused registers is failing, and says which."""
        if self.health.state is State.UP and (bad := self.refused()):
            points = [register.point for block in bad for register in block.read.registers]
            more = f" and {len(points) - 5} more" if len(points) > 5 else ""
            return DeviceStatus(State.FAILING, f"no value for {', '.join(points[:5])}{more}: {bad[0].error}")
        return DeviceStatus(self.health.state, self.health.error)
