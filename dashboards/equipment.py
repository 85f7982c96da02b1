"""One board per asset class, made from the points that the site's devices give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dashboards import panels
from dashboards.board import COLUMNS, board, chosen_asset
from dashboards.panels import Json
from dashboards.queries import SELECTED, Readings, api
from dashboards.tables import LIVE_VALUES, alarms_of, columns
from dashboards.texts import ASSET, COUNTERS, CRITICAL, GROUPS, LIVE, STATES, TEXTS
from facility.assets import GATEWAY_CLASS
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Kind, Label, Point
from facility.selfwatch import points_of_gateways
from facility.units import symbol

LINES = 8
"""Measurements on one plot."""
BANDS = 16
"""States in one timeline."""
STATS = 16
"""Counters in one panel."""
OPEN_ROWS = 3
"""Rows that show their panels at once; the others ask nothing until they are opened."""


def classes_of(site: Site) -> tuple[str, ...]:
    """The asset classes that some device of the site reads, in the order of its assets, and the gateways themselves."""
    read = {device.asset for device in site.devices} | set(site.gateways)
    return tuple(dict.fromkeys(asset.asset_class for asset in site.assets.values() if asset.id in read))


def dashboard(site: Site, catalog: Catalog, asset_class: str, language: str, source: Readings) -> Json:
    """The board of one class: critical states, then a row for each group of points, one asset at a time."""
    shown = points_of(site, catalog, asset_class)
    assets = [asset for asset in site.assets.values() if asset.asset_class == asset_class]
    groups: dict[str, list[Point]] = {}
    for point in shown:
        groups.setdefault(re.split(r"[.\[]", point.key)[0], []).append(point)
    critical = [point for point in shown if point.critical and point.states and not point.index]
    content = [*_top(asset_class, critical, language, source)]
    if "dev" in groups:  # the device about itself: least wanted, so last
        groups["dev"] = groups.pop("dev")
    for number, (group, points) in enumerate(groups.items()):
        label = GROUPS.get(group) or (points[0].label if len(points) == 1 else Label(group, group))
        inside = list(_group(asset_class, label, points, language, source=source))
        content.append(panels.row(label.to(language), inside, collapsed=number >= OPEN_ROWS))
    return board(
        site,
        asset_class,
        catalog.classes[asset_class].label,
        content,
        language=language,
        variables=[chosen_asset(assets, ASSET.to(language), language)],
        annotations=[source.marks(language, asset=SELECTED)],
    )


def points_of(site: Site, catalog: Catalog, asset_class: str) -> list[Point]:
    """Every point that some device of the site gives for this class, in the order of the class."""
    if asset_class == GATEWAY_CLASS:
        return list(points_of_gateways(site, catalog))
    keys: set[str] = set()
    for device in site.devices:
        if site.assets[device.asset].asset_class != asset_class:
            continue
        for key in device.points or catalog.profiles[device.profile].points:
            keys.add(device.rename.get(key, key))
    known = catalog.classes[asset_class].points
    # an index that only a payload knows: as far as the device's other points of the same thing go
    seen = {(key.partition("[")[0], known[key].index) for key in keys if key in known and known[key].index}
    wanted = {
        key
        for key, point in known.items()
        if key in keys or (point.template in keys and (key.partition("[")[0], point.index) in seen)
    }
    return [point for key, point in known.items() if key in wanted]


def _top(asset_class: str, critical: Sequence[Point], language: str, source: Readings) -> Iterator[Json]:
    yield alarms_of(language)
    live = api(f"/api/v1/latest?asset={SELECTED}", columns(LIVE_VALUES, language))
    yield panels.table(LIVE.to(language), [live], width=12)
    for part in _parts(critical, BANDS):
        target = source.over_time(asset_class, part, language)
        yield panels.state_timeline(CRITICAL.to(language), [target], part, language)


def _group(
    asset_class: str, group: Label, points: Sequence[Point], language: str, *, source: Readings
) -> Iterator[Json]:
    analog = [point for point in points if point.kind is Kind.ANALOG]
    plots = [
        part
        for unit in dict.fromkeys(point.unit for point in analog)
        for part in _parts([point for point in analog if point.unit == unit], LINES)
    ]
    for number, part in enumerate(plots, 1):
        target = source.over_time(asset_class, part, language)
        last_alone = number == len(plots) and number % 2
        width = COLUMNS if last_alone else COLUMNS // 2
        yield panels.timeseries(_title(part, group, language), [target], unit=part[0].unit, width=width)
    states = [point for point in points if point.kind in (Kind.DISCRETE, Kind.ENUM)]
    for part in _parts(states, BANDS):
        target = source.over_time(asset_class, part, language)
        yield panels.state_timeline(STATES.to(language), [target], part, language)
    for kind, title in ((Kind.COUNTER, COUNTERS), (Kind.TEXT, TEXTS)):
        for part in _parts([point for point in points if point.kind is kind], STATS):
            target = source.newest(asset_class, part, language)
            yield panels.stat(title.to(language), [target], part, language)


def _title(points: Sequence[Point], group: Label, language: str) -> str:
    """The label of the only point, else that of the group and the unit."""
    if len(points) == 1:
        return points[0].label.to(language)
    unit = symbol(points[0].unit)
    return f"{group.to(language)} ({unit})" if unit else group.to(language)


def _parts(points: Sequence[Point], size: int) -> Iterator[Sequence[Point]]:
    for start in range(0, len(points), size):
        yield points[start : start + size]
