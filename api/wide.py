"""Routes: readings and raised alarms as tables of one column per series, as plots of Grafana take them.

Infinity makes one frame of one address and knows no joins, so a plot of eight points is one row per step with the
members `v1` .. `v8`, in the order in which the series were asked for. A member is null where nothing good was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from api.assets import find_asset
from api.deps import Deps, DepsOf, Reader
from api.problems import ApiError, not_found
from api.readings import MAX_RAW, time_range
from api.schemas import Rows, Shape, refusals
from facility.clock import from_ms
from facility.points import Kind, Label, Point
from facility.readings import Value
from facility.wire import AlarmNotice
from ingest.store import steps

router = APIRouter(tags=["readings"])

MAX_SERIES = 64
"""Columns of one table."""
RAISE = "raise"
LAG_MS = 10_000
"""A plot that ends at most this long ago ends now: the question took its time, and clocks differ."""

Cell = float | str | None
Column = list[Cell]


@dataclass(frozen=True, slots=True)
class Grid:
    """`number` steps of `step` ms from `first` (ms) on."""

    first: int
    step: int
    number: int

    @classmethod
    def over(cls, first: int, last: int, count: int) -> Grid:
        """At most count + 1 steps that cover [first, last), at multiples of their length."""
        step, _ = steps(first, last, count)
        first -= first % step
        return cls(first, step, -(-(last - first) // step))

    @property
    def last(self) -> int:
        """The end of the last step."""
        return self.first + self.step * self.number

    def index(self, at: int) -> int:
        """In which step an instant lies."""
        return (at - self.first) // self.step

    def rows(self, columns: Sequence[Column]) -> list[WideRow]:
        """A row for each step, of columns that have one cell for each."""
        return [_row(self.first + index * self.step, cells) for index, cells in enumerate(zip(*columns, strict=True))]


class WideRow(Shape):
    """One instant; `v1`, `v2` ... are the series in the order asked for, a state as its number."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | str | None]

    at: datetime
    ms: int


class RaisedRow(Shape):
    """One alarm that was raised. `at` is when; a row for each time."""

    at: datetime
    ms: int
    id: str
    rule: str
    asset: str
    asset_class: str
    severity: int
    zh: str
    en: str


class CountRow(Shape):
    """How often alarms of one rule, asset or class were raised."""

    name: str
    zh: str
    en: str
    count: int


class WideSpan(Shape):
    """Which series, and [start, end) in at most so many equal steps of at least a second."""

    asset: list[str] = Field(min_length=1, max_length=MAX_SERIES, examples=[["PM-01"]])
    point: list[str] = Field(min_length=1, max_length=MAX_SERIES, examples=[["u.l1n", "u.l2n"]])
    start: str | None = Field(default=None, max_length=40, description="ISO 8601 with a time zone, or ms since 1970")
    end: str | None = Field(default=None, max_length=40, description="the same; now by default")
    buckets: int = Field(default=300, ge=1, le=2000, description="how many equal steps")


class Days(Shape):
    """Which time: [start, end)."""

    start: str | None = Field(default=None, max_length=40, description="ISO 8601 with a time zone, or ms since 1970")
    end: str | None = Field(default=None, max_length=40, description="the same; now by default")


class RaisedSpan(Days):
    """Which raised alarms."""

    asset: str | None = Field(default=None, max_length=64, description="only of this asset")
    limit: int = Field(default=500, ge=1, le=5000, description="the newest so many")


class RaisedSteps(Days):
    """Which classes, and in how many equal steps."""

    asset_class: list[str] = Field(min_length=1, max_length=MAX_SERIES, examples=[["elevator", "power"]])
    buckets: int = Field(default=60, ge=1, le=2000, description="how many equal steps")


class Counted(Days):
    """By what to count."""

    by: Literal["rule", "asset", "asset_class"] = "rule"


@router.get("/history/wide", summary="The history of several points, side by side", responses=refusals(404))
async def history(deps: DepsOf, _: Reader, wanted: Annotated[WideSpan, Query()]) -> Rows[WideRow]:
    """Every point of every asset named, assets first. Means of measurements; of all else the last of each step;
    in the step that holds the present moment also what is good now, though it was told earlier.

    Steps lie at multiples of their length, so that a plot which is asked for again does not tremble. Of states and
    texts the newest 20,000 readings of a series are looked at.
    """
    grid = Grid.over(*time_range(deps, wanted.start, wanted.end), wanted.buckets)
    series = _series(deps, wanted.asset, wanted.point)
    return Rows(items=grid.rows([await _column(deps, asset, point, grid) for asset, point in series]))


@router.get("/latest/wide", summary="The newest readings of several points, side by side", responses=refusals(404))
async def latest(
    deps: DepsOf,
    _: Reader,
    asset: Annotated[list[str], Query(min_length=1, max_length=MAX_SERIES, examples=[["PM-01"]])],
    point: Annotated[list[str], Query(min_length=1, max_length=MAX_SERIES, examples=[["e.import"]])],
) -> Rows[WideRow]:
    """One row: what is good now. A stale value is null here, because one large number says nothing of its age."""
    readings = [deps.live.reading(name, known.key) for name, known in _series(deps, asset, point)]
    good = [reading if reading and reading.quality.is_good else None for reading in readings]
    ms = max((reading.at for reading in good if reading), default=deps.clock.ms())
    return Rows(items=[_row(ms, (_cell(reading.value) if reading else None for reading in good))])


