"""Out of service by ticket, marks, habits and values of the journal, as the API gives them."""

from __future__ import annotations

import httpx

from rules.role.tending import tend
from tests.api.house import House, a_rule
from tests.api.test_alarms import act, rows


async def a_ticket(house: House, client: httpx.AsyncClient, alarm: str) -> str:
    """The ticket that the alarm has opened."""
    found = (await client.get(f"/api/v1/alarms/{alarm}", headers=house.auth("viewer"))).json()
    ticket: str = found["ticket"]
    return ticket


async def post(
    client: httpx.AsyncClient, house: House, path: str, body: dict[str, object], role: str = "operator"
) -> httpx.Response:
    return await client.post(f"/api/v1/{path}", json=body, headers=house.auth(role))


async def test_an_alarm_is_out_of_service_for_its_ticket(house: House, client: httpx.AsyncClient) -> None:
    alarm = await house.alarm("EL-01", a_rule(severity=3))
    other = await house.alarm("EL-02", a_rule(severity=3))
    ticket = await a_ticket(house, client, alarm)
    body = {"ticket": ticket, "reason": "new sensor"}
    for wrong in ({**body, "reason": " "}, {**body, "ticket": "T0"}, {"reason": "x"}, {**body, "reason": "x" * 2001}):
        assert (await act(client, house, f"{alarm}/remove", wrong, "operator")).status_code == 422
    assert (await act(client, house, f"{other}/remove", body, "operator")).status_code == 422
    answer = await act(client, house, f"{alarm}/remove", body, "operator")
    assert (answer.status_code, answer.json()["shown"]) == (200, "out_of_service")
    assert (await act(client, house, f"{alarm}/remove", body, "operator")).status_code == 409
    (removal,) = await rows(client, house, "out-of-service?now=true")
    assert (removal["alarm"], removal["ticket"], removal["begun_by"]) == (alarm, ticket, "operator")
    answer = await act(client, house, f"{alarm}/return", {"note": "done"}, "operator")
    assert (answer.status_code, answer.json()["shown"]) == (200, "unacknowledged")
    assert await rows(client, house, "out-of-service?now=true") == []


async def test_a_whole_asset_returns_when_its_ticket_is_done(house: House, client: httpx.AsyncClient) -> None:
    alarm = await house.alarm("EL-01", a_rule(severity=3))
    ticket = await a_ticket(house, client, alarm)
    body = {"ticket": ticket, "reason": "overhaul"}
    assert (await post(client, house, "assets/XX-99/remove", body)).status_code == 404
    answer = await post(client, house, "assets/EL-01/remove", body)
    assert (answer.status_code, answer.json()["alarm"]) == (200, None)
    late = await house.alarm("EL-01", a_rule("late", 3))
    assert {row["id"] for row in await rows(client, house, "alarms?state=out_of_service")} == {alarm, late}
    for event in ("accept", "finish"):
        await post(client, house, f"tickets/{ticket}/move", {"event": event})
    assert {row["shown"] for row in await rows(client, house, "alarms")} == {"unacknowledged"}
    answer = await post(client, house, f"out-of-service/{answer.json()['id']}/return", {})
    assert answer.status_code == 409


async def test_only_managers_take_life_safety_out_of_service(house: House, client: httpx.AsyncClient) -> None:
    alarm = await house.alarm("EL-01", a_rule("trapped", 1))
    ticket = await a_ticket(house, client, alarm)
    body: dict[str, object] = {"ticket": ticket, "reason": "overhaul"}
    assert (await act(client, house, f"{alarm}/remove", body, "manager")).status_code == 409  # it must be said aloud
    body["life_safety"] = True
    assert (await act(client, house, f"{alarm}/remove", body, "operator")).status_code == 403
    answer = await act(client, house, f"{alarm}/remove", body, "manager")
    assert (answer.status_code, answer.json()["guarded"]) == (200, True)


async def test_marks_habits_and_values(house: House, client: httpx.AsyncClient) -> None:
    rule = a_rule("flaps", 3)
    for _ in range(3):
        alarm = await house.alarm("EL-01", rule)
        house.clock.forward(5)
        await house.alarm("EL-01", rule, "clear")
        house.clock.forward(5)
    (found,) = await rows(client, house, "alarms?state=chattering")
    assert (found["id"], found["shown"]) == (alarm, "shelved")
    (habit,) = await rows(client, house, "alarms/habits")
    assert (habit["cycles"], habit["fleeting"], habit["episodes"]) == (3, 3, 1)
    old = await house.alarm("EL-02", a_rule("stands", 3))
    house.clock.forward(25 * 3600)
    await tend(house.deps.records, house.routing, house.clock.ms())
    assert [row["id"] for row in await rows(client, house, "alarms?state=stale")] == [old]
    await act(client, house, f"{old}/acknowledge", {}, "operator")
    story = await rows(client, house, f"alarms/{old}/journal")
    assert [row["event"] for row in story] == ["raise", "stale", "acknowledge"]


async def test_a_site_may_allow_less_shelving(house: House, client: httpx.AsyncClient) -> None:
    alarm = await house.alarm("EL-01", a_rule(severity=3))
    object.__setattr__(house.deps.site.settings.alarms, "shelve_hours", 1.0)
    house.deps.adopt(house.deps.site, house.deps.catalog)
    answer = await act(client, house, f"{alarm}/shelve", {"reason": "sensor", "minutes": 61}, "operator")
    assert answer.status_code == 422
    assert "1 hours" in answer.json()["detail"]
    answer = await act(client, house, f"{alarm}/shelve", {"reason": "sensor", "minutes": 60}, "operator")
    assert answer.status_code == 200
