"""Which points a fault of a point can befall, and what each can show: by the devices and profiles of a site; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from facility.catalog import Catalog
from facility.config import Site
from facility.points import Kind, Point, Register
from simulators.making import points_of
from simulators.models.sensors import Place, Scale, scale_of

NUMBERS = (Kind.ANALOG, Kind.COUNTER)


def shown_points(site: Site, catalog: Catalog, served: Mapping[str, Collection[str]]) -> dict[str, dict[str, Point]]:
    """Asset -> key -> point that devices show as the asset has it. `served`: asset -> the keys that it has at all."""
    mapped, kept = points_of(site, catalog), _registers(site, catalog)
    found: dict[str, dict[str, Point]] = {}
    for asset, keys in served.items():
        points = catalog.classes[site.assets[asset].asset_class].points
        known = [key for key in sorted(mapped.get(asset, ())) if key in keys]
        found[asset] = {key: points[key] for key in known if _is_shown(points[key], kept.get((asset, key), ()))}
    return found


def scales(site: Site, catalog: Catalog, shown: Mapping[str, Mapping[str, Point]]) -> dict[Place, Scale]:
    """What each number can show: its range, and what fits into every register that holds it."""
    kept = _registers(site, catalog)
    return {
        (asset, key): scale_of(point, [register for register in kept.get((asset, key), ()) if not register.view])
        for asset, points in shown.items()
        for key, point in points.items()
        if point.kind in NUMBERS
    }


def _registers(site: Site, catalog: Catalog) -> dict[Place, list[Register]]:
    """Where the devices keep the points of their assets."""
    found: dict[Place, list[Register]] = {}
    for device in site.devices:
        for register in catalog.profiles[device.profile].registers:
            key = device.rename.get(register.point, register.point)
            found.setdefault((device.asset, key), []).append(register)
    return found


def _is_shown(point: Point, registers: Sequence[Register]) -> bool:
    """Whether registers (none: a device on the broker) show whatever the point is said to have.

    Not a second reading of bits that belong to another point, and no number that stands for states.
    """
    if registers and all(register.view for register in registers):
        return False
    return point.kind not in NUMBERS or not any(register.values for register in registers)
