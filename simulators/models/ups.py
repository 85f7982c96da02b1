"""The UPS model: on the bus while it lives, on its battery while it does not; pure."""

from __future__ import annotations

from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited
from simulators.models.supply import Supply

ONLINE, BATTERY, OFF = 0, 1, 3
FULL_RUNTIME = 1800.0
"""Seconds that a full battery carries the present load."""

LOW_RUNTIME = 150.0
"""Seconds left when the UPS announces its shutdown."""


class Ups(Model):
    """A double-conversion UPS with one battery string."""

    FAULTS = frozenset({"ups_low", "battery_ageing", "ups_overload"})

    def __init__(self, random: Random, supply: Supply, *, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.supply = supply
        self.charge = 100.0
        self.mode = ONLINE
        self.battery_seconds = 0.0
        self._temperature = 23.5
        self._load = Wander(random, 1.2, 40.0)
        self._noise = Wander(random, 0.3, 8.0)
        self._energy = 18_240.0

    @property
    def input(self) -> float:
        """V at the input; its feeder can fail by itself."""
        return 0.0 if self.on("ups_low") else self.supply.bus[0]

    @property
    def load(self) -> float:
        """% of the rated power."""
        if self.mode == OFF:
            return 0.0
        return 108.0 if self.on("ups_overload") else 42.0 + self._load.value

    def advance(self, dt: float) -> None:
        """Charge or discharge; switch off when the battery is empty."""
        self._load.step(dt)
        self._noise.step(dt)
        if self.input > 170.0:
            self.mode, self.battery_seconds = ONLINE, 0.0
            self.charge = limited(self.charge + 0.03 * dt, 0.0, 100.0)
        else:
            # `seconds` shortens the fall from 100 to 20 % so that a scenario can show it
            fast = self.param("ups_low", "seconds", 60.0) if self.on("ups_low") else FULL_RUNTIME * 0.8
            self.charge = limited(self.charge - 80.0 / fast * dt, 0.0, 100.0)
            self.battery_seconds += dt
            self.mode = BATTERY if self.charge > 0.0 else OFF
        self._temperature = lag(self._temperature, 31.0 if self.mode == BATTERY else 23.5, dt, 900.0)
        self._energy += self.load / 100 * 20.0 * dt / 3600

    def runtime(self) -> float:
        """Seconds left on the battery at the present load."""
        worn = 0.4 if self.on("battery_ageing") else 1.0
        full = max(0.0, self.charge - 14.0) / 86.0
        return FULL_RUNTIME * full * worn * 42.0 / max(self.load, 5.0)

    def values(self) -> dict[str, Value]:
        """Every point of a UPS with a management card."""
        on_battery, off = self.mode == BATTERY, self.mode == OFF
        found: dict[str, Value] = {
            "ups.mode": self.mode,
            "ups.charge": self.charge,
            "ups.runtime": int(self.runtime()),
            "ups.batt_v": (44.0 + 7.0 * self.charge / 100 if on_battery else 54.6) + 0.1 * self._noise.value,
            "ups.batt_temp": self._temperature + 0.3 * self._noise.value,
            "ups.load": self.load,
            "ups.load_va": self.load * 1.06,
            "ups.on_battery_time": int(self.battery_seconds),
            "ups.in_u": self.input,
            "ups.out_u": 0.0 if off else 230.0 + 0.5 * self._noise.value,
            "ups.out_i": 0.0 if off else self.load / 100 * 20_000 / 230.0,
            "ups.out_f": 0.0 if off else 50.0,
            "ups.efficiency": None if off else 94.2 + 0.2 * self._noise.value,
            "ups.energy": self._energy,
            "ups.transfer_high": 265,
            "ups.transfer_low": 170,
            "ups.status_cause": 2 if on_battery else 0,
            "ups.test_status": 0,
            "ups.calibration_status": 0,
            "ups.battery_status": 4 if self.charge <= 0 else 3 if self._low else 2,
            "ups.battery_condition": 2 if self.on("battery_ageing") else 0,
            "ups.charging": 2 if on_battery else 1 if self.charge < 99.5 else 0,
        }
        return {**found, **self._flags()}

    @property
    def _low(self) -> bool:
        return self.mode == BATTERY and self.runtime() < LOW_RUNTIME

    def _flags(self) -> dict[str, Value]:
        found: dict[str, Value] = {
            "ups.replace_battery": self.on("battery_ageing"),
            "ups.shutdown_imminent": self._low,
            "ups.input_bad": self.input < 170.0,
            "ups.fault": False,
            "ups.overload": self.on("ups_overload"),
            "ups.high_efficiency": False,
            "ups.boost": False,
            "ups.trim": False,
        }
        errors = (
            "error.overload", "error.short_circuit", "error.overvoltage", "error.over_temperature",
            "error.backfeed_relay", "error.avr_relay", "error.pfc_relay", "error.output_relay", "error.bypass_relay",
            "error.pfc", "error.dc_bus", "error.inverter", "batt_error.disconnected", "batt_error.overvoltage",
            "batt_error.over_temperature", "batt_error.charger", "batt_error.temp_sensor", "batt_error.soft_start",
        )  # fmt: skip
        found.update({f"ups.{name}": False for name in errors})
        found["ups.error.overload"] = self.on("ups_overload")
        return found
