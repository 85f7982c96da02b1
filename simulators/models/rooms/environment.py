"""The environment model: the air of a room with its lags, water and smoke detectors, and wireless sensors; pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited, ramp
from simulators.models.rooms.outdoors import cells, occupancy, warmth

DETECTORS = 8
"""Leak, smoke and door sensors that a room may have of each kind."""
EMPTY = 10.0
"""% below which a sensor says that its battery is low."""
DRAIN = 100.0 / (1500 * 86_400)
"""% a second: a battery lasts some four years."""
OF_SENSORS = frozenset({"battery_low", "sensor_lost", "bridge_down"})
"""Faults of a wireless sensor or of the bridge that it speaks through."""


class Environment(Model):
    """A room with `sensors` wireless sensors. A sensor that is lost, or whose bridge is down, has no values at all."""

    FAULTS = frozenset({"leak", "overheat", "humidity_high", "smoke"}) | OF_SENSORS
    ACTS = frozenset({"dry_up", "open_door", "close_door", "replace_battery"})

    def __init__(self, random: Random, *, sensors: int = 1, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.temp, self.humidity, self.co2 = 24.0, 52.0, 500.0
        self.doors = [False] * DETECTORS
        self._batteries = [100.0 - 3.0 * number for number in range(sensors)]
        self._warmth = Wander(random, 0.1, 60.0)
        self._noise = Wander(random, 0.5, 60.0)

    @property
    def faults(self) -> frozenset[str]:
        """Where nothing is wireless, no battery is low."""
        return self.FAULTS if self._batteries else self.FAULTS - OF_SENSORS

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """Somebody mops up, opens or closes a door, or changes a battery."""
        if act == "dry_up":
            self.end("leak")
        elif act == "replace_battery" and self._batteries:
            self.end("battery_low")
            self._batteries[self._place(params.get("sensor", 1.0))] = 100.0
        elif act != "replace_battery":
            self.doors[int(limited(params.get("door", 1.0), 1, DETECTORS)) - 1] = act == "open_door"

    def advance(self, dt: float) -> None:
        """Air is never quite still."""
        self._warmth.step(dt)
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Slow lags of the air, hour by hour, and batteries that drain."""
        for hour, seconds in cells(self.epoch, dt, self.zone):
            self._air(hour, seconds)
        self._batteries = [max(0.0, charge - DRAIN * dt) for charge in self._batteries]

    def _air(self, hour: float, dt: float) -> None:
        if self.on("overheat"):
            self.temp = ramp(self.temp, self.param("overheat", "peak", 42.0), dt, 0.5 / 60)
        else:
            self.temp = lag(self.temp, 24.0 + 0.15 * (warmth(hour) - 29.0), dt, 1800.0)
        if self.on("humidity_high"):
            self.humidity = ramp(self.humidity, 92.0, dt, 20.0 / 3600)
        else:
            self.humidity = lag(self.humidity, 52.0 - 0.8 * (warmth(hour) - 29.0), dt, 3600.0)
        self.co2 = lag(self.co2, 420.0 + 300.0 * occupancy(hour), dt, 1800.0)

    def _place(self, number: float) -> int:
        return int(limited(number, 1, len(self._batteries))) - 1

    def _is(self, fault: str, name: str, number: int) -> bool:
        return self.on(fault) and int(self.param(fault, name, 1.0)) == number

    def _charge(self, number: int) -> float:
        charge = self._batteries[number - 1]
        if self._is("battery_low", "sensor", number):
            course = self.course("battery_low", self.param("battery_low", "seconds", 2_592_000.0))
            charge -= (charge - 4.0) * course
        return charge

    def values(self) -> dict[str, Value]:
        """Every point of the room."""
        found: dict[str, Value] = {
            "air.temp": self.temp + self._warmth.value,
            "air.humidity": limited(self.humidity + self._noise.value, 0.0, 100.0),
            "air.co2": self.co2 + 4 * self._noise.value,
        }
        for number in range(1, DETECTORS + 1):
            found[f"leak[{number}].water"] = self._is("leak", "leak", number)
            found[f"smoke[{number}].alarm"] = self._is("smoke", "smoke", number) and self.on("smoke", 20.0)
            found[f"door[{number}].contact"] = self.doors[number - 1]
        for number in range(1, len(self._batteries) + 1):
            found.update({f"sensor[{number}].{key}": value for key, value in self._sensor(number).items()})
        return found

    def _sensor(self, number: int) -> dict[str, Value]:
        bridge = not self.on("bridge_down")
        if not bridge or self._is("sensor_lost", "sensor", number):
            silent = ("battery", "battery_low", "voltage", "temp", "link_quality")
            return {**dict.fromkeys(silent), "bridge": bridge}
        charge = self._charge(number)
        return {
            "battery": charge,
            "battery_low": charge < EMPTY,
            "voltage": 2405.0 + 6.0 * charge,
            "temp": self.temp + 1.0,
            "link_quality": int(limited(120.0 + 8.0 * self._noise.value, 30, 255)),
            "bridge": bridge,
        }
