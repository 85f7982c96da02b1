"""Small functions that return one Grafana panel each, as the JSON that Grafana 11 keeps; its place comes later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.texts import colour_of
from facility.points import Kind, Point
from facility.units import symbol

Json = dict[str, Any]
"""A JSON object as Grafana reads it."""

GAP_MS = 900_000
"""A line is not drawn across a longer silence: a lost device must not look alive."""

NOT_TIME = "/^(?!Time$)/"
"""Fields of any kind but the time; Grafana takes numbers only unless it is told."""

_UNITS = {
    "V": "volt", "mV": "mvolt", "kV": "kvolt", "A": "amp", "mA": "mamp", "W": "watt", "kW": "kwatt", "MW": "megwatt",
    "V.A": "voltamp", "kV.A": "kvoltamp", "V.A{reactive}": "voltampreact", "kV.A{reactive}": "kvoltampreact",
    "W.h": "watth", "kW.h": "kwatth", "Hz": "hertz", "/min": "rotrpm", "Cel": "celsius", "K": "kelvin",
    "Pa": "pressurepa", "kPa": "pressurekpa", "bar": "pressurebar", "m/s": "velocityms", "mm": "lengthmm",
    "m": "lengthm", "m3": "m3", "L": "litre", "kg": "masskg", "%": "percent", "ms": "ms", "s": "s", "min": "m",
    "h": "h", "d": "d", "deg": "degree", "Ohm": "ohm", "[ppm]": "ppm", "[pH]": "pH", "dB[mW]": "dBm",
    "B": "bytes", "MB": "decmbytes",
    "1": "none", "{count}": "none", "{floor}": "none", "": "none",
}  # fmt: skip


def unit_of(code: str) -> str:
    """Grafana's unit id of a UCUM code; a plain suffix where Grafana has no such unit."""
    return _UNITS.get(code) or f"suffix: {symbol(code)}"


def mappings(point: Point, language: str) -> list[Json]:
    """A state's words and colour instead of its number; empty for anything but discrete and enum points."""
    if point.kind not in (Kind.DISCRETE, Kind.ENUM) or not point.states:
        return []
    options = {
        str(number): {"text": state.label.to(language), "color": colour_of(point, state.code, index), "index": index}
        for index, (number, state) in enumerate(sorted(point.states.items()))
    }
    return [{"type": "value", "options": options}]


def timeseries(title: str, targets: Sequence[Json], *, unit: str, width: int = 12, height: int = 8) -> Json:
    """Lines over time, all in one UCUM unit; broken where readings are missing."""
    drawn = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter",
        "lineWidth": 1,
        "fillOpacity": 0,
        "showPoints": "auto",
        "spanNulls": GAP_MS,
    }
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    panel = _panel("timeseries", title, targets, size=(width, height), options=options)
    panel["fieldConfig"]["defaults"] = {"unit": unit_of(unit), "custom": drawn}
    if unit in ("{count}", "{floor}"):
        panel["fieldConfig"]["defaults"]["decimals"] = 0
    return panel


