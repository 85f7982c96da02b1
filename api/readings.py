"""Routes: the newest readings, and the history of a point."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.assets import find_asset
from api.deps import Deps, DepsOf, Reader
from api.present import quality_label, state_of
from api.problems import ApiError, not_found
from api.schemas import History, HistoryRow, LatestRow, Rows, Shape, refusals
from facility.clock import from_ms, to_ms
from facility.points import Kind, Label, Point
from facility.readings import Reading
from facility.units import symbol

router = APIRouter(tags=["readings"])

MAX_RAW = 20_000
LONGEST_MS = 10 * 366 * 86_400_000
LAST_MS = 4_102_444_800_000
"""The year 2100: an instant beyond it is a mistake."""


@router.get("/latest", summary="The newest reading of every point", responses=refusals(404))
async def latest(
    deps: DepsOf,
    _: Reader,
    asset: Annotated[
        list[str] | None, Query(max_length=200, examples=[["EL-01"]], description="only these assets")
    ] = None,
    asset_class: Annotated[str | None, Query(max_length=64, description="only this class")] = None,
    point: Annotated[list[str] | None, Query(max_length=200, description="only these points")] = None,
) -> Rows[LatestRow]:
    """The newest readings, judged now: what is too old or comes from a lost gateway says `stale`."""
    names = [find_asset(deps, name).id for name in asset or deps.site.assets]
    if asset_class is not None:
        names = [name for name in names if deps.site.assets[name].asset_class == asset_class]
    wanted = set(point or ())
    now = deps.clock.ms()
    readings = deps.live.latest(names) if names else []
    return Rows(items=[_row(deps, reading, now) for reading in readings if not wanted or reading.point in wanted])


class Span(Shape):
    """Which history: [start, end) of one point, in steps or raw."""

    asset: str = Field(max_length=64, examples=["PS-01"])
    point: str = Field(max_length=100, examples=["sys.outlet_pressure"])
    start: str | None = Field(default=None, max_length=40, description="ISO 8601 with a time zone, or ms since 1970")
    end: str | None = Field(default=None, max_length=40, description="the same; now by default")
    buckets: int = Field(default=300, ge=1, le=2000, description="how many equal steps")
    raw: int = Field(default=0, ge=0, le=MAX_RAW, description="not steps but the newest so many readings")


@router.get("/history", summary="The history of one point", responses=refusals(404))
async def history(deps: DepsOf, _: Reader, wanted: Annotated[Span, Query()]) -> History:
    """[start, end) in `buckets` steps with mean, low, high and count; an hour up to now by default.

    Points that are no numbers (states, texts) always come raw.
    """
    point, raw = wanted.point, wanted.raw
    found = find_asset(deps, wanted.asset)
    known = deps.catalog.point(found.asset_class, point)
    if known is None:
        raise not_found(Label(f"{found.id} 的点位", f"point of {found.id}"), point[:100])
    first, last = time_range(deps, wanted.start, wanted.end)
    if raw or known.kind not in (Kind.ANALOG, Kind.COUNTER):
        readings = await deps.store.between(found.id, [point], first, last, limit=raw or MAX_RAW)
        items = [_raw(reading) for reading in readings]
    else:
        steps = await deps.store.buckets(found.id, point, first, last, count=wanted.buckets)
        items = [
            HistoryRow(at=from_ms(s.at), ms=s.at, count=s.count, mean=s.mean, low=s.low, high=s.high) for s in steps
        ]
    label = known.label
    return History(items=items, asset=found.id, point=point, symbol=symbol(known.unit), zh=label.zh, en=label.en)


def instant(text: str, name: str) -> int:
    """ms since 1970 of `2026-01-31T08:00:00+08:00`, `...Z` or plain milliseconds; 422 for anything else."""
    try:
        if re.fullmatch(r"-?\d{1,15}", text):
            ms = int(text)
        else:
            # a plus that was not escaped in a URL arrives as a blank
            ms = to_ms(datetime.fromisoformat(re.sub(r" (\d\d:\d\d)$", r"+\1", text)))
    except (ValueError, OverflowError) as error:
        raise _bad(
            name,
            f"不是带时区的 ISO 8601 时间或毫秒数（{error}）",
            f"is no ISO 8601 instant with a zone, nor ms: {error}",
        ) from error
    if not 0 <= ms <= LAST_MS:
        raise _bad(name, "不在 1970 年到 2100 年之间", "is not between 1970 and 2100")
    return ms


def time_range(deps: Deps, start: str | None, end: str | None) -> tuple[int, int]:
    """[first, last) in ms: the last hour by default; 422 when it is empty or longer than ten years."""
    last = instant(end, "end") if end else deps.clock.ms() + 1
    first = instant(start, "start") if start else max(0, last - 3_600_000)
    if first >= last:
        raise _bad("start", "必须早于 end", "must be before end")
    if last - first > LONGEST_MS:
        raise _bad("start", "时间范围不能超过十年", "and end are more than ten years apart")
    return first, last


def _bad(name: str, zh: str, en: str) -> ApiError:
    return ApiError(
        422, Label(f"{name} {zh}", f"{name} {en}"), extra={"errors": [{"where": f"query.{name}", "message": en}]}
    )


def _raw(reading: Reading) -> HistoryRow:
    number = float(reading.value) if isinstance(reading.value, (int, float)) else None
    good = reading.quality.is_good
    return HistoryRow(
        at=from_ms(reading.at),
        ms=reading.at,
        count=1 if good else 0,
        mean=number,
        low=number,
        high=number,
        value=reading.value,
        quality=reading.quality,
    )


def _row(deps: Deps, reading: Reading, now: int) -> LatestRow:
    asset = deps.site.assets[reading.asset]
    point = deps.catalog.point(asset.asset_class, reading.point) or Point(reading.point, Kind.TEXT, Label("", ""))
    state = state_of(point, reading.value)
    quality = quality_label(reading.quality)
    return LatestRow(
        asset=reading.asset,
        point=reading.point,
        asset_class=asset.asset_class,
        asset_zh=asset.label.zh,
        asset_en=asset.label.en,
        zh=point.label.zh,
        en=point.label.en,
        at=from_ms(reading.at),
        ms=reading.at,
        age=max(0.0, (now - reading.at) / 1000),
        value=reading.value,
        quality=reading.quality,
        quality_zh=quality.zh,
        quality_en=quality.en,
        symbol=symbol(point.unit),
        state=state.code if state else "",
        state_zh=state.label.zh if state else "",
        state_en=state.label.en if state else "",
    )
