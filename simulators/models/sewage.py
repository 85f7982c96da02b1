"""The sewage model: a sump that fills over the day, floats, and a pair of pumps that empty it in turn; pure.

Everything here is a level that moves in straight lines between instants at which something switches. So time is walked
from one such instant to the next, and a leap is as exact as many small steps.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, limited
from simulators.models.water import PIECE, TICK, TINY, demand, seconds_until

STOP, START, HIGH, BACKUP, OVERFLOW, BRIM = 0.5, 1.2, 1.7, 1.85, 2.2, 2.3
"""m: the duty pump stops and starts; high float, which calls every pump; its backup; overflow float; it spills."""
HYSTERESIS = 0.1
"""m that a float falls before it lets go."""
MARKS = (STOP, START, OVERFLOW, BRIM, HIGH, BACKUP, HIGH - HYSTERESIS, BACKUP - HYSTERESIS, OVERFLOW - HYSTERESIS)
BLOCKED = 1.3
"""Share of the ordinary current that a blocked pump takes."""
HEAD, EFFICIENCY, POWER_FACTOR = 0.15, 0.45, 0.7
"""MPa that a pump lifts against; of pump and motor; power factor times the motor's own efficiency."""


@dataclass(slots=True)
class SumpPump:
    """One submersible pump: `run_for` s since its start, `hot_for` s of running blocked, `begun`: its last starts."""

    run: bool = False
    off: bool = False
    tripped: bool = False
    run_for: float = 0.0
    hot_for: float = 0.0
    seconds: float = 0.0
    starts: int = 0
    begun: deque[float] = field(default_factory=deque)

    @property
    def ready(self) -> bool:
        """Whether the controller may have it."""
        return not (self.off or self.tripped)


