"""The fire water model: fire pumps in standby, a jockey pump that keeps the pressure, tanks and signal valves; pure.

In standby the pressure falls slowly to where the jockey starts, and rises to where it stops. Everything moves in
straight lines between instants at which something switches, so time is walked from one such instant to the next, and
a leap is as exact as many small steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, ramp
from simulators.models.water.water import PIECE, TICK, TINY, seconds_until

SWITCH, JOCKEY_ON, JOCKEY_OFF = 0.60, 0.70, 0.76
"""Shares of the fire pumps' pressure: of the switch that starts them; at which the jockey starts and stops."""
DRAWN, ROOF = 0.92, 0.35
"""The same, of what is left while water is drawn: with a pump, and from the roof tank alone."""
BAND = JOCKEY_OFF - JOCKEY_ON
CYCLE, FILL = 450.0, 20.0
"""Seconds from one start of the jockey to the next in a tight network; of its running."""
START_DELAY, FAILED = 2.0, 120.0
"""Seconds of a start command until a pump runs; until the cabinet tells that none does (GB 50974)."""


@dataclass(slots=True)
class FirePump:
    """One fire pump; `commanded` for so many seconds, `test` seconds left of a test run."""

    run: bool = False
    fault: bool = False
    commanded: float = 0.0
    test: float = 0.0


