"""Pure: what a changed site means for one gateway: which devices are new, other than before, or gone.

A device is the same as before when all that decides how it is talked to is equal: its entry (its line with it), its
profile, and the points of its class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from facility.assets import Device
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Point, Profile

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Served:
    """One device of a gateway, with all that decides how it is talked to. `points` are those of its class."""

    device: Device
    profile: Profile
    points: Mapping[str, Point]

    def gives(self) -> Iterator[tuple[str, str]]:
        """(asset, point) of everything that the device may give."""
        given = self.profile.points
        templates = {key for key in given if "[n]" in key}
        concrete = [key for key in self.points if "[" in key and _INDEX.sub("[n]", key) in templates]
        for key in (*given, *concrete):
            if key not in templates and (not self.device.points or key in self.device.points):
                yield self.device.asset, self.device.rename.get(key, key)


@dataclass(frozen=True, slots=True)
class Changes:
    """Ids of the devices that are new, that are other than before, and that are gone; false when there are none."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def served(site: Site, catalog: Catalog, gateway: str) -> dict[str, Served]:
    """The devices of a gateway by id, in the order of devices.yaml."""
    return {device.id: _served(device, catalog) for device in site.devices_of(gateway)}


def compare(old: Mapping[str, Served], new: Mapping[str, Served]) -> Changes:
    """What has to be done to come from `old` to `new`."""
    return Changes(
        tuple(name for name in new if name not in old),
        tuple(name for name, item in new.items() if name in old and item != old[name]),
        tuple(name for name in old if name not in new),
    )


def forsaken(before: Iterable[Served], site: Site, catalog: Catalog) -> dict[str, list[str]]:
    """Asset -> the points that these devices gave and that no device of the site gives now, where the asset still is.

    Nobody will correct their last values, so they must not go on looking live.
    """
    found: dict[str, list[str]] = {}
    lost = {place for item in before for place in item.gives()}
    if lost:
        lost -= {place for device in site.devices for place in _served(device, catalog).gives()}
    for name, key in sorted(lost):
        asset = site.assets.get(name)
        if asset is not None and catalog.point(asset.asset_class, key) is not None:
            found.setdefault(name, []).append(key)
    return found


def _served(device: Device, catalog: Catalog) -> Served:
    profile = catalog.profiles[device.profile]
    return Served(device, profile, catalog.classes[profile.asset_class].points)
