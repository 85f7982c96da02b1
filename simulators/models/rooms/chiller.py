"""The chiller plant model: a water-cooled chiller holds the chilled water at its set point; pure.

The building's load follows the hour. Where the chiller can give less than the load, the water grows warmer until both
agree: the coils take up in proportion to the difference between room and water. Pressures are those of saturated R134a.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited
from simulators.models.rooms.outdoors import cells, occupancy, warmth

OFF, STARTING, RUNNING = 1, 2, 3
NO_FLOW, OVERLOAD = 1, 4
"""Fault index of a stop for lack of flow, and of the motor protection; this project's numbers."""

ROOM = 24.0
"""Cel to which the water warms when nobody cools it."""
SPAN = 5.0
"""K between entering and leaving water at full load, on both sides."""
START_SECONDS, HOLD_SECONDS = 60.0, 600.0
"""From the start command until it cools; between two compressor starts, so that there are at most six an hour."""
STAGES = 2


def pressure(temperature: float) -> float:
    """Gauge pressure of saturated R134a, kPa, fitted through its table at 5 and 40 Cel (within 1 % from -5 to 50)."""
    return math.exp(15.402 - 2655.0 / (temperature + 273.15)) - 101.3


class Chiller(Model):
    """One chiller of two compressors with its condenser water loop and cooling tower. `rated` is its cooling in kW."""

    FAULTS = frozenset({"chiller_trip", "low_flow", "fouled_condenser", "refrigerant_low"})
    ACTS = frozenset({"reset_chiller", "clean_condenser", "charge_refrigerant"})

    REPAIRS = {
        "reset_chiller": "chiller_trip", "clean_condenser": "fouled_condenser", "charge_refrigerant": "refrigerant_low",
    }  # fmt: skip
    """Act -> the fault that it ends."""

    def __init__(self, random: Random, *, rated: float = 700.0, setpoint: float = 7.0, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.rated, self.setpoint = rated, setpoint
        self.compressors = 1
        self.leaving, self.entering = setpoint, setpoint + 1.5
        self.cw_entering, self.cw_leaving = 26.0, 27.5
        self.cooling = 0.3
        self.tripped = 0
        self.starts = 1_840
        self.fan = True
        self._hours = 6_210.0
        self._starting = self._hold = 0.0
        self._started: deque[float] = deque(maxlen=60)
        self._warmth = Wander(random, 0.04, 20.0)
        self._noise = Wander(random, 0.4, 10.0)

    def began(self, fault: str) -> None:
        """The motor protection stops the chiller at once."""
        if fault == "chiller_trip":
            self._stop(OVERLOAD)

    def ended(self, fault: str) -> None:
        """Somebody has found the cause and reset it; it starts again as soon as it may."""
        if fault in ("chiller_trip", "low_flow"):
            self.tripped = 0

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002
        """A repair ends its fault."""
        self.end(self.REPAIRS[act])

    def advance(self, dt: float) -> None:
        """What the sensors add of their own."""
        self._warmth.step(dt)
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Load, staging and water, hour by hour."""
        now = self.seconds - dt
        for hour, seconds in cells(self.epoch, dt, self.zone):
            left = seconds
            while left > 1e-9:
                piece = min([left, *(timer for timer in (self._hold, self._starting) if timer > 1e-9)])
                self._go(hour, piece, now)
                now, left = now + piece, left - piece

    @property
    def flow(self) -> float:
        """Share of the rated chilled water flow."""
        return 0.3 if self.on("low_flow") else 1.0

    @property
    def cools(self) -> bool:
        """Whether a compressor turns."""
        return self.compressors > 0 and self._starting <= 1e-9

    def _stop(self, why: int) -> None:
        self.tripped, self.compressors, self._starting = why, 0, 0.0

    def _go(self, hour: float, dt: float, now: float) -> None:
        """One piece of time from `now` on in which the load is constant and no timer ends."""
        load = 0.22 + 0.45 * occupancy(hour) + 0.025 * (warmth(hour) - 29.0)
        if self.flow < 0.5 and not self.tripped:
            self._stop(NO_FLOW)
        self._stage(load, now)
        give = self.compressors / STAGES * (1.0 - 0.4 * self._lack) if self.cools else 0.0
        self._water(load, give, dt)
        self._condenser(hour, dt)
        if self.cools:
            self._hours += dt / 3600
        self._starting = max(0.0, self._starting - dt)
        self._hold = max(0.0, self._hold - dt)

    @property
    def _lack(self) -> float:
        """How much of the refrigerant's course has gone by."""
        return self.course("refrigerant_low", self.param("refrigerant_low", "seconds", 1_209_600.0))

    def _stage(self, load: float, now: float) -> None:
        """A second compressor above half load, one below 40 %; no start before the last one is long enough ago."""
        enough = 0.40 if self.compressors == STAGES else 0.52
        wanted = 0 if self.tripped else STAGES if load > enough else 1
        if wanted < self.compressors:
            self.compressors = wanted
        elif wanted > self.compressors and self._hold <= 1e-9:
            if not self.compressors:
                self._starting = START_SECONDS
            self.compressors += 1
            self.starts += 1
            self._started.append(now)
            self._hold = HOLD_SECONDS

    def _water(self, load: float, give: float, dt: float) -> None:
        """Chilled water; `load` and what the chiller can `give` are shares of its rated cooling."""
        warm = ROOM - (ROOM - self.setpoint) * give / load
        target = self.setpoint if give >= load else warm
        self.leaving = lag(self.leaving, target, dt, 300.0 if self.leaving > target else 900.0)
        wanted = load * (ROOM - self.leaving) / (ROOM - self.setpoint)
        self.cooling = limited(wanted + 0.04 * max(0.0, self.leaving - target), 0.0, give)
        self.entering = lag(self.entering, self.leaving + SPAN * self.cooling / self.flow, dt, 60.0)

    def _condenser(self, hour: float, dt: float) -> None:
        """Condenser water from the tower: some kelvin above the wet bulb, more of them with more heat."""
        heat = 1.2 * self.cooling
        self.cw_entering = lag(self.cw_entering, warmth(hour) - 4.0 + 3.0 * heat, dt, 300.0)
        self.cw_leaving = lag(self.cw_leaving, self.cw_entering + SPAN * heat / 1.2, dt, 60.0)
        self.fan = self.cw_entering > (22.0 if self.fan else 24.0)

    # what the controller shows

    @property
    def _evaporating(self) -> float:
        """Cel; further below the water the more it cools and the more refrigerant is missing."""
        return self.leaving - (2.0 + 12.0 * self._lack) * self.cooling if self.cools else self.leaving

    @property
    def _condensing(self) -> float:
        """Cel; further above the water the more heat goes through and the more scale is on the tubes."""
        fouled = self.course("fouled_condenser", self.param("fouled_condenser", "seconds", 2_592_000.0))
        return self.cw_leaving + (1.5 + 10.0 * fouled) * 1.2 * self.cooling

    def values(self) -> dict[str, Value]:
        """Every point of the plant."""
        warm, noise = self._warmth.value, self._noise.value
        effort = self.cooling * (self._condensing - self._evaporating) / 32.0 if self.cools else 0.0
        rla = limited((18.0 * self.compressors / STAGES + 82.0 * effort) if self.cools else 0.0, 0.0, 140.0)
        status = RUNNING if self.cools else STARTING if self.compressors else OFF
        return {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch),
            "chiller.status": status,
            "chiller.on": True,
            "chiller.remote": True,
            "chiller.alarm": self.tripped != 0,
            "chiller.setpoint": self.setpoint,
            "chiller.capacity": self.cooling * 100,
            "chiller.rla": rla,
            "chiller.current": rla / 100 * self.rated / 3.2,
            "chiller.power": rla / 100 * self.rated / 5.4,
            "chiller.warning_index": 5 if self._lack > 0.5 else 0,
            "chiller.problem_index": 0,
            "chiller.fault_index": self.tripped,
            "chiller.run_hours": self._hours,
            "chiller.starts": self.starts,
            "chiller.starts_last_hour": sum(self.seconds - started < 3600 for started in self._started),
            "chiller.units": 1,
            "chw.entering_temp": self.entering + warm,
            "chw.leaving_temp": self.leaving + warm,
            "chw.flow": self.flow * self.rated * 3600 / 1000 / (4.19 * SPAN),
            "chw.flow_ok": self.flow > 0.5,
            "cw.entering_temp": self.cw_entering + warm,
            "cw.leaving_temp": self.cw_leaving + warm,
            "cw.flow_ok": True,
            "evap.pressure": pressure(self._evaporating) + noise,
            "evap.approach": self.leaving - self._evaporating,
            "cond.pressure": pressure(self._condensing) + noise,
            "cond.approach": self._condensing - self.cw_leaving,
            "tower.fan.run": self.fan,
            "tower.fan.fault": False,
            "tower.basin_level": 62.0 + noise,
            "outdoor.temp": warmth(self.hour) + warm,
        }
