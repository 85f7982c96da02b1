"""Fire water as the panel sees it: hydrant and sprinkler pipes, the jockey pump, the tanks; pure.

The jockey pump keeps the pipes between two pressures: it runs for a moment, then the pressure falls until it starts
again. Where that saw-tooth stands is the integral of the starts per hour, so that it is exact over any time.
"""

from __future__ import annotations

from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, ramp

LOW, HIGH = 0.43, 0.46
"""MPa in the hydrant pipes at which the jockey pump starts and stops."""
RUN = 20.0
"""Seconds that it runs, when that is less than half of its time."""
LEFT = 0.08
"""MPa that are left in a pipe that leaks more than the jockey pump gives."""
PUMP = 0.40
"""MPa that a fire pump adds."""
BUILD_UP, CALM = 4.0, 10.0
"""Seconds of the lag of the pressure when a fire pump starts, and when it stops."""
LEAK_STARTS = (12.0, 60.0)
"""Starts per hour as such a leak begins, and at its worst."""
REFILL = 40.0 / 1800.0
"""% per second at which a tank is filled."""


class Water:
    """Pressures in MPa, levels in %. `jockey`: whether the jockey pump runs."""

    def __init__(self, model: Model, random: Random) -> None:
        self.jockey = False
        self._model = model
        self._phase = random.random()
        self._use = Wander(random, 0.45, 3600.0)
        self._noise = Wander(random, 0.4, 10.0)
        self._emptied = self._drawn = 0.0
        self._hydrant_pump = self._sprinkler_pump = 0.0

    def drift(self, dt: float, *, pumping: bool, sprinkling: bool) -> None:
        """`pumping`, `sprinkling`: whether the hydrant and the sprinkler pump deliver."""
        model = self._model
        self._use.step(dt)
        self._noise.step(dt)
        self._hydrant_pump = _boost(self._hydrant_pump, dt, on=pumping)
        self._sprinkler_pump = _boost(self._sprinkler_pump, dt, on=sprinkling)
        leak = model.course("hydrant_pressure_low", model.param("hydrant_pressure_low", "seconds", 900.0))
        self._emptied = leak if model.on("hydrant_pressure_low") else lag(self._emptied, 0.0, dt, 60.0)
        if not pumping:
            self._phase = (self._phase + self.starts_per_h / 3600.0 * dt) % 1.0
        self.jockey = not pumping and self._phase < self._share
        if model.on("tank_low"):
            self._drawn = 40.0 * model.course("tank_low", model.param("tank_low", "seconds", 3600.0))
        else:
            self._drawn = ramp(self._drawn, 0.0, dt, REFILL)

    @property
    def starts_per_h(self) -> float:
        """How often the jockey pump starts now."""
        model, starts = self._model, 2.5 + self._use.value
        if model.on("hydrant_pressure_low"):
            first, last = LEAK_STARTS
            starts = first + (last - first) * self._emptied
        if model.on("jockey_cycling"):
            starts = max(starts, model.param("jockey_cycling", "starts", 24.0))
        return starts

    @property
    def hydrant(self) -> float:
        """MPa in the hydrant pipes."""
        share = self._share
        rising = self._phase / share if self._phase < share else (1.0 - self._phase) / (1.0 - share)
        pressure = LOW + (HIGH - LOW) * rising
        return pressure + (LEFT - pressure) * self._emptied + self._hydrant_pump

    def values(self) -> dict[str, Value]:
        """Pressures, jockey pump, levels."""
        return {
            "hydrant.pressure": self.hydrant,
            "sprinkler.pressure": 0.48 + 0.001 * self._noise.value + self._sprinkler_pump,
            "jockey.run": self.jockey,
            "jockey.starts_per_h": self.starts_per_h,
            "tank.level": 100.0 + 0.05 * self._noise.value - self._drawn,
            "tank.roof_level": 93.0 + 0.1 * self._noise.value,
        }

    @property
    def _share(self) -> float:
        """The share of its time in which the jockey pump runs."""
        return min(0.5, RUN * self.starts_per_h / 3600.0)


def _boost(pressure: float, dt: float, *, on: bool) -> float:
    return lag(pressure, PUMP if on else 0.0, dt, BUILD_UP if on else CALM)