@router.get("/raised", summary="Alarms as they were raised", responses=refusals(404))
async def raised(deps: DepsOf, _: Reader, wanted: Annotated[RaisedSpan, Query()]) -> Rows[RaisedRow]:
    """Each time that an alarm was raised in [start, end), oldest first: marks on a plot."""
    asset = find_asset(deps, wanted.asset).id if wanted.asset is not None else None
    notices = await _raised(deps, wanted)
    found = [notice for notice in notices if asset in (None, notice.asset)][-wanted.limit :]
    return Rows(
        items=[
            RaisedRow(
                at=from_ms(notice.at),
                ms=notice.at,
                id=notice.id,
                rule=notice.rule,
                asset=notice.asset,
                asset_class=notice.asset_class,
                severity=notice.severity,
                zh=notice.zh,
                en=notice.en,
            )
            for notice in found
        ]
    )


@router.get("/raised/wide", summary="How many alarms were raised, by class", responses=refusals(404))
async def raised_by_class(deps: DepsOf, _: Reader, wanted: Annotated[RaisedSteps, Query()]) -> Rows[WideRow]:
    """A row for each step, a column for each class named; 0 where none was raised."""
    for name in wanted.asset_class:
        if name not in deps.catalog.classes:
            raise not_found(Label("设备类别", "asset class"), name[:64])
    grid = Grid.over(*time_range(deps, wanted.start, wanted.end), wanted.buckets)
    times = Counter((notice.asset_class, grid.index(notice.at)) for notice in await _raised(deps, wanted))
    return Rows(items=grid.rows([[times[name, index] for index in range(grid.number)] for name in wanted.asset_class]))


@router.get("/raised/counts", summary="How often alarms were raised", responses=refusals())
async def raised_counts(deps: DepsOf, _: Reader, wanted: Annotated[Counted, Query()]) -> Rows[CountRow]:
    """The rules, assets or classes whose alarms were raised most often, first."""
    notices = await _raised(deps, wanted)
    times = Counter(_name(notice, wanted.by) for notice in notices)
    newest = {_name(notice, wanted.by): notice for notice in notices}
    labels = {name: _label(deps, wanted.by, notice) for name, notice in newest.items()}
    return Rows(
        items=[CountRow(name=name, zh=labels[name].zh, en=labels[name].en, count=n) for name, n in times.most_common()]
    )


def _name(notice: AlarmNotice, by: str) -> str:
    return {"rule": notice.rule, "asset": notice.asset}.get(by, notice.asset_class)


def _label(deps: Deps, by: str, notice: AlarmNotice) -> Label:
    """What people call it; its id where the configuration no longer knows it."""
    if by == "rule":
        return Label(notice.zh, notice.en)
    name = _name(notice, by)
    known = deps.site.assets.get(name) if by == "asset" else deps.catalog.classes.get(name)
    return known.label if known else Label(name, name)


def _series(deps: Deps, assets: Sequence[str], points: Sequence[str]) -> list[tuple[str, Point]]:
    if len(assets) * len(points) > MAX_SERIES:
        text = Label(f"一次最多 {MAX_SERIES} 列", f"At most {MAX_SERIES} columns at once: assets times points")
        raise ApiError(422, text, extra={"errors": [{"where": "query.point", "message": text.en}]})
    return [(name, _point(deps, name, key)) for name in assets for key in points]


def _point(deps: Deps, asset: str, key: str) -> Point:
    found = find_asset(deps, asset)
    known = deps.catalog.point(found.asset_class, key)
    if known is None:
        raise not_found(Label(f"{found.id} 的点位", f"point of {found.id}"), key[:100])
    return known


async def _column(deps: Deps, asset: str, point: Point, grid: Grid) -> Column:
    """One cell a step. The step in which now lies shows what is good now: an unchanged value is not reported anew."""
    column = await _stored(deps, asset, point, grid)
    at = deps.clock.ms()
    now = min(grid.index(at), grid.number - 1)
    if now >= 0 and at < grid.last + LAG_MS and column[now] is None:
        reading = deps.live.reading(asset, point.key)
        column[now] = _cell(reading.value) if reading and reading.quality.is_good else None
    return column


async def _stored(deps: Deps, asset: str, point: Point, grid: Grid) -> Column:
    if point.kind is Kind.ANALOG:
        found = await deps.store.buckets(asset, point.key, grid.first, grid.last, count=grid.number)
        # a point that never spoke has no steps
        return [bucket.mean for bucket in found] or [None] * grid.number
    column: Column = [None] * grid.number
    for reading in await deps.store.between(asset, [point.key], grid.first, grid.last, limit=MAX_RAW):
        if reading.quality.is_good:
            column[grid.index(reading.at)] = _cell(reading.value)
    return column


def _cell(value: Value) -> Cell:
    return value if value is None or isinstance(value, str) else float(value)


def _row(ms: int, cells: Iterable[Cell]) -> WideRow:
    named: dict[str, Any] = {f"v{place}": cell for place, cell in enumerate(cells, 1)}
    return WideRow(at=from_ms(ms), ms=ms, **named)


async def _raised(deps: Deps, wanted: Days) -> list[AlarmNotice]:
    """Raises among the newest 20,000 transitions of the time, oldest first."""
    first, last = time_range(deps, wanted.start, wanted.end)
    return [notice for notice in await deps.store.alarms(first, last, limit=MAX_RAW) if notice.event == RAISE]
