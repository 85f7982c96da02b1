"""The power network of a site: what stands in each switchboard, and what feeds whom by the ledger; pure."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from facility.assets import Asset
from facility.config import Site
from simulators.models.cabinet import Cabinet
from simulators.models.model import Model
from simulators.models.power.ats import Ats
from simulators.models.power.breakers import Board, Breaker
from simulators.models.power.feed import Source, Way
from simulators.models.power.generator import Generator
from simulators.models.power.power_meter import Meter
from simulators.models.power.supply import Supply
from simulators.models.power.transformer import Transformer
from simulators.models.power.ups import Ups

BOARD = ("breaker[", "busbar.", "residual_current")
"""Points by which a board is known whose inside is watched."""

MOST_BREAKERS, MOST_BLOCKS = 32, 64
"""As many breakers and batteries as the class has numbers for."""


class Shows(Protocol):
    """Whether a device of an asset maps a point that begins so."""

    def __call__(self, asset: str, *prefixes: str) -> bool:
        """Whether it does, for any of the prefixes."""
        ...


class Network:
    """Makes the models of power assets around one Supply.

    `random` gives the random numbers for a name. What an asset hangs on is its first parent of class power: behind
    that one's breaker for it, where the board has any. A transfer switch has its parent as source 1. What has no such
    parent hangs on the mains if it is a power asset, and else on the bus behind the transfer switch.
    """

    def __init__(self, site: Site, shows: Shows, random: Callable[[str], Random], *, epoch: float) -> None:
        self._shows, self._random, self._epoch = shows, random, epoch
        self.supply = Supply(random("supply"))
        self._fed: dict[str, list[Asset]] = {}
        for asset in site.assets.values():
            boards = [name for name in asset.parents if site.assets[name].asset_class == "power"]
            for name in boards[:1]:
                self._fed.setdefault(name, []).append(asset)
        self._ways = {fed.id: Way(self.supply.incoming) for feds in self._fed.values() for fed in feds}
        self._meters: dict[str, Meter] = {}

    def inlet(self, asset: Asset) -> Source:
        """What feeds an asset."""
        if asset.asset_class == "power" and self._shows(asset.id, "ats."):
            return self.supply
        loose: Source = self.supply.incoming if asset.asset_class == "power" else self.supply
        return self._ways.get(asset.id, loose)

    def model(self, asset: Asset) -> Model | None:
        """What stands in a switchboard, by the points that it shows; None when that is nothing."""
        parts: list[Model] = []
        outlet = inlet = self.inlet(asset)
        if self._shows(asset.id, "ats."):
            self.supply.normal = self._ways.get(asset.id, self.supply.incoming)
            parts.append(Ats(self.supply, epoch=self._epoch))
        if self._shows(asset.id, "gen."):
            parts.append(Generator(self.supply, epoch=self._epoch))
        if self._shows(asset.id, "tx."):
            parts.append(Transformer(self._random(f"{asset.id}/tx"), self.supply, epoch=self._epoch))
        if self._is_metered(asset):
            outlet = meter = self._meter(asset)
            parts.append(meter)
            if self._shows(asset.id, *BOARD):
                parts.append(self._board(asset, meter))
        if self._shows(asset.id, "ups.", "batt."):
            ups = self._ups(asset, outlet)
            outlet = ups if outlet is inlet else outlet
            parts.append(ups)
        for fed in self._fed.get(asset.id, ()):
            self._ways[fed.id].source = outlet
        return Cabinet(parts, epoch=self._epoch) if parts else None

    def _is_metered(self, asset: Asset) -> bool:
        """Whether currents are known in it."""
        return asset.asset_class == "power" and self._shows(asset.id, "u.", *BOARD)

    def _meter(self, asset: Asset) -> Meter:
        """A meter with the meters that it feeds."""
        if asset.id not in self._meters:
            feeders = [self._meter(fed) for fed in self._fed.get(asset.id, ()) if self._is_metered(fed)]
            random, load = self._random(asset.id), asset.rated.get("load", 20.0)
            made = Meter(random, self.inlet(asset), load=load, feeders=feeders, epoch=self._epoch)
            self._meters[asset.id] = made
        return self._meters[asset.id]

    def _board(self, asset: Asset, meter: Meter) -> Board:
        """A breaker for each asset that it feeds, in the ledger's order, then those of its own consumers."""
        fed = self._fed.get(asset.id, [])[:MOST_BREAKERS]
        breakers = [Breaker(self._ways[one.id], self._meter(one) if self._is_metered(one) else None) for one in fed]
        wanted = min(MOST_BREAKERS, int(asset.rated.get("breakers", max(6, len(fed)))))
        breakers += [Breaker() for _ in range(wanted - len(fed))]
        return Board(self._random(f"{asset.id}/board"), meter, breakers, epoch=self._epoch)

    def _ups(self, asset: Asset, source: Source) -> Ups:
        va, blocks = asset.rated.get("va", 20_000.0), int(asset.rated.get("battery_blocks", 4))
        return Ups(self._random(f"{asset.id}/ups"), source, va=va, blocks=min(blocks, MOST_BLOCKS), epoch=self._epoch)
