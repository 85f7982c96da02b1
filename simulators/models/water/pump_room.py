"""The room of a pump set: tank and its supply, air, floor and water quality, and what befalls them; pure."""

from __future__ import annotations

import math
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited, ramp

LEVEL, EMPTY, BRIM = 72.0, 2.0, 99.5
"""% of the tank that its float valve keeps; where the pumps draw air; where it runs over."""
FILLS = 0.14
"""MPa of supply below which the tank is not filled any more."""


class PumpRoom(Model):
    """A tank of `tank` m3 filled from a supply of `supply` MPa, in a room with a sump.

    `flow` is what the pumps take, m3/h: how fast the tank falls when nothing comes in.
    """

    def __init__(self, random: Random, *, supply: float, tank: float, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.level, self.inlet, self.flow = LEVEL, supply, 0.0
        self._still, self._supply, self._tank = supply, supply, tank
        self._humidity, self._chlorine, self._turbidity, self._sump = 58.0, 0.25, 0.3, 0.6
        self.noise = Wander(random, 0.4, 3.0)

    @property
    def drawing_air(self) -> bool:
        """Whether there is air where water should be."""
        return self.level < EMPTY or (self.on("dry_run") and self.inlet < 0.03)

    def drift(self, dt: float) -> None:
        """Supply, tank, sump, air and water of `dt` seconds."""
        self.noise.step(dt)
        self._feed(dt)
        self._fill(dt)
        flooded, bad = self.on("flood"), self.on("water_quality")
        self._sump = ramp(self._sump, 1.9 if flooded else 0.6, dt, 1.3 / 300)
        self._humidity = lag(self._humidity, 78.0 if flooded else 58.0, dt, 20.0)
        share = self.course("water_quality", self.param("water_quality", "seconds", 21_600.0))
        self._chlorine = 0.25 - 0.22 * share if bad else lag(self._chlorine, 0.25, dt, 120.0)
        self._turbidity = 0.3 + 1.1 * share if bad else lag(self._turbidity, 0.3, dt, 120.0)

    def room_values(self) -> dict[str, Value]:
        """Tank, room, sump and water quality."""
        noise = self.noise.value
        return {
            "tank.level": self.level,
            "tank.depth": self.level * 0.025,
            "tank.overflow": self.level >= BRIM,
            "tank.low_low": self.level < 10.0,
            "tank.inlet_valve": self.on("tank_overflow") or self.level < 71.0,
            "room.flood": self.on("flood", 2.0) or self.on("pipe_burst", 60.0),
            "room.temp": 21.0 + noise * 0.3,
            "room.humidity": self._humidity + noise * 0.3,
            "room.door": False,
            "wq.residual_chlorine": self._chlorine,
            "wq.turbidity": self._turbidity,
            "wq.ph": 7.3 + noise * 0.02,
            "sump.level": self._sump,
            "sump.high_float": self._sump > 1.5,
        }

    def _feed(self, dt: float) -> None:
        """Pressure of the supply. A clogged strainer makes it swing, and the pumps cavitate."""
        if self.on("supply_loss"):
            fallen = self.course("supply_loss", self.param("supply_loss", "seconds", 360.0))
            self._still = self._supply + (0.02 - self._supply) * fallen
        elif self.on("dry_run"):
            self._still = lag(self._still, 0.0, dt, 2.0)
        else:
            self._still = lag(self._still, 0.035 if self.on("cavitation") else self._supply, dt, 2.0)
        swing = 0.0165 * math.sin(self.seconds * 1.7) if self.on("cavitation") else 0.004 * self.noise.value
        self.inlet = max(0.0, self._still + (0.0 if self.on("dry_run") else swing))

    def _fill(self, dt: float) -> None:
        """The float valve keeps its level, unless it sticks or more goes out than comes in."""
        if self.on("dry_run"):
            self.level = lag(self.level, 5.0, dt, 4.0)
        elif self.on("tank_overflow"):
            rate = (100.0 - LEVEL) / self.param("tank_overflow", "seconds", 1680.0)
            self.level = ramp(self.level, 100.5, dt, rate)
        elif self.on("pipe_burst"):
            self.level = max(0.0, self.level - 2.0 / 60 * dt)
        elif self._still < FILLS and not self.on("cavitation"):
            self.level = limited(self.level - self.flow / 3600 / self._tank * 100 * dt, 0.0, 101.0)
        else:
            self.level = lag(self.level, LEVEL + 0.5 * self.noise.value, dt, 120.0)
