"""Pure: a history as the options of a chart. A gap in the data stays a gap in the line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facility.points import Kind, Point
from facility.readings import Reading
from facility.units import symbol
from ingest.store import Bucket

LINE, BAND, GRID, WORDS = "#8fc3e8", "rgba(143,195,232,0.20)", "#2a333b", "#93a1ad"

Span = tuple[int, int]
"""Start and end in ms."""
# A chart's axis knows only UTC and the browser's zone. We want the site's: whoever calls adds the zone's offset to
# every instant (spans, steps and readings alike), and the axis is told to show UTC.


def is_numeric(point: Point) -> bool:
    """Whether it is drawn as a line with a band."""
    return point.kind in (Kind.ANALOG, Kind.COUNTER)


def steps_chart(point: Point, steps: Sequence[Bucket], *, mean: str, band: str, span: Span) -> dict[str, Any]:
    """Mean as a line over the band from low to high; `mean` and `band` are their names."""
    if steps:
        span = (span[0], max(span[1], steps[-1].at))
    spread = [[step.at, None if step.low is None or step.high is None else step.high - step.low] for step in steps]
    hidden = {"type": "line", "symbol": "none", "lineStyle": {"opacity": 0}, "stack": "band", "stackStrategy": "all"}
    untold = {"tooltip": {"show": False}, "silent": True}
    series = [
        {**hidden, **untold, "data": [[step.at, step.low] for step in steps]},
        {**hidden, **untold, "name": band, "data": spread, "areaStyle": {"color": BAND}},
        {
            "type": "line", "name": mean, "data": [[step.at, _brief(step.mean)] for step in steps], "symbol": "circle",
            "symbolSize": 4, "showSymbol": sum(1 for step in steps if step.count) < 40, "connectNulls": False,
            "lineStyle": {"color": LINE, "width": 2}, "itemStyle": {"color": LINE},
        },
    ]  # fmt: skip
    return {**_frame(span), "yAxis": _numbers(point), "series": series}


def states_chart(point: Point, readings: Sequence[Reading], *, language: str, span: Span) -> dict[str, Any]:
    """States as steps, the axis labelled with what they mean; what was not good is a gap."""
    known = {int(reading.value) for reading in readings if isinstance(reading.value, (bool, int))}
    numbers = sorted(known | set(point.states))
    names = [point.states[number].label.to(language) if number in point.states else f"#{number}" for number in numbers]
    data: list[list[Any]] = [
        [reading.at, numbers.index(int(reading.value)) if isinstance(reading.value, (bool, int)) else None]
        for reading in readings
    ]
    if data:
        data.append([span[1], data[-1][1]])
    axis = {
        "type": "category", "data": names, "axisLabel": {"color": WORDS, "fontSize": 14}, "axisTick": {"show": False},
        "splitLine": {"show": True, "lineStyle": {"color": GRID}}, "axisLine": {"show": False},
    }  # fmt: skip
    line = {
        "type": "line", "name": point.label.to(language), "step": "end", "data": data, "symbol": "none",
        "connectNulls": False, "lineStyle": {"color": LINE, "width": 3}, "itemStyle": {"color": LINE},
    }  # fmt: skip
    return {**_frame(span), "yAxis": axis, "series": [line]}


def empty_chart(text: str, span: Span) -> dict[str, Any]:
    """Axes and a sentence."""
    title = {
        "text": text, "left": "center", "top": "middle",
        "textStyle": {"color": WORDS, "fontSize": 16, "fontWeight": "normal"},
    }  # fmt: skip
    return {**_frame(span), "title": title, "yAxis": {"type": "value", "show": False}, "series": []}


def _brief(value: float | None) -> float | None:
    """A mean without the tail of digits that nobody measured."""
    return None if value is None else float(f"{value:.5g}")


def _frame(span: Span) -> dict[str, Any]:
    return {
        "animation": False,
        "useUTC": True,
        "backgroundColor": "transparent",
        "grid": {"left": 8, "right": 24, "top": 34, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True, "renderMode": "richText"},
        "xAxis": {
            "type": "time", "min": span[0], "max": span[1],
            "axisLabel": {"color": WORDS, "fontSize": 13, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": GRID}},
        },
    }  # fmt: skip


def _numbers(point: Point) -> dict[str, Any]:
    return {
        "type": "value",
        "scale": True,
        "name": symbol(point.unit),
        "nameTextStyle": {"color": WORDS, "fontSize": 14, "align": "left"},
        "axisLabel": {"color": WORDS, "fontSize": 13},
        "splitLine": {"lineStyle": {"color": GRID}},
    }
