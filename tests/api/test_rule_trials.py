"""Texts of rules by version, and shadow rules beside the live ones."""

from __future__ import annotations

from dataclasses import replace

import httpx
from sqlalchemy import select

from rules.effects import Judgement
from rules.records.rule_texts import note_versions
from rules.records.schema_trial import shadow_alarms
from rules.rule import Rule
from rules.versions import stamped
from tests.api.house import House, a_rule

LIVE = stamped(a_rule("lift.stuck"))
SHADOW = stamped(replace(a_rule("lift.stuck.shadow", 1), shadow=True, shadow_of="lift.stuck"))
HOUR = 3_600_000


async def raised(house: House, rule: Rule, begin: int, end: int) -> None:
    for event, at in (("raise", begin), ("clear", end)):
        judgement = Judgement(rule, "EL-01", event, at, at, {"car.floor": 7})  # type: ignore[arg-type]
        await house.deps.records.apply([judgement], house.routing, at)


async def test_the_text_of_an_alarms_rule_is_read_by_its_version(house: House, client: httpx.AsyncClient) -> None:
    newer = stamped(replace(LIVE, when="not car.moving"))
    await note_versions(house.deps.records, "tower", [LIVE], house.clock.ms())
    alarm = await house.alarm("EL-01", LIVE)
    await note_versions(house.deps.records, "tower", [newer], house.clock.ms() + 1)
    auth = house.auth("viewer")
    found = (await client.get(f"/api/v1/alarms/{alarm}", headers=auth)).json()
    assert found["rule_version"] == LIVE.version
    answer = await client.get(f"/api/v1/rules/{found['rule']}/versions/{found['rule_version']}", headers=auth)
    assert answer.status_code == 200
    assert answer.json()["text"]["when"] == "car.moving"
    assert answer.json()["text"]["guidance"]["zh"] == LIVE.guidance.zh
    listed = (await client.get("/api/v1/rules/lift.stuck/versions", headers=auth)).json()["items"]
    assert [item["version"] for item in listed] == [newer.version, LIVE.version]
    journal = (await client.get(f"/api/v1/alarms/{alarm}/journal", headers=auth)).json()["items"]
    assert [item["rule_version"] for item in journal] == [LIVE.version]


async def test_what_never_ran_is_not_found(house: House, client: httpx.AsyncClient) -> None:
    await note_versions(house.deps.records, "tower", [LIVE], house.clock.ms())
    for path in ("rules/nobody/versions", "rules/lift.stuck/versions/0000", "rules/nobody/versions/0"):
        answer = await client.get(f"/api/v1/{path}", headers=house.auth("viewer"))
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.get("/api/v1/rules/lift.stuck/versions")).status_code == 401


async def test_shadow_and_live_side_by_side(house: House, client: httpx.AsyncClient) -> None:
    now = house.clock.ms()
    await note_versions(house.deps.records, "tower", [LIVE, SHADOW], now - 80 * HOUR)
    await raised(house, LIVE, now - 50 * HOUR, now - 49 * HOUR)
    await raised(house, SHADOW, now - 51 * HOUR, now - 49 * HOUR)
    await raised(house, SHADOW, now - 20 * HOUR, now - 19 * HOUR)
    await raised(house, LIVE, now - 3 * HOUR, now - 2 * HOUR)
    answer = await client.get("/api/v1/shadow-rules?days=3", headers=house.auth("viewer"))
    (item,) = answer.json()["items"]
    assert (item["rule"], item["shadow_of"], item["version"]) == ("lift.stuck.shadow", "lift.stuck", SHADOW.version)
    assert item["total"] == {
        "live": 2, "shadow": 2, "added": 1, "removed": 1, "earlier": 1, "later": 0, "longer": 1, "shorter": 0,
    }  # fmt: skip
    assert [row["changes"] for row in item["alarms"]] == [["removed"], ["added"], ["earlier", "longer"]]
    assert sum(day["shadow"] for day in item["days"].values()) == 2
    (recent,) = (await client.get("/api/v1/shadow-rules?days=1", headers=house.auth("viewer"))).json()["items"]
    assert (recent["total"]["live"], recent["total"]["shadow"]) == (1, 1)


async def test_a_shadow_alarm_is_in_no_list_and_can_not_be_acknowledged(
    house: House, client: httpx.AsyncClient
) -> None:
    now = house.clock.ms()
    judgement = Judgement(SHADOW, "EL-01", "raise", now, now, {})
    await house.deps.records.apply([judgement], house.routing, now)
    for path in ("alarms", "alarms/board", "alerts", "tickets"):
        assert (await client.get(f"/api/v1/{path}", headers=house.auth("viewer"))).json()["items"] == []
    (alarm,) = [row["id"] for row in await house.deps.records.rows(select(shadow_alarms))]
    for act, body in (
        ("acknowledge", {}), ("reset", {}), ("unshelve", {}), ("shelve", {"reason": "x", "minutes": 5}),
    ):  # fmt: skip
        answer = await client.post(f"/api/v1/alarms/{alarm}/{act}", json=body, headers=house.auth("admin"))
        assert answer.status_code == 409, act
    assert (await client.get(f"/api/v1/alarms/{alarm}", headers=house.auth("viewer"))).status_code == 404
