"""The sump engine: water comes into a pit, floats start and stop pumps in turn, thermal relays trip; pure.

Between two events the level moves along a line, so time is cut where something switches (a mark reached, a relay
tripped) and where the inflow changes with the hour, and nowhere else: a leap of any length is exact.

The start level calls one pump, the high float all that can be had; they run until the stop level, and then it is the
next one's turn. Nothing runs while the board is dead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, NamedTuple

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, limited
from simulators.models.rooms.outdoors import cells
from simulators.models.water.water import TINY, seconds_until

BOTTOM, TOP = 0.05, 2.3
"""m above the floor: no pump draws water any more; the pit runs over."""
SWING = 0.1
"""m by which the water must fall again before a float does."""
BLOCKED, DRY = 1.3, 0.6
"""Share of the ordinary current that a pump takes when it is blocked, when it draws air."""
RIPPLE, UNREST = 0.003, 0.004
"""Standard deviations of the level (m) and of a current (as a share of it)."""


class Levels(NamedTuple):
    """m above the floor: pumps stop; one starts; the high float, which starts all; its backup; the overflow float."""

    stop: float
    start: float
    high: float
    backup: float
    overflow: float


@dataclass(slots=True)
class SumpPump:
    """One submersible pump; `seconds` of running in all, `run_for` since its last start, `hot_for` of them blocked."""

    running: bool = False
    off: bool = False
    tripped: bool = False
    seconds: float = 0.0
    run_for: float = 0.0
    hot_for: float = 0.0
    starts: int = 0
    begun: deque[float] = field(default_factory=lambda: deque(maxlen=120))

    @property
    def ready(self) -> bool:
        """Whether the controller may have it."""
        return not (self.off or self.tripped)

    def start(self, now: float) -> None:
        """It runs, unless it can't or does already."""
        if self.ready and not self.running:
            self.running = True
            self.starts += 1
            self.begun.append(now)

    def stop(self) -> None:
        """It stands, and cools."""
        self.running, self.run_for, self.hot_for = False, 0.0, 0.0

    def go(self, dt: float, *, blocked: bool) -> None:
        """Count `dt` seconds of running, if it does."""
        if self.running:
            self.seconds += dt
            self.run_for += dt
            self.hot_for = self.hot_for + dt if blocked else 0.0

    def lately(self, now: float) -> int:
        """Starts within the last hour."""
        return sum(now - begun < 3600 for begun in self.begun)

    def reset(self) -> None:
        """The thermal relay is set again; it trips again while the cause is there."""
        self.tripped = False

    def switch(self, *, off: bool) -> None:
        """By hand, off or to automatic."""
        self.off = off
        if off:
            self.stop()


