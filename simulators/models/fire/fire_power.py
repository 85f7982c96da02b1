"""The fire panel's supply: mains, charger and battery; pure."""

from __future__ import annotations

from facility.readings import Value
from simulators.models.physics import lag

FLOAT, TIRED, EMPTY = 27.3, 24.0, 21.5
"""V of the battery on its charger, after the hours it lasts, and at its end."""
REST = 1 / 3
"""The share of those hours in which it goes on falling to its end."""
CHARGE_HOURS = 12.0
"""Hours to charge an empty battery."""
TOO_LOW = 22.0
"""V under which the panel shows a fault of its battery."""
NO_MAINS = 180.0
"""V under which the panel lives on its battery."""


class Battery:
    """A 24 V battery. `used`: 0 when full, 1 after the hours it lasts, 1 + REST at its end."""

    def __init__(self) -> None:
        self.volts, self.used, self.supplies = FLOAT, 0.0, False

    @property
    def low(self) -> bool:
        """Whether the panel would call it faulty."""
        return self.volts < TOO_LOW

    def drift(self, dt: float, *, supplies: bool, hours: float) -> None:
        """`supplies`: whether the panel lives on it; `hours` that it then lasts down to TIRED."""
        self.supplies = supplies
        if supplies:
            self.used = min(1.0 + REST, self.used + dt / (hours * 3600.0))
            tail = max(0.0, self.used - 1.0) / REST
            self.volts = FLOAT - (FLOAT - TIRED) * min(1.0, self.used) - (TIRED - EMPTY) * tail
        else:
            self.used = max(0.0, self.used - dt * (1.0 + REST) / (CHARGE_HOURS * 3600.0))
            self.volts = lag(self.volts, FLOAT, dt, 60.0)

    def values(self, noise: float) -> dict[str, Value]:
        """Battery and charger; `noise` in V."""
        return {
            "power.main_fault": self.supplies,
            "power.backup_fault": self.low,
            "power.batt_v": self.volts + noise,
            "power.charger_state": 0 if self.supplies else 1 if self.used > 0.0 else 2,
            "power.earth_fault": False,
        }
