"""Routes: how much of the building is watched now, by building, place, system or asset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.deps import Deps, DepsOf, Reader
from api.schemas import Rows, Shape, refusals
from facility.assets import Asset, Location
from facility.coverage import Cover, cover_of, is_critical, per_cent, summed
from facility.points import Label
from rules.life.alarm import Suppression

router = APIRouter(tags=["assets"])
By = Literal["site", "building", "location", "system", "asset"]
NOWHERE = Label("位置未知", "place unknown")


class CoverageOut(Shape):
    """How many points of a part of the site are what. `per_cent`: fresh ones among those that the devices have.

    `suppressed`: fresh, but an alarm of it is kept quiet; `absent`: the device itself says that it has no such value
    (these are not counted in `per_cent`). `critical`: has to be watched in full.
    """

    by: By
    key: str
    zh: str
    en: str
    critical: bool
    points: int
    fresh: int
    stale: int
    bad: int
    suppressed: int
    out_of_service: int
    never: int
    absent: int
    per_cent: float | None


@router.get("/coverage", summary="How much is watched", responses=refusals())
async def coverage(deps: DepsOf, _: Reader, by: Annotated[By, Query()] = "system") -> Rows[CoverageOut]:
    """By building, place, system (asset class) or asset, the least covered first; or of the whole site."""
    return Rows(items=await covered(deps, by))


async def covered(deps: Deps, by: By) -> list[CoverageOut]:
    """The rows of a grouping, the least covered first. StoreError."""
    removed = {row.asset for row in await deps.records.removals(now=True) if row.alarm_id is None}
    quiet = {
        (row.asset, point)
        for row in await deps.board.alarms()
        if row.suppression is not Suppression.NONE
        for point in row.facts
    }
    parts: dict[str, tuple[Label, list[Asset]]] = {}
    for asset in deps.site.assets.values():
        key, label = _part(deps, asset, by)
        parts.setdefault(key, (label, []))[1].append(asset)
    rows = []
    for key, (label, assets) in parts.items():
        covers = summed(Counter(_covers(deps, asset, removed, quiet)) for asset in assets)
        if covers.total():
            critical = any(is_critical(deps.catalog.classes[asset.asset_class]) for asset in assets)
            rows.append(_row(by, key, label, covers, critical=critical))
    return sorted(rows, key=lambda row: (101 if row.per_cent is None else row.per_cent, not row.critical, row.key))


def _covers(deps: Deps, asset: Asset, removed: set[str], quiet: set[tuple[str, str]]) -> Iterator[Cover]:
    """What each point of an asset is, that its devices read or that ever came."""
    known = {reading.point: reading.quality for reading in deps.live.latest([asset.id])}
    for key in deps.live.points(asset.id):
        yield cover_of(
            known.get(key), suppressed=(asset.id, key) in quiet, out_of_service=asset.id in removed
        )  # fmt: skip


def _part(deps: Deps, asset: Asset, by: By) -> tuple[str, Label]:
    """Where an asset is counted."""
    if by == "site":
        return deps.site.id, deps.site.label
    if by == "asset":
        return asset.id, asset.label
    if by == "system":
        return asset.asset_class, deps.catalog.classes[asset.asset_class].label
    place = deps.site.locations.get(asset.location)
    if by == "building":
        place = _outermost(deps, place)
    return (place.id, place.label) if place else ("", NOWHERE)


def _outermost(deps: Deps, place: Location | None) -> Location | None:
    """The place that a place is in, in the end; parents that go round end where they meet."""
    seen: set[str] = set()
    while place is not None and place.parent in deps.site.locations and place.id not in seen:
        seen.add(place.id)
        place = deps.site.locations[place.parent]
    return place


def _row(by: By, key: str, label: Label, covers: Counter[Cover], *, critical: bool) -> CoverageOut:
    return CoverageOut(
        by=by,
        key=key,
        zh=label.zh,
        en=label.en,
        critical=critical,
        points=covers.total(),
        fresh=covers[Cover.FRESH],
        stale=covers[Cover.STALE],
        bad=covers[Cover.BAD],
        suppressed=covers[Cover.SUPPRESSED],
        out_of_service=covers[Cover.OUT_OF_SERVICE],
        never=covers[Cover.NEVER],
        absent=covers[Cover.ABSENT],
        per_cent=per_cent(covers),
    )
