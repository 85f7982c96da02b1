"""Which points nobody speaks for: the gateways that serve them are gone. Pure; instants are ms UTC.

By exception a gateway tells what changes, so its silence looks like a building in which nothing happens. Rules must not
rest on that: what a gateway told is unknown to them while it is not there (facility/presence.py), and an alarm neither
comes nor goes by it. That the gateway is gone has an alarm of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facility.presence import Presence

Served = Mapping[str, Mapping[str, frozenset[str]]]
"""Gateway -> asset -> the points of it that its devices give."""


@dataclass(slots=True)
class _Group:
    """Points of one asset that the same gateways serve: unknown when all of these are gone."""

    asset: str
    gateways: frozenset[str]
    points: list[str]
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Turned:
    """What a look has found: points by asset that are unknown from now on, that count again; gateways that are back."""

    silent: list[tuple[str, list[str]]]
    heard: list[tuple[str, list[str]]]
    back: list[str]


class Silence:
    """Look at the gateways of a site, again and again. `presence` is kept up by the caller."""

    def __init__(self, presence: Mapping[str, Presence], served: Served) -> None:
        self._presence = presence
        self._there = set(presence)
        self._groups = _groups(served)

    def look(self, now: int) -> Turned:
        """What has changed since the last look; at first everybody is there."""
        there = {name for name, presence in self._presence.items() if presence.is_there(now)}
        turned = Turned([], [], sorted(there - self._there))
        if there != self._there:
            self._there = there
            for group in self._groups:
                silent = not group.gateways & there
                if silent is not group.silent:
                    group.silent = silent
                    (turned.silent if silent else turned.heard).append((group.asset, group.points))
        return turned


def _groups(served: Served) -> list[_Group]:
    serving: dict[tuple[str, str], set[str]] = {}
    for gateway, assets in served.items():
        for asset, points in assets.items():
            for point in points:
                serving.setdefault((asset, point), set()).add(gateway)
    found: dict[tuple[str, frozenset[str]], list[str]] = {}
    for (asset, point), gateways in sorted(serving.items()):
        found.setdefault((asset, frozenset(gateways)), []).append(point)
    return [_Group(asset, gateways, points) for (asset, gateways), points in found.items()]
