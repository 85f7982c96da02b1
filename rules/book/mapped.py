"""Which points the devices of a site can give: what its rules may look at, and for whom a gateway speaks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from facility.assets import GATEWAY_CLASS, Device
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Profile
from rules.gateway_health import POINTS as OF_A_GATEWAY


def mapped_points(site: Site, catalog: Catalog) -> dict[str, frozenset[str]]:
    """Asset -> the points that its devices can give, by their profiles, narrowed and renamed as the devices say.

    A profile that finds the index in the payload can give every index that the class has. A gateway gives its own.
    """
    found: dict[str, set[str]] = {asset: set() for asset in site.assets}
    for gateway in site.gateways:
        if gateway in found and site.assets[gateway].asset_class == GATEWAY_CLASS:
            found[gateway] |= set(OF_A_GATEWAY)
    for device in site.devices:
        profile = catalog.profiles[device.profile]
        points = catalog.classes[profile.asset_class].points
        found[device.asset] |= {device.rename.get(key, key) for key in _given(device, profile, points)}
    return {asset: frozenset(keys) for asset, keys in found.items()}


def served_points(site: Site, catalog: Catalog) -> dict[str, dict[str, frozenset[str]]]:
    """Gateway -> asset -> the points that its devices can give, as far as their profiles are known."""
    found = {}
    for gateway in site.gateways:
        known = tuple(device for device in site.devices_of(gateway) if device.profile in catalog.profiles)
        mapped = mapped_points(replace(site, gateways=(), devices=known), catalog)
        found[gateway] = {asset: points for asset, points in mapped.items() if points}
    return found


def _given(device: Device, profile: Profile, points: Iterable[str]) -> Iterator[str]:
    templates = {key for key in profile.points if "[n]" in key}
    concrete = [key for key in points if re.sub(r"\[\d+\]", "[n]", key) in templates]
    for key in (*profile.points, *concrete):
        if "[n]" not in key and (not device.points or key in device.points):
            yield key
