"""The meter model: loads behind a common supply, per phase, with energy as the integral of power; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from facility.readings import Value
from simulators.models.model import SLICE, Model
from simulators.models.physics import Wander, lag, limited
from simulators.models.power.daily import OFFICE
from simulators.models.power.feed import NOMINAL, Source, is_alive
from simulators.models.power.supply import SKEW, UNBALANCE, Supply

PHASES = ("l1", "l2", "l3")
PF, PF_UNCOMPENSATED = 0.95, 0.78
"""Power factor with the capacitors on, and with one step off."""

RATIO = (1.4, 1.0, 0.7)
"""Currents of the phases when single-phase loads are badly spread."""

WORST_UNBALANCE = 0.026
HIGH, LOW = 238.0, 196.0
"""V at light load in the evening, and at the end of a weak line."""

THD, THD_CHARGERS = 2.1, 6.2
"""% of voltage distortion, and with car chargers on."""

DEMAND, WINDOW = 300.0, 900.0
"""Seconds in which the demand follows the power, and the window that it stands for."""

ROLL_OVER = 1_000_000.0
"""kW.h at which a register begins again."""

LAST, FIRST = 999_999.9, 0.4
"""kW.h just before a roll-over, and on a new meter."""


class Meter(Model):
    """A three-phase meter at `source`. `load` is kW of its own consumers at nominal voltage at the day's peak.

    It is itself the source of what hangs on its busbar. `feeders` are the meters behind it: their power is part of its
    own. `connected` is the share of its own consumers whose breakers are closed.
    """

    FAULTS = frozenset(
        {
            "imbalance", "over_voltage", "under_voltage", "phase_loss", "harmonics", "low_power_factor",
            "meter_replaced", "meter_rollover",
        }
    )  # fmt: skip

    def __init__(
        self, random: Random, source: Source, *, load: float, feeders: Sequence[Meter] = (), epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self.source = source
        self.feeders = tuple(feeders)
        self.connected = 1.0
        self.full_load: float = load + sum(feeder.full_load for feeder in self.feeders)
        self._volts: Sequence[float] = source.volts
        self._load = load
        uneven = [1 + random.uniform(-0.03, 0.03) for _ in PHASES]
        self._share = [one / sum(uneven) for one in uneven]
        self._wander = Wander(random, 0.05, 60.0)
        self._noise = Wander(random, 0.3, 8.0)
        self._own = [0.0, 0.0, 0.0]
        self.active_power = [0.0, 0.0, 0.0]
        self.reactive_power = [0.0, 0.0, 0.0]
        self.mean_active = [0.0, 0.0, 0.0]
        self.mean_reactive = [0.0, 0.0, 0.0]
        before = [sum(feeder.energy[phase] for feeder in self.feeders) for phase in range(3)]
        self.energy: list[float] = [
            past + load * 2_000.0 * share for past, share in zip(before, self._share, strict=True)
        ]
        self._reactive_energy = [energy * 0.31 for energy in self.energy]
        self._pf, self._thd = PF, THD
        self.demand = 0.9 * self.full_load
        self._demand_max = self.full_load

    @property
    def volts(self) -> Sequence[float]:
        """V on its busbar: those of its source, and what is wrong on the way."""
        if self.sound:
            return self.source.volts
        course = max(
            (HIGH / NOMINAL - 1) * self.course("over_voltage", self.param("over_voltage", "seconds", 600.0)),
            (LOW / NOMINAL - 1) * self.course("under_voltage", self.param("under_voltage", "seconds", 600.0)),
            key=abs,
        )
        skew = (WORST_UNBALANCE - UNBALANCE) * self._imbalance
        found = [volts * (1 + course + skew * place) for volts, place in zip(self.source.volts, SKEW, strict=True)]
        if self.on("phase_loss"):
            found[1] = min(found[1], self.param("phase_loss", "volts", 55.0))
        return found

    @property
    def frequency(self) -> float:
        """Hz on its busbar; 0 when it is dead."""
        return self.source.frequency if self.alive else 0.0

    @property
    def alive(self) -> bool:
        """Whether its busbar has a voltage."""
        return is_alive(self._volts)

    @property
    def islanded(self) -> bool:
        """Whether the generating set feeds it, so that nothing comes through the meter above."""
        return isinstance(self.source, Supply) and self.source.on_generator

    @property
    def own_current(self) -> float:
        """A of its own consumers, in the phase where they draw most."""
        return max(_amps(own, own * _slope(PF), volts) for own, volts in zip(self._own, self._volts, strict=True))

    def currents(self) -> list[float]:
        """A of the three phases."""
        return [_amps(*one) for one in zip(self.active_power, self.reactive_power, self._volts, strict=True)]

    def began(self, fault: str) -> None:
        """A new meter begins near nothing; an old one stands just before its registers begin again."""
        if fault == "meter_replaced":
            self.energy, self._reactive_energy = [FIRST / 3] * 3, [FIRST / 9] * 3
            self._demand_max = self.demand
        elif fault == "meter_rollover":
            self.energy = [LAST / 3] * 3

    def advance(self, dt: float) -> None:
        """What swings by itself."""
        self._wander.step(dt)
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Loads follow the hour and the voltage, and are summed up; the feeders must have gone on before."""
        self._pf = lag(self._pf, PF_UNCOMPENSATED if self.on("low_power_factor") else PF, dt, 1.0)
        self._thd = lag(self._thd, THD_CHARGERS if self.on("harmonics") else THD, dt, 60.0)
        self._volts = self.volts
        fed = [feeder for feeder in self.feeders if not feeder.islanded]
        level = OFFICE.at(self.hour) * (1 + self._wander.value)
        now = self._own_power(level, [feeder.active_power for feeder in fed])
        self._own = now
        self.active_power = _added(now, [feeder.active_power for feeder in fed])
        self.reactive_power = self._reactive(now, [feeder.reactive_power for feeder in fed], self.active_power)
        self.mean_active, self.mean_reactive = self.active_power, self.reactive_power
        if dt > SLICE:
            level = OFFICE.mean(self.hour, dt) * (1 + self._wander.mean(dt))
            mean = self._own_power(level, [feeder.mean_active for feeder in fed])
            self.mean_active = _added(mean, [feeder.mean_active for feeder in fed])
            self.mean_reactive = self._reactive(mean, [feeder.mean_reactive for feeder in fed], self.mean_active)
        self._count(dt)

    def values(self) -> dict[str, Value]:
        """Everything a good meter measures."""
        return {**self._phase_values(), **self._total_values(), **self._energy_values()}

    @property
    def _imbalance(self) -> float:
        """How far the loads have come out of balance, 0 .. 1."""
        return 0.0 if self.sound else self.course("imbalance", self.param("imbalance", "seconds", 3600.0))

    def _own_power(self, level: float, fed: Sequence[Sequence[float]]) -> list[float]:
        """kW of its own consumers per phase, at a share of the peak; out of balance they make the sum so."""
        base = self._load * self.connected * level
        found = [base * share * _pull(volts) for share, volts in zip(self._share, self._volts, strict=True)]
        if uneven := self._imbalance:
            total = _added(found, fed)
            weights = [ratio * volts for ratio, volts in zip(RATIO, self._volts, strict=True)]
            for phase, weight in enumerate(weights):
                wanted = sum(total) * weight / max(1.0, sum(weights))
                found[phase] = max(0.0, found[phase] + uneven * (wanted - total[phase]))
        return found

    def _reactive(self, own: Sequence[float], fed: Sequence[Sequence[float]], total: Sequence[float]) -> list[float]:
        """kvar per phase: own consumers and feeders at their power factors, and what this board's capacitors lack."""
        lacking = _slope(self._pf) - _slope(PF)
        found = _added([power * _slope(PF) for power in own], fed)
        return [one + lacking * power for one, power in zip(found, total, strict=True)]

    def _count(self, dt: float) -> None:
        for phase in range(3):
            self.energy[phase] += self.mean_active[phase] * dt / 3600
            self._reactive_energy[phase] += self.mean_reactive[phase] * dt / 3600
        mean = sum(self.mean_active)
        self.demand = lag(self.demand, mean, dt, DEMAND)
        highest = self.demand
        if dt >= WINDOW:
            highest = max(highest, mean * OFFICE.top(self.hour, dt) / OFFICE.mean(self.hour, dt))
        self._demand_max = max(self._demand_max, highest)

    def _phase_values(self) -> dict[str, Value]:
        amps = self.currents()
        found: dict[str, Value] = {}
        for phase, name in enumerate(PHASES):
            active, reactive = self.active_power[phase], self.reactive_power[phase]
            apparent = math.hypot(active, reactive)
            distortion = max(0.0, self._thd + 0.1 * self._noise.value) if self._volts[phase] > 50.0 else 0.0
            found[f"u.{name}n"] = self._volts[phase]
            found[f"i.{name}"] = amps[phase]
            found[f"p.{name}"] = active
            found[f"q.{name}"] = reactive
            found[f"s.{name}"] = apparent
            found[f"pf.{name}"] = active / apparent if apparent > 1e-6 else 1.0
            found[f"thd.u.{name}"] = distortion
            found[f"thd.i.{name}"] = distortion * 4
        return found

    def _total_values(self) -> dict[str, Value]:
        volts = self._volts
        one, two, three = amps = self.currents()
        active, reactive = sum(self.active_power), sum(self.reactive_power)
        apparent = math.hypot(active, reactive)
        lines = [_line(volts[0], volts[1]), _line(volts[1], volts[2]), _line(volts[2], volts[0])]
        neutral = math.sqrt(max(0.0, one**2 + two**2 + three**2 - one * two - two * three - three * one))
        distortion = max(0.0, self._thd + 0.1 * self._noise.value) if self.alive else 0.0
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
            "f": self.frequency,
            "phase_angle": math.degrees(math.atan2(reactive, active)) if apparent > 1e-6 else 0.0,
            "unbalance.u": _unbalance(volts),
            "unbalance.i": _unbalance(amps),
            "thd.u": distortion,
            "thd.i": distortion * 4,
        }  # fmt: skip

    def _energy_values(self) -> dict[str, Value]:
        """Registers, each of which begins again by itself."""
        found: dict[str, Value] = {}
        for name, totals in (("e", self.energy), ("eq", self._reactive_energy)):
            for phase, key in enumerate(PHASES):
                found[f"{name}.import.{key}"] = totals[phase] % ROLL_OVER
                found[f"{name}.export.{key}"] = 0.0
                found[f"{name}.total.{key}" if name == "e" else f"eq.{key}"] = totals[phase] % ROLL_OVER
            found[f"{name}.import"] = sum(totals) % ROLL_OVER
            found[f"{name}.export"] = 0.0
            found["e.total" if name == "e" else "eq"] = sum(totals) % ROLL_OVER
        found["demand.p"], found["demand.max"] = self.demand, self._demand_max
        return found


def _slope(factor: float) -> float:
    """kvar per kW at a power factor."""
    return math.tan(math.acos(factor))


def _pull(volts: float) -> float:
    """What consumers draw at a voltage, as a share of what they draw at the nominal one; contactors drop at half."""
    ratio = volts / NOMINAL
    return ratio**1.6 if ratio > 0.5 else 0.0


def _amps(active: float, reactive: float, volts: float) -> float:
    return math.hypot(active, reactive) * 1000 / volts if volts > 1.0 else 0.0


def _added(own: Sequence[float], fed: Sequence[Sequence[float]]) -> list[float]:
    """Phase by phase, its own and that of every feeder."""
    return [power + sum(one[phase] for one in fed) for phase, power in enumerate(own)]


def _line(one: float, other: float) -> float:
    """The voltage between two phases 120 degrees apart."""
    return math.sqrt(one * one + other * other + one * other)


def _unbalance(values: Sequence[float]) -> float:
    """The largest distance from the mean, in % of the mean."""
    mean = sum(values) / len(values)
    return 0.0 if mean < 0.1 else limited(max(abs(value - mean) for value in values) / mean * 100, 0.0, 200.0)
