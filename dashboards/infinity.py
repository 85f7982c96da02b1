"""Readings by our own API through Infinity: one address a panel, one column a series, whatever store is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from dashboards.queries import SELECTED, Grouping, Target, api, mark
from facility.points import Kind, Point

SPAN = "start=${__from}&end=${__to}"
"""What the reader of the board looks at: Grafana puts in milliseconds."""
TIME = ("ms", "Time", "timestamp_epoch")
STEPS = 300
"""Steps of a plot, about one for three pixels."""
BARS = 60


class ApiReadings:
    """The readings of the site that the API serves."""

    def over_time(self, asset_class: str, points: Sequence[Point], language: str) -> Target:  # noqa: ARG002
        """Points of the chosen asset over time."""
        path = f"/api/v1/history/wide?asset={SELECTED}&{_points(points)}&buckets={STEPS}&{SPAN}"
        return api(path, [TIME, *_columns(points, language)])

    def newest(self, asset_class: str, points: Sequence[Point], language: str) -> Target:  # noqa: ARG002
        """The newest value of each point of the chosen asset; none that is stale."""
        return api(f"/api/v1/latest/wide?asset={SELECTED}&{_points(points)}", [TIME, *_columns(points, language)])

    def compared(self, asset_class: str, assets: Sequence[str], point: Point) -> Target:  # noqa: ARG002
        """One measurement of every asset of a class over time."""
        wanted = "&".join(f"asset={quote(asset)}" for asset in assets)
        columns = [(f"v{place}", asset, "number") for place, asset in enumerate(assets, 1)]
        return api(f"/api/v1/history/wide?{wanted}&{_points([point])}&buckets={STEPS}&{SPAN}", [TIME, *columns])

    def raised(self, classes: Sequence[tuple[str, str]]) -> Target:
        """How many alarms were raised over time, by class."""
        wanted = "&".join(f"asset_class={quote(name)}" for name, _ in classes)
        columns = [(f"v{place}", label, "number") for place, (_, label) in enumerate(classes, 1)]
        return api(f"/api/v1/raised/wide?{wanted}&buckets={BARS}&{SPAN}", [TIME, *columns])

    def most_raised(self, by: Grouping, language: str, times: str) -> Target:
        """How often alarms were raised in all, by rule or asset."""
        text = "zh" if language == "zh" else "en"
        name = "名称" if language == "zh" else "Name"
        columns = [(text, name, "string"), ("name", by, "string"), ("count", times, "number")]
        return api(f"/api/v1/raised/counts?by={by}&{SPAN}", columns)

    def marks(self, language: str, *, asset: str = "") -> Target:
        """Raised alarms as annotations: Grafana finds time, text and tags by these names."""
        text = "zh" if language == "zh" else "en"
        columns = [("ms", "time", "timestamp_epoch"), (text, "text", "string"), ("asset", "tags", "string")]
        chosen = f"&asset={asset}" if asset else ""
        return mark(language, api(f"/api/v1/raised?{SPAN}{chosen}", columns, form="dataframe"))


def _points(points: Sequence[Point]) -> str:
    return "&".join(f"point={quote(point.key)}" for point in points)


def _columns(points: Sequence[Point], language: str) -> list[tuple[str, str, str]]:
    """`v1` .. `vN` under the points' labels, states as numbers."""
    return [
        (f"v{place}", point.label.to(language), "string" if point.kind is Kind.TEXT else "number")
        for place, point in enumerate(points, 1)
    ]
