"""Makes the model of an asset: which one by its class and by what its devices show, its size from the ledger; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from facility.assets import Asset
from facility.catalog import Catalog
from facility.config import Site
from simulators.models.cabinet import Cabinet
from simulators.models.fire.fire_panel import FirePanel
from simulators.models.model import Model
from simulators.models.passage.access_control import AccessController
from simulators.models.passage.elevator import Elevator
from simulators.models.rooms.air_handler import AirHandler
from simulators.models.rooms.camera_recorder import CameraRecorder
from simulators.models.rooms.chiller import Chiller
from simulators.models.rooms.environment import Environment
from simulators.models.rooms.lighting import Lighting
from simulators.models.water.drainage import Pit
from simulators.models.water.fire_water_set import FireWater
from simulators.models.water.sewage import Sewage
from simulators.models.water.water_pump import PumpSet
from simulators.network import Network


class Maker:
    """Makes models one after the other. Rated values of the ledger set their size.

    Rated names: `floors`, `speed` (m/s), `lowest_floor`; `pumps`, `pressure` (MPa), `flow` (m3/h per pump), `tank_m3`,
    `sump_m2`, `valves`; `load` (kW of a meter's own consumers at the day's peak), `breakers` (of a board), `va` and
    `battery_blocks` (of a UPS); `doors`; `zones`, `loops`; `cooling` (kW), `supply_temp` (Cel); `cameras`, `disks`,
    `recording_days`; `pit_area` (m2) with `pumps` and `flow` of a drainage pit; `circuits`.
    """

    def __init__(self, site: Site, catalog: Catalog, *, seed: int, epoch: float) -> None:
        self._site, self._seed, self._epoch = site, seed, epoch
        self._points = points_of(site, catalog)
        self._zone = zone_of(site.time_zone, epoch)
        self.network = Network(site, self._shows, self._random, epoch=epoch)

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
        """What stands in a switchboard: transfer switch, generator, transformer, meter, breakers, UPS."""
        return self.network.model(asset)

    def fire_alarm(self, asset: Asset) -> Model:
        """An addressable panel."""
        zones, loops = int(asset.rated.get("zones", 128)), int(asset.rated.get("loops", 10))
        return FirePanel(self._random(asset.id), zones=zones, loops=loops, epoch=self._epoch)

    def access_control(self, asset: Asset) -> Model:
        """A door controller."""
        return AccessController(self._random(asset.id), doors=int(asset.rated.get("doors", 4)), epoch=self._epoch)

    def hvac(self, asset: Asset) -> Model | None:
        """Air conditioning, by the points that it shows: chiller plant, air handler."""
        parts: list[Model] = []
        if self._shows(asset.id, "chiller.", "chw.", "cw.", "tower."):
            random, rated = self._random(f"{asset.id}/chiller"), asset.rated.get("cooling", 700.0)
            parts.append(Chiller(random, rated=rated, epoch=self._epoch))
        if self._shows(asset.id, "ahu."):
            random, supply = self._random(f"{asset.id}/ahu"), asset.rated.get("supply_temp", 14.0)
            parts.append(AirHandler(random, setpoint=supply, epoch=self._epoch))
        return Cabinet(parts, epoch=self._epoch) if parts else None

    def cctv(self, asset: Asset) -> Model:
        """A video recorder with its cameras."""
        rated = asset.rated
        cameras, disks = int(rated.get("cameras", 16)), int(rated.get("disks", 8))
        days = rated.get("recording_days", 36.0)
        return CameraRecorder(self._random(asset.id), cameras=cameras, disks=disks, days=days, epoch=self._epoch)

    def drainage(self, asset: Asset) -> Model:
        """A drainage pit."""
        rated = asset.rated
        pumps, area, flow = int(rated.get("pumps", 2)), rated.get("pit_area", 3.0), rated.get("flow", 20.0)
        return Pit(self._random(asset.id), pumps=pumps, area=area, flow=flow, epoch=self._epoch)

    def lighting(self, asset: Asset) -> Model:
        """A lighting controller."""
        return Lighting(self._random(asset.id), circuits=int(asset.rated.get("circuits", 8)), epoch=self._epoch)

    def environment(self, asset: Asset) -> Model:
        """A room with as many wireless sensors as its devices show."""
        keys = self._points.get(asset.id, frozenset())
        sensors = sum(any(key.startswith(f"sensor[{number}].") for key in keys) for number in range(1, 17))
        return Environment(self._random(asset.id), sensors=sensors, epoch=self._epoch)


MAKERS: Mapping[str, Callable[[Maker, Asset], Model | None]] = {
    "elevator": Maker.elevator,
    "water_pump": Maker.water_pump,
    "power": Maker.power,
    "fire_alarm": Maker.fire_alarm,
    "access_control": Maker.access_control,
    "hvac": Maker.hvac,
    "cctv": Maker.cctv,
    "drainage": Maker.drainage,
    "lighting": Maker.lighting,
    "environment": Maker.environment,
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
