"""How much is watched, over the API: every point is counted once, as what it is now."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from facility.readings import Quality, Sample
from rules.records import schema_life
from tests.api.house import NOW, House, a_rule
from tests.services.waiting import until

KINDS = ("fresh", "stale", "bad", "suppressed", "out_of_service", "never", "absent")


async def rows(client: httpx.AsyncClient, house: House, by: str = "system") -> dict[str, dict[str, Any]]:
    answer = await client.get(f"/api/v1/coverage?by={by}", headers=house.auth("viewer"))
    assert answer.status_code == 200, answer.text
    found = {row["key"]: row for row in answer.json()["items"]}
    for row in found.values():
        assert row["points"] == sum(row[kind] for kind in KINDS)
        assert row["zh"]
        assert row["en"]
    return found


async def all_of(house: House, asset: str, gateway: str = "gw-1", **quality: Quality) -> None:
    """Every point of an asset, good but for these (`__` for a dot)."""
    bad = {key.replace("__", "."): value for key, value in quality.items()}
    values = {key: None if key in bad else 1 for key in house.deps.live.points(asset)}
    before = house.deps.live.counts["readings"]
    await house.publish(Sample(asset, house.clock.ms(), values, bad), gateway=gateway)
    await until(lambda: house.deps.live.counts["readings"] > before)


async def test_every_point_is_counted_as_what_it_is(house: House, client: httpx.AsyncClient) -> None:
    before = (await rows(client, house))["fire_alarm"]
    assert (before["never"], before["per_cent"], before["critical"]) == (before["points"], 0, True)
    keys = list(house.deps.live.points("FA-01"))
    bad = {keys[0].replace(".", "__"): Quality.SENSOR, keys[1].replace(".", "__"): Quality.SENTINEL}
    await all_of(house, "FA-01", "gw-2", **bad)
    row = (await rows(client, house))["fire_alarm"]
    assert (row["fresh"], row["bad"], row["absent"]) == (len(keys) - 2, 1, 1)
    assert row["per_cent"] == 1000 * (len(keys) - 2) // (len(keys) - 1) / 10
    house.clock.forward(7200)
    row = (await rows(client, house))["fire_alarm"]
    assert (row["fresh"], row["stale"], row["per_cent"]) == (0, len(keys) - 2, 0)


async def test_the_whole_is_a_hundred_only_when_all_is_there(house: House, client: httpx.AsyncClient) -> None:
    for asset in ("EL-01", "EL-02"):
        await all_of(house, asset)
    assert (await rows(client, house))["elevator"]["per_cent"] == 100
    site = await rows(client, house, "site")
    assert list(site) == ["tower"]
    assert 0 < site["tower"]["per_cent"] < 100


async def test_what_is_kept_quiet_or_out_of_service_is_counted_apart(house: House, client: httpx.AsyncClient) -> None:
    await all_of(house, "EL-01")
    await all_of(house, "EL-02")
    alarm = await house.alarm("EL-01", a_rule())  # its fact is the floor
    await house.deps.commands.shelve(alarm, actor="operator", at=NOW + 1, until=NOW + 60_000, reason="test")
    house.deps.board.touch()
    removal = {
        "id": "O1", "site": "tower", "asset": "EL-02", "alarm_id": None, "ticket_id": "T1", "life_safety": True,
        "reason": "works", "begun_at": NOW, "begun_by": "wang", "ended_at": None, "ended_by": "",
    }  # fmt: skip
    async with house.deps.records.writing() as connection:
        await connection.execute(schema_life.out_of_service.insert(), [removal])
    found = await rows(client, house, "asset")
    assert found["EL-01"]["suppressed"] == 1
    assert found["EL-02"]["out_of_service"] == found["EL-02"]["points"]


@pytest.mark.parametrize(
    ("by", "key"), [("location", "roof"), ("building", "b2"), ("asset", "PS-01"), ("location", "")]
)
async def test_it_is_grouped_by(house: House, client: httpx.AsyncClient, by: str, key: str) -> None:
    found = await rows(client, house, by)
    assert found[key]["by"] == by


async def test_an_unknown_grouping_is_refused(house: House, client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/coverage?by=colour", headers=house.auth("viewer"))
    assert answer.status_code == 422
