"""Small pieces of physics that every model is made of; pure, every random number from a given source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random


def limited(value: float, low: float, high: float) -> float:
    """`value`, held between `low` and `high`."""
    return low if value < low else high if value > high else value


def lag(value: float, target: float, dt: float, tau: float) -> float:
    """One step of a first-order lag towards `target` with time constant `tau` (s); exact for any `dt`."""
    return target if tau <= 0 else target + (value - target) * math.exp(-dt / tau)


def ramp(value: float, target: float, dt: float, rate: float) -> float:
    """One step towards `target` by at most `rate` per second; never past it."""
    return limited(target, value - rate * dt, value + rate * dt)


class Wander:
    """Noise with memory (Ornstein-Uhlenbeck): mean 0, standard deviation `sigma`, forgets in `tau` seconds.

    Held within three sigma, so that a quiet device never leaves its range.
    """

    def __init__(self, random: Random, sigma: float, tau: float = 10.0) -> None:
        self._random = random
        self._sigma = sigma
        self._tau = tau
        self.value = 0.0
        self._dt = self._keep = self._spread = 0.0

    def step(self, dt: float) -> float:
        """The value `dt` seconds later."""
        if dt != self._dt:  # most steps are as long as the one before
            self._dt, self._keep = dt, math.exp(-dt / self._tau)
            self._spread = self._sigma * math.sqrt(1.0 - self._keep * self._keep)
        value = self.value * self._keep + self._random.gauss(0.0, self._spread)
        self.value = limited(value, -3 * self._sigma, 3 * self._sigma)
        return self.value

    def mean(self, dt: float) -> float:
        """What its mean over the next `dt` seconds is expected to be."""
        return self.value * self._tau / dt * (1.0 - math.exp(-dt / self._tau)) if dt > 0 else self.value


@dataclass(frozen=True, slots=True)
class Trip:
    """A run along a line with trapezoid speed: `distance` in m (signed), `speed` m/s, `acceleration` m/s2."""

    distance: float
    speed: float
    acceleration: float

    @property
    def top(self) -> float:
        """The highest speed reached; below `speed` on a short trip."""
        return min(self.speed, math.sqrt(abs(self.distance) * self.acceleration))

    @property
    def duration(self) -> float:
        """Seconds from standstill to standstill."""
        if abs(self.distance) < 1e-9:
            return 0.0
        return abs(self.distance) / self.top + self.top / self.acceleration

    @property
    def accelerating(self) -> float:
        """Seconds until the top speed is reached; the same time is needed to stop."""
        return self.top / self.acceleration

    def at(self, seconds: float) -> tuple[float, float]:
        """(m travelled, m/s), both signed, `seconds` after the start."""
        t, total, ramp_up = limited(seconds, 0.0, self.duration), self.duration, self.accelerating
        sign = math.copysign(1.0, self.distance)
        if t >= total:
            return self.distance, 0.0
        if t < ramp_up:
            return sign * self.acceleration * t * t / 2, sign * self.acceleration * t
        if t > total - ramp_up:
            left = total - t
            return self.distance - sign * self.acceleration * left * left / 2, sign * self.acceleration * left
        return sign * self.top * (t - ramp_up / 2), sign * self.top
