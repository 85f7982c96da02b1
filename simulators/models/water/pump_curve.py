"""The hydraulics of equal pumps in parallel and of one pump's motor, by the affinity laws; pure.

With s the speed as a share of the rated one and q the flow of one pump, a pump gives the head a*s^2 - b*q^2, and never
more flow than CHOKE times its rated one at that speed (there it cavitates). The building draws Q = draw*sqrt(p). Both
together have one solution for the pressure, so pressure, flow, frequency, current and power always belong together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulators.models.physics import lag, limited, ramp

SUCTION = 0.02
"""MPa that the tank gives at the pumps' suction."""
CHOKE = 1.15
EFFICIENCY, POWER_FACTOR = 0.58, 0.76
"""Pump and motor together; power factor times the motor's own efficiency."""
FULL_SPEED, LOWEST = 50.0, 20.0
"""Hz at rated speed; the lowest that the drives run at."""
DRY = 0.165
"""Share of the rated power that a pump takes which is full of air."""


def relative_power(speed: float, load: float) -> float:
    """Shaft power as a share of the rated one, at `speed` and a flow of `load` times the pump's own at that speed."""
    return speed**3 * (0.30 + 0.68 * load)


class PumpCurve:
    """A pump of rated `flow` (m3/h) that gives 1.12 times `pressure` (MPa) at it.

    `power` is its rated power in kW, `current` its rated current in A at 380 V.
    """

    def __init__(self, flow: float, pressure: float) -> None:
        head = 1.12 * pressure
        self.flow = flow
        self._a, self._b = 1.4 * head, 0.4 * head / flow**2
        self.power = flow * head / 3.6 / EFFICIENCY
        self.current = self.power / (math.sqrt(3) * 0.38 * POWER_FACTOR)

    def pressure(self, speed: float, count: int, draw: float) -> float:
        """MPa at which `count` pumps at `speed` give just what is drawn."""
        held = (SUCTION + self._a * speed**2) / (1.0 + self._b * (draw / count) ** 2)
        most = self.most(speed, count)
        return held if draw * math.sqrt(held) <= most else (most / draw) ** 2

    def speed(self, pressure: float, count: int, draw: float) -> float:
        """The speed at which `count` pumps hold a pressure; above 1 when they can't."""
        each = draw * math.sqrt(pressure) / count
        return max(math.sqrt(max(0.0, pressure - SUCTION + self._b * each**2) / self._a), each / (CHOKE * self.flow))

    def most(self, speed: float, count: int) -> float:
        """m3/h that `count` pumps can give at `speed`."""
        return CHOKE * self.flow * speed * count

    def kilowatts(self, speed: float, flow: float, *, dry: bool) -> float:
        """Power of one pump at `speed` that moves `flow` m3/h, or air."""
        if dry:
            return self.power * DRY * speed**3
        return self.power * relative_power(speed, limited(flow / (self.flow * speed), 0.0, 1.3))

    def amperes(self, power: float) -> float:
        """Current of a motor that takes `power` kW; a part of it only magnetises."""
        return self.current * (0.15 + 0.85 * power / self.power)


@dataclass(slots=True)
class Pump:
    """One pump with its drive; `freq` in Hz, `current` in A, `power` in kW, temperatures in Cel, `energy` in kW.h.

    `wanted`: the controller asks for it. `code`: what the drive tripped on, 0 for nothing. `off`: switched off by hand.
    `seconds` of running in all, `run_for` since the last start.
    """

    wanted: bool = False
    off: bool = False
    code: int = 0
    freq: float = 0.0
    current: float = 0.0
    power: float = 0.0
    motor_temp: float = 34.0
    bearing_temp: float = 22.0
    casing_temp: float = 20.0
    seconds: float = 0.0
    run_for: float = 0.0
    starts: int = 0
    energy: float = 24_000.0

    @property
    def running(self) -> bool:
        """Whether the drive turns the pump."""
        return self.freq > 1.0

    @property
    def ready(self) -> bool:
        """Whether the controller may have it."""
        return not self.off and not self.code

    def trip(self, code: int) -> None:
        """The drive stops the pump at once and keeps it stopped until it is reset."""
        self.code, self.wanted, self.freq = code, False, 0.0

    def reset(self) -> None:
        """The drive forgets what it tripped on."""
        self.code = 0

    def switch(self, *, off: bool) -> None:
        """By hand, off or to automatic."""
        self.off, self.wanted = off, self.wanted and not off

    def drift(self, dt: float, rated_power: float, *, dry: bool) -> None:
        """Counters and temperatures of `dt` seconds. Nothing cools a pump that runs dry: its casing gains 2 K/min."""
        self.energy += self.power * dt / 3600
        self.seconds += dt if self.running else 0.0
        self.run_for = self.run_for + dt if self.running else 0.0
        self.motor_temp = lag(self.motor_temp, 30.0 + 42.0 * self.power / rated_power, dt, 600.0)
        self.bearing_temp = lag(self.bearing_temp, 50.0 if self.running else 22.0, dt, 1800.0)
        if dry and self.running:
            self.casing_temp = ramp(self.casing_temp, 95.0, dt, 2.0 / 60)
        else:
            self.casing_temp = lag(self.casing_temp, 24.0 if self.running else 20.0, dt, 900.0)
