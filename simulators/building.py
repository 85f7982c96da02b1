"""All models of a site and what joins them: the common supply, and the fire panel's effect on lifts and doors; pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from facility.assets import Asset
from facility.catalog import Catalog
from facility.config import Site
from facility.readings import Value
from simulators.access_control import AccessController
from simulators.ats import Ats
from simulators.elevator import Elevator
from simulators.fire_panel import FirePanel
from simulators.model import SLICE, Model
from simulators.power import PowerCabinet
from simulators.power_meter import Meter
from simulators.supply import Supply
from simulators.ups import Ups
from simulators.water_pump import PumpSet


class Building:
    """The hardware of a site: one model per asset whose class has one. Rated values of the ledger set their size.

    Rated names: `floors`, `speed` (m/s), `lowest_floor`; `pumps`, `pressure` (MPa), `flow` (m3/h per pump);
    `load` (kW of a meter's own consumers); `doors`; `zones`, `loops`.
    """

    def __init__(self, site: Site, catalog: Catalog, *, seed: int = 1, epoch: float = 0.0) -> None:
        self._site, self._seed, self._epoch = site, seed, epoch
        self._points = _points(site, catalog)
        self.supply = Supply(self._random("supply"))
        self._meters: dict[str, Meter] = {}
        self.models: dict[str, Model] = {}
        for asset in site.assets.values():
            model = self._model(asset)
            if model:
                self.models[asset.id] = model
        self.models = dict(sorted(self.models.items(), key=lambda item: self._depth(item[0]), reverse=True))
        self._lifts = [model for model in self.models.values() if isinstance(model, Elevator)]
        self._panels = [model for model in self.models.values() if isinstance(model, FirePanel)]
        self._doors = [model for model in self.models.values() if isinstance(model, AccessController)]

    @property
    def faults(self) -> dict[str, frozenset[str]]:
        """Asset -> the faults that can be injected."""
        return {asset: frozenset(model.faults) for asset, model in self.models.items()}

    def step(self, dt: float) -> None:
        """Go on by `dt` seconds, all models together, in pieces short enough to agree with each other."""
        while dt > 1e-9:
            piece = min(dt, SLICE)
            self._join()
            for model in self.models.values():
                model.step(piece)
            self.supply.step(piece)
            dt -= piece

    def set_epoch(self, epoch: float) -> None:
        """Set every device's clock (s since 1970)."""
        for model in self.models.values():
            model.epoch = epoch

    def values(self) -> dict[str, dict[str, Value]]:
        """Asset -> canonical values."""
        return {asset: model.values() for asset, model in self.models.items()}

    def inject(self, asset: str, fault: str, **params: float) -> None:
        """Begin a fault; ValueError for an unknown asset or fault."""
        self._known(asset).inject(fault, **params)

    def end(self, asset: str, fault: str) -> None:
        """End a fault; ValueError for an unknown asset or fault."""
        self._known(asset).end(fault)

    def _known(self, asset: str) -> Model:
        if asset not in self.models:
            raise ValueError(f"no simulated asset {asset!r}; known: {', '.join(sorted(self.models))}")
        return self.models[asset]

    def _join(self) -> None:
        """What one installation feels of another."""
        fire = any(panel.confirmed for panel in self._panels)
        for lift in self._lifts:
            lift.fire = fire
        for controller in self._doors:
            controller.fire = fire
        for panel in self._panels:
            panel.mains = self.supply.bus[0]
            panel.lifts_home = all(lift.home for lift in self._lifts) if self._lifts else None
            panel.doors_released = all(controller.released for controller in self._doors) if self._doors else None

    def _random(self, name: str) -> Random:
        return Random(f"{self._seed}/{name}")

    def _depth(self, asset: str, below: frozenset[str] = frozenset()) -> int:
        """How many assets stand above one; a meter is stepped after the meters that it feeds."""
        below |= {asset}
        above = [parent for parent in self._site.assets[asset].parents if parent not in below]
        return 1 + max((self._depth(parent, below) for parent in above), default=0)

    def _model(self, asset: Asset) -> Model | None:
        random, epoch, rated = self._random(asset.id), self._epoch, asset.rated
        match asset.asset_class:
            case "elevator":
                floors, lowest = int(rated.get("floors", 12)), int(rated.get("lowest_floor", 1))
                speed = rated.get("speed", 1.75)
                return Elevator(random, floors=floors, rated_speed=speed, lowest=lowest, epoch=epoch)
            case "water_pump":
                pumps, pressure = int(rated.get("pumps", 3)), rated.get("pressure", 0.6)
                flow = rated.get("flow", 16.0)
                return PumpSet(random, pumps=pumps, setpoint=pressure, flow=flow, epoch=epoch)
            case "power":
                return self._cabinet(asset)
            case "fire_alarm":
                zones, loops = int(rated.get("zones", 128)), int(rated.get("loops", 10))
                return FirePanel(random, zones=zones, loops=loops, epoch=epoch)
            case "access_control":
                return AccessController(random, doors=int(rated.get("doors", 4)), epoch=epoch)
            case _:
                return None

    def _cabinet(self, asset: Asset) -> PowerCabinet | None:
        points = self._points.get(asset.id, frozenset())
        parts: list[Model] = []
        if any(point.startswith("ats.") for point in points):
            parts.append(Ats(self.supply, epoch=self._epoch))
        if self._measures(asset.id):
            parts.append(self._meter(asset))
        if any(point.startswith("ups.") for point in points):
            parts.append(Ups(self._random(f"{asset.id}/ups"), self.supply, epoch=self._epoch))
        return PowerCabinet(parts, epoch=self._epoch) if parts else None

    def _meter(self, asset: Asset, above: frozenset[str] = frozenset()) -> Meter:
        """A meter with the meters that it feeds."""
        if asset.id not in self._meters:
            above |= {asset.id}
            fed = [other for other in self._site.assets.values() if asset.id in other.parents]
            fed = [other for other in fed if other.asset_class == "power" and other.id not in above]
            feeders = [self._meter(other, above) for other in fed if self._measures(other.id)]
            random, load = self._random(asset.id), asset.rated.get("load", 20.0)
            self._meters[asset.id] = Meter(random, self.supply, load=load, feeders=feeders, epoch=self._epoch)
        return self._meters[asset.id]

    def _measures(self, asset: str) -> bool:
        return any(point.startswith("u.") for point in self._points.get(asset, ()))


def _points(site: Site, catalog: Catalog) -> Mapping[str, frozenset[str]]:
    """Asset -> the canonical points that its devices map."""
    found: dict[str, set[str]] = {}
    for device in site.devices:
        found.setdefault(device.asset, set()).update(catalog.profiles[device.profile].points)
    return {asset: frozenset(points) for asset, points in found.items()}
