"""Tickets: from the alarm that opens one to its end."""

from __future__ import annotations

import httpx

from tests.api.house import House, a_rule


async def move(client: httpx.AsyncClient, house: House, ticket: str, role: str, **body: str) -> httpx.Response:
    return await client.post(f"/api/v1/tickets/{ticket}/move", json=body, headers=house.auth(role))


async def opened(client: httpx.AsyncClient, house: House) -> str:
    await house.alarm("EL-01", a_rule())
    items = (await client.get("/api/v1/tickets", headers=house.auth("viewer"))).json()["items"]
    assert len(items) == 1
    return str(items[0]["id"])


async def test_a_ticket_from_open_to_closed(house: House, client: httpx.AsyncClient) -> None:
    ticket = await opened(client, house)
    for role, event, state in (
        ("operator", "assign", "assigned"),
        ("crew", "accept", "accepted"),
        ("crew", "arrive", "on_site"),
        ("crew", "finish", "done"),
        ("manager", "verify", "verified"),
        ("manager", "close", "closed"),
    ):
        house.clock.forward(60)
        more = {"assignee": "crew"} if event == "assign" else {}
        answer = await move(client, house, ticket, role, event=event, **more)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    story = (await client.get(f"/api/v1/tickets/{ticket}/journal", headers=house.auth("viewer"))).json()["items"]
    assert [row["event"] for row in story][-6:] == ["assign", "accept", "arrive", "finish", "verify", "close"]
    for query, count in (("open=true", 0), ("open=false", 1), ("assignee=crew", 1), ("state=open", 0)):
        found = (await client.get(f"/api/v1/tickets?{query}", headers=house.auth("viewer"))).json()["items"]
        assert len(found) == count, query


async def test_a_ticket_tells_each_caller_what_it_may_do(house: House, client: httpx.AsyncClient) -> None:
    ticket = await opened(client, house)
    for role, moves in (("viewer", []), ("crew", ["accept"]), ("operator", ["assign", "accept", "cancel"])):
        row = (await client.get(f"/api/v1/tickets/{ticket}", headers=house.auth(role))).json()
        assert row["moves"] == moves


async def test_an_assignee_must_be_able_to_work(house: House, client: httpx.AsyncClient) -> None:
    ticket = await opened(client, house)
    for name in ("", "viewer", "nobody"):
        assert (await move(client, house, ticket, "operator", event="assign", assignee=name)).status_code == 422
    people = (await client.get("/api/v1/people", headers=house.auth("viewer"))).json()["items"]
    assert [row["name"] for row in people] == ["crew", "admin", "manager", "operator"]


async def test_a_way_that_the_table_has_not_is_409(house: House, client: httpx.AsyncClient) -> None:
    ticket = await opened(client, house)
    answer = await move(client, house, ticket, "manager", event="close")
    assert (answer.status_code, answer.json()["state"]) == (409, "open")
    assert (await move(client, house, ticket, "manager", event="explode")).status_code == 422
