"""Alarms: lists, pages, and what people do with them."""

from __future__ import annotations

import httpx
import pytest

from rules.rule import Raises
from tests.api.house import House, a_rule


async def rows(client: httpx.AsyncClient, house: House, path: str) -> list[dict[str, object]]:
    answer = await client.get(f"/api/v1/{path}", headers=house.auth("viewer"))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def act(client: httpx.AsyncClient, house: House, path: str, body: dict[str, object], role: str) -> httpx.Response:
    return await client.post(f"/api/v1/alarms/{path}", json=body, headers=house.auth(role))


async def test_an_alarm_from_raise_to_its_end(house: House, client: httpx.AsyncClient) -> None:
    rule = a_rule()
    alarm = await house.alarm("EL-01", rule)
    answer = await act(client, house, f"{alarm}/acknowledge", {"note": "on my way"}, "operator")
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["acknowledged_by"]) == ("acknowledged", "operator")
    await house.alarm("EL-01", rule, "clear")
    found = (await client.get(f"/api/v1/alarms/{alarm}", headers=house.auth("viewer"))).json()
    assert (found["state"], found["live"], found["facts"]) == ("normal", False, "car.floor=7")
    story = await rows(client, house, f"alarms/{alarm}/journal")
    assert [(row["event"], row["actor"]) for row in story] == [
        ("raise", "engine"),
        ("acknowledge", "operator"),
        ("clear", "engine"),
    ]
    assert story[1]["note"] == "on my way"
    assert story[0]["reason_zh"]


async def test_the_board_is_worst_first_and_sees_a_command_at_once(house: House, client: httpx.AsyncClient) -> None:
    await house.alarm("EL-01", a_rule("slow", 3))
    await house.alarm("EL-02", a_rule("trapped", 1, raises=Raises.EMERGENCY))
    board = await rows(client, house, "alarms/board")
    assert [row["severity"] for row in board] == [1, 3]
    assert [row["rule"] for row in await rows(client, house, "alerts")] == ["trapped"]
    await act(client, house, f"{board[0]['id']}/acknowledge", {}, "crew")
    assert [row["owed"] for row in await rows(client, house, "alarms/board")] == [False, True]


async def test_pages_hold_every_alarm_once(house: House, client: httpx.AsyncClient) -> None:
    for number in range(25):
        house.clock.forward(1)
        await house.alarm("EL-01", a_rule(f"rule{number}"))
    seen: list[str] = []
    cursor = ""
    while True:
        url = f"/api/v1/alarms?limit=10{f'&cursor={cursor}' if cursor else ''}"
        page = (await client.get(url, headers=house.auth("viewer"))).json()
        seen += [row["rule"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [f"rule{number}" for number in reversed(range(25))]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("severity=1", {"trapped"}),
        ("asset=EL-01", {"slow"}),
        ("state=acknowledged", {"slow"}),
        ("state=acknowledged&state=unacknowledged", {"slow", "trapped"}),
        ("active=true", {"slow", "trapped"}),
        ("active=false", set()),
    ],
)
async def test_alarms_are_filtered(house: House, client: httpx.AsyncClient, query: str, wanted: set[str]) -> None:
    slow = await house.alarm("EL-01", a_rule("slow", 3))
    await house.alarm("EL-02", a_rule("trapped", 1))
    await act(client, house, f"{slow}/acknowledge", {}, "operator")
    assert {row["rule"] for row in await rows(client, house, f"alarms?{query}")} == wanted


async def test_shelving_needs_a_reason_and_an_end(house: House, client: httpx.AsyncClient) -> None:
    alarm = await house.alarm("EL-01", a_rule(severity=3))
    for body in ({}, {"reason": "", "minutes": 5}, {"reason": "  ", "minutes": 5}, {"reason": "x", "minutes": 481}):
        assert (await act(client, house, f"{alarm}/shelve", body, "operator")).status_code == 422
    answer = await act(client, house, f"{alarm}/shelve", {"reason": "sensor", "minutes": 5}, "operator")
    assert (answer.status_code, answer.json()["shown"]) == (200, "shelved")
    answer = await act(client, house, f"{alarm}/unshelve", {}, "operator")
    assert (answer.status_code, answer.json()["shown"]) == (200, "unacknowledged")


async def test_life_safety_is_never_shelved(house: House, client: httpx.AsyncClient) -> None:
    alarm = await house.alarm("EL-01", a_rule("trapped", 1))
    answer = await act(client, house, f"{alarm}/shelve", {"reason": "quiet!", "minutes": 5}, "admin")
    assert answer.status_code == 409


async def test_a_latched_alarm_is_reset_only_when_acknowledged_and_clear(
    house: House, client: httpx.AsyncClient
) -> None:
    rule = a_rule(latch=True)
    alarm = await house.alarm("EL-01", rule)
    assert (await act(client, house, f"{alarm}/reset", {}, "operator")).status_code == 409
    await act(client, house, f"{alarm}/acknowledge", {}, "operator")
    await house.alarm("EL-01", rule, "clear")
    answer = await act(client, house, f"{alarm}/reset", {}, "operator")
    assert (answer.status_code, answer.json()["state"]) == (200, "normal")
