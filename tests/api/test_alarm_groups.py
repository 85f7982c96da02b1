"""Alarms beneath their cause, in groups, and floods: as the API gives them."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.grouping import Places, followers, grouped
from facility.assets import Asset, Location
from facility.points import Label
from rules.records import schema
from tests.api.house import House, a_rule
from tests.rules.rows import an_alarm_row

LOCATIONS = {
    "tower": Location("tower", Label("大厦", "Tower")),
    "b1": Location("b1", Label("地下", "Basement"), "tower"),
}
ASSETS = {
    "P-01": Asset("P-01", "water_pump", Label("泵", "Pump"), location="b1"),
    "P-02": Asset("P-02", "water_pump", Label("泵", "Pump"), location="b1"),
}
PLACES = Places(ASSETS, LOCATIONS)
BASE = an_alarm_row()


async def rows(client: httpx.AsyncClient, house: House, path: str) -> list[dict[str, object]]:
    answer = await client.get(f"/api/v1/{path}", headers=house.auth("viewer"))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def fold(house: House, effect: str, cause: str) -> None:
    """As the rules role writes it."""
    table = schema.alarms
    async with house.deps.records.writing() as connection:
        values = {"cause_id": cause, "quiet": "folded", "told": False}
        await connection.execute(table.update().where(table.c.id == effect).values(**values))
    house.deps.board.touch()


async def test_a_cause_says_how_many_follow_from_it(house: House, client: httpx.AsyncClient) -> None:
    cause = await house.alarm("EL-01", a_rule("mains", 2))
    effect = await house.alarm("EL-02", a_rule("no_power", 3))
    await fold(house, effect, cause)
    for path in ("alarms", "alarms/board"):
        found = {row["id"]: row for row in await rows(client, house, path)}
        assert (found[cause]["folded"], found[cause]["cause_id"]) == (1, None)
        assert (found[effect]["folded"], found[effect]["cause_id"], found[effect]["quiet"]) == (0, cause, "folded")
        assert found[effect]["quiet_zh"] == "未单独通知：是另一报警的后果"
    one = (await client.get(f"/api/v1/alarms/{cause}", headers=house.auth("viewer"))).json()
    assert one["folded"] == 1
    assert [row["id"] for row in await rows(client, house, f"alarms/{cause}/consequences")] == [effect]


@pytest.mark.parametrize(("group", "sizes"), [("location", 1), ("cause", 1), ("asset", 2)])
async def test_live_alarms_come_in_groups(house: House, client: httpx.AsyncClient, group: str, sizes: int) -> None:
    cause = await house.alarm("EL-01", a_rule("mains", 2))
    await fold(house, await house.alarm("EL-02", a_rule("no_power", 3)), cause)
    found = await rows(client, house, f"alarms/groups?group={group}")
    assert len(found) == sizes
    assert sum(int(str(row["alarms"])) for row in found) == 2
    assert (found[0]["worst"], found[0]["group"]) == (2, group)
    assert all(row["zh"] and row["en"] for row in found)


async def test_an_unknown_grouping_is_refused(house: House, client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/alarms/groups?group=colour", headers=house.auth("viewer"))
    assert answer.status_code == 422


async def test_a_flood_is_listed_while_it_lasts_and_after(house: House, client: httpx.AsyncClient) -> None:
    assert await rows(client, house, "alarms/floods") == []
    flood = {
        "id": "F1", "site": house.deps.site.id, "began_at": 1_000, "told_at": 2_000, "ended_at": None,
        "alarms": 14, "untold": 4, "worst": 2,
    }  # fmt: skip
    async with house.deps.records.writing() as connection:
        await connection.execute(schema.floods.insert(), [flood, flood | {"id": "F0", "began_at": 1, "ended_at": 2}])
    first, second = await rows(client, house, "alarms/floods")
    assert (first["on"], first["alarms"], first["untold"], first["worst_en"]) == (True, 14, 4, "Urgent")
    assert second["on"] is False
    house.deps.board.touch()
    await house.deps.board.alarms()
    assert house.deps.board.flood is not None


def test_a_place_is_said_in_full_and_no_alarm_is_lost() -> None:
    (group,) = grouped([BASE, replace(BASE, id="b", asset="P-02")], "location", PLACES)
    assert (group.key, group.label) == ("b1", Label("大厦 / 地下", "Tower / Basement"))
    assert len(group.rows) == 2
    (lost,) = grouped([replace(BASE, asset="gone")], "location", PLACES)
    assert lost.label.en == "place unknown"


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.booleans()), max_size=10),
    st.sampled_from(["location", "cause", "asset"]),
)
def test_each_alarm_is_in_one_group_and_beneath_one_cause_at_most(links: list, by: str) -> None:
    alarms = [
        replace(BASE, id=f"a{n}", cause_id=f"a{cause}" if cause != n else None, severity=severity, told=told)
        for n, (cause, severity, told) in enumerate(links)
    ]
    groups = grouped(alarms, by, PLACES)  # type: ignore[arg-type]
    assert sorted(row.id for group in groups for row in group.rows) == sorted(row.id for row in alarms)
    assert [group.worst for group in groups] == sorted(group.worst for group in groups)
    beneath = [row.id for each in followers(alarms).values() for row in each]
    assert len(beneath) == len(set(beneath))
    assert not [row for row in alarms if row.told and row.id in beneath]
