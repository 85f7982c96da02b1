"""The whole site at a glance: emergencies, alarms, tickets, assets, gateways, and one measurement per class."""

from __future__ import annotations

from collections.abc import Iterator

from dashboards import panels, tables
from dashboards.board import board
from dashboards.equipment import classes_of, points_of
from dashboards.panels import Json
from dashboards.queries import Readings
from dashboards.texts import HEADLINES, OVERVIEW
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Kind, Label, Point


def dashboard(site: Site, catalog: Catalog, language: str, source: Readings) -> Json:
    """The board that hangs on the wall."""
    return board(
        site,
        "overview",
        OVERVIEW,
        list(_panels(site, catalog, language, source)),
        language=language,
        annotations=[source.marks(language)],
    )


def _panels(site: Site, catalog: Catalog, language: str, source: Readings) -> Iterator[Json]:
    yield tables.counted(Label("紧急事件", "Emergencies"), "/api/v1/alerts", language, colour="red")
    yield tables.counted(Label("当前报警", "Alarms now"), "/api/v1/alarms/board", language, colour="orange")
    path = "/api/v1/alarms?state=unacknowledged&state=returned&state=latched_unacknowledged&limit=500"
    yield tables.counted(Label("待确认", "To acknowledge"), path, language, colour="orange")
    yield tables.counted(
        Label("未结工单", "Open tickets"), "/api/v1/tickets?open=true&limit=500", language, colour="blue"
    )
    yield tables.listing(Label("报警", "Alarms"), "/api/v1/alarms/board", tables.ALARM_LIST, language)
    for asset_class in classes_of(site):
        point = headline(site, catalog, asset_class)
        if point is not None:
            title = f"{catalog.classes[asset_class].label.to(language)} · {point.label.to(language)}"
            assets = [asset.id for asset in site.assets.values() if asset.asset_class == asset_class]
            yield panels.timeseries(title, [source.compared(asset_class, assets, point)], unit=point.unit)
    yield tables.listing(Label("设备", "Assets"), "/api/v1/assets", tables.ASSET_LIST, language, width=14)
    yield tables.listing(Label("网关", "Gateways"), "/api/v1/gateways", tables.GATEWAY_LIST, language, width=10)


def headline(site: Site, catalog: Catalog, asset_class: str) -> Point | None:
    """The measurement that stands for a class; its first measured one where the usual one is not given."""
    measured = [point for point in points_of(site, catalog, asset_class) if point.kind is Kind.ANALOG]
    usual = HEADLINES.get(asset_class)
    return next((point for point in measured if point.key == usual), measured[0] if measured else None)