def state_timeline(title: str, targets: Sequence[Json], points: Sequence[Point], language: str) -> Json:
    """States over time, one band a point, in words."""
    options = {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "left",
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    height = max(5, min(24, 3 + len(points)))
    panel = _panel("state-timeline", title, targets, size=(24, height), options=options)
    panel["fieldConfig"]["defaults"] = {
        "custom": {"fillOpacity": 70, "lineWidth": 1, "spanNulls": GAP_MS},
        "color": {"mode": "fixed", "fixedColor": "blue"},
    }
    panel["fieldConfig"]["overrides"] = overrides(points, language)
    return panel


def stat(title: str, targets: Sequence[Json], points: Sequence[Point], language: str) -> Json:
    """The newest value of each point, large."""
    texts = all(point.kind is Kind.TEXT for point in points)
    options = _stat_options("lastNotNull", fields=NOT_TIME if texts else "")
    panel = _panel("stat", title, targets, size=(24, 4 if len(points) <= 8 else 8), options=options)
    panel["fieldConfig"]["overrides"] = overrides(points, language, units=True)
    return panel


def count(title: str, target: Json, *, colour: str, width: int = 6) -> Json:
    """How many rows a table has, as one large number; any is worth `colour`."""
    options = _stat_options("count", fields="/^id$/", colour_mode="background")
    panel = _panel("stat", title, [target], size=(width, 4), options=options)
    steps = [{"color": "green", "value": None}, {"color": colour, "value": 1}]
    panel["fieldConfig"]["defaults"] = {
        "noValue": "0",
        "color": {"mode": "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    return panel


def table(title: str, targets: Sequence[Json], *, width: int = 24, height: int = 9) -> Json:
    """Rows as they come."""
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": [], "fields": ""}}
    panel = _panel("table", title, targets, size=(width, height), options=options)
    panel["fieldConfig"]["defaults"] = {
        "custom": {"align": "auto", "filterable": True, "cellOptions": {"type": "auto"}}
    }
    return panel


def severities(panel: Json, column: str) -> Json:
    """The same panel with a column of severities coloured: 1 emergency .. 4 advisory."""
    colours = {"1": "red", "2": "orange", "3": "yellow", "4": "blue"}
    options = {number: {"color": colour, "index": index} for index, (number, colour) in enumerate(colours.items())}
    panel["fieldConfig"]["overrides"].append(
        {
            "matcher": {"id": "byName", "options": column},
            "properties": [
                {"id": "mappings", "value": [{"type": "value", "options": options}]},
                {"id": "custom.cellOptions", "value": {"type": "color-background"}},
            ],
        }
    )
    return panel


def worded(panel: Json, column: str, words: Mapping[str, str]) -> Json:
    """The same panel with the codes of a column said in words."""
    options = {code: {"text": text, "index": index} for index, (code, text) in enumerate(words.items())}
    panel["fieldConfig"]["overrides"].append(
        {
            "matcher": {"id": "byName", "options": column},
            "properties": [{"id": "mappings", "value": [{"type": "value", "options": options}]}],
        }
    )
    return panel


def row(title: str, panels: Sequence[Json] = (), *, collapsed: bool = False) -> Json:
    """A row over its panels. A collapsed one asks for nothing until somebody opens it."""
    return {"type": "row", "title": title, "collapsed": collapsed, "panels": list(panels), "gridPos": _size(24, 1)}


def overrides(points: Sequence[Point], language: str, *, units: bool = False) -> list[Json]:
    """Per point, found by its label: words for its states and, with `units`, its unit."""
    found: list[Json] = []
    for point in points:
        properties: list[Json] = []
        if words := mappings(point, language):
            properties.append({"id": "mappings", "value": words})
        if units:
            properties.append({"id": "unit", "value": unit_of(point.unit)})
        if properties:
            matcher = {"id": "byName", "options": point.label.to(language)}
            found.append({"matcher": matcher, "properties": properties})
    return found


def _panel(kind: str, title: str, targets: Sequence[Json], *, size: tuple[int, int], options: Json) -> Json:
    return {
        "type": kind,
        "title": title,
        "datasource": targets[0]["datasource"],
        "gridPos": _size(*size),
        "targets": [target | {"refId": _ref(index)} for index, target in enumerate(targets)],
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": options,
    }


def _size(width: int, height: int) -> Json:
    return {"x": 0, "y": 0, "w": width, "h": height}


def _ref(index: int) -> str:
    return (chr(64 + index // 26) if index >= 26 else "") + chr(65 + index % 26)


def _stat_options(calculation: str, *, fields: str, colour_mode: str = "none") -> Json:
    return {
        "reduceOptions": {"calcs": [calculation], "fields": fields, "values": False},
        "orientation": "auto",
        "textMode": "auto",
        "colorMode": colour_mode,
        "graphMode": "none",
        "justifyMode": "auto",
    }
