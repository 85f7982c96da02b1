"""The sewage model: a sump that fills over the day as the people of a building use water; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random

from simulators.models.water.sump import Levels, Sump
from simulators.models.water.water import demand, operate

HEAD, EFFICIENCY, POWER_FACTOR = 0.15, 0.45, 0.7
"""MPa that a pump lifts against; of pump and motor; power factor times the motor's own efficiency."""


class Sewage(Sump):
    """A sewage sump of `area` m2 with pumps of `flow` m3/h each."""

    FAULTS = frozenset({"sewage_blocked", "sewage_overflow"})
    ACTS = frozenset({"reset", "pump_off", "pump_auto"})
    LEVELS = Levels(stop=0.5, start=1.2, high=1.7, backup=1.85, overflow=2.2)
    ONE, ALL, TOLERANCE = "sewage_blocked", "sewage_overflow", 480.0

    def __init__(
        self, random: Random, *, pumps: int = 2, flow: float = 20.0, area: float = 4.0, epoch: float = 0.0
    ) -> None:
        current = flow * HEAD / 3.6 / EFFICIENCY / (math.sqrt(3) * 0.38 * POWER_FACTOR)
        super().__init__(random, pumps=pumps, flow=flow, area=area, current=current, epoch=epoch)
        self.level = 1.1

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """Reset, switch off or switch to automatic one pump (`pump`), or every one (0)."""
        operate(self.pumps, act, params)

    def comes(self, hour: float) -> float:
        """With the hour, or so much that the level rises as a fault says (m in 10 min); one clean pump gives more."""
        rise = max((self.param(fault, "rise", 0.5) for fault in self.active), default=0.0)
        return max(0.3 * self.flow * demand(hour), min(6 * rise * self.area, 0.6 * self.flow))
