"""Every error is a problem document, in the caller's language."""

from __future__ import annotations

import httpx
import pytest

from api.app import MAX_BODY
from facility.errors import StoreError
from tests.api.house import House, a_rule


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body["type"] == f"urn:caretaker:problem:{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.request.url.path
    return body


async def test_unknown_things_are_404(house: House, client: httpx.AsyncClient) -> None:
    for path in (
        "assets/EL-99",
        "assets/EL-99/points",
        "alarms/none",
        "alarms/none/journal",
        "tickets/none",
        "nothing",
    ):
        is_problem(await client.get(f"/api/v1/{path}", headers=house.auth("viewer")), 404, "not-found")


async def test_the_language_of_the_caller(house: House, client: httpx.AsyncClient) -> None:
    headers = {**house.auth("viewer"), "accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
    body = is_problem(await client.get("/api/v1/assets/EL-99", headers=headers), 404, "not-found")
    assert body["title"] == "没有找到"
    assert body["detail"] == "没有设备 'EL-99'"
    headers["accept-language"] = "en-GB;q=0.9, zh;q=0.1"
    body = is_problem(await client.get("/api/v1/assets/EL-99", headers=headers), 404, "not-found")
    assert body["detail"] == "There is no asset 'EL-99'"


@pytest.mark.parametrize(
    "query",
    [
        "point=car.floor",
        "asset=EL-01",
        "asset=EL-01&point=car.floor&buckets=0",
        "asset=EL-01&point=car.floor&buckets=9999",
        "asset=EL-01&point=car.floor&start=yesterday",
        "asset=EL-01&point=car.floor&start=2026-01-01T00:00:00",
        "asset=EL-01&point=car.floor&start=99999999999999",
        "asset=EL-01&point=car.floor&start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z",
        "asset=EL-01&point=car.floor&start=0",
        "asset=EL-01&point=car.floor&colour=red",
    ],
)
async def test_wrong_parameters_are_422(house: House, client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/v1/history?{query}", headers=house.auth("viewer"))
    assert is_problem(answer, 422, "invalid")["errors"]


async def test_wrong_bodies(house: House, client: httpx.AsyncClient) -> None:
    url = "/api/v1/alarms/x/acknowledge"
    for content in (
        b"",
        b"{",
        b"[]",
        b'{"note": 7}',
        b'{"note": "", "extra": 1}',
        b"\xff\xfe",
        b'{"note":"' + b"a" * 3000 + b'"}',
    ):
        headers = {**house.auth("operator"), "content-type": "application/json"}
        is_problem(await client.post(url, content=content, headers=headers), 422, "invalid")


async def test_a_large_body_is_refused_before_it_is_read(house: House, client: httpx.AsyncClient) -> None:
    url = "/api/v1/alarms/x/acknowledge"
    is_problem(await client.post(url, content=b"x" * (MAX_BODY + 1), headers=house.auth("operator")), 413, "too-large")


async def test_a_body_that_grows_is_cut(house: House, client: httpx.AsyncClient) -> None:
    async def endless() -> object:
        for _ in range(100):
            yield b"x" * 2000

    headers = {**house.auth("operator"), "content-type": "application/json"}
    answer = await client.post("/api/v1/alarms/x/acknowledge", content=endless(), headers=headers)  # type: ignore[arg-type]
    is_problem(answer, 413, "too-large")


async def test_wrong_methods_are_405(house: House, client: httpx.AsyncClient) -> None:
    is_problem(await client.delete("/api/v1/assets", headers=house.auth("admin")), 405, "method-not-allowed")


async def test_an_illegal_command_is_409_and_says_the_state(house: House, client: httpx.AsyncClient) -> None:
    alarm = await house.alarm("EL-01", a_rule())
    url = f"/api/v1/alarms/{alarm}/acknowledge"
    assert (await client.post(url, json={}, headers=house.auth("operator"))).status_code == 200
    body = is_problem(await client.post(url, json={}, headers=house.auth("operator")), 409, "illegal-transition")
    assert (body["machine"], body["state"], body["event"]) == ("alarm", "acknowledged", "acknowledge")


async def test_a_store_that_is_down_is_503(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object, **__: object) -> object:
        raise StoreError("influxdb", "connection refused at 10.0.0.7:8086")

    monkeypatch.setattr(house.deps.store, "buckets", down)
    answer = await client.get("/api/v1/history?asset=EL-01&point=car.speed", headers=house.auth("viewer"))
    body = is_problem(answer, 503, "unavailable")
    assert body["store"] == "influxdb"
    assert "10.0.0.7" not in answer.text
    assert answer.headers["retry-after"]


async def test_our_own_mistake_is_500_and_keeps_its_secrets(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> object:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(house.deps.store, "buckets", broken)
    answer = await client.get("/api/v1/history?asset=EL-01&point=car.speed", headers=house.auth("viewer"))
    is_problem(answer, 500, "internal")
    assert "hunter2" not in answer.text


async def test_every_answer_has_the_safe_headers(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/api/v1/assets", "/nothing"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
