"""A command the whole way: API, broker, gateway, a simulated controller over Modbus, and back to the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from api.accounts import Accounts
from api.auth import Passwords, Role
from caretaker_demo import USER, Demo, Options, open_demo
from facility.clock import SystemClock

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(240)]

POINT, SHOWN = "circuit[2].command", "circuit[2].on"


class Desk:
    """Somebody at the API."""

    def __init__(self, demo: Demo, client: httpx.AsyncClient) -> None:
        self.demo, self.client = demo, client

    async def login(self, user: str, password: str) -> None:
        answer = await self.client.post("/api/v1/login", json={"name": user, "password": password})
        assert answer.status_code == 201, answer.text
        self.client.headers["authorization"] = f"Bearer {answer.json()['token']}"

    async def value(self, asset: str, point: str) -> Any:
        rows = (await self.client.get("/api/v1/latest", params={"asset": asset})).json()["items"]
        return next((row["value"] for row in rows if row["point"] == point and row["quality"] == "good"), None)

    async def until(self, asset: str, point: str, wanted: Any) -> None:
        while await self.value(asset, point) != wanted:
            await self.demo.house.clock.sleep(0.1)

    async def ask(self, **body: Any) -> dict[str, Any]:
        answer = await self.client.post("/api/v1/commands", json={"reason": "test", **body})
        assert answer.status_code == 202, answer.text
        row: dict[str, Any] = answer.json()
        return row

    async def ended(self, command: str) -> dict[str, Any]:
        while True:
            row: dict[str, Any] = (await self.client.get(f"/api/v1/commands/{command}")).json()
            if row["state"] not in ("sent", "awaiting_second"):
                return row
            await self.demo.house.clock.sleep(0.1)


async def test_a_circuit_is_switched_and_comes_back_and_a_second_person_sets_the_air(tmp_path: Path) -> None:
    async with (
        open_demo(Options(tmp_path, port=0), SystemClock(), lambda _: None) as demo,
        httpx.AsyncClient(base_url=demo.address, timeout=20) as client,
    ):
        desk = Desk(demo, client)
        await desk.login(USER, demo.password)
        while await desk.value("LT-01", SHOWN) is None:
            await demo.house.clock.sleep(0.1)
        before = await desk.value("LT-01", SHOWN)
        row = await desk.ended((await desk.ask(asset="LT-01", point=POINT, value=not before, ttl=4))["id"])
        assert row["state"] == "ended", row
        steps = [step["step"] for step in row["steps"]]
        assert steps[:5] == ["received", "checking", "writing", "reading_back", "watching"]
        assert "held" in steps
        await desk.until("LT-01", SHOWN, not before)
        await desk.until("LT-01", SHOWN, before)
        while "reverted" not in steps:
            steps = [s["step"] for s in (await client.get(f"/api/v1/commands/{row['id']}")).json()["steps"]]
            await demo.house.clock.sleep(0.1)

        asked = await desk.ask(asset="AH-01", point="ahu.setpoint", value=18.5)
        assert asked["state"] == "awaiting_second"
        assert (await client.post(f"/api/v1/commands/{asked['id']}/approve")).status_code == 403
        accounts = Accounts(await demo.house.records())
        digest = Passwords().hash_now("another long one")
        await accounts.add(
            "second", Role.MANAGER, language="en", password_hash=digest, at=demo.house.clock.ms(), actor="t"
        )
        await desk.login("second", "another long one")
        assert (await client.post(f"/api/v1/commands/{asked['id']}/approve")).status_code == 200
        assert (await desk.ended(asked["id"]))["steps"][-1]["step"] == "done"
        await desk.until("AH-01", "ahu.setpoint", 18.5)

        refused = await client.post(
            "/api/v1/commands", json={"asset": "EL-01", "point": "car.floor", "value": 1, "reason": "test"}
        )
        assert (refused.status_code, refused.json()["reason"]) == (403, "life_safety")
