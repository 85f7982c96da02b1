"""Readings by InfluxQL: measurement = asset class, tags site and asset, fields = points, as ingest writes them.

Alarm transitions are the measurement `alarm`. Only what InfluxDB 1.x, 2.x and 3 all know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.queries import INFLUX, SELECTED, Grouping, Target, mark
from facility.points import Kind, Point


@dataclass(frozen=True, slots=True)
class InfluxReadings:
    """The readings of one site in InfluxDB."""

    site: str

    def over_time(self, asset_class: str, points: Sequence[Point], language: str) -> Target:
        """Points of the chosen asset over time."""
        columns = ", ".join(f"{_folded(point)} AS {quoted(point.label.to(language))}" for point in points)
        condition = _condition(site=self.site, asset=SELECTED)
        return _target(_select(columns, asset_class, condition, "GROUP BY time($__interval) fill(null)"), "$col")

    def newest(self, asset_class: str, points: Sequence[Point], language: str) -> Target:
        """The newest value of each point of the chosen asset."""
        columns = ", ".join(f"last({quoted(point.key)}) AS {quoted(point.label.to(language))}" for point in points)
        return _target(_select(columns, asset_class, _condition(site=self.site, asset=SELECTED)), "$col")

    def compared(self, asset_class: str, assets: Sequence[str], point: Point) -> Target:  # noqa: ARG002 - all of them
        """One measurement of every asset of a class over time."""
        group = 'GROUP BY time($__interval), "asset" fill(null)'
        return _target(_select(_folded(point), asset_class, _condition(site=self.site), group), "$tag_asset")

    def raised(self, classes: Sequence[tuple[str, str]]) -> Target:  # noqa: ARG002 - those that the measurement has
        """How many alarms were raised over time, by class."""
        group = 'GROUP BY time($__interval), "class" fill(0)'
        condition = _condition(site=self.site, event="raise")
        return _target(_select('count("id")', "alarm", condition, group), "$tag_class")

    def most_raised(self, by: Grouping, language: str, times: str) -> Target:  # noqa: ARG002 - ids have no language
        """How often alarms were raised in all, by rule or asset."""
        counted = f'count("id") AS {quoted(times)}'
        condition = _condition(site=self.site, event="raise")
        return _target(_select(counted, "alarm", condition, f"GROUP BY {quoted(by)}"), form="table")

    def marks(self, language: str, *, asset: str = "") -> Target:
        """Raised alarms as annotations."""
        text = "zh" if language == "zh" else "en"
        wanted = {"site": self.site, "event": "raise"} | ({"asset": asset} if asset else {})
        query = _select(f'{quoted(text)}, "asset", "rule"', "alarm", _condition(**wanted))
        columns = {"textColumn": text, "tagsColumn": "asset,rule"}
        target = {"datasource": INFLUX, "query": query, "rawQuery": True, "fromAnnotations": True, **columns}
        return mark(language, target, query=query, **columns)


def quoted(name: str) -> str:
    """An InfluxQL identifier."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """An InfluxQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _target(query: str, alias: str = "", *, form: str = "time_series") -> Target:
    return {"datasource": INFLUX, "query": query, "rawQuery": True, "resultFormat": form, "alias": alias}


def _select(columns: str, measurement: str, condition: str, group: str = "") -> str:
    return " ".join(["SELECT", columns, "FROM", quoted(measurement), "WHERE", condition, group]).strip()


def _condition(**tags: str) -> str:
    return " AND ".join([*(f"{quoted(name)} = {literal(value)}" for name, value in tags.items()), "$timeFilter"])


def _folded(point: Point) -> str:
    how = "mean" if point.kind is Kind.ANALOG else "last"
    return f"{how}({quoted(point.key)})"
