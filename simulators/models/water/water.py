"""What the models of water have in common: demand over the day, when a level arrives, acts on pumps; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

HOURS = (
    0.05, 0.025, 0.012, 0.012, 0.012, 0.12, 0.6, 1.0, 0.85, 0.62, 0.53, 0.5,
    0.58, 0.5, 0.42, 0.42, 0.48, 0.65, 0.88, 1.0, 0.85, 0.62, 0.38, 0.15, 0.05,
)  # fmt: skip
"""Share of the highest demand at each full hour of a day in a residential building; the first hour stands again last.
Peaks at 7 and 19; from 2 to 4 there is only what drips, so that a leak shows."""
_SLOPES = tuple(after - before for before, after in pairwise(HOURS))

MIDDAY = HOURS[11]
"""The share at 11:00, which the figures of the failure signatures stand for."""

PIECE = 600.0
"""Seconds for which a leap takes the demand as constant."""
TICK, TINY = 1e-3, 1e-9
"""Of a walk from switching to switching: seconds that time goes on at least; by how much a mark may be missed."""


def demand(hour: float) -> float:
    """Share (0..1) of the day's highest demand at an hour (0..24) of the day; straight lines between full hours."""
    index = int(hour) % 24
    return HOURS[index] + _SLOPES[index] * (hour - int(hour))


def seconds_until(value: float, target: float, rate: float) -> float:
    """Seconds until `value`, moving at `rate` per second, is at `target`; infinite when it moves away or stands."""
    away = target - value
    return away / rate if away * rate > 0 else math.inf


class Switched(Protocol):
    """A pump as the person at its cabinet knows it."""

    def reset(self) -> None:
        """Set its protection again."""

    def switch(self, *, off: bool) -> None:
        """Switch it off, or to automatic."""


def operate(pumps: Sequence[Switched], act: str, params: Mapping[str, float]) -> None:
    """Reset (`reset`), switch off (`pump_off`) or to automatic one pump (`pump`, from 1), or every one (0)."""
    number = int(params.get("pump", 0.0 if act == "reset" else 1.0))
    for pump in pumps[number - 1 : number] if number else pumps:
        if act == "reset":
            pump.reset()
        else:
            pump.switch(off=act == "pump_off")