class FireWater(Model):
    """A fire water set whose pumps give `pressure` MPa, with so many signal `valves`.

    The owner sets `fire`: then the panel commands the first pump, and water is drawn.
    """

    FAULTS = frozenset(
        {
            "not_in_auto",
            "start_fails",
            "fire_tank_low",
            "valve_closed",
            "jockey_over_cycling",
        }
    )
    ACTS = frozenset({"reset", "cabinet_manual", "cabinet_auto", "test_run"})

    def __init__(
        self, random: Random, *, pumps: int = 2, pressure: float = 0.9, valves: int = 4, epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self.fire, self.auto = False, True
        self.pumps = [FirePump() for _ in range(pumps)]
        self.outlet, self.tank = (JOCKEY_ON + BAND * random.random()) * pressure, 100.0
        self._pressure, self._valves = pressure, valves
        self._noise = Wander(random, 0.3, 60.0)
        self._jockey, self._clock = False, 0.0
        self._starts = deque(-CYCLE * k - 1.0 for k in range(7, -1, -1))

    def began(self, fault: str) -> None:
        """Somebody turns the cabinet's switch away from automatic."""
        if fault == "not_in_auto":
            self.auto = False

    def ended(self, fault: str) -> None:
        """The switch is back; the starter is repaired and reset."""
        if fault == "not_in_auto":
            self.auto = True
        elif fault == "start_fails":
            self._reset()

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """Turn the cabinet's switch, reset, or run one pump (`pump`) for `seconds` as the weekly test does."""
        if act == "reset":
            self._reset()
        elif act == "test_run":
            number = int(params.get("pump", 1.0))
            for pump in self.pumps[number - 1 : number]:
                pump.test = params.get("seconds", 300.0)
        else:
            self.auto = act == "cabinet_auto"

    def drift(self, dt: float) -> None:
        """From one instant at which something switches to the next."""
        self._noise.step(dt)
        if self.on("fire_tank_low"):
            self.tank = 100.0 - 40.0 * self.course("fire_tank_low", self.param("fire_tank_low", "seconds", 3600.0))
        self._switch()
        while dt > 1e-9:
            goal, rate = self._goal()
            piece = min(dt, PIECE, max(TICK, min(self._events(goal, rate))))
            self._move(piece, goal, rate)
            self._switch()
            dt -= piece

    def values(self) -> dict[str, Value]:
        """The points of the cabinet, the network, the tanks and the valves."""
        low = self.outlet < SWITCH * self._pressure
        standing = JOCKEY_OFF * self._pressure
        found: dict[str, Value] = {
            "fw.cabinet_auto": self.auto,
            "fw.power_a_ok": self.powered,
            "fw.power_b_ok": True,
            "fw.outlet_pressure": self.outlet,
            "fw.hydrant_static_pressure": max(0.0, self.outlet - standing + 0.18),
            "fw.end_test_pressure": max(0.0, self.outlet - standing + 0.14),
            "fw.jockey.run": self._jockey,
            "fw.jockey.starts_per_h": sum(start > self._clock - 3600.0 for start in self._starts),
            "fw.pressure_switch": low,
            "fw.flow_switch": self.fire,
            "fw.alarm_valve_ps": self.fire,
            "fw.tank_level": self.tank,
            "fw.tank_depth": self.tank * 0.04,
            "fw.roof_tank_level": 96.0,
            "fw.roof_tank_depth": 96.0 * 0.02,
            "fw.tank_room_temp": 14.0 + self._noise.value,
            "fw.diesel.battery_v": 26.8,
            "fw.diesel.fuel_level": 92.0,
        }
        for number, pump in enumerate(self.pumps, 1):
            found[f"fw.pump[{number}].run"] = pump.run
            found[f"fw.pump[{number}].fault"] = pump.fault
            found[f"fw.pump[{number}].start_cmd"] = self._told(number, pump)
        closed = self.param("valve_closed", "valve", 1.0) if self.on("valve_closed") else 0.0
        for number in range(1, self._valves + 1):
            found[f"fw.valve[{number}].position"] = number != closed
        return found

    def _told(self, number: int, pump: FirePump) -> bool:
        """Whether a start command stands: of the weekly test, of the panel, or of the pressure switch."""
        fails = self.on("start_fails") and self.param("start_fails", "command", 1.0) > 0
        first = self.fire or fails or self.outlet < SWITCH * self._pressure
        return pump.test > 0.0 or (number == 1 and first)

    def _switch(self) -> None:
        """Commands, then pumps and their fault contacts, then the jockey, which stands while a pump runs."""
        for number, pump in enumerate(self.pumps, 1):
            if not self._told(number, pump):
                pump.commanded = 0.0
            due = pump.commanded >= START_DELAY - TINY
            pump.run = self.auto and due and not self.on("start_fails")
            pump.fault |= self.auto and not pump.run and pump.commanded >= FAILED - TINY
        if self.outlet >= JOCKEY_OFF * self._pressure - TINY or any(pump.run for pump in self.pumps):
            self._jockey = False
        elif self.outlet <= JOCKEY_ON * self._pressure + TINY and not self._jockey:
            self._jockey = True
            self._starts.append(self._clock)
            while self._starts[0] < self._clock - 3600.0:
                self._starts.popleft()

    def _goal(self) -> tuple[float, float]:
        """(where the pressure moves to, MPa/s)."""
        full = self._pressure
        if any(pump.run for pump in self.pumps):
            return full * (DRAWN if self.fire else 1.0), full / 10
        if self.fire:
            return full * ROOF, full / 40
        if self.outlet > JOCKEY_OFF * full + TINY:
            return JOCKEY_OFF * full, full * (1 - JOCKEY_OFF) / FILL
        if self._jockey:
            return JOCKEY_OFF * full, full * BAND / FILL
        cycle = CYCLE
        if self.on("jockey_over_cycling"):
            cycle = 3600.0 / self.param("jockey_over_cycling", "starts", 30.0)
        return JOCKEY_ON * full, full * BAND / (cycle - FILL)

    def _events(self, goal: float, rate: float) -> Iterator[float]:
        """Seconds until each next thing that switches."""
        yield seconds_until(self.outlet, goal, rate if goal > self.outlet else -rate)
        for number, pump in enumerate(self.pumps, 1):
            if self._told(number, pump):
                yield from (after - pump.commanded for after in (START_DELAY, FAILED) if pump.commanded < after - TINY)
            if pump.test > 0.0:
                yield pump.test

    def _move(self, dt: float, goal: float, rate: float) -> None:
        self._clock += dt
        drawing = self.fire and any(pump.run for pump in self.pumps)
        for number, pump in enumerate(self.pumps, 1):
            if self._told(number, pump):
                pump.commanded += dt
            pump.test = max(0.0, pump.test - dt)
        self.outlet = ramp(self.outlet, goal, dt, rate)
        if not self.on("fire_tank_low"):
            self.tank = max(0.0, self.tank - 0.005 * dt) if drawing else ramp(self.tank, 100.0, dt, 0.1)

    def _reset(self) -> None:
        for pump in self.pumps:
            pump.fault, pump.commanded = False, 0.0
