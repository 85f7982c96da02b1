"""Which assets a rule means when it speaks of other equipment. Pure.

`upstream`: what feeds or contains the asset, by `parents`, however far up. `members`: what has it as a parent, however
far down. `nearby`: what stands at the same place, or at a place inside it (in a room of its floor).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from facility.assets import Asset, Location
from rules.language.relation import Relation, Side


class Kinship:
    """The relations of a site's assets. `points`: what each asset can give; an asset that is not in it gives nothing.

    Where `points` is None nothing is known of them, and every asset of a class is asked.
    """

    def __init__(
        self,
        assets: Mapping[str, Asset],
        locations: Mapping[str, Location] | None = None,
        points: Mapping[str, Set[str]] | None = None,
    ) -> None:
        self._assets = assets
        self._points = points
        self._around = {name: location.parent for name, location in (locations or {}).items()}
        self._parents = {name: asset.parents for name, asset in assets.items()}
        self._children: dict[str, list[str]] = {}
        self._by_place: dict[str, list[str]] = {}
        for name, asset in assets.items():
            for parent in asset.parents:
                self._children.setdefault(parent, []).append(name)
            for place in self._places(asset.location):
                self._by_place.setdefault(place, []).append(name)

    def related(self, asset: str, relation: Relation) -> tuple[str, ...]:
        """The assets that a relation of a rule at `asset` asks, by id; never the asset itself."""
        return tuple(sorted(name for name in self._at(asset, relation.side) if self._answers(name, relation)))

    def asked(self, asset: str, relation: Relation) -> tuple[str, ...]:
        """The assets of the class on that side, whatever they can give."""
        found = (name for name in self._at(asset, relation.side) if name in self._assets)
        return tuple(sorted(name for name in found if self._assets[name].asset_class == relation.asset_class))

    def _at(self, asset: str, side: Side) -> Iterable[str]:
        if side is Side.NEARBY:
            place = self._assets[asset].location if asset in self._assets else ""
            return [name for name in self._by_place.get(place, ()) if name != asset]
        return reached(asset, self._parents if side is Side.UPSTREAM else self._children)

    def _answers(self, name: str, relation: Relation) -> bool:
        asset = self._assets.get(name)
        if asset is None or asset.asset_class != relation.asset_class:
            return False
        if self._points is not None and not self._points.get(name, frozenset()) >= frozenset(relation.points):
            return False
        return all(key in asset.rated for key in relation.rated)

    def _places(self, place: str) -> Iterable[str]:
        """A place and all places around it, each once."""
        found: dict[str, None] = {}
        while place and place not in found:
            found[place] = None
            place = self._around.get(place, "")
        return found


def reached(start: str, ways: Mapping[str, Iterable[str]]) -> Iterable[str]:
    """All that can be reached from `start`, without it."""
    found: dict[str, None] = {}
    ahead = list(ways.get(start, ()))
    while ahead:
        name = ahead.pop()
        if name != start and name not in found:
            found[name] = None
            ahead += ways.get(name, ())
    return found
