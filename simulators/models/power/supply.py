"""The building's supply: mains, generating set, transfer switch and the bus behind it; pure.

All power assets of a site share one Supply, so that what they show agrees. It is itself the source that hangs behind
the switch; `incoming` is the source in front of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from random import Random

from simulators.models.model import SLICE
from simulators.models.physics import Wander, lag
from simulators.models.power.engine import Engine
from simulators.models.power.feed import DEAD, NOMINAL, Source, is_alive

START_AFTER, MOVE, RETURN, BACK = 1.0, 2.5, 5.0, 0.6
"""Seconds from the loss to the start command; of the move to source 2; from the return of the mains to the move back;
of the move back."""

SETTLED = 60.0
"""Seconds in which everything here has come to rest, three attempts to start included."""

SKEW = (-1.0, 0.1, 0.9)
"""How the three phases lie around their mean: the voltage unbalance by maximum deviation is the factor before it."""

UNBALANCE = 0.008
"""The ordinary voltage unbalance of the mains."""


class Switching(IntEnum):
    """What the transfer switch does, numbered as `ats.switching`."""

    ON_NORMAL = 0
    TO_EMERGENCY = 1
    ON_EMERGENCY = 2
    TO_NORMAL = 3
    FAILED = 4


class Supply:
    """Mains (source 1), generating set (source 2) and the bus.

    `mains`, `bus`: V of the three phases. `normal` is what the switch has as source 1; `low` is V on L2 while the
    mains lack a phase; `testing`: somebody has put the load on source 2 by hand.
    """

    def __init__(self, random: Random) -> None:
        self.lost = self.stuck = self.testing = False
        self.low: float | None = None
        self.mains: list[float] = [NOMINAL * (1 + UNBALANCE * skew) for skew in SKEW]
        self.bus: Sequence[float] = list(self.mains)
        self.engine = Engine()
        self.switching = Switching.ON_NORMAL
        self.incoming: Source = _Incoming(self)
        self.normal: Source = self.incoming
        self._faults: dict[object, frozenset[str]] = {}
        self._phases = [Wander(random, 0.5, 20.0) for _ in range(3)]
        self._frequency = Wander(random, 0.012, 15.0)
        self._without = self._back = self._moving = 0.0

    @property
    def volts(self) -> Sequence[float]:
        """V of the three phases on the bus."""
        return self.bus

    @property
    def frequency(self) -> float:
        """Hz on the bus; 0 when it is dead."""
        return self.frequency_of(self.bus)

    @property
    def source1_ok(self) -> bool:
        """Whether all phases of source 1 are within limits."""
        volts = self.normal.volts
        return min(volts) > 0.85 * NOMINAL and max(volts) < 1.2 * NOMINAL

    @property
    def on_generator(self) -> bool:
        """Whether the load is on source 2."""
        return self.switching is Switching.ON_EMERGENCY

    def frequency_of(self, volts: Sequence[float]) -> float:
        """Hz where these voltages are; 0 where it is dead."""
        return 50.0 + self._frequency.value if is_alive(volts) else 0.0

    def suffer(self, who: object, faults: frozenset[str]) -> None:
        """`who` says which of its faults befall the supply: everything that is lost, stuck or blocked by anybody."""
        self._faults[who] = faults
        found = frozenset[str]().union(*self._faults.values())
        self.lost = bool(found & {"mains_loss", "ats_fail_to_transfer", "generator_fail", "transformer_trip"})
        self.stuck = "ats_fail_to_transfer" in found
        if self.engine.blocked and "generator_fail" not in found:
            self.engine.reset()
        self.engine.blocked = "generator_fail" in found

    def step(self, dt: float) -> None:
        """One short step of sources, switch and bus."""
        self._frequency.step(dt)
        for phase, wander in enumerate(self._phases):
            target = NOMINAL * (1 + UNBALANCE * SKEW[phase]) + wander.step(dt)
            if self.low is not None and phase == 1:
                target = self.low
            self.mains[phase] = lag(self.mains[phase], 0.0 if self.lost else target, dt, 0.02)
        ok = self.source1_ok
        self._without = 0.0 if ok else self._without + dt
        self._back = self._back + dt if ok else 0.0
        loaded = self.switching in (Switching.ON_EMERGENCY, Switching.FAILED)
        self.engine.wanted = self.testing or loaded or self._without >= START_AFTER
        self.engine.step(dt)
        self._switch(dt)
        self.bus = self._source()

    def leap(self, dt: float) -> None:
        """Any length of time: what is under way comes to rest, then only the engine's hours and fuel go on."""
        left = min(dt, SETTLED)
        dt -= left
        while left > 1e-9:
            piece = min(left, SLICE)
            self.step(piece)
            left -= piece
        self.engine.drift(dt)

    def _source(self) -> Sequence[float]:
        if self.switching is Switching.ON_EMERGENCY:
            volts = self.engine.volts
            return [volts + wander.value for wander in self._phases] if volts > 50.0 else DEAD
        if self.switching in (Switching.ON_NORMAL, Switching.TO_EMERGENCY):
            return list(self.normal.volts)
        return DEAD

    def _switch(self, dt: float) -> None:
        """The transfer sequence; a stuck switch ends in FAILED and stays until it is set free."""
        self._moving += dt
        ok, state = self.source1_ok, self.switching
        leaves = self.testing or self._without >= START_AFTER
        if state is Switching.ON_NORMAL and leaves and self.engine.ready:
            self._move(Switching.TO_EMERGENCY)
        elif state is Switching.TO_EMERGENCY and ok and not self.testing:
            self._move(Switching.ON_NORMAL)
        elif state is Switching.TO_EMERGENCY and self._moving >= MOVE:
            self._move(Switching.FAILED if self.stuck else Switching.ON_EMERGENCY)
        elif state is Switching.ON_EMERGENCY and self._back >= RETURN and not self.testing:
            self._move(Switching.TO_NORMAL)
        elif state is Switching.TO_NORMAL and self._moving >= BACK:
            self._move(Switching.ON_NORMAL)
        elif state is Switching.FAILED and not self.stuck:
            self._move(Switching.ON_NORMAL if ok else Switching.TO_EMERGENCY)

    def _move(self, state: Switching) -> None:
        self.switching, self._moving = state, 0.0


class _Incoming:
    """The mains as a source: what hangs in front of the switch."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply

    @property
    def volts(self) -> Sequence[float]:
        return self._supply.mains

    @property
    def frequency(self) -> float:
        return self._supply.frequency_of(self._supply.mains)
