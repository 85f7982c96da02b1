"""Which points the clients of the stream were told are stale, so that each is told once, and once that it counts again.

A value becomes stale by silence, and silence sends no event of its own: without this a page that only listens would
show an old value as live for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

from api.fanout import Event, event


class Doubt:
    """The points that were told to be stale, by asset."""

    def __init__(self, assets: Iterable[str]) -> None:
        self._told: dict[str, frozenset[str]] = {}
        self.adopt(assets)

    def adopt(self, assets: Iterable[str]) -> None:
        """These assets from now on; what was told of those that stay still holds."""
        self._told = {asset: self._told.get(asset, frozenset()) for asset in assets}

    def renewed(self, asset: str, points: Iterable[str]) -> None:
        """A reading of these points was told: whoever heard it knows how they are."""
        if self._told[asset]:
            self._told[asset] -= frozenset(points)

    def change(self, asset: str, stale: frozenset[str], now: int) -> Event | None:
        """The event that tells what has changed now that these points are stale, if anything has."""
        told = self._told[asset]
        if stale == told:
            return None
        self._told[asset] = stale
        data = {"asset": asset, "at": now, "stale": sorted(stale - told), "fresh": sorted(told - stale)}
        return event("stale", data, asset=asset)
