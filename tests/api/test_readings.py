"""The newest readings and the history."""

from __future__ import annotations

import httpx
import pytest

from facility.readings import Quality, Sample
from tests.api.house import NOW, House


async def latest(client: httpx.AsyncClient, house: House, query: str = "") -> dict[str, dict[str, object]]:
    answer = await client.get(f"/api/v1/latest?{query}", headers=house.auth("viewer"))
    assert answer.status_code == 200, answer.text
    return {f"{row['asset']} {row['point']}": row for row in answer.json()["items"]}


async def test_a_reading_says_what_it_means(house: House, client: httpx.AsyncClient) -> None:
    await house.reading("EL-01", "car.direction", 1)
    await house.reading("EL-01", "car.speed", 1.5)
    rows = await latest(client, house)
    assert rows["EL-01 car.direction"]["state_zh"] == "上行"
    assert rows["EL-01 car.direction"]["state"] == "up"
    assert (rows["EL-01 car.speed"]["value"], rows["EL-01 car.speed"]["symbol"]) == (1.5, "m/s")
    assert rows["EL-01 car.speed"]["ms"] == NOW


async def test_a_stale_value_says_so_and_a_bad_one_is_no_number(house: House, client: httpx.AsyncClient) -> None:
    await house.reading("EL-01", "car.floor", 7)
    await house.publish(Sample("EL-01", NOW, {"car.load": None}, {"car.load": Quality.SENSOR}))
    house.clock.forward(400)
    rows = await latest(client, house)
    assert (rows["EL-01 car.floor"]["quality"], rows["EL-01 car.floor"]["value"]) == ("stale", 7)
    assert rows["EL-01 car.floor"]["age"] == 400
    assert (rows["EL-01 car.load"]["quality"], rows["EL-01 car.load"]["value"]) == ("sensor", None)


async def test_history_that_came_late_does_not_change_the_present(house: House, client: httpx.AsyncClient) -> None:
    await house.reading("EL-01", "car.floor", 7)
    house.clock.forward(1)
    await house.reading("EL-01", "car.floor", 3, hist=True)
    assert (await latest(client, house))["EL-01 car.floor"]["value"] == 7


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("asset=EL-02", {"EL-02 car.floor"}),
        ("asset=EL-01&asset=EL-02&point=car.floor", {"EL-01 car.floor", "EL-02 car.floor"}),
        ("asset_class=power", {"PW-01 u.l1n"}),
        ("asset_class=nothing", set()),
    ],
)
async def test_latest_is_narrowed(house: House, client: httpx.AsyncClient, query: str, wanted: set[str]) -> None:
    await house.reading("EL-01", "car.floor", 1)
    await house.reading("EL-01", "car.speed", 1.0)
    await house.reading("EL-02", "car.floor", 2)
    await house.reading("PW-01", "u.l1n", 230.0)
    assert set(await latest(client, house, query)) == wanted


async def history(client: httpx.AsyncClient, house: House, query: str) -> dict[str, object]:
    answer = await client.get(f"/api/v1/history?asset=EL-01&{query}", headers=house.auth("viewer"))
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


async def test_history_in_steps(house: House, client: httpx.AsyncClient) -> None:
    for second in range(100):
        await house.publish(Sample("EL-01", NOW + second * 1000, {"car.speed": float(second)}))
    body = await history(client, house, f"point=car.speed&start={NOW}&end={NOW + 100_000}&buckets=10")
    items = body["items"]
    assert isinstance(items, list)
    assert len(items) == 10
    assert [(row["count"], row["mean"], row["low"], row["high"]) for row in items[:2]] == [
        (10, 4.5, 0.0, 9.0),
        (10, 14.5, 10.0, 19.0),
    ]


@pytest.mark.parametrize(
    "start", [str(NOW), "2026-09-21T14:13:20Z", "2026-09-21T22:13:20%2B08:00", "2026-09-21T22:13:20+08:00"]
)
async def test_an_instant_may_be_written_in_many_ways(house: House, client: httpx.AsyncClient, start: str) -> None:
    await house.publish(Sample("EL-01", NOW - 1, {"car.speed": 1.0}))
    await house.publish(Sample("EL-01", NOW, {"car.speed": 2.0}))
    body = await history(client, house, f"point=car.speed&raw=10&start={start}&end={NOW + 1000}")
    assert [row["value"] for row in body["items"]] == [2.0]  # type: ignore[index,attr-defined]


async def test_states_come_raw(house: House, client: httpx.AsyncClient) -> None:
    await house.reading("EL-01", "car.direction", 2)
    body = await history(client, house, "point=car.direction")
    assert [(row["value"], row["quality"]) for row in body["items"]] == [(2, "good")]  # type: ignore[index,attr-defined]
