"""The drainage pit model: water comes in, floats start and stop pumps in turn; pure.

Between two events the level moves along a line, so time is cut at events (a level reached, a pump tripped) and nowhere
else: a leap of any length is exact. The duty pump starts at START; the others are started by the high float, as in a
cabinet that knows floats only. The pumps take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.outdoors import cells, occupancy
from simulators.models.physics import Wander, limited

BOTTOM, STOP, START, HIGH, BACKUP, OVERFLOW, TOP = 0.05, 0.4, 1.0, 1.4, 1.6, 2.0, 2.3
"""m above the floor of the pit; at TOP it runs over."""
EDGE = 1e-9
SWING = 0.15
"""m by which the water must fall again before the high float does."""
TRIP_SECONDS = 60.0
"""A blocked motor takes 130 % of its current so long until its thermal protection trips."""
RATED_CURRENT = 8.0


@dataclass(slots=True)
class Pump:
    """One pump; `seconds` of running, `lasted` of them since its last start, `blocked` of them without turning."""

    running: bool = False
    tripped: bool = False
    seconds: float = 0.0
    lasted: float = 0.0
    blocked: float = 0.0
    starts: int = 0
    started: deque[float] = field(default_factory=lambda: deque(maxlen=120))


class Pit(Model):
    """A pit of `area` m2 with pumps of `flow` m3/h each."""

    FAULTS = frozenset({"pump_blocked", "pumps_fail", "float_stuck", "inflow_surge"})
    ACTS = frozenset({"clear_pump", "clean_float", "reset_thermal"})

    def __init__(
        self, random: Random, *, pumps: int = 2, area: float = 3.0, flow: float = 20.0, epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self.pumps = [Pump(seconds=3600.0 * (610 - 40 * k), starts=6_400 - 310 * k) for k in range(pumps)]
        self.level = random.uniform(0.45, 0.8)
        self.inflow = 0.5
        self.duty = 0
        self._high = False
        self._area, self._flow = area, flow
        self._noise = Wander(random, 0.003, 5.0)

    def began(self, fault: str) -> None:
        """The blocked pump is the next in turn, or it would not be noticed for a while."""
        if fault == "pump_blocked":
            self.duty = self._victim

    def ended(self, fault: str) -> None:
        """A person has cleared the pumps and reset their protection."""
        if fault in ("pump_blocked", "pumps_fail"):
            self._reset()

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002
        """Clear the pumps, clean the float, or only reset the protection: it trips again while the cause is there."""
        if act == "clear_pump":
            self.end("pump_blocked")
            self.end("pumps_fail")
        elif act == "clean_float":
            self.end("float_stuck")
        self._reset()

    def advance(self, dt: float) -> None:
        """Ripples on the water."""
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Water in, water out, from event to event."""
        now = self.seconds - dt
        for hour, seconds in cells(self.epoch, dt, self.zone):
            self.inflow, left = self._comes(hour), seconds
            while left > EDGE:
                self._switch(now)
                piece = min([left, *self._events()])
                self._move(piece)
                now, left = now + piece, left - piece

    def _comes(self, hour: float) -> float:
        """Inflow in m3/h."""
        usual = 0.8 * (0.6 + 0.8 * occupancy(hour))
        for fault, inflow in (("pump_blocked", 9.0), ("pumps_fail", 9.0), ("inflow_surge", 30.0)):
            if self.on(fault):
                usual = max(usual, self.param(fault, "inflow", inflow))
        return usual

    @property
    def _victim(self) -> int:
        """Place of the pump that is blocked; a pit with fewer pumps counts round."""
        return (int(self.param("pump_blocked", "pump", 1.0)) - 1) % len(self.pumps)

    def _blocked(self, number: int) -> bool:
        return self.on("pumps_fail") or (self.on("pump_blocked") and number == self._victim)

    def _switch(self, now: float) -> None:
        """Start and stop what the floats want, and let a blocked pump trip."""
        for pump in self.pumps:
            if pump.running and pump.blocked >= TRIP_SECONDS - EDGE:
                pump.running, pump.tripped = False, True
        stuck = self.on("float_stuck")
        if self.level <= STOP + EDGE and not stuck:
            if any(pump.running for pump in self.pumps):
                self.duty = (self.duty + 1) % len(self.pumps)
            for pump in self.pumps:
                pump.running = False
        for number, pump in enumerate(self.pumps):
            asked = self.level >= HIGH - EDGE or (number == self.duty and (stuck or self.level >= START - EDGE))
            if asked and not pump.running and not pump.tripped:
                pump.running, pump.lasted, pump.blocked = True, 0.0, 0.0
                pump.starts += 1
                pump.started.append(now)

    @property
    def _rate(self) -> float:
        """m/s by which the level moves; it stands at the bottom and at the top."""
        out = sum(self._flow for number, pump in enumerate(self.pumps) if pump.running and not self._blocked(number))
        rate = (self.inflow - out) / 3600 / self._area
        ends = (rate < 0 and self.level <= BOTTOM + EDGE) or (rate > 0 and self.level >= TOP - EDGE)
        return 0.0 if ends else rate

    def _events(self) -> Iterator[float]:
        """Seconds until each thing that may change what runs."""
        rate = self._rate
        for mark in (BOTTOM, STOP, START, HIGH, TOP):
            away = mark - self.level
            if abs(away) > EDGE and away * rate > 0:
                yield away / rate
        for number, pump in enumerate(self.pumps):
            if pump.running and self._blocked(number):
                yield max(EDGE, TRIP_SECONDS - pump.blocked)

    def _move(self, dt: float) -> None:
        self.level = limited(self.level + self._rate * dt, BOTTOM, TOP)
        self._high = self.level >= (HIGH - SWING if self._high else HIGH) - EDGE
        for number, pump in enumerate(self.pumps):
            if pump.running:
                pump.seconds += dt
                pump.lasted += dt
                pump.blocked = pump.blocked + dt if self._blocked(number) else 0.0

    def _reset(self) -> None:
        for pump in self.pumps:
            pump.tripped, pump.blocked = False, 0.0

    def values(self) -> dict[str, Value]:
        """Every point of the pit."""
        level = self.level
        found: dict[str, Value] = {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch),
            "sump.level": level + self._noise.value,
            "sump.stop_float": level >= STOP or self.on("float_stuck"),
            "sump.high_float": self._high,
            "sump.high_backup": level >= BACKUP - EDGE,
            "sump.overflow_float": level >= OVERFLOW - EDGE,
            "sump.duty_pump": self.duty + 1,
            "inflow_estimate": self.inflow,
            "starts_last_hour": sum(self._lately(pump) for pump in self.pumps),
            "mains_ok": self.powered,
            "cabinet.door": False,
            "control.fail": False,
        }
        for number, pump in enumerate(self.pumps):
            found.update(self._pump(number, pump))
        return found

    def _lately(self, pump: Pump) -> int:
        return sum(self.seconds - started < 3600 for started in pump.started)

    def _pump(self, number: int, pump: Pump) -> dict[str, Value]:
        key = f"pump[{number + 1}]."
        dry = self.level <= BOTTOM + EDGE
        share = 1.3 if self._blocked(number) else 0.6 if dry else 1.0
        return {
            key + "run": pump.running,
            key + "fault": pump.tripped,
            key + "thermal": pump.tripped,
            key + "seal_leak": False,
            key + "moisture": False,
            key + "available": not pump.tripped,
            key + "mode": 2,
            key + "current": RATED_CURRENT * share + 10 * self._noise.value if pump.running else 0.0,
            key + "run_hours": pump.seconds / 3600,
            key + "starts": pump.starts,
            key + "starts_last_hour": self._lately(pump),
            key + "cont_run_time": pump.lasted if pump.running else 0.0,
        }
