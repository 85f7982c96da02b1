"""The booster set model: speed-controlled pumps in parallel hold a pressure, come and go as needed, and fail; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from simulators.models.physics import lag, limited, ramp
from simulators.models.water.pump_curve import FULL_SPEED, LOWEST, Pump
from simulators.models.water.pump_cycle import CYCLES, Cycle
from simulators.models.water.pump_set_state import DRIVE_OVERCURRENT, DRY_RUNNING, PumpSetState
from simulators.models.water.water import MIDDAY, PIECE, demand, operate

DRY_OUTLET, NO_PUMP_OUTLET = 0.1, 0.045
"""MPa that are left at the outlet of pumps full of air, and when no pump runs."""
STORAGE = 20.0
"""Seconds in which a midday's demand takes most of the pressure out of the pipes when no pump gives any."""
START_AFTER, STOP_AFTER = 3.0, 30.0
"""Seconds that one more pump must be needed before it starts, that one must be idle before it stops."""
TRIPS = ("vfd_trip", "vfd_trip_no_standby")


class PumpSet(PumpSetState):
    """A booster set of equal pumps in parallel; `flow` is the rated one of each, m3/h, `tank` in m3."""

    FAULTS = frozenset(
        {
            "bearing_wear",
            "cavitation",
            "dry_run",
            "flood",
            "pipe_burst",
            "slow_leak",
            "supply_loss",
            "tank_overflow",
            "water_quality",
            *CYCLES,
            *TRIPS,
        }
    )
    ACTS = frozenset({"reset", "pump_off", "pump_auto"})

    def __init__(
        self,
        random: Random,
        *,
        pumps: int = 3,
        setpoint: float = 0.6,
        flow: float = 16.0,
        tank: float = 40.0,
        epoch: float = 0.0,
    ) -> None:
        super().__init__(random, pumps=pumps, setpoint=setpoint, flow=flow, tank=tank, epoch=epoch)
        self._peak = 0.78 * flow * max(1, pumps - 1) / math.sqrt(setpoint)
        self._timer = 0.0
        for pump in self.pumps[: max(1, math.ceil(demand(self.hour) * (pumps - 1)))]:
            pump.wanted, pump.run_for = True, 3600.0
        self._settle(0.0)

    def began(self, fault: str) -> None:
        """A stuck sensor keeps what it shows; what cycles, cycles one more pump than is needed."""
        if fault == "stuck_pressure":
            self._frozen = self.shown
        if fault in CYCLES and self._cycled is None:
            idle = [pump for pump in self.pumps if pump.ready and not pump.wanted]
            self._cycled = idle[0] if idle else self.pumps[-1]

    def ended(self, fault: str) -> None:
        """A person has seen to it: drives are reset, the sensor is exchanged."""
        if fault in (*TRIPS, "dry_run", "supply_loss", "pipe_burst"):
            for pump in self.pumps:
                pump.reset()
        elif fault == "stuck_pressure":
            self._frozen = None
        if self._cycling() is None:
            self._cycled = None

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """Reset, switch off or switch to automatic one pump (`pump`), or every one (0)."""
        operate(self.pumps, act, params)

    def advance(self, dt: float) -> None:
        """Protection, staging, control, hydraulics and motors, in this order."""
        self._protect(dt)
        self._stage(dt)
        self._control(dt)
        self._hydraulics(dt)
        self._load()

    def drift(self, dt: float) -> None:
        """The room, demand, counters and temperatures."""
        super().drift(dt)
        self._taps.step(dt)
        self._count_cycles(dt)
        self._volume += self.flow * dt / 3600
        self._run_seconds += dt if any(pump.running for pump in self.pumps) else 0.0
        for pump in self.pumps:
            pump.drift(dt, self.curve.power, dry=self.drawing_air)

    def leap(self, dt: float) -> None:
        """Let `dt` seconds (0 too) go by, in pieces that each end in the balance that their hour asks for."""
        while True:
            piece = min(dt, PIECE)
            super().leap(piece)
            self._settle(piece)
            dt -= piece
            if dt <= 1e-9:
                return

    @property
    def draw(self) -> float:
        """What is drawn, in m3/h at 1 MPa; it grows with the root of the pressure.

        With a burst it is, in the end, what all pumps can give at a third of the set pressure, times the size.
        """
        taken = self._peak * demand(self.hour) * (1.0 + self._taps.value)
        if self.sound:
            return taken
        leaking = self.course("slow_leak", self.param("slow_leak", "seconds", 432_000.0))
        taken += leaking * self.param("slow_leak", "flow", 1.5) / math.sqrt(self.setpoint)
        burst = self.curve.most(1.0, len(self.pumps)) / math.sqrt(self.setpoint / 3)
        burst *= self.param("pipe_burst", "size", 1.0)
        return taken + self.course("pipe_burst", 3.5) * max(0.0, burst - taken)

    def _victims(self) -> list[Pump]:
        """The pumps whose drives can't run now."""
        if self.on("vfd_trip_no_standby"):
            return self.pumps
        return [pump for number, pump in enumerate(self.pumps, 1) if self.struck("vfd_trip", number)]

    def _protect(self, dt: float) -> None:
        """Drives trip after a second of running with their fault; pumps that run dry are stopped after a while."""
        for pump in self._victims():
            if pump.run_for > 1.0:
                pump.trip(DRIVE_OVERCURRENT)
        running = [pump for pump in self.pumps if pump.running]
        self._dry_for = self._dry_for + dt if self.drawing_air and running else 0.0
        if self._dry_for >= self.param("dry_run", "trip_after", 120.0):
            for pump in running:
                pump.trip(DRY_RUNNING)

    def _stage(self, dt: float) -> None:
        """One more pump when those that run can't hold the pressure; one less when the others can do it alone."""
        if not self.powered:
            self._timer = 0.0
            return
        if (cycling := self._cycling()) and self._cycled:
            cycle, age = cycling
            self._cycled.wanted = self._cycled.ready and not cycle.stands(age)
        wanted, ready = self._staged()
        if ready and self._short(len(wanted)):
            self._timer = max(self._timer, 0.0) + dt
            if self._timer >= START_AFTER:
                self._start(ready[0])
        elif self._spare(len(wanted)):
            self._timer = min(self._timer, 0.0) - dt
            if self._timer <= -STOP_AFTER:
                wanted[-1].wanted, self._timer = False, 0.0
        else:
            self._timer = 0.0

    def _staged(self) -> tuple[list[Pump], list[Pump]]:
        """(those that run by the demand, those that may be added); a pump that cycles is neither."""
        own = [pump for pump in self.pumps if pump is not self._cycled]
        ready = [pump for pump in own if pump.ready and not pump.wanted and not self.drawing_air]
        return [pump for pump in own if pump.wanted], ready

    def _short(self, count: int) -> bool:
        """Whether `count` pumps are too few."""
        if count == 0 or self._cycled:
            return count == 0
        each = self.draw * math.sqrt(self.setpoint) / count
        return each > 1.05 * self.curve.flow or self.curve.speed(self.setpoint, count, self.draw) > 0.985

    def _spare(self, count: int) -> bool:
        """Whether one pump less than `count` would do."""
        if count < 2 or self._cycled:
            return False
        each = self.draw * math.sqrt(self.setpoint) / (count - 1)
        return each < 0.85 * self.curve.flow and self.curve.speed(self.setpoint, count - 1, self.draw) < 0.95

    def _start(self, pump: Pump) -> None:
        pump.wanted, self._timer = True, 0.0
        pump.starts += 1

    def _cycling(self) -> tuple[Cycle, float] | None:
        """What makes a pump cycle now, at the period asked for, and its age."""
        for fault, cycle in CYCLES.items():
            if (age := self.age(fault)) is not None:
                return replace(cycle, period=self.param(fault, "period", cycle.period)), age
        return None

    def _count_cycles(self, dt: float) -> None:
        if (cycling := self._cycling()) and self._cycled and self._cycled.ready:
            cycle, age = cycling
            self._cycled.starts += cycle.starts(max(0.0, age - dt), age)

    def _control(self, dt: float) -> None:
        """All drives follow one speed: the one that the demand needs, more when the pressure is low."""
        error = (self.setpoint - self.pressure) / self.setpoint
        count = max(1, sum(pump.wanted for pump in self.pumps))
        needed = self.curve.speed(self.setpoint, count, self.draw)
        self.speed = ramp(self.speed, limited(needed + error, LOWEST / FULL_SPEED, 1.0), dt, 0.1)
        for pump in self.pumps:
            pump.freq = (
                ramp(pump.freq, self.speed * FULL_SPEED if pump.wanted else 0.0, dt, 14.0) if self.powered else 0.0
            )

    def _hydraulics(self, dt: float) -> None:
        """Towards the pressure where what the pumps give is what the building draws; as fast as the pipes empty."""
        target = self._balance()
        emptying = STORAGE * self._peak * MIDDAY / self.draw
        pressure = lag(self.pressure, target, dt, 1.5 if target > self.pressure else max(0.9, emptying))
        if (cycling := self._cycling()) and self._turning():
            cycle, age = cycling
            cycled = cycle.pressure(self.pressure, self.setpoint, age, dt)
            pressure = pressure if cycled is None else cycled
        self.pressure = pressure
        self.flow = lag(self.flow, self._moved(), dt, 0.8)

    def _settle(self, dt: float) -> None:
        """Jump to the balance of the hour, `dt` seconds after the last one."""
        self._protect(dt)
        for _ in self.pumps:
            wanted, ready = self._staged()
            if ready and self._short(len(wanted)):
                self._start(ready[0])
            elif self._spare(len(wanted)):
                wanted[-1].wanted = False
            for pump in self._victims():
                if pump.wanted:
                    pump.trip(DRIVE_OVERCURRENT)
        count = max(1, sum(pump.wanted for pump in self.pumps))
        needed = 1.0 if self.drawing_air else self.curve.speed(self.setpoint, count, self.draw)
        self.speed = limited(needed, LOWEST / FULL_SPEED, 1.0)
        for pump in self.pumps:
            pump.freq = self.speed * FULL_SPEED if pump.wanted and self.powered else 0.0
        self.pressure = self._balance()
        self.flow = self._moved()
        self._load()

    def _turning(self) -> int:
        """How many pumps turn fast enough to give water."""
        if self.drawing_air:
            return 0
        return sum(pump.freq > 0.8 * self.speed * FULL_SPEED for pump in self.pumps)

    def _balance(self) -> float:
        """The pressure that the pumps and the building come to."""
        if self.drawing_air:
            return DRY_OUTLET
        turning = self._turning()
        return self.curve.pressure(self.speed, turning, self.draw) if turning else NO_PUMP_OUTLET

    def _moved(self) -> float:
        """What the pumps give at the pressure there is, m3/h; cavitation makes it unsteady."""
        most = self.curve.most(self.speed, self._turning())
        unsteady = 1.0 + 0.1 * math.sin(self.seconds * 5.0) if self.on("cavitation") else 1.0
        return min(most, self.draw * math.sqrt(self.pressure)) * unsteady

    def _load(self) -> None:
        """Power and current of every motor; a cavitating pump takes a little less, and not steadily."""
        each = self.flow / max(1, self._turning())
        unsteady = 0.94 + 0.04 * math.sin(self.seconds * 5.0) if self.on("cavitation") else 1.0
        for pump in self.pumps:
            if not pump.running:
                pump.power = pump.current = 0.0
                continue
            share = pump.freq / FULL_SPEED
            pump.power = self.curve.kilowatts(share, each, dry=self.drawing_air) * unsteady
            pump.current = self.curve.amperes(pump.power)
