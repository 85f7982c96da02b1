"""The building's supply: mains, generator, transfer switch and the bus behind them; pure.

Every meter, transfer switch and UPS of a site shares one Supply, so that what they show agrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from random import Random

from simulators.models.physics import Wander, lag

NOMINAL = 228.0
"""V between phase and neutral, as it is on an ordinary day."""

CRANK, READY, TRANSFER, RETURN, COOL_DOWN = 2.0, 8.0, 11.0, 5.0, 10.0
"""Seconds after the loss: generator turns, is ready, is on the bus; then from the return of the mains to the transfer
back, and from there to the generator's stop."""


class Switching(IntEnum):
    """What the transfer switch does, numbered as `ats.switching`."""

    ON_NORMAL = 0
    TO_EMERGENCY = 1
    ON_EMERGENCY = 2
    TO_NORMAL = 3
    FAILED = 4


class Supply:
    """Mains (source 1), generator (source 2) and the bus.

    `mains`, `bus`: V of the three phases. The owner switches `lost` (mains gone), `stuck` (the switch does not move),
    `no_start` (the generator does not start) and `level` (share of the nominal voltage per phase).
    """

    def __init__(self, random: Random) -> None:
        self.lost = self.stuck = self.no_start = False
        self.level: tuple[float, float, float] = (1.0, 1.0, 1.0)
        self.mains: list[float] = [NOMINAL, NOMINAL, NOMINAL]
        self.bus: list[float] = [NOMINAL, NOMINAL, NOMINAL]
        self.generator = 0.0
        self.generator_runs = False
        self.generator_seconds = 0.0
        self.generator_starts = 58
        self.switching = Switching.ON_NORMAL
        self.cranking = False
        self._phases = [Wander(random, 0.5, 20.0) for _ in range(3)]
        self._frequency = Wander(random, 0.012, 15.0)
        self._without = 0.0
        self._back = 0.0
        self._cool = 0.0

    @property
    def mains_ok(self) -> bool:
        """Whether all phases of the mains are within limits."""
        return min(self.mains) > 0.85 * 220.0 and max(self.mains) < 1.2 * 220.0

    @property
    def generator_ok(self) -> bool:
        """Whether the generator may take the load."""
        return self.generator > 0.9 * 220.0

    @property
    def alive(self) -> bool:
        """Whether the bus has a voltage."""
        return max(self.bus) > 50.0

    @property
    def frequency(self) -> float:
        """Hz on the bus; 0 when it is dead."""
        return 50.0 + self._frequency.value if self.alive else 0.0

    @property
    def on_generator(self) -> bool:
        """Whether the load is on source 2."""
        return self.switching is Switching.ON_EMERGENCY

    def states(self) -> Mapping[str, bool]:
        """What is wrong on purpose."""
        return {"lost": self.lost, "stuck": self.stuck, "no_start": self.no_start}

    def step(self, dt: float) -> None:
        """One step of sources, switch and bus."""
        self._frequency.step(dt)
        for phase, wander in enumerate(self._phases):
            target = 0.0 if self.lost else NOMINAL * self.level[phase] + wander.step(dt)
            self.mains[phase] = lag(self.mains[phase], target, dt, 0.04)
        self._generate(dt)
        self._switch(dt)
        source = self._source()
        for phase in range(3):
            self.bus[phase] = lag(self.bus[phase], source[phase], dt, 0.03)

    def _source(self) -> list[float]:
        if self.switching is Switching.ON_EMERGENCY:
            return [self.generator + wander.value for wander in self._phases] if self.generator_runs else [0.0] * 3
        if self.switching in (Switching.ON_NORMAL, Switching.TO_EMERGENCY):
            return self.mains
        return [0.0] * 3

    def _generate(self, dt: float) -> None:
        """The generator starts when the mains have been away and stops after its cool-down."""
        self._without = 0.0 if self.mains_ok else self._without + dt
        needed = self._without >= CRANK or self.switching in (Switching.ON_EMERGENCY, Switching.FAILED)
        self._cool = 0.0 if needed else self._cool + dt
        self.cranking = needed and not self.generator_runs
        if needed and not self.generator_runs and not self.no_start:
            self.generator_runs = True
            self.generator_starts += 1
        elif self.generator_runs and self._cool >= COOL_DOWN:
            self.generator_runs = False
        self.generator = lag(self.generator, 230.0 if self.generator_runs else 0.0, dt, 2.2)
        if self.generator_runs:
            self.generator_seconds += dt

    def _switch(self, dt: float) -> None:
        """The transfer sequence; a stuck switch ends in FAILED and stays until it is set free with good mains."""
        self._back = self._back + dt if self.mains_ok else 0.0
        state = self.switching
        if state is Switching.ON_NORMAL and self._without >= READY and self.generator_ok:
            self.switching = Switching.TO_EMERGENCY
        elif state is Switching.TO_EMERGENCY and self._without >= TRANSFER:
            self.switching = Switching.FAILED if self.stuck else Switching.ON_EMERGENCY
        elif state is Switching.ON_EMERGENCY and self._back >= RETURN:
            self.switching = Switching.TO_NORMAL
        elif state is Switching.TO_NORMAL and self._back >= RETURN + 0.6:
            self.switching = Switching.ON_NORMAL
        elif state is Switching.FAILED and not self.stuck:
            self.switching = Switching.ON_NORMAL if self.mains_ok else Switching.TO_EMERGENCY
        if self.switching is Switching.TO_EMERGENCY and self.mains_ok:
            self.switching = Switching.ON_NORMAL
