"""The query texts, and the targets that hold them: InfluxQL for readings, the API by Infinity for alarms and work.

Measurement = asset class, tags site and asset, fields = points, as ingest writes them; alarm transitions are the
measurement `alarm`. Only what InfluxDB 1.x, 2.x and 3 all know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facility.points import Kind, Point

INFLUX: dict[str, str] = {"type": "influxdb", "uid": "caretaker-readings"}
API: dict[str, str] = {"type": "yesoreyeram-infinity-datasource", "uid": "caretaker-api"}
SELECTED = "$asset"
"""The asset that the reader of a board has chosen."""


def quoted(name: str) -> str:
    """An InfluxQL identifier."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """An InfluxQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def influx(query: str, *, alias: str = "", table: bool = False) -> dict[str, Any]:
    """A target that runs InfluxQL."""
    form = "table" if table else "time_series"
    return {"datasource": INFLUX, "query": query, "rawQuery": True, "resultFormat": form, "alias": alias}


def readings(
    site: str, asset_class: str, points: Sequence[Point], language: str, *, asset: str = SELECTED
) -> dict[str, Any]:
    """Points of one asset over time, each under its label: means of measurements, newest states and counters."""
    columns = ", ".join(f"{_folded(point)} AS {quoted(point.label.to(language))}" for point in points)
    condition = _condition(site=site, asset=asset)
    return influx(_select(columns, asset_class, condition, "GROUP BY time($__interval) fill(null)"), alias="$col")


def newest(site: str, asset_class: str, points: Sequence[Point], language: str) -> dict[str, Any]:
    """The newest value of each point of the chosen asset."""
    columns = ", ".join(f"last({quoted(point.key)}) AS {quoted(point.label.to(language))}" for point in points)
    return influx(_select(columns, asset_class, _condition(site=site, asset=SELECTED)), alias="$col")


def compared(site: str, asset_class: str, point: Point) -> dict[str, Any]:
    """One point of every asset of a class over time, under the asset's id."""
    group = 'GROUP BY time($__interval), "asset" fill(null)'
    return influx(_select(_folded(point), asset_class, _condition(site=site), group), alias="$tag_asset")


def raised(site: str, by: str) -> dict[str, Any]:
    """How many alarms were raised over time, by a tag of the measurement `alarm`: class, rule or asset."""
    group = f"GROUP BY time($__interval), {quoted(by)} fill(0)"
    return influx(_select('count("id")', "alarm", _condition(site=site, event="raise"), group), alias=f"$tag_{by}")


def most_raised(site: str, by: str, label: str) -> dict[str, Any]:
    """The same as one sum for each value of the tag."""
    counted = f'count("id") AS {quoted(label)}'
    query = _select(counted, "alarm", _condition(site=site, event="raise"), f"GROUP BY {quoted(by)}")
    return influx(query, table=True)


def marks(site: str, language: str, *, asset: str = "") -> dict[str, Any]:
    """Raised alarms as annotations on every plot, of one asset or of all."""
    text = "zh" if language == "zh" else "en"
    wanted = {"site": site, "event": "raise"} | ({"asset": asset} if asset else {})
    query = _select(f'{quoted(text)}, "asset", "rule"', "alarm", _condition(**wanted))
    columns = {"textColumn": text, "tagsColumn": "asset,rule"}
    return {
        "name": "报警" if language == "zh" else "Alarms",
        "datasource": INFLUX,
        "enable": True,
        "iconColor": "red",
        "query": query,
        "target": {"refId": "Anno", "query": query, "rawQuery": True, "fromAnnotations": True, **columns},
        **columns,
    }


def api(path: str, columns: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """A target that reads a list of the API. `columns`: (member, heading, string | number | timestamp | boolean)."""
    return {
        "datasource": API,
        "type": "json",
        "source": "url",
        "format": "table",
        "parser": "backend",
        "url": path,
        "url_options": {"method": "GET", "data": ""},
        "root_selector": "items",
        "columns": [{"selector": name, "text": text, "type": kind} for name, text, kind in columns],
        "filters": [],
    }


def _select(columns: str, measurement: str, condition: str, group: str = "") -> str:
    return " ".join(["SELECT", columns, "FROM", quoted(measurement), "WHERE", condition, group]).strip()


def _condition(**tags: str) -> str:
    return " AND ".join([*(f"{quoted(name)} = {literal(value)}" for name, value in tags.items()), "$timeFilter"])


def _folded(point: Point) -> str:
    how = "mean" if point.kind is Kind.ANALOG else "last"
    return f"{how}({quoted(point.key)})"
