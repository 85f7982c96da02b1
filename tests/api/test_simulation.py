"""The simulated hardware over HTTP: what there is, begin, look, end; nothing of it where the equipment is real."""

from __future__ import annotations

import httpx
import pytest

from api.app import create_app
from tests.api.house import House

API = "/api/v1/simulation"


async def running(client: httpx.AsyncClient, house: House) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = (await client.get(f"{API}/running", headers=house.auth("viewer"))).json()["items"]
    return rows


async def test_everything_that_can_be_acted_upon(house: House, client: httpx.AsyncClient) -> None:
    rows = (await client.get(API, headers=house.auth("viewer"))).json()["items"]
    lift = next(row for row in rows if row["id"] == "EL-01")
    assert (lift["on"], lift["zh"], lift["asset_class"], lift["running"]) == ("asset", "1号客梯", "elevator", 0)
    assert lift["faults"] > 10
    answer = await client.get(f"{API}/subject", params={"subject": "EL-01"}, headers=house.auth("viewer"))
    stuck = next(row for row in answer.json()["faults"] if row["name"] == "entrapment")
    assert stuck["signature"] == "E01"
    assert stuck["seconds"] > 0
    assert [param["name"] for param in stuck["params"]] == ["button_after"]


async def test_a_device_whose_simulation_broke_down_is_shown(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_dt: float) -> None:
        raise ZeroDivisionError("in its model")

    monkeypatch.setattr(house.simulation.building.models["EL-01"], "step", broken)
    house.simulation.tick(1.0)
    rows = (await client.get(API, headers=house.auth("viewer"))).json()["items"]
    crashed = {row["id"]: row["crashed"] for row in rows if row["crashed"]}
    assert crashed == {"lift-1": "ZeroDivisionError: in its model"}


async def test_a_fault_begins_shows_and_ends(house: House, client: httpx.AsyncClient) -> None:
    boss = house.auth("manager")
    begin = {"subject": "EL-01", "fault": "pit_water", "seconds": 60}
    assert (await client.post(f"{API}/begin", json=begin, headers=boss)).status_code == 204
    house.simulation.tick(5.0)
    assert house.simulation.building.values()["EL-01"]["pit.water"] is True
    (row,) = await running(client, house)
    assert (row["subject"], row["fault"], row["by_hand"]) == ("EL-01", "pit_water", True)
    assert (row["age"], row["left"]) == (5.0, 55.0)
    again = await client.post(f"{API}/begin", json=begin, headers=boss)
    assert again.status_code == 422
    assert "is on already" in again.json()["detail"]
    end = {"subject": "EL-01", "fault": "pit_water"}
    assert (await client.post(f"{API}/end", json=end, headers=boss)).status_code == 204
    house.simulation.tick(1.0)
    assert house.simulation.building.values()["EL-01"]["pit.water"] is False
    assert await running(client, house) == []
    assert (await client.post(f"{API}/end", json=end, headers=boss)).status_code == 422


async def test_a_fault_ends_by_itself_in_the_hardware_s_time(house: House, client: httpx.AsyncClient) -> None:
    begin = {"subject": "EL-02", "fault": "pit_water", "seconds": 10}
    await client.post(f"{API}/begin", json=begin, headers=house.auth("admin"))
    house.simulation.tick(9.5)
    assert len(await running(client, house)) == 1
    house.simulation.tick(1.0)
    assert await running(client, house) == []
    assert not house.simulation.building.models["EL-02"].active


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"subject": "EL-99", "fault": "pit_water"}, "no simulated asset 'EL-99'"),
        ({"subject": "EL-01", "fault": "dry_run"}, "has no fault 'dry_run'"),
        ({"subject": "EL-01", "fault": "entrapment", "params": {"button_after": 1e9}}, "is outside"),
        ({"subject": "EL-01", "fault": "entrapment", "params": {"speed": 1}}, "has no param 'speed'"),
        ({"subject": "EL-01", "fault": "entrapment", "point": "car.floor"}, "no fault of one point"),
        ({"subject": "gw-1", "on": "gateway", "fault": "offline"}, "no simulated gateway 'gw-1'"),
    ],
)
async def test_what_can_not_be_begun(
    house: House, client: httpx.AsyncClient, body: dict[str, object], message: str
) -> None:
    answer = await client.post(f"{API}/begin", json=body, headers=house.auth("admin"))
    assert answer.status_code == 422
    assert message in answer.json()["detail"]
    assert await running(client, house) == []


async def test_malformed_bodies_are_refused(house: House, client: httpx.AsyncClient) -> None:
    for body in (
        {"subject": "EL-01"},
        {"subject": "EL 01", "fault": "pit_water"},
        {"subject": "EL-01", "fault": "pit_water", "seconds": -1},
        {"subject": "EL-01", "fault": "pit_water", "seconds": 1e12},
        {"subject": "EL-01", "fault": "pit_water", "on": "moon"},
        {"subject": "EL-01", "fault": "pit_water", "params": {str(n): 1 for n in range(99)}},
    ):
        assert (await client.post(f"{API}/begin", json=body, headers=house.auth("admin"))).status_code == 422, body


async def test_real_equipment_can_not_be_simulated(house: House) -> None:
    house.deps.hardware = None
    transport = httpx.ASGITransport(create_app(house.deps, console=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://caretaker") as client:
        assert (await client.get(API, headers=house.auth("admin"))).status_code == 404
        begin = {"subject": "EL-01", "fault": "pit_water"}
        assert (await client.post(f"{API}/begin", json=begin, headers=house.auth("admin"))).status_code == 404