class Sump(Model):
    """A pit of `area` m2 with pumps of `flow` m3/h and `current` A each. Subclasses answer `comes`."""

    LEVELS: ClassVar[Levels]
    ONE: ClassVar[str]
    """The fault that blocks one pump: `pump`, or (0) the one whose turn it is; a set with fewer pumps counts round."""
    ALL: ClassVar[str]
    """The fault that blocks every pump."""
    TOLERANCE: ClassVar[float]
    """Seconds of running blocked after which the thermal relay trips, unless a fault says it (`trip_after`)."""

    def __init__(
        self, random: Random, *, pumps: int, flow: float, area: float, current: float, epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self.pumps = [SumpPump(seconds=3600.0 * (1900 - 60 * k), starts=9400 - 250 * k) for k in range(pumps)]
        self.level, self.inflow, self.duty = self.LEVELS.stop, 0.0, 0
        self.flow, self.area = flow, area
        self._current = current
        self._noise = Wander(random, 1.0, 5.0)
        self._called, self._floats = False, (False, False, False)
        self._victim = 0
        self._marks = (BOTTOM, TOP, *self.LEVELS, *(mark - SWING for mark in self.LEVELS[2:]))

    def comes(self, hour: float) -> float:
        """m3/h that run in at an hour of the day."""
        raise NotImplementedError

    @property
    def held(self) -> bool:
        """Whether the float that starts and stops the pumps hangs up, so that they are called and not let go."""
        return False

    def began(self, fault: str) -> None:
        """A blocked pump stays the same one, whosever turn it is."""
        if fault == self.ONE:
            number = int(self.param(fault, "pump", 0.0))
            self._victim = (number - 1) % len(self.pumps) if number else self.duty

    def ended(self, fault: str) -> None:
        """A person has cleared the pumps and reset their relays."""
        if fault in (self.ONE, self.ALL):
            for pump in self.pumps:
                pump.reset()

    def advance(self, dt: float) -> None:
        """Ripples on the water, and in the currents."""
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Water in, water out, from event to event."""
        now = self.seconds - dt
        for hour, seconds in cells(self.epoch, dt, self.zone):
            self.inflow, until = self.comes(hour), now + seconds
            while until - now > TINY:
                self._switch(now)
                rate = self._rate()
                piece = min([until - now, *self._events(rate)])
                self._move(piece, rate)
                now += piece
        self._switch(now)

    def values(self) -> dict[str, Value]:
        """The points of the pit and of the pump controller."""
        high, backup, overflow = self._floats
        found: dict[str, Value] = {
            "sump.level": self.level + RIPPLE * self._noise.value,
            "sump.high_float": high,
            "sump.high_backup": backup,
            "sump.overflow_float": overflow,
            "sump.duty_pump": self.duty + 1,
            "starts_last_hour": sum(pump.lately(self.seconds) for pump in self.pumps),
            "mains_ok": self.powered,
            "control.fail": False,
            "cabinet.door": False,
        }
        for index, pump in enumerate(self.pumps):
            found.update(self._pump_values(index, pump))
        return found

    def _pump_values(self, index: int, pump: SumpPump) -> dict[str, Value]:
        key = f"pump[{index + 1}]."
        share = BLOCKED if self._blocked(index) else DRY if self.level <= BOTTOM + TINY else 1.0
        return {
            key + "run": pump.running,
            key + "fault": pump.tripped,
            key + "thermal": pump.tripped,
            key + "available": pump.ready,
            key + "mode": 4 if pump.off else 2,
            key + "seal_leak": False,
            key + "moisture": False,
            key + "current": self._current * share * (1 + UNREST * self._noise.value) if pump.running else 0.0,
            key + "starts": pump.starts,
            key + "starts_last_hour": pump.lately(self.seconds),
            key + "run_hours": pump.seconds / 3600,
            key + "cont_run_time": pump.run_for,
        }

    def _blocked(self, index: int) -> bool:
        return self.on(self.ALL) or (self.on(self.ONE) and index == self._victim)

    def _tolerance(self) -> float:
        return min((self.param(fault, "trip_after", self.TOLERANCE) for fault in self.active), default=self.TOLERANCE)

    def _rate(self) -> float:
        """m/s by which the level moves; it stands at the bottom and at the top."""
        out = sum(self.flow for index, pump in enumerate(self.pumps) if pump.running and not self._blocked(index))
        rate = (self.inflow - out) / 3600 / self.area
        ends = (rate < 0 and self.level <= BOTTOM + TINY) or (rate > 0 and self.level >= TOP - TINY)
        return 0.0 if ends else rate

    def _events(self, rate: float) -> Iterator[float]:
        """Seconds until each thing that may change what runs."""
        for mark in self._marks:
            if abs(mark - self.level) > TINY:
                yield seconds_until(self.level, mark, rate)
        for index, pump in enumerate(self.pumps):
            if pump.running and self._blocked(index):
                yield self._tolerance() - pump.hot_for

    def _move(self, dt: float, rate: float) -> None:
        self.level = limited(self.level + rate * dt, BOTTOM, TOP)
        for index, pump in enumerate(self.pumps):
            pump.go(dt, blocked=self._blocked(index))

    def _switch(self, now: float) -> None:
        """Floats, thermal relays, then the pumps."""
        high, backup, overflow = (
            self.level >= mark - TINY or (up and self.level > mark - SWING + TINY)
            for up, mark in zip(self._floats, self.LEVELS[2:], strict=True)
        )
        self._floats = high, backup, overflow
        for pump in self.pumps:
            if pump.hot_for and pump.hot_for >= self._tolerance() - TINY:
                pump.tripped = True
            if pump.tripped or not self.powered:
                pump.stop()
        self._call()
        for index, pump in enumerate(self.pumps):
            if self.powered and self._called and (high or index == self.duty):
                pump.start(now)

    def _call(self) -> None:
        """The start level calls until the stop level; a pump that can't be had misses its turn."""
        if not self._called:
            self._called = self.held or self.level >= self.LEVELS.start - TINY
            if self._called and not self.pumps[self.duty].ready:
                self.duty = self._next()
        elif not self.held and self.level <= self.LEVELS.stop + TINY:
            self._called = False
            for pump in self.pumps:
                pump.stop()
            self.duty = self._next()

    def _next(self) -> int:
        """The next pump in turn that can be had; the next one at all when none can."""
        turn = [(self.duty + step) % len(self.pumps) for step in range(1, len(self.pumps) + 1)]
        return next((index for index in turn if self.pumps[index].ready), turn[0])
