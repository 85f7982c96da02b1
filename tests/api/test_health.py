"""Alive, ready, metrics."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from facility.errors import StoreError
from tests.api.house import House


async def test_alive_needs_no_token(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": "0.1.0"})


async def test_ready_when_everything_answers(house: House, client: httpx.AsyncClient) -> None:
    await asyncio.wait_for(house.deps.live.warmed.wait(), 2)
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


async def test_not_ready_names_what_is_missing_and_no_more(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> object:
        raise StoreError("influxdb", "refused at 10.0.0.7")

    await asyncio.wait_for(house.deps.live.warmed.wait(), 2)
    monkeypatch.setattr(house.deps.store, "latest", down)
    answer = await client.get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["ready"]) == (503, False)
    assert (body["broker"], body["records"], body["readings"]) == ("ok", "ok", "does not answer")
    assert "10.0.0.7" not in answer.text


async def test_metrics_of_every_role_parse(house: House, client: httpx.AsyncClient) -> None:
    await house.reading("EL-01", "car.floor", 1)
    answer = await client.get("/metrics", headers=house.auth("viewer"))
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["caretaker_ingest_readings"].samples[0].value == 41
    spool = families["caretaker_ingest_spool"].samples[0]
    assert (spool.labels, spool.value) == ({"of": "gw-1"}, 2)
    assert families["caretaker_api_live_readings"].samples[0].value == 1


async def test_the_rules_that_had_no_finite_answer_are_listed(house: House, client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/rules/faults", headers=house.auth("viewer"))).json()["items"] == []
    numbers = {"rule_faults:own.a": 2.0, "rule_faults:own.b": 7.0, "engine_faults": 9.0}
    house.deps.metrics = lambda: {"rules": numbers}
    answer = await client.get("/api/v1/rules/faults", headers=house.auth("viewer"))
    assert answer.json()["items"] == [{"rule": "own.b", "faults": 7}, {"rule": "own.a", "faults": 2}]
    text = (await client.get("/metrics", headers=house.auth("viewer"))).text
    assert 'caretaker_rules_rule_faults{of="own.b"} 7.0' in text
