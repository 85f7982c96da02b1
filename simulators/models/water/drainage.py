"""The drainage pit model: a sump that what drips and is washed down fills slowly, and a cloudburst quickly; pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from facility.readings import Value
from simulators.models.rooms.outdoors import occupancy
from simulators.models.water.sump import Levels, Sump
from simulators.models.water.water import TINY

RATED_CURRENT = 8.0
"""A of one pump."""
INFLOWS = {"pump_blocked": 9.0, "pumps_fail": 9.0, "inflow_surge": 30.0}
"""m3/h that come in with a fault."""
MENDS = {"clear_pump": ("pump_blocked", "pumps_fail"), "clean_float": ("float_stuck",)}
"""The faults that an act ends."""


class Pit(Sump):
    """A drainage pit of `area` m2 with pumps of `flow` m3/h each."""

    FAULTS = frozenset({*INFLOWS, "float_stuck"})
    ACTS = frozenset({*MENDS, "reset_thermal"})
    LEVELS = Levels(stop=0.4, start=1.0, high=1.4, backup=1.6, overflow=2.0)
    ONE, ALL, TOLERANCE = "pump_blocked", "pumps_fail", 60.0

    def __init__(
        self, random: Random, *, pumps: int = 2, area: float = 3.0, flow: float = 20.0, epoch: float = 0.0
    ) -> None:
        super().__init__(random, pumps=pumps, flow=flow, area=area, current=RATED_CURRENT, epoch=epoch)
        self.level = random.uniform(0.45, 0.8)

    @property
    def held(self) -> bool:
        """The stop float hangs up while its fault is on."""
        return self.on("float_stuck")

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002 - no act here has any
        """Clear the pumps, clean the float, or only reset the relays: they trip again while the cause is there."""
        for fault in MENDS.get(act, ()):
            self.end(fault)
        if act == "reset_thermal":
            for pump in self.pumps:
                pump.reset()

    def comes(self, hour: float) -> float:
        """With the people who are in, or as much as a fault says (`inflow`)."""
        told = [self.param(fault, "inflow", inflow) for fault, inflow in INFLOWS.items() if self.on(fault)]
        return max([0.8 * (0.6 + 0.8 * occupancy(hour)), *told])

    def values(self) -> dict[str, Value]:
        """Every point of the pit; its controller knows the stop float and the inflow too."""
        return {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch),
            "sump.stop_float": self.held or self.level >= self.LEVELS.stop - TINY,
            "inflow_estimate": self.inflow,
            **super().values(),
        }
