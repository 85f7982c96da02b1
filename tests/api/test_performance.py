"""The figures of the alarm system over the API: what they say, to whom, and of which periods."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest

from tests.api.house import NOW, House, a_rule

MINUTE = 60_000


async def asked(
    client: httpx.AsyncClient, house: House, path: str = "", role: str = "manager", **params: object
) -> Any:
    answer = await client.get(f"/api/v1/alarms/kpis{path}", headers=house.auth(role), params=params)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_code(body: Any) -> dict[str, Any]:
    return {item["code"]: item for item in body["items"]}


async def some_alarms(house: House) -> None:
    """Twelve within a minute, one of which the operator acknowledges after 90 s."""
    house.clock.forward(60)
    for number in range(12):
        alarm = await house.alarm(
            "EL-01", a_rule(f"rule{number}", 1 if number == 0 else 3), at=house.clock.ms() + number
        )
    house.clock.forward(90)
    await house.deps.commands.acknowledge(alarm, actor="operator", at=house.clock.ms())


async def test_the_figures_of_an_hour(house: House, client: httpx.AsyncClient) -> None:
    await some_alarms(house)
    house.clock.forward(3600)
    body = await asked(client, house)
    found = by_code(body)
    assert (body["raises"], body["enough"]) == (12, False)
    assert (found["per_ten_most"]["value"], found["per_ten_most"]["verdict"]) == (12, "over")
    assert (found["floods"]["value"], found["standing"]["value"]) == (1, 12)
    assert found["per_ten_mean"]["verdict"] == "not_enough"
    assert found["per_ten_mean"]["verdict_zh"] == "数据不足"
    assert found["acknowledge_p50"]["value"] == pytest.approx(90, abs=0.1)
    about = pytest.approx(90, abs=0.1)
    assert body["operators"] == [{"operator": "operator", "acknowledged": 1, "p50": about, "p95": about, "shelved": 0}]
    assert len(body["top"]) == 10
    assert {item["en"] for item in body["top"]} == {"Stopped between floors"}
    assert body["top"][0]["asset_en"] == "Lift 1"


async def test_boards_read_figures_and_top_without_names(house: House, client: httpx.AsyncClient) -> None:
    await some_alarms(house)
    house.clock.forward(600)
    span = {"start": NOW, "end": house.clock.ms()}
    assert by_code(await asked(client, house, "/figures", "viewer", **span))["per_ten_most"]["value"] == 12
    top = await asked(client, house, "/top", "viewer", **span)
    assert len(top["items"]) == 10
    assert "operator" not in str(top)


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("crew", 403), ("operator", 200), ("admin", 200)])
async def test_who_did_what_is_for_the_control_room(
    house: House, client: httpx.AsyncClient, role: str, status: int
) -> None:
    assert (await client.get("/api/v1/alarms/kpis", headers=house.auth(role))).status_code == status


async def test_the_figures_as_a_sheet(house: House, client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/alarms/kpis?format=csv", headers=house.auth("manager"))
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert {row["code"] for row in rows} >= {"per_ten_mean", "top_share"}


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-01-01T00:00:00Z&to=2024-01-01T00:00:00Z",
        "from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=2026-01-01T00:00:00",
        "from=yesterday",
        "start=-1",
        "form=pdf",
        "from=2031-01-01T00:00:00Z&to=2031-02-01T00:00:00Z",
    ],
)
async def test_what_is_no_period_is_refused(house: House, client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/v1/alarms/kpis?{query}", headers=house.auth("manager"))
    assert answer.status_code == 422, answer.text


async def test_a_period_before_the_first_alarm_has_no_data(house: House, client: httpx.AsyncClient) -> None:
    body = await asked(client, house, **{"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"})
    assert body["days"] == 0
    assert {item["verdict"] for item in body["items"]} == {"not_enough", "none"}
