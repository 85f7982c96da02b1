"""Sites, assets, points."""

from __future__ import annotations

import httpx

from facility.readings import Quality, Sample
from tests.api.house import House, a_rule


async def test_the_site_and_its_assets_are_flat_rows(house: House, client: httpx.AsyncClient) -> None:
    headers = house.auth("viewer")
    site = (await client.get("/api/v1/sites", headers=headers)).json()["items"][0]
    assert (site["id"], site["zh"], site["gateways"]) == ("tower", "测试大厦", 2)
    rows = (await client.get("/api/v1/assets", headers=headers)).json()["items"]
    assert [row["id"] for row in rows][:6] == ["EL-01", "EL-02", "PS-01", "PW-01", "FA-01", "AC-01"]
    assert len(rows) == site["assets"] == len(house.deps.site.assets)
    assert all(not isinstance(value, (dict, list)) for row in rows for value in row.values())


async def test_assets_are_chosen_by_class_and_place(house: House, client: httpx.AsyncClient) -> None:
    for query, wanted in (("asset_class=elevator", ["EL-01", "EL-02"]), ("location=b2", ["PS-01", "PW-01"])):
        rows = (await client.get(f"/api/v1/assets?{query}", headers=house.auth("viewer"))).json()["items"]
        assert [row["id"] for row in rows] == wanted


async def test_an_asset_counts_its_qualities_and_alarms(house: House, client: httpx.AsyncClient) -> None:
    values = {"car.floor": 7, "car.speed": None}
    await house.publish(Sample("EL-01", house.clock.ms(), values, {"car.speed": Quality.RANGE}))
    await house.alarm("EL-01", a_rule("stuck", 3))
    await house.alarm("EL-01", a_rule("trapped", 1))
    row = (await client.get("/api/v1/assets/EL-01", headers=house.auth("viewer"))).json()
    assert (row["good"], row["bad"], row["stale"]) == (1, 1, 0)
    assert (row["alarms"], row["worst"]) == (2, 1)
    assert row["rated"] == {"speed": 2.5}
    assert row["ledger"] == {"maker": "Meridian"}
    assert row["devices"] == ["lift-1"]


async def test_points_have_labels_units_and_states(house: House, client: httpx.AsyncClient) -> None:
    rows = (await client.get("/api/v1/assets/EL-01/points", headers=house.auth("viewer"))).json()["items"]
    points = {row["point"]: row for row in rows}
    assert points["car.speed"]["symbol"] == "m/s"
    assert points["car.speed"]["zh"] == "速度"
    up = next(state for state in points["car.direction"]["states"] if state["number"] == 1)
    assert (up["code"], up["zh"], up["en"]) == ("up", "上行", "Up")
