"""Faults in which one pump starts and stops again and again, as data; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from simulators.models.physics import ramp


@dataclass(frozen=True, slots=True)
class Cycle:
    """A pump that stands for the first `idle` (a share) of every `period` seconds and runs for the rest.

    While it stands the pressure falls by `fall` MPa at `rate` MPa/s. With `saw` it falls and rises all the time, and
    swings by `fall` around the set point.
    """

    period: float
    idle: float
    fall: float = 0.0
    rate: float = 0.0
    saw: bool = False

    def stands(self, age: float) -> bool:
        """Whether the pump stands, `age` seconds after the beginning."""
        return age / self.period % 1.0 < self.idle

    def starts(self, before: float, after: float) -> int:
        """How often it starts between two ages."""
        return math.floor(after / self.period - self.idle) - math.floor(before / self.period - self.idle)

    def pressure(self, now: float, setpoint: float, age: float, dt: float) -> float | None:
        """The pressure `dt` seconds later, or None when the pumps hold it."""
        rate = 4 * self.fall / self.period if self.saw else self.rate
        if self.stands(age):
            return ramp(now, min(now, setpoint - self.fall), dt, rate) if rate else None
        return ramp(now, setpoint + self.fall, dt, rate) if self.saw else None


CYCLES: Mapping[str, Cycle] = {
    "check_valve_leaks": Cycle(60.0, 1 / 15, fall=0.06, rate=0.02),
    "lost_air_cushion": Cycle(25.0, 0.5, fall=0.08, saw=True),
    "stuck_pressure": Cycle(240.0, 0.5),
}
"""With a stuck sensor the controller is blind: it tries one more pump, in vain, and takes it back."""
