"""The meter model: loads behind a common supply, per phase, with energy as the integral of power; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited
from simulators.models.supply import NOMINAL, Supply

PHASES = ("l1", "l2", "l3")


class Meter(Model):
    """A three-phase meter on the bus. `load` is kW of its own consumers at nominal voltage, all phases together.

    `feeders` are the meters behind it: their power is part of its own.
    """

    FAULTS = frozenset(
        {"imbalance", "over_voltage", "under_voltage", "harmonics", "hot_joint", "residual_current", "low_power_factor"}
    )

    def __init__(
        self, random: Random, supply: Supply, *, load: float, feeders: Sequence[Meter] = (), epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self.supply = supply
        self.feeders = tuple(feeders)
        self._load = load
        self._share = [1 / 3 * (1 + random.uniform(-0.03, 0.03)) for _ in PHASES]
        self._wander = Wander(random, 0.05, 60.0)
        self._noise = Wander(random, 0.3, 8.0)
        self.active_power = [0.0, 0.0, 0.0]
        self.reactive_power = [0.0, 0.0, 0.0]
        self._active_energy = [load * 3_100.0 * share for share in self._share]
        self._reactive_energy = [energy * 0.31 for energy in self._active_energy]
        self._pf = 0.95
        self._thd, self._residual, self._joint = 2.1, 38.0, 44.0
        self.demand: float = 0.9 * load + sum(feeder.demand for feeder in self.feeders)
        self._demand_max = self.demand

    def advance(self, dt: float) -> None:
        """Loads follow the voltage of the bus; the feeders must have been stepped before."""
        swing = 1.0 + self._wander.step(dt)
        self._noise.step(dt)
        self._pf = lag(self._pf, 0.78 if self.on("low_power_factor") else 0.95, dt, 1.0)
        spread = (1.33, 0.97, 0.70) if self.on("imbalance") else (1.0, 1.0, 1.0)
        slope = math.tan(math.acos(self._pf))
        for phase in range(3):
            ratio = self.voltage(phase) / NOMINAL
            own = self._load * self._share[phase] * spread[phase] * swing * (ratio**1.6 if ratio > 0.5 else 0.0)
            self.active_power[phase] = own + sum(feeder.active_power[phase] for feeder in self.feeders)
            self.reactive_power[phase] = own * slope + sum(feeder.reactive_power[phase] for feeder in self.feeders)
            self._active_energy[phase] += self.active_power[phase] * dt / 3600
            self._reactive_energy[phase] += self.reactive_power[phase] * dt / 3600
        self.demand = lag(self.demand, sum(self.active_power), dt, 300.0)
        self._demand_max = max(self._demand_max, self.demand)
        self._thd = lag(self._thd, 6.2 if self.on("harmonics") else 2.1, dt, 2.0)
        rain = self.param("residual_current", "ma", 420.0) if self.on("residual_current") else 38.0
        self._residual = lag(self._residual, rain, dt, 1.5)
        self._joint = lag(self._joint, 93.0 if self.on("hot_joint") else 44.0, dt, 12.0)

    def voltage(self, phase: int) -> float:
        """V of a phase where this meter measures."""
        share = 1.045 if self.on("over_voltage") else 0.855 if self.on("under_voltage") else 1.0
        if self.on("imbalance"):
            share *= (0.985, 1.0, 1.022)[phase]
        return self.supply.bus[phase] * share

    def values(self) -> dict[str, Value]:
        """Everything a good meter measures."""
        return {**self._phase_values(), **self._total_values(), **self._energy_values(), **self._cabinet_values()}

    def currents(self) -> list[float]:
        """A of the three phases."""
        found = []
        for phase in range(3):
            volts = self.voltage(phase)
            apparent = math.hypot(self.active_power[phase], self.reactive_power[phase])
            found.append(apparent * 1000 / volts if volts > 1.0 else 0.0)
        return found

    def _phase_values(self) -> dict[str, Value]:
        amps = self.currents()
        found: dict[str, Value] = {}
        for phase, name in enumerate(PHASES):
            active, reactive = self.active_power[phase], self.reactive_power[phase]
            apparent = math.hypot(active, reactive)
            found[f"u.{name}n"] = self.voltage(phase)
            found[f"i.{name}"] = amps[phase]
            found[f"p.{name}"] = active
            found[f"q.{name}"] = reactive
            found[f"s.{name}"] = apparent
            found[f"pf.{name}"] = active / apparent if apparent > 1e-6 else 1.0
        return found

    def _total_values(self) -> dict[str, Value]:
        volts = [self.voltage(phase) for phase in range(3)]
        one, two, three = amps = self.currents()
        active, reactive = sum(self.active_power), sum(self.reactive_power)
        apparent = math.hypot(active, reactive)
        lines = [_line(volts[0], volts[1]), _line(volts[1], volts[2]), _line(volts[2], volts[0])]
        neutral = math.sqrt(max(0.0, one**2 + two**2 + three**2 - one * two - two * three - three * one))
        return {
            "u.ln_avg": sum(volts) / 3,
            "u.l12": lines[0], "u.l23": lines[1], "u.l31": lines[2],
            "u.ll_avg": sum(lines) / 3,
            "i.n": neutral,
            "i.avg": sum(amps) / 3,
            "p.total": active,
            "q.total": reactive,
            "s.total": apparent,
            "pf": active / apparent if apparent > 1e-6 else 1.0,
            "f": self.supply.frequency,
            "phase_angle": math.degrees(math.atan2(reactive, active)) if apparent > 1e-6 else 0.0,
            "unbalance.u": _unbalance(volts),
            "unbalance.i": _unbalance(amps),
        }  # fmt: skip

    def _energy_values(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for name, totals in (("e", self._active_energy), ("eq", self._reactive_energy)):
            for phase, key in enumerate(PHASES):
                found[f"{name}.import.{key}"] = totals[phase]
                found[f"{name}.export.{key}"] = 0.0
                found[f"{name}.total.{key}" if name == "e" else f"eq.{key}"] = totals[phase]
            found[f"{name}.import"] = sum(totals)
            found[f"{name}.export"] = 0.0
            found["e.total" if name == "e" else "eq"] = sum(totals)
        found["demand.p"], found["demand.max"] = self.demand, self._demand_max
        return found

    def _cabinet_values(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        distortion = max(0.0, self._thd + 0.1 * self._noise.value)
        for phase, key in enumerate(PHASES):
            there = self.voltage(phase) > 50.0
            found[f"thd.u.{key}"] = distortion if there else 0.0
            found[f"thd.i.{key}"] = distortion * 4 if there else 0.0
            found[f"busbar.temp[{phase + 1}]"] = (self._joint if phase == 1 else 44.0) + self._noise.value
        found["thd.u"] = distortion if self.supply.alive else 0.0
        found["thd.i"] = distortion * 4 if self.supply.alive else 0.0
        found["residual_current"] = self._residual + self._noise.value
        return found


def _line(one: float, other: float) -> float:
    """The voltage between two phases 120 degrees apart."""
    return math.sqrt(one * one + other * other + one * other)


def _unbalance(values: Sequence[float]) -> float:
    """The largest distance from the mean, in % of the mean."""
    mean = sum(values) / len(values)
    return 0.0 if mean < 0.1 else limited(max(abs(value - mean) for value in values) / mean * 100, 0.0, 200.0)
