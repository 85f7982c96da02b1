"""Where a board's panels ask: `Readings` is the source of readings, one value handed to every board.

Two sources exist: InfluxQL (`influx.py`) for a site whose readings are in InfluxDB, and our API by Infinity
(`infinity.py`) for one whose readings are in DuckDB. Alarms, tickets, assets and gateways always come from the API.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from facility.points import Point

INFLUX: dict[str, str] = {"type": "influxdb", "uid": "caretaker-readings"}
API: dict[str, str] = {"type": "yesoreyeram-infinity-datasource", "uid": "caretaker-api"}
SELECTED = "$asset"
"""The asset that the reader of a board has chosen."""

Target = dict[str, Any]
"""What a panel asks, as Grafana keeps it."""
Grouping = Literal["rule", "asset"]


class Readings(Protocol):
    """The questions that boards have about readings, and about alarms over time.

    `points` and whatever else is named become the series, shown by their labels in `language`.
    """

    def over_time(self, asset_class: str, points: Sequence[Point], language: str) -> Target:
        """Points of the chosen asset over time: means of measurements, of all else the last of each interval."""
        ...

    def newest(self, asset_class: str, points: Sequence[Point], language: str) -> Target:
        """The newest value of each point of the chosen asset."""
        ...

    def compared(self, asset_class: str, assets: Sequence[str], point: Point) -> Target:
        """One measurement of every asset of a class over time, under the asset's id."""
        ...

    def raised(self, classes: Sequence[tuple[str, str]]) -> Target:
        """How many alarms were raised over time. `classes`: (asset class, its name)."""
        ...

    def most_raised(self, by: Grouping, language: str, times: str) -> Target:
        """How often alarms were raised in all, by rule or asset; `times` heads the number."""
        ...

    def marks(self, language: str, *, asset: str = "") -> Target:
        """Raised alarms as annotations on every plot, of one asset or of all."""
        ...


def api(path: str, columns: Sequence[tuple[str, str, str]], *, form: str = "table") -> Target:
    """A target that reads a list of the API.

    `columns`: (member, heading, string | number | boolean | timestamp for ISO 8601 | timestamp_epoch for ms).
    `form`: table, or dataframe where Grafana looks for columns by name.
    """
    return {
        "datasource": API,
        "type": "json",
        "source": "url",
        "format": form,
        "parser": "backend",
        "url": path,
        "url_options": {"method": "GET", "data": ""},
        "root_selector": "items",
        "columns": [{"selector": name, "text": text, "type": kind} for name, text, kind in columns],
        "filters": [],
    }


def mark(language: str, target: Target, **more: Any) -> Target:
    """An annotation that is shown unless the reader turns it off."""
    return {
        "name": "报警" if language == "zh" else "Alarms",
        "datasource": target["datasource"],
        "enable": True,
        "iconColor": "red",
        "target": target | {"refId": "Anno"},
        **more,
    }
