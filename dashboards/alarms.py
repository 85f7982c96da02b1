"""Alarms and tickets: what stands now, what was raised when and by which rule, what is shelved, what is being done."""

from __future__ import annotations

from collections.abc import Iterator

from dashboards import panels, tables
from dashboards.board import board
from dashboards.panels import Json
from dashboards.performance import alarm_quality
from dashboards.queries import Readings
from dashboards.texts import ALARMS
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Label


def dashboard(site: Site, catalog: Catalog, language: str, source: Readings) -> Json:
    """The board of the control room and of whoever writes the monthly report."""
    return board(
        site, "alarms", ALARMS, list(_panels(site, catalog, language, source)), language=language, refresh="5s"
    )


def _panels(site: Site, catalog: Catalog, language: str, source: Readings) -> Iterator[Json]:
    for severity, label, colour in (
        (1, Label("紧急", "Emergency"), "red"),
        (2, Label("严重", "Urgent"), "orange"),
        (3, Label("维护", "Maintenance"), "yellow"),
        (4, Label("提示", "Advisory"), "blue"),
    ):
        path = f"/api/v1/alarms?active=true&severity={severity}&limit=500"
        yield tables.counted(label, path, language, colour=colour)
    now = Label("当前报警", "Alarms now")
    yield tables.listing(now, "/api/v1/alarms/board", tables.ALARM_LIST, language)
    yield tables.listing(
        Label("未结工单", "Open tickets"), "/api/v1/tickets?open=true&limit=500", tables.TICKET_LIST, language, width=14
    )
    yield tables.listing(
        Label("已搁置", "Shelved"), "/api/v1/alarms?state=shelved&limit=500", tables.SHELVED, language, width=10
    )
    classes = [
        (name, catalog.classes[name].label.to(language))
        for name in dict.fromkeys(a.asset_class for a in site.assets.values())
    ]
    rate = Label("报警频次", "Alarms raised").to(language)
    yield panels.timeseries(rate, [source.raised(classes)], unit="{count}")
    times = Label("次数", "Times").to(language)
    rules = Label("触发最多的规则", "Rules by alarms raised").to(language)
    yield panels.table(rules, [source.most_raised("rule", language, times)], width=6, height=8)
    assets = Label("报警最多的设备", "Assets by alarms raised").to(language)
    yield panels.table(assets, [source.most_raised("asset", language, times)], width=6, height=8)
    yield from alarm_quality(language)
    yield tables.listing(Label("报警历史", "Alarm history"), "/api/v1/alarms?limit=500", tables.ALARM_HISTORY, language)
