"""A small power plant for tests of its models, and the demonstration tower with everything of power in it."""

from __future__ import annotations

import dataclasses
from random import Random

from facility.assets import Asset, Device, Line
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Label
from facility.readings import Value
from simulators.models.cabinet import Cabinet
from simulators.models.power.ats import Ats
from simulators.models.power.breakers import Board, Breaker
from simulators.models.power.feed import Way
from simulators.models.power.generator import Generator
from simulators.models.power.power_meter import Meter
from simulators.models.power.supply import Supply
from simulators.models.power.transformer import Transformer
from simulators.models.power.ups import Ups

NOON = 36_000.0
"""10:00, when the load is at its peak and stays there for two hours."""


class Plant:
    """A transformer, a generating set, and a main board that feeds one meter and a UPS, each by its own breaker."""

    def __init__(self, seed: int = 5, epoch: float = NOON) -> None:
        self.supply = Supply(Random(seed))
        lifts, ups = Way(self.supply), Way(self.supply)
        self.lifts = Meter(Random(seed + 1), lifts, load=30.0, epoch=epoch)
        self.main = Meter(Random(seed + 2), self.supply, load=60.0, feeders=[self.lifts], epoch=epoch)
        lifts.source = ups.source = self.main
        breakers = [Breaker(lifts, self.lifts), Breaker(ups), Breaker(), Breaker()]
        self.board = Board(Random(seed + 3), self.main, breakers, epoch=epoch)
        self.cabinet = Cabinet([Ats(self.supply, epoch=epoch), self.main, self.board], epoch=epoch)
        self.ups = Ups(Random(seed + 4), ups, epoch=epoch)
        self.generator = Generator(self.supply, epoch=epoch)
        self.transformer = Transformer(Random(seed + 6), self.supply, epoch=epoch)
        self.models = (self.lifts, self.ups, self.cabinet, self.generator, self.transformer)

    def run(self, seconds: float, dt: float = 0.1) -> dict[str, Value]:
        """Step everything, the meter before the one above it."""
        for _ in range(round(seconds / dt)):
            self.supply.step(dt)
            for model in self.models:
                model.step(dt)
        return self.values()

    def leap(self, seconds: float) -> dict[str, Value]:
        """Let time go by, then settle what moves quickly."""
        self.supply.leap(seconds)
        for model in self.models:
            model.leap(seconds)
        return self.values()

    def values(self) -> dict[str, Value]:
        """All points; those of a meter are the main board's."""
        found: dict[str, Value] = {}
        for model in (self.ups, self.cabinet, self.generator, self.transformer):
            found |= model.values()
        return found


def tower(demo: tuple[Site, Catalog]) -> Site:
    """The demonstration site with a transformer, a generating set, and the inside of the main board watched."""
    site, _ = demo
    assets = dict(site.assets)
    for name, zh, en in (("TX-01", "1号变压器", "Transformer 1"), ("GE-01", "柴油发电机", "Generating set")):
        assets[name] = Asset(name, "power", Label(zh, en))
    assets["PM-01"] = dataclasses.replace(assets["PM-01"], parents=("TX-01",))
    devices = (
        *site.devices,
        Device("TX-01-temp", "gw-2", "eaton-tc50", "TX-01", line=Line(port=15047)),
        Device("GE-01-ctl", "gw-2", "fw-gen-1", "GE-01", line=Line(port=15048)),
        Device("PM-01-io", "gw-2", "fw-board-1", "PM-01", line=Line(port=15049)),
    )
    return dataclasses.replace(site, assets=assets, devices=devices)
