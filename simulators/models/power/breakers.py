"""The inside of a switchboard: its breakers, the joints of its busbar, and its leakage to earth; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag
from simulators.models.power.feed import NOMINAL, Way
from simulators.models.power.power_meter import PF, Meter

INSIDE = 40.0
"""Cel of the air inside the board."""

RISE = (10.0, 5.0, 10.0)
"""K by which the joints of the three phases are warmer at full load."""

LOOSE_RISE = 52.0
"""K of a loose joint at full load."""

JOINT = 300.0
"""Seconds in which a joint follows its current."""

LEAKAGE = 40.0
"""mA to earth in dry weather."""

STEPS = 4
"""In how many steps rain brings the leakage up."""


class Position(IntEnum):
    """A breaker, numbered as `breaker[n].position`."""

    OPEN = 0
    CLOSED = 1
    TRIPPED = 2


@dataclass(slots=True)
class Breaker:
    """One outgoing breaker. `way` is what it feeds, if that is an asset of its own, `load` the meter there.

    Without a meter it carries an equal part of the board's own consumers.
    """

    way: Way | None = None
    load: Meter | None = None
    cause: int = 0

    @property
    def tripped(self) -> bool:
        """Whether it is open."""
        return self.cause != 0


class Board(Model):
    """Breakers 1, 2 .. of the board whose busbar `meter` measures."""

    FAULTS = frozenset({"breaker_trip", "hot_joint", "residual_current"})
    ACTS = frozenset({"reset_breaker"})

    def __init__(self, random: Random, meter: Meter, breakers: Sequence[Breaker], *, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.meter = meter
        self.breakers = tuple(breakers)
        self._own = [breaker for breaker in self.breakers if breaker.load is None]
        self._joints = [INSIDE + rise for rise in RISE]
        self._leakage = LEAKAGE
        self._noise = Wander(random, 0.3, 8.0)

    def inject(self, fault: str, **params: float) -> None:
        """Begin a fault; ValueError for an unknown one, and for a breaker that the board does not have."""
        if fault == "breaker_trip":
            self._breaker(params)
        super().inject(fault, **params)

    def began(self, fault: str) -> None:
        """A breaker trips, and what it feeds is dead."""
        if fault == "breaker_trip":
            number, cause = self.param(fault, "breaker", 1.0), self.param(fault, "cause", 2.0)
            self._set(self._breaker({"breaker": number}), cause=int(cause))

    def ended(self, fault: str) -> None:
        """The cause is gone and everything is switched on again."""
        if fault == "breaker_trip":
            for breaker in self.breakers:
                self._set(breaker, cause=0)

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002 - there is only one
        """Close a tripped breaker; ValueError for one that the board does not have."""
        self._set(self._breaker(params), cause=0)

    def advance(self, dt: float) -> None:
        """What the sensors add."""
        self._noise.step(dt)

    def drift(self, dt: float) -> None:
        """Joints warm up by the square of their current; rain raises the leakage in steps."""
        full = self.meter.full_load * 1000 / 3 / NOMINAL / PF
        seconds = self.param("hot_joint", "seconds", 1800.0)
        loose = RISE[1] + (LOOSE_RISE - RISE[1]) * self.course("hot_joint", seconds)
        for phase, amps in enumerate(self.meter.currents()):
            rise = loose if phase == 1 else RISE[phase]
            self._joints[phase] = lag(self._joints[phase], INSIDE + rise * (amps / full) ** 2, dt, JOINT)
        wet = LEAKAGE
        if self.on("residual_current"):
            course = self.course("residual_current", self.param("residual_current", "seconds", 900.0))
            step = 1 + int(course * (STEPS - 1) + 1e-9)
            wet += (self.param("residual_current", "ma", 420.0) - LEAKAGE) * step / STEPS
        self._leakage = lag(self._leakage, wet if self.meter.alive else 0.0, dt, 1.5)

    def values(self) -> dict[str, Value]:
        """The points of a board with monitored breakers and joints."""
        found: dict[str, Value] = {}
        own = self.meter.own_current / max(1, sum(not breaker.tripped for breaker in self._own))
        for number, breaker in enumerate(self.breakers, 1):
            key = f"breaker[{number}]."
            load = breaker.load
            current = own if load is None else 0.0 if load.islanded else max(load.currents())
            found[key + "position"] = int(Position.TRIPPED if breaker.tripped else Position.CLOSED)
            found[key + "trip_cause"] = breaker.cause
            found[key + "current"] = 0.0 if breaker.tripped else current
        for phase, joint in enumerate(self._joints):
            found[f"busbar.temp[{phase + 1}]"] = joint + self._noise.value
        found["cable.temp"] = INSIDE - 6.0 + (self._joints[0] - INSIDE) / 2 + self._noise.value
        found["residual_current"] = max(0.0, self._leakage + self._noise.value)
        return found

    def _breaker(self, params: Mapping[str, float]) -> Breaker:
        number = int(params.get("breaker", 1.0))
        if not 1 <= number <= len(self.breakers):
            raise ValueError(f"no breaker {number}; the board has 1 .. {len(self.breakers)}")
        return self.breakers[number - 1]

    def _set(self, breaker: Breaker, *, cause: int) -> None:
        """Open a breaker (a cause that is not 0) or close it."""
        breaker.cause = cause
        if breaker.way:
            breaker.way.closed = not breaker.tripped
        if self._own:
            self.meter.connected = sum(not one.tripped for one in self._own) / len(self._own)
