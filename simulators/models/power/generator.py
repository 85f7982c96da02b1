"""The generating set as its own controller shows it; pure."""

from __future__ import annotations

from collections.abc import Mapping

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.power.engine import RATED_SPEED
from simulators.models.power.supply import Supply


class Generator(Model):
    """The controller of the engine that the site's Supply runs."""

    FAULTS = frozenset({"generator_fail"})
    ACTS = frozenset({"generator_test", "refuel"})

    def __init__(self, supply: Supply, *, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.supply = supply

    def began(self, fault: str) -> None:  # noqa: ARG002 - the supply wants to know all of them
        """Hand the fault to the supply; its owner steps it."""
        self.supply.suffer(self, self.active)

    def ended(self, fault: str) -> None:
        """A mechanic has repaired and reset it."""
        self.began(fault)

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """The monthly run without taking the load over, for `minutes`; or the tank is filled."""
        engine = self.supply.engine
        if act == "generator_test":
            engine.test_left = params.get("minutes", 30.0) * 60
        else:
            engine.fuel = 98.0
            engine.reset()

    def values(self) -> dict[str, Value]:
        """The points of a generator controller."""
        engine = self.supply.engine
        return {
            "gen.run": engine.running,
            "gen.ready": not engine.failed and engine.fuel > 0.0,
            "gen.fault": engine.failed,
            "gen.start_cmd": engine.commanded,
            "gen.fuel": engine.fuel,
            "gen.battery_v": engine.battery,
            "gen.rpm": engine.rpm,
            "gen.oil_p": 420.0 * engine.rpm / RATED_SPEED if engine.running else 0.0,
            "gen.coolant_t": engine.coolant,
            "gen.run_hours": engine.seconds / 3600,
            "gen.starts": engine.starts,
        }
