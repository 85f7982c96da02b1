"""Login, logout, who am I."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from sqlalchemy import select

from api.app import create_app
from api.gate import REMEMBER_MS
from rules.records.schema import audit, tokens
from tests.api.house import PASSWORD, House


async def log_in(client: httpx.AsyncClient, name: str = "operator", password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/v1/login", json={"name": name, "password": password})


async def test_a_login_gives_a_token_that_works_and_can_be_given_back(house: House, client: httpx.AsyncClient) -> None:
    answer = await log_in(client)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    headers = {"authorization": f"Bearer {answer.json()['token']}"}
    me = (await client.get("/api/v1/whoami", headers=headers)).json()
    assert (me["name"], me["role"], me["language"]) == ("operator", "operator", "zh")
    assert "alarm.acknowledge" in me["actions"]
    assert "dead_letters" not in me["actions"]
    assert (await client.post("/api/v1/logout", headers=headers)).status_code == 204
    assert (await client.get("/api/v1/whoami", headers=headers)).status_code == 401


async def test_the_records_never_hold_the_token(house: House, client: httpx.AsyncClient) -> None:
    token = (await log_in(client)).json()["token"]
    async with house.deps.records.reading() as connection:
        rows = [str(row) for table in (tokens, audit) for row in (await connection.execute(select(table))).all()]
    assert rows
    assert not [row for row in rows if token in row or token[3:] in row]


@pytest.mark.slow
async def test_wrong_name_and_wrong_password_can_t_be_told_apart(house: House, client: httpx.AsyncClient) -> None:
    one, other = await log_in(client, password="wrong one"), await log_in(client, name="nobody")
    assert one.status_code == other.status_code == 401
    assert one.json()["detail"] == other.json()["detail"]


@pytest.mark.slow
async def test_guessing_is_slowed(house: House, client: httpx.AsyncClient) -> None:
    codes = [(await log_in(client, password="wrong one")).status_code for _ in range(7)]
    assert codes == [401] * 5 + [429] * 2
    answer = await log_in(client)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 12
    house.clock.forward(13)
    assert (await log_in(client)).status_code == 201


async def test_a_token_ends_at_its_hour(house: House, client: httpx.AsyncClient) -> None:
    headers = {"authorization": f"Bearer {(await log_in(client)).json()['token']}"}
    house.clock.forward(12 * 3600 - 1)
    assert (await client.get("/api/v1/whoami", headers=headers)).status_code == 200
    house.clock.forward(1)
    assert (await client.get("/api/v1/whoami", headers=headers)).status_code == 401


async def test_a_token_revoked_elsewhere_ends_within_seconds(house: House, client: httpx.AsyncClient) -> None:
    headers = house.auth("crew")
    assert (await client.get("/api/v1/whoami", headers=headers)).status_code == 200
    row = next(row for row in await house.deps.accounts.token_rows() if row.user == "crew")
    await house.deps.accounts.revoke(row.id, at=house.clock.ms(), actor="admin")
    house.clock.forward(REMEMBER_MS / 1000)
    assert (await client.get("/api/v1/whoami", headers=headers)).status_code == 401


async def test_a_disabled_user_is_out(house: House, client: httpx.AsyncClient) -> None:
    accounts = house.deps.accounts
    await accounts.change("crew", {"disabled": True}, at=house.clock.ms(), actor="admin", action="user.disable")
    assert (await client.get("/api/v1/whoami", headers=house.auth("crew"))).status_code == 401
    assert (await log_in(client, name="crew")).status_code == 401


@pytest.mark.slow
async def test_a_crowd_at_the_door_is_bounded(house: House) -> None:
    transport = httpx.ASGITransport(create_app(house.deps, console=False), client=("10.0.0.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://caretaker") as client:
        answers = await asyncio.gather(*(log_in(client, name=f"user{n}", password="wrong one") for n in range(60)))
    codes = [answer.status_code for answer in answers]
    assert codes.count(401) == 30
    assert codes.count(429) == 30
