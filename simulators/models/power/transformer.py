"""The dry-type transformer as its temperature controller shows it; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag
from simulators.models.power.daily import OFFICE
from simulators.models.power.feed import is_alive
from simulators.models.power.supply import Supply

FAN_AT, ALARM_AT, TRIP_AT = 100.0, 130.0, 150.0
"""Cel at which the fans start, the alarm and the trip come: the settings usual in China. Other makers differ."""

DEAD_BAND = 10.0
"""K below a set point at which fans and alarm go off again, and the trip may be reset."""

FANS_OFF = FAN_AT - DEAD_BAND
"""Cel below which the fans stop."""

AMBIENT, IDLE, FULL = 28.0, 72.0, 80.0
"""Cel of the room, and of the windings at no load and at the day's peak of 60 %."""

SLOW, COOLED = 7200.0, 1200.0
"""Seconds in which the windings follow the load, by themselves and with fans."""

FAN_CURRENT = 2.4
"""A of the fans together."""


class Transformer(Model):
    """A transformer with fans between the mains and everything; its trip takes the mains away from the Supply."""

    FAULTS = frozenset({"transformer_over_temperature"})
    ACTS = frozenset({"reset_transformer_trip"})

    def __init__(self, random: Random, supply: Supply, *, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.supply = supply
        self.temp = FULL
        self.fan = self.alarm = self.tripped = False
        self._fan_seconds = 1_260.0 * 3600
        self._noise = Wander(random, 0.2, 20.0)

    def ended(self, fault: str) -> None:  # noqa: ARG002 - there is only one
        """The fans are repaired, the load is shared, and the transformer is switched on again."""
        self._switch(tripped=False)

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002 - there is only one
        """Reset the trip; the controller refuses while the windings are still hot."""
        if self.temp <= TRIP_AT - DEAD_BAND:
            self._switch(tripped=False)

    def advance(self, dt: float) -> None:
        """What the sensors add."""
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Windings follow the load; overloaded and without fans they rise evenly until the trip.

        A long time is cut where the fans start or stop, so that their hours are right.
        """
        while dt > 1e-9:
            leg = self._rise(dt) if self._rising else self._settle(dt)
            self._fan_seconds += leg if self.fan else 0.0
            self.fan = self.temp >= (FANS_OFF if self.fan else FAN_AT)
            self.alarm = self.temp >= (ALARM_AT - DEAD_BAND if self.alarm else ALARM_AT)
            dt -= leg

    @property
    def on_fan_failure(self) -> bool:
        """Whether the fans are told to run and do not."""
        return self.fan and self.on("transformer_over_temperature")

    def values(self) -> dict[str, Value]:
        """The points of a temperature controller with three windings, core and ambient."""
        noise = self._noise.value
        windings = [self.temp - 3.0 + noise, self.temp, self.temp - 2.0 - noise]
        return {
            "tx.temp_a": windings[0],
            "tx.temp_b": windings[1],
            "tx.temp_c": windings[2],
            "tx.temp_max": max(windings),
            "tx.core_temp": self.temp - 9.0 + noise,
            "tx.ambient_temp": AMBIENT + noise,
            "tx.fan": self.fan,
            "tx.fan_current": FAN_CURRENT if self.fan and not self.on_fan_failure else 0.0,
            "tx.fan_hours": self._fan_seconds / 3600,
            "tx.no_air_flow": self.on_fan_failure,
            "tx.alarm": self.alarm,
            "tx.trip": self.tripped,
            "tx.fault": self.on_fan_failure,
            "tx.fan_setpoint": FAN_AT,
            "tx.alarm_setpoint": ALARM_AT,
            "tx.trip_setpoint": TRIP_AT,
        }

    @property
    def _rising(self) -> bool:
        return self.on("transformer_over_temperature") and not self.tripped

    def _rise(self, dt: float) -> float:
        """Rise to the next set point, or for `dt`; the seconds that it took."""
        rate = self.param("transformer_over_temperature", "rate", 1.2) / 60
        goal = FAN_AT if self.temp < FAN_AT else TRIP_AT
        leg = min(dt, (goal - self.temp) / rate)
        self.temp = goal if leg < dt else min(goal, self.temp + rate * leg)
        if self.temp >= TRIP_AT:
            self._switch(tripped=True)
        return leg

    def _settle(self, dt: float) -> float:
        """Follow the load until the fans stop, or for `dt`; the seconds that it took."""
        loaded = is_alive(self.supply.mains) and not self.tripped
        target = IDLE + (FULL - IDLE) * OFFICE.mean(self.hour, dt) if loaded else AMBIENT
        tau = COOLED if self.fan and not self.on_fan_failure else SLOW
        if self.fan and target < FANS_OFF < self.temp:
            leg = tau * math.log((self.temp - target) / (FANS_OFF - target))
            if leg < dt:
                self.temp = FANS_OFF - 1e-6
                return leg
        self.temp = lag(self.temp, target, dt, tau)
        return dt

    def _switch(self, *, tripped: bool) -> None:
        """Open or close the breaker of the transformer."""
        self.tripped = tripped
        self.supply.suffer(self, frozenset({"transformer_trip"}) if tripped else frozenset())