class Sewage(Model):
    """A sump of `area` m2 with pumps of `flow` m3/h each, that start in turn."""

    FAULTS = frozenset({"sewage_blocked", "sewage_overflow"})
    ACTS = frozenset({"reset", "pump_off", "pump_auto"})

    def __init__(
        self, random: Random, *, pumps: int = 2, flow: float = 20.0, area: float = 4.0, epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self.pumps = [SumpPump(seconds=3600.0 * (1900 - 60 * k), starts=9400 - 250 * k) for k in range(pumps)]
        self.level, self.duty = 1.1, 0
        self._flow, self._area = flow / 3600, area
        self._current = flow * HEAD / 3.6 / EFFICIENCY / (math.sqrt(3) * 0.38 * POWER_FACTOR)
        self._noise = Wander(random, 0.008, 5.0)
        self._clock = 0.0
        self._called = self._high = self._backup = self._overflow = False
        self._victim = 1

    def began(self, fault: str) -> None:
        """Blocks one pump (`pump`), by default (0) the one whose turn it is."""
        if fault == "sewage_blocked":
            self._victim = int(self.param(fault, "pump", 0.0)) or self.duty + 1

    def ended(self, fault: str) -> None:
        """The pumps that were blocked are clean again and reset."""
        both = fault == "sewage_overflow"
        self._reset(self.pumps if both else self.pumps[self._victim - 1 : self._victim])

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """Reset, switch off or switch to automatic one pump (`pump`), or every one (0)."""
        number = int(params.get("pump", 0.0 if act == "reset" else 1.0))
        chosen = self.pumps if number == 0 else self.pumps[number - 1 : number]
        if act == "reset":
            self._reset(chosen)
            return
        for pump in chosen:
            pump.off = act == "pump_off"
            if pump.off:
                self._stop(pump)

    def drift(self, dt: float) -> None:
        """From one instant at which something switches to the next."""
        self._noise.step(dt)
        self._switch()
        while dt > 1e-9:
            piece = min(dt, PIECE)
            rate = self._rate(self._inflow(self.hour - (dt - piece / 2) / 3600))
            piece = min(piece, self._next(rate))
            self._move(piece, rate)
            self._switch()
            dt -= piece

    def values(self) -> dict[str, Value]:
        """The points of the pump controller and of the sump."""
        found: dict[str, Value] = {
            "sump.level": self.level,
            "sump.high_float": self._high,
            "sump.high_backup": self._backup,
            "sump.overflow_float": self._overflow,
            "sump.duty_pump": self.duty + 1,
            "starts_last_hour": sum(self._recent(pump) for pump in self.pumps),
            "mains_ok": self.powered,
            "control.fail": False,
            "cabinet.door": False,
        }
        for number, pump in enumerate(self.pumps, 1):
            found.update(self._pump_values(number, pump))
        return found

    def _pump_values(self, number: int, pump: SumpPump) -> dict[str, Value]:
        key = f"pump[{number}]."
        share = (BLOCKED if self._blocked(number) else 1.0) * (1.0 + self._noise.value)
        return {
            key + "run": pump.run,
            key + "fault": pump.tripped,
            key + "thermal": pump.tripped,
            key + "available": pump.ready,
            key + "mode": 4 if pump.off else 2,
            key + "seal_leak": False,
            key + "moisture": False,
            key + "current": self._current * share if pump.run else 0.0,
            key + "starts": pump.starts,
            key + "starts_last_hour": self._recent(pump),
            key + "run_hours": pump.seconds / 3600,
            key + "cont_run_time": pump.run_for,
        }

    def _blocked(self, number: int) -> bool:
        return self.on("sewage_overflow") or (self.on("sewage_blocked") and self._victim == number)

    def _inflow(self, hour: float) -> float:
        """m3/s that run in: with the hour of the day, or so much that the level rises as the fault says (m in 10 min).

        One clean pump always gives more.
        """
        usual = 0.3 * self._flow * demand(hour % 24)
        rises = [self.param(fault, "rise", 0.5) for fault in self.active]
        return max(usual, min(max(rises) * self._area / 600, 0.6 * self._flow)) if rises else usual

    def _rate(self, inflow: float) -> float:
        """m/s by which the level rises or falls now."""
        clean = sum(pump.run and not self._blocked(number) for number, pump in enumerate(self.pumps, 1))
        rate = (inflow - clean * self._flow) / self._area
        return 0.0 if rate > 0 and self.level >= BRIM else rate

    def _next(self, rate: float) -> float:
        """Seconds until the next thing switches."""
        marks = min(seconds_until(self.level, mark, rate) for mark in MARKS)
        hot = [self._tolerance() - pump.hot_for for number, pump in enumerate(self.pumps, 1)
               if pump.run and self._blocked(number)]  # fmt: skip
        return max(TICK, min([marks, *hot]))

    def _tolerance(self) -> float:
        """Seconds of running blocked after which the thermal relay trips."""
        return min((self.param(fault, "trip_after", 480.0) for fault in self.active), default=480.0)

    def _move(self, dt: float, rate: float) -> None:
        self._clock += dt
        self.level = limited(self.level + rate * dt, 0.0, BRIM)
        for number, pump in enumerate(self.pumps, 1):
            if pump.run:
                pump.seconds += dt
                pump.run_for += dt
                pump.hot_for = pump.hot_for + dt if self._blocked(number) else 0.0

    def _switch(self) -> None:
        """Floats, thermal relays, then the pumps: one from its start level on, all from the high float on."""
        self._high, self._backup, self._overflow = (
            self.level >= mark - TINY or (up and self.level > mark - HYSTERESIS)
            for up, mark in ((self._high, HIGH), (self._backup, BACKUP), (self._overflow, OVERFLOW))
        )
        for pump in self.pumps:
            if pump.hot_for >= self._tolerance() - TINY:
                pump.tripped = True
                self._stop(pump)
        if self._called and self.level <= STOP + TINY:
            self._called = False
            for pump in self.pumps:
                self._stop(pump)
            self.duty = self._after(self.duty)
        elif not self._called and self.level >= START - TINY:
            self._called = True
            self.duty = self.duty if self.pumps[self.duty].ready else self._after(self.duty)
        for index, pump in enumerate(self.pumps):
            if not self.powered:
                self._stop(pump)
            elif self._called and (self._high or index == self.duty):
                self._start(pump)

    def _after(self, index: int) -> int:
        """The next pump in turn that can be had; the next one at all when none can."""
        turn = [(index + step) % len(self.pumps) for step in range(1, len(self.pumps) + 1)]
        return next((other for other in turn if self.pumps[other].ready), turn[0])

    def _start(self, pump: SumpPump) -> None:
        if pump.ready and not pump.run:
            pump.run = True
            pump.starts += 1
            pump.begun.append(self._clock)
            while pump.begun[0] < self._clock - 3600.0:
                pump.begun.popleft()

    @staticmethod
    def _stop(pump: SumpPump) -> None:
        pump.run, pump.run_for, pump.hot_for = False, 0.0, 0.0

    @staticmethod
    def _reset(pumps: Sequence[SumpPump]) -> None:
        for pump in pumps:
            pump.tripped = False

    def _recent(self, pump: SumpPump) -> int:
        """Starts within the last hour."""
        return sum(begun > self._clock - 3600.0 for begun in pump.begun)
