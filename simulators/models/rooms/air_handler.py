"""The air handling unit model: a fan blows air over a cooling coil whose valve holds the supply temperature; pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited
from simulators.models.rooms.outdoors import cells, occupancy, warmth

OPENS, CLOSES = 6.0, 22.0
"""Hours between which it runs."""
COIL = 9.0
"""Cel of the air behind a coil whose valve is fully open."""
FRESH = 0.2
"""Share of outdoor air."""
CLEAN, DUST = 80.0, 0.04
"""Pa over a new filter; Pa that an hour of running adds."""


class AirHandler(Model):
    """An air handler for one hall, holding `setpoint` Cel of supply air while it runs."""

    FAULTS = frozenset({"filter_clogged", "fan_belt_broken", "sensor_off"})
    ACTS = frozenset({"replace_filter", "replace_belt", "calibrate_sensor"})

    REPAIRS = {"replace_filter": "filter_clogged", "replace_belt": "fan_belt_broken", "calibrate_sensor": "sensor_off"}
    """Act -> the fault that it ends."""

    def __init__(self, random: Random, *, setpoint: float = 14.0, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.setpoint = setpoint
        self.command = True
        self.supply, self.room, self.co2 = setpoint, 23.0, 700.0
        self.valve = 60.0
        self._dust = 30.0
        self._hours = 11_320.0
        self._warmth = Wander(random, 0.05, 20.0)
        self._noise = Wander(random, 1.0, 10.0)

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002
        """A repair ends its fault; a new filter has no dust."""
        if act == "replace_filter":
            self._dust = 0.0
        self.end(self.REPAIRS[act])

    @property
    def settable(self) -> frozenset[str]:
        """The supply air set point."""
        return frozenset({"ahu.setpoint"})

    def obeyed(self, point: str, value: Value) -> None:  # noqa: ARG002
        """Another set point."""
        if isinstance(value, int | float):
            self.setpoint = float(value)

    def advance(self, dt: float) -> None:
        """What the sensors add of their own."""
        self._warmth.step(dt)
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Schedule, coil, room and dust, hour by hour."""
        for hour, seconds in cells(self.epoch, dt, self.zone):
            self._go(hour, seconds)

    @property
    def blows(self) -> bool:
        """Whether air moves."""
        return self.command and not self.on("fan_belt_broken")

    @property
    def _offset(self) -> float:
        """K by which the supply sensor reads too much."""
        course = self.course("sensor_off", self.param("sensor_off", "seconds", 1_209_600.0))
        return course * self.param("sensor_off", "kelvin", 4.0)

    def _go(self, hour: float, dt: float) -> None:
        self.command = OPENS <= hour < CLOSES
        gain = 0.7 + 0.2 * occupancy(hour) + 0.01 * (warmth(hour) - 29.0)
        if self.blows:
            mixed = (1.0 - FRESH) * self.room + FRESH * warmth(hour)
            wanted = max(COIL, self.setpoint - self._offset)
            self.valve = limited((mixed - wanted) / (mixed - COIL) * 100, 0.0, 100.0)
            self.supply = lag(self.supply, min(wanted, mixed), dt, 120.0)
            self.room = lag(self.room, self.supply + 10.0 * gain, dt, 1800.0)
            self._dust += DUST * dt / 3600
        else:
            # nothing moves: the duct takes the warmth of the room, and the room slowly that of the day
            self.valve = 100.0 if self.command else 0.0
            self.room = lag(self.room, 25.0 + 3.0 * gain, dt, 7200.0)
            self.supply = lag(self.supply, self.room - 1.0, dt, 600.0)
        breath = 550.0 if self.blows else 1900.0
        self.co2 = lag(self.co2, 420.0 + breath * occupancy(hour), dt, 2400.0)
        if self.command:
            self._hours += dt / 3600

    def values(self) -> dict[str, Value]:
        """Every point of the unit."""
        warm, noise = self._warmth.value, self._noise.value
        clogged = 170.0 * self.course("filter_clogged", self.param("filter_clogged", "seconds", 5_184_000.0))
        speed = 85.0 if self.command else 0.0
        current = (18.5 - 0.01 * clogged if self.blows else 6.0) + 0.1 * noise if self.command else 0.0
        return {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch),
            "ahu.mode": 2,
            "ahu.setpoint": self.setpoint,
            "ahu.supply_temp": self.supply + self._offset + warm,
            "ahu.return_temp": self.room + warm,
            "ahu.co2": self.co2 + 3.0 * noise,
            "ahu.filter_dp": CLEAN + self._dust + clogged + noise if self.blows else 0.0,
            "ahu.fan.command": self.command,
            "ahu.fan.feedback": self.blows,
            "ahu.fan.speed": speed,
            "ahu.fan.current": current,
            "ahu.fan.run_hours": self._hours,
            "ahu.valve": self.valve,
            "ahu.damper": FRESH * 100 if self.command else 0.0,
        }
