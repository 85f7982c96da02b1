"""Who feeds whom: sources of voltage, and the ways with a breaker from a source to what hangs on it; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

NOMINAL = 220.0
"""V between phase and neutral, as it is on an ordinary day."""

DEAD = (0.0, 0.0, 0.0)
MOTORS_DROP = 0.6
"""Share of the nominal voltage below which a motor's contactor drops, and its phase relay trips."""


class Source(Protocol):
    """Something that others hang on: the mains, a switch, a meter's busbar, a UPS."""

    @property
    def volts(self) -> Sequence[float]:
        """V of the three phases to neutral."""
        ...

    @property
    def frequency(self) -> float:
        """Hz; 0 when it is dead."""
        ...


class Way:
    """The way from `source` to one that it feeds. Nothing comes through while it is not `closed`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.closed = True

    @property
    def volts(self) -> Sequence[float]:
        """V of the three phases at its end."""
        return self.source.volts if self.closed else DEAD

    @property
    def frequency(self) -> float:
        """Hz at its end; 0 when it is dead."""
        return self.source.frequency if self.closed else 0.0


def is_alive(volts: Sequence[float]) -> bool:
    """Whether there is a voltage at all."""
    return max(volts) > 50.0


def motors_run(volts: Sequence[float]) -> bool:
    """Whether three-phase equipment works: all phases are there."""
    return min(volts) > MOTORS_DROP * NOMINAL
