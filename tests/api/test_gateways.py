"""Gateways, gaps, dead letters."""

from __future__ import annotations

import httpx

from ingest.accounting import Gap
from ingest.deadletters import NewLetter
from tests.api.house import House


async def rows(client: httpx.AsyncClient, house: House, path: str, role: str = "viewer") -> list[dict[str, object]]:
    answer = await client.get(f"/api/v1/{path}", headers=house.auth(role))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def test_a_gateway_counts_its_devices(house: House, client: httpx.AsyncClient) -> None:
    await house.status("gw-1", down=["lift-2"])
    await house.status("gw-2", online=False)
    for _ in range(3):
        await house.reading("EL-01", "car.floor", 1)
    found = {row["id"]: row for row in await rows(client, house, "gateways")}
    assert (found["gw-1"]["online"], found["gw-1"]["up"], found["gw-1"]["down"]) == (True, 3, 1)
    assert found["gw-2"]["online"] is False
    devices = {row["device"]: (row["state"], row["error"]) for row in await rows(client, house, "gateways/devices")}
    assert devices["lift-2"] == ("down", "timeout")
    assert devices["lift-1"] == ("up", "")
    assert devices["fire-1"] == ("unknown", "")


async def test_gaps_are_told_as_ingest_counts_them(house: House, client: httpx.AsyncClient) -> None:
    assert await rows(client, house, "gateways/gaps") == []
    house.deps.gaps = lambda: [Gap("gw-1", "b", 3, 5), Gap("gw-2", "c", 9, 9)]
    found = await rows(client, house, "gateways/gaps?gateway=gw-1")
    assert found == [{"gateway": "gw-1", "boot": "b", "first": 3, "last": 5, "batches": 3}]


async def test_dead_letters_come_in_pages_as_text_or_base64(house: House, client: httpx.AsyncClient) -> None:
    for number, payload in enumerate((b"{broken", b"\xff\xfe", b"third")):
        letter = NewLetter("payload", house.clock.ms(), f"t/{number}", "not JSON", payload)
        house.deps.dead_letters.add(letter)
    answer = await client.get("/api/v1/dead-letters?limit=2", headers=house.auth("admin"))
    page = answer.json()
    assert [(row["encoding"], row["payload"]) for row in page["items"]] == [("text", "third"), ("base64", "//4=")]
    rest = await rows(client, house, f"dead-letters?limit=2&cursor={page['next']}", "admin")
    assert [row["payload"] for row in rest] == ["{broken"]
