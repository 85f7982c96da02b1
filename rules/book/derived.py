"""Derived points, checked: compiled, of the right type, at assets that have what they look at, none in a circle.

Pure. The order is that of what looks at what, over the whole site: a point comes after all that it is worked out from.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from facility.assets import Asset, Location
from facility.catalog import Catalog
from facility.derivedfile import Derived
from facility.errors import Problem
from facility.points import Point
from rules.book.kinship import Kinship
from rules.language.cost import MAX_COST
from rules.language.expression import Compiled, compile_value
from rules.language.grammar import ExpressionError

Place = tuple[str, str]
"""(asset, point key)"""


@dataclass(frozen=True, slots=True)
class CompiledPoint:
    """A derived point ready to run. `compiled` gives a number where the point is analog, else a condition."""

    point: Point
    compiled: Compiled


@dataclass(frozen=True, slots=True)
class DerivedPoints:
    """What a site works out. `order`: (asset, point), each after everything that it looks at."""

    order: tuple[tuple[str, CompiledPoint], ...] = ()
    unused: tuple[tuple[Derived, str], ...] = ()


def compile_derived(
    catalog: Catalog, assets: Mapping[str, Asset] | None, problems: list[Problem]
) -> dict[tuple[str, str], CompiledPoint]:
    """Every derived point by (class, key); what is wrong with one goes to `problems`.

    `assets` None: they are not known, so that nothing is blamed for naming one.
    """
    found: dict[tuple[str, str], CompiledPoint] = {}
    for item in catalog.derived:
        try:
            compiled = compile_value(
                item.value, catalog.classes[item.asset_class], of=item.point, classes=catalog.classes
            )
        except ExpressionError as error:
            problems.append(item.problem(str(error)))
            continue
        if compiled.cost > MAX_COST:
            problems.append(
                item.problem(f"costs {compiled.cost:.0f}, the limit is {MAX_COST}: fewer or shorter windows")
            )
        problems += [
            item.problem(f"there is no asset {name!r} of class {item.asset_class}")
            for name in sorted(item.assets)
            if assets is not None and (name not in assets or assets[name].asset_class != item.asset_class)
        ]
        found[item.asset_class, item.point.key] = CompiledPoint(item.point, compiled)
    return found


def place(
    catalog: Catalog,
    assets: Mapping[str, Asset],
    points: Mapping[str, frozenset[str]],
    locations: Mapping[str, Location],
    problems: list[Problem],
) -> tuple[DerivedPoints, dict[str, frozenset[str]]]:
    """The derived points at the assets that have what they look at, and `points` with them. Circles are problems."""
    compiled = compile_derived(catalog, assets, problems)
    everywhere = {
        (asset.id, item.point.key): (item, compiled[item.asset_class, item.point.key])
        for item in catalog.derived
        if (item.asset_class, item.point.key) in compiled
        for asset in assets.values()
        if asset.asset_class == item.asset_class and (not item.assets or asset.id in item.assets)
    }
    anyone = Kinship(assets, locations)
    graph = {
        node: _looks_at(node, point.compiled, anyone) & everywhere.keys() for node, (_, point) in everywhere.items()
    }
    circle = _circle({name: {(name[0], key) for key in point.compiled.points} for name, point in compiled.items()})
    if circle:
        problems.append(
            _written(catalog, circle[0]).problem(f"is worked out from itself: {' -> '.join(key for _, key in circle)}")
        )
        return DerivedPoints(), dict(points)
    circle = _circle(graph)
    if circle:
        problems.append(
            everywhere[circle[0]][0].problem(f"is worked out from itself: {' -> '.join(map('/'.join, circle))}")
        )
        return DerivedPoints(), dict(points)
    order = TopologicalSorter({node: sorted(graph[node]) for node in sorted(graph)}).static_order()
    known = {asset: set(points.get(asset, ())) for asset in assets}
    placed: list[tuple[str, CompiledPoint]] = []
    kinship = Kinship(assets, locations, known)
    lacking: dict[tuple[str, str], list[str]] = {}
    for asset, key in order:
        item, point = everywhere[asset, key]
        missing = _missing(assets[asset], point.compiled, known[asset], kinship)
        if missing:
            reasons = lacking.setdefault((item.asset_class, key), [])
            reasons.append(f"{asset} has no {', '.join(missing)}")
        else:
            known[asset].add(key)
            placed.append((asset, point))
    used = {(assets[asset].asset_class, point.point.key) for asset, point in placed}
    unused = tuple(
        (item, min(lacking.get(name, ()), key=len, default=f"no asset of class {item.asset_class}"))
        for item in catalog.derived
        if (name := (item.asset_class, item.point.key)) not in used
    )
    return DerivedPoints(tuple(placed), unused), {asset: frozenset(keys) for asset, keys in known.items()}


def _circle(graph: Mapping[Place, Set[Place]]) -> list[Place]:
    """Nodes each of which looks at the next one, the first again at the end; empty where there is no circle."""
    try:
        TopologicalSorter({node: sorted(graph[node]) for node in sorted(graph)}).prepare()
    except CycleError as error:
        found: list[Place] = error.args[1]
        return found[::-1]
    return []


def _written(catalog: Catalog, name: tuple[str, str]) -> Derived:
    return next(item for item in catalog.derived if (item.asset_class, item.point.key) == name)


def _looks_at(node: Place, compiled: Compiled, kinship: Kinship) -> set[Place]:
    asset, _ = node
    others = {
        (other, key)
        for relation in compiled.relations
        for other in kinship.asked(asset, relation)
        for key in relation.points
    }
    return others | {(asset, key) for key in compiled.points}


def _missing(asset: Asset, compiled: Compiled, known: Set[str], kinship: Kinship) -> list[str]:
    missing = [key for key in compiled.points if key not in known]
    missing += [f"rated {name!r}" for name in compiled.rated if name not in asset.rated]
    return missing + [str(relation) for relation in compiled.relations if not kinship.related(asset.id, relation)]
