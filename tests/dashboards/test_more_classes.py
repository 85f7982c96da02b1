"""A board for each of the newer classes, made by the same code from the same data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboards import equipment, overview
from dashboards.build import boards
from dashboards.texts import GROUPS, HEADLINES
from facility.assets import Asset, Device
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Label
from tests.dashboards.test_boards import every_panel

PROFILES = {
    "hvac": ("fw-chiller-1", "fw-ahu-1"),
    "cctv": ("fw-nvr-1",),
    "drainage": ("fw-drain-1",),
    "lighting": ("fw-light-1",),
    "environment": ("zigbee2mqtt-leak", "xy-md1"),
}


@pytest.mark.parametrize("asset_class", PROFILES)
def test_a_site_with_one_asset_of_the_class_gets_its_board(loaded: tuple[Site, Catalog], asset_class: str) -> None:
    site, catalog = loaded
    asset = Asset("X-01", asset_class, Label("某设备", "Something"))
    devices = tuple(
        Device(f"X-{number}", site.gateways[0], profile, "X-01", params={"base": "zigbee2mqtt", "name": "leak"})
        for number, profile in enumerate(PROFILES[asset_class])
    )  # fmt: skip
    made = replace(site, assets={asset.id: asset}, devices=devices)
    found = boards(made, catalog, ("zh", "en"))
    assert set(found) == {
        f"{language}/{name}.json" for language in ("zh", "en") for name in ("overview", "alarms", asset_class)
    }
    shown = equipment.points_of(made, catalog, asset_class)
    assert shown
    rows = {panel["title"] for panel in every_panel(found[f"zh/{asset_class}.json"]) if panel["type"] == "row"}
    groups = {point.key.partition("[")[0].partition(".")[0] for point in shown}
    assert {GROUPS[group].zh for group in groups if group in GROUPS} <= rows
    headline = overview.headline(made, catalog, asset_class)
    assert headline is not None
    if HEADLINES[asset_class] in {point.key for point in shown}:
        assert headline.key == HEADLINES[asset_class]
