"""Makes the model of an asset: which one by its class and by what its devices show, its size from the ledger; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from facility.assets import Asset
from facility.catalog import Catalog
from facility.config import Site
from simulators.models.access_control import AccessController
from simulators.models.ats import Ats
from simulators.models.cabinet import Cabinet
from simulators.models.elevator import Elevator
from simulators.models.fire_panel import FirePanel
from simulators.models.fire_water_set import FireWater
from simulators.models.model import Model
from simulators.models.power_meter import Meter
from simulators.models.sewage import Sewage
from simulators.models.supply import Supply
from simulators.models.ups import Ups
from simulators.models.water_pump import PumpSet


class Maker:
    """Makes models one after the other. Rated values of the ledger set their size.

    Rated names: `floors`, `speed` (m/s), `lowest_floor`; `pumps`, `pressure` (MPa), `flow` (m3/h per pump), `tank_m3`,
    `sump_m2`, `valves`; `load` (kW of a meter's own consumers); `doors`; `zones`, `loops`.
    """

    def __init__(self, site: Site, catalog: Catalog, *, seed: int, epoch: float) -> None:
        self._site, self._seed, self._epoch = site, seed, epoch
        self._points = points_of(site, catalog)
        self._zone = zone_of(site.time_zone, epoch)
        self.supply = Supply(self._random("supply"))
        self._meters: dict[str, Meter] = {}

    def model(self, asset: Asset) -> Model | None:
        """The model of an asset, or None when nothing of its class is simulated."""
        make = MAKERS.get(asset.asset_class)
        model = make(self, asset) if make else None
        if model:
            model.zone = self._zone
        return model

    def _random(self, name: str) -> Random:
        return Random(f"{self._seed}/{name}")

    def _shows(self, asset: str, *prefixes: str) -> bool:
        """Whether a device of the asset maps a point that begins so."""
        return any(point.startswith(prefixes) for point in self._points.get(asset, ()))

    def elevator(self, asset: Asset) -> Model:
        """A traction lift."""
        rated = asset.rated
        floors, lowest = int(rated.get("floors", 12)), int(rated.get("lowest_floor", 1))
        speed = rated.get("speed", 1.75)
        return Elevator(self._random(asset.id), floors=floors, rated_speed=speed, lowest=lowest, epoch=self._epoch)

    def water_pump(self, asset: Asset) -> Model:
        """Fire water, sewage or a booster set, by the points that its devices show; a booster when they show none."""
        rated, random, epoch = asset.rated, self._random(asset.id), self._epoch
        booster, pumps = self._shows(asset.id, "sys."), int(rated.get("pumps", 2))
        if not booster and self._shows(asset.id, "fw."):
            pressure, valves = rated.get("pressure", 0.9), int(rated.get("valves", 4))
            return FireWater(random, pumps=pumps, pressure=pressure, valves=valves, epoch=epoch)
        if not booster and self._shows(asset.id, "sump.", "pump["):
            flow, area = rated.get("flow", 20.0), rated.get("sump_m2", 4.0)
            return Sewage(random, pumps=pumps, flow=flow, area=area, epoch=epoch)
        pumps, pressure = int(rated.get("pumps", 3)), rated.get("pressure", 0.6)
        flow, tank = rated.get("flow", 16.0), rated.get("tank_m3", 40.0)
        made = PumpSet(random, pumps=pumps, setpoint=pressure, flow=flow, tank=tank, epoch=epoch)
        made.zone = self._zone
        made.leap(0.0)  # to the balance that its hour asks for
        return made

    def power(self, asset: Asset) -> Model | None:
        """What stands in a switchboard, by the points that it shows: transfer switch, meter, UPS."""
        parts: list[Model] = []
        if self._shows(asset.id, "ats."):
            parts.append(Ats(self.supply, epoch=self._epoch))
        if self._shows(asset.id, "u."):
            parts.append(self._meter(asset))
        if self._shows(asset.id, "ups."):
            parts.append(Ups(self._random(f"{asset.id}/ups"), self.supply, epoch=self._epoch))
        return Cabinet(parts, epoch=self._epoch) if parts else None

    def fire_alarm(self, asset: Asset) -> Model:
        """An addressable panel."""
        zones, loops = int(asset.rated.get("zones", 128)), int(asset.rated.get("loops", 10))
        return FirePanel(self._random(asset.id), zones=zones, loops=loops, epoch=self._epoch)

    def access_control(self, asset: Asset) -> Model:
        """A door controller."""
        return AccessController(self._random(asset.id), doors=int(asset.rated.get("doors", 4)), epoch=self._epoch)

    def _meter(self, asset: Asset, above: frozenset[str] = frozenset()) -> Meter:
        """A meter with the meters that it feeds."""
        if asset.id not in self._meters:
            above |= {asset.id}
            fed = [other for other in self._site.assets.values() if asset.id in other.parents]
            fed = [other for other in fed if other.asset_class == "power" and other.id not in above]
            feeders = [self._meter(other, above) for other in fed if self._shows(other.id, "u.")]
            random, load = self._random(asset.id), asset.rated.get("load", 20.0)
            self._meters[asset.id] = Meter(random, self.supply, load=load, feeders=feeders, epoch=self._epoch)
        return self._meters[asset.id]


MAKERS: Mapping[str, Callable[[Maker, Asset], Model | None]] = {
    "elevator": Maker.elevator,
    "water_pump": Maker.water_pump,
    "power": Maker.power,
    "fire_alarm": Maker.fire_alarm,
    "access_control": Maker.access_control,
}
"""Asset class -> what makes its model."""


def points_of(site: Site, catalog: Catalog) -> Mapping[str, frozenset[str]]:
    """Asset -> the canonical points that its devices map, under the asset's own keys."""
    found: dict[str, set[str]] = {}
    for device in site.devices:
        profile = catalog.profiles[device.profile]
        points = catalog.classes[profile.asset_class].points
        wanted = [key for key in profile.points if not device.points or key in device.points]
        keys = {device.rename.get(key, key) for key in wanted}
        keys |= {key.replace("[n]", f"[{n}]") for key in keys if "[n]" in key for n in range(1, 9)}
        found.setdefault(device.asset, set()).update(key for key in keys if key in points)
    return {asset: frozenset(points) for asset, points in found.items()}


def zone_of(name: str, epoch: float) -> float:
    """Seconds by which a time zone is ahead of UTC at an instant."""
    offset = datetime.fromtimestamp(epoch, UTC).astimezone(ZoneInfo(name)).utcoffset()
    return offset.total_seconds() if offset else 0.0
