"""Routes: the site, its assets and their points."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from api.deps import Deps, DepsOf, Reader
from api.problems import not_found
from api.schemas import AssetDetail, AssetRow, Rows, Shape, SiteRow, refusals
from facility.assets import Asset
from facility.commanding import Target
from facility.points import Label, Point
from facility.readings import Quality
from facility.units import symbol

router = APIRouter(tags=["assets"])
ASSET = Label("设备", "asset")


class StateRow(Shape):
    """One value of an enum or discrete point."""

    number: int
    code: str
    zh: str
    en: str


class RequirementRow(Shape):
    """What must hold of another point before a value is written: between `low` and `high`, or `equals`."""

    point: str
    low: float | None
    high: float | None
    equals: float | bool | str | None


class FeedbackRow(Shape):
    """The point that shows that it was done: it takes the written value `within` seconds."""

    point: str
    within: float
    margin: float


class WritableRow(Shape):
    """How a point is commanded. `choices`: codes of the states that may be written, for a point with states.

    `longest`: seconds after which it reverts at the latest; 0 where it may stand for ever.
    """

    low: float | None
    high: float | None
    choices: list[str]
    two_people: bool
    longest: float
    requires: list[RequirementRow]
    feedback: FeedbackRow | None


class PointRow(Shape):
    """One canonical point of an asset. `unit` is UCUM, `symbol` is what people read.

    `writable` is null for a point that can't be commanded, which most can't.
    """

    asset: str
    point: str = Field(examples=["car.floor"])
    kind: str = Field(examples=["analog"])
    zh: str
    en: str
    unit: str
    symbol: str
    low: float | None
    high: float | None
    interval: float
    critical: bool
    derived: bool
    states: list[StateRow]
    writable: WritableRow | None


def find_asset(deps: Deps, name: str) -> Asset:
    """The asset with this id; 404 when there is none."""
    asset = deps.site.assets.get(name)
    if asset is None:
        raise not_found(ASSET, name[:64])
    return asset


@router.get("/sites", summary="The site", responses=refusals())
async def sites(deps: DepsOf, _: Reader) -> Rows[SiteRow]:
    """The site this installation watches over, as a list of one."""
    site = deps.site
    row = SiteRow(
        id=site.id,
        zh=site.label.zh,
        en=site.label.en,
        time_zone=site.time_zone,
        languages=list(site.languages),
        assets=len(site.assets),
        devices=len(site.devices),
        gateways=len(site.gateways),
    )
    return Rows(items=[row])


@router.get("/assets", summary="All assets", responses=refusals())
async def assets(
    deps: DepsOf,
    _: Reader,
    asset_class: Annotated[
        str | None, Query(max_length=64, examples=["elevator"], description="only this class")
    ] = None,
    location: Annotated[str | None, Query(max_length=64, description="only at this location")] = None,
) -> Rows[AssetRow]:
    """Every asset with how many of its points are good, stale and bad, and its active alarms."""
    worst = await worst_alarms(deps)
    chosen = [
        asset
        for asset in deps.site.assets.values()
        if asset_class in (None, asset.asset_class) and location in (None, asset.location)
    ]
    return Rows(items=[AssetRow(**_row(deps, asset, worst)) for asset in chosen])


@router.get("/assets/{asset}", summary="One asset", responses=refusals(404))
async def one_asset(deps: DepsOf, _: Reader, asset: str) -> AssetDetail:
    """One asset with its rated values and ledger."""
    found = find_asset(deps, asset)
    row = _row(deps, found, await worst_alarms(deps))
    devices = [device.id for device in deps.site.devices if device.asset == found.id]
    return AssetDetail(
        **row, rated=dict(found.rated), ledger=dict(found.ledger), parents=list(found.parents), devices=devices
    )


@router.get("/assets/{asset}/points", summary="The points of an asset", responses=refusals(404))
async def points(deps: DepsOf, _: Reader, asset: str) -> Rows[PointRow]:
    """The points that the asset's devices give, with labels, units, ranges and states."""
    found = find_asset(deps, asset)
    targets = deps.commander.targets(found.id)
    rows = [point_row(found.id, point, targets.get(key)) for key, point in deps.live.points(found.id).items()]
    return Rows(items=rows)


def point_row(asset: str, point: Point, target: Target | None) -> PointRow:
    """A point on the wire, with how it is commanded if it can be."""
    states = [StateRow(number=s.number, code=s.code, zh=s.label.zh, en=s.label.en) for s in point.states.values()]
    return PointRow(
        asset=asset,
        point=point.key,
        kind=point.kind,
        zh=point.label.zh,
        en=point.label.en,
        unit=point.unit,
        symbol=symbol(point.unit),
        low=point.low,
        high=point.high,
        interval=point.interval,
        critical=point.critical,
        derived=point.derived,
        states=states,
        writable=_writable(target) if target else None,
    )


def _writable(target: Target) -> WritableRow:
    writing, feedback = target.writing, target.writing.feedback
    return WritableRow(
        low=writing.low,
        high=writing.high,
        choices=[state.code for state in target.choices],
        two_people=writing.two_people,
        longest=writing.longest,
        requires=[
            RequirementRow(point=item.point, low=item.low, high=item.high, equals=item.equals)
            for item in writing.requires
        ],
        feedback=FeedbackRow(point=feedback.point, within=feedback.within, margin=feedback.margin)
        if feedback
        else None,
    )


async def worst_alarms(deps: Deps) -> dict[str, tuple[int, int]]:
    """Asset -> (how many active alarms, the worst severity)."""
    found: dict[str, tuple[int, int]] = {}
    for alarm in await deps.board.alarms():
        count, worst = found.get(alarm.asset, (0, 9))
        found[alarm.asset] = (count + 1, min(worst, alarm.severity))
    return found


def _row(deps: Deps, asset: Asset, worst: dict[str, tuple[int, int]]) -> dict[str, Any]:
    qualities = [reading.quality for reading in deps.live.latest([asset.id])]
    good, stale = qualities.count(Quality.GOOD), qualities.count(Quality.STALE)
    count, severity = worst.get(asset.id, (0, None))
    place = deps.site.locations.get(asset.location)
    kind = deps.catalog.classes[asset.asset_class].label
    return {
        "id": asset.id,
        "asset_class": asset.asset_class,
        "class_zh": kind.zh,
        "class_en": kind.en,
        "zh": asset.label.zh,
        "en": asset.label.en,
        "location": asset.location,
        "location_zh": place.label.zh if place else "",
        "location_en": place.label.en if place else "",
        "points": len(deps.live.points(asset.id)),
        "good": good,
        "stale": stale,
        "bad": len(qualities) - good - stale,
        "alarms": count,
        "worst": severity,
    }
