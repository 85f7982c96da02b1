"""Drills and the impairment ledger over HTTP."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from facility.clock import from_ms
from rules.desk import impairing
from rules.rule import Raises
from tests.api.house import House, a_rule

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def at(house: House, ms: int) -> str:
    return (from_ms(house.clock.ms()) + timedelta(milliseconds=ms)).isoformat()


async def post(client: httpx.AsyncClient, house: House, path: str, body: object, role: str) -> httpx.Response:
    return await client.post(f"/api/v1{path}", json=body, headers=house.auth(role))


async def get(client: httpx.AsyncClient, house: House, path: str) -> list[dict[str, object]]:
    answer = await client.get(f"/api/v1{path}", headers=house.auth("viewer"))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def test_a_manager_declares_and_ends_a_drill_and_everybody_sees_it(
    house: House, client: httpx.AsyncClient
) -> None:
    body = {"name": "疏散", "reason": "半年一次", "scope": {"locations": ["roof"]}, "until_at": at(house, HOUR)}
    answer = await post(client, house, "/drills", body, "manager")
    assert answer.status_code == 200, answer.text
    drill = answer.json()
    assert (drill["state"], drill["declared_by"], drill["scope"]["locations"]) == ("running", "manager", ["roof"])
    fire = a_rule("elevator.entrapment", 1, raises=Raises.EMERGENCY)
    inside, outside = await house.alarm("EL-01", fire), await house.alarm("PS-01", fire)
    found = {str(row["id"]): row["drill"] for row in await get(client, house, "/alarms")}
    assert (found[inside], found[outside]) == (drill["id"], None)
    assert [row["id"] for row in await get(client, house, "/drills?open=true")] == [drill["id"]]
    house.clock.forward(60)
    ended = (await post(client, house, f"/drills/{drill['id']}/end", {"note": "all out"}, "manager")).json()
    assert (ended["state"], ended["ended_by"]) == ("ended", "manager")
    assert {row["drill"] for row in await get(client, house, "/alarms")} == {None}, "what stands is real"
    journal = await get(client, house, f"/drills/{drill['id']}/journal")
    assert [(row["event"], row["note"]) for row in journal] == [
        ("declare", "半年一次"),
        ("start", "半年一次"),
        ("end", "all out"),
    ]
    assert (await post(client, house, f"/drills/{drill['id']}/end", {}, "manager")).status_code == 409
    assert (await post(client, house, "/drills/D0/end", {}, "manager")).status_code == 404


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"scope": {"assets": ["nothing"]}}, "nothing"),
        ({"scope": {}}, "a scope"),
        ({"until_at": "2026-09-21T10:00:00"}, "naive"),
        ({"channels": ["nobody"]}, "nobody"),
    ],
)
async def test_a_drill_that_makes_no_sense_is_422(
    house: House, client: httpx.AsyncClient, changed: dict[str, object], word: str
) -> None:
    body = {"name": "n", "reason": "r", "scope": {"site": True}, "until_at": at(house, HOUR), **changed}
    answer = await post(client, house, "/drills", body, "manager")
    assert answer.status_code == 422
    assert word in answer.json()["detail"]


async def test_the_ledger_from_opening_to_signing_off(house: House, client: httpx.AsyncClient) -> None:
    worn = a_rule("elevator.brake_wear", 3)
    trapped = a_rule("elevator.entrapment", 1, raises=Raises.EMERGENCY)
    body = {
        "scope": {"assets": ["EL-01"]}, "what": "1号梯停用", "reason": "更换钢丝绳", "owner": "zhao",
        "expires_at": at(house, DAY), "rounds_every": 30, "measures": "每30分钟巡查",
        "suppress": ["elevator.brake_wear", "elevator.entrapment"],
    }  # fmt: skip
    answer = await post(client, house, "/impairments", body, "operator")
    assert answer.status_code == 200, answer.text
    item = answer.json()
    assert (item["state"], item["round_is_due"], item["opened_by"]) == ("open", False, "operator")
    await house.alarm("EL-01", worn)
    await house.alarm("EL-01", trapped)
    await house.alarm("EL-02", worn)
    shown = {(row["asset"], row["rule"]): row["suppression"] for row in await get(client, house, "/alarms")}
    assert shown == {
        ("EL-01", "elevator.brake_wear"): "out_of_service",
        ("EL-01", "elevator.entrapment"): "none",
        ("EL-02", "elevator.brake_wear"): "none",
    }
    house.clock.forward(31 * 60)
    await impairing.tick(house.deps.records, house.routing, house.clock.ms())
    (row,) = await get(client, house, "/impairments?open=1")
    assert (row["missed"], row["round_is_due"]) == (1, True)
    path = f"/impairments/{item['id']}"
    assert (await post(client, house, f"{path}/round", {"note": " "}, "crew")).status_code == 422
    walked = (await post(client, house, f"{path}/round", {"note": "一切正常"}, "crew")).json()
    assert (walked["missed"], walked["round_is_due"]) == (0, False)
    assert (await post(client, house, f"{path}/close", {}, "manager")).status_code == 409
    assert (await post(client, house, f"{path}/restore", {}, "operator")).status_code == 200
    assert {row["suppression"] for row in await get(client, house, "/alarms")} == {"none"}
    assert (await post(client, house, f"{path}/close", {"note": "tested"}, "manager")).json()["state"] == "closed"
    assert await get(client, house, "/impairments?open=1") == []
    events = [(row["event"], row["actor"]) for row in await get(client, house, f"{path}/journal")]
    assert events == [
        ("open", "operator"),
        ("missed", "system"),
        ("round", "crew"),
        ("restore", "operator"),
        ("close", "manager"),
    ]


async def test_the_list_for_the_next_shift(house: House, client: httpx.AsyncClient) -> None:
    drill = {"name": "<b>疏散</b>", "reason": "半年一次", "scope": {"site": True}, "until_at": at(house, HOUR)}
    await post(client, house, "/drills", drill, "manager")
    for what, hours in (("late", 1), ("good", 48), ("back", 48)):
        body = {
            "scope": {"assets": ["EL-01"]}, "what": what, "reason": "r", "owner": "zhao",
            "expires_at": at(house, hours * HOUR), "rounds_every": 30 if what == "late" else 0,
        }  # fmt: skip
        item = (await post(client, house, "/impairments", body, "operator")).json()
        if what == "back":
            await post(client, house, f"/impairments/{item['id']}/restore", {}, "operator")
    house.clock.forward(2 * 3600)
    found = (await client.get("/api/v1/handover", headers=house.auth("viewer"))).json()
    assert (found["overdue"], found["rounds_due"]) == (1, 1)
    assert [row["what"] for row in found["impairments"]] == ["late", "good"]
    assert [row["what"] for row in found["restored"]] == ["back"]
    assert len(found["drills"]) == 1
    for language, word in (("zh", "已超期"), ("en", "OVERDUE")):
        page = await client.get(f"/api/v1/handover/export.html?language={language}", headers=house.auth("viewer"))
        assert 'class="late"' in page.text
        assert word in page.text
        assert "&lt;b&gt;疏散" in page.text
