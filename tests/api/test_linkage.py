"""Linkage runs over HTTP: what became of each effect, notes that stay, exports, and the chain."""

from __future__ import annotations

import csv
import io

import httpx
import pytest
from sqlalchemy import text

from tests.api.house import House
from tests.api.linkage_runs import a_run, keep

BASE = "/api/v1/linkage"


async def get(client: httpx.AsyncClient, house: House, path: str, role: str = "viewer") -> httpx.Response:
    return await client.get(f"{BASE}{path}", headers=house.auth(role))


async def test_a_run_that_is_going_on(house: House, client: httpx.AsyncClient) -> None:
    await keep(house, a_run(house))
    (row,) = (await get(client, house, "/runs")).json()["items"]
    assert (row["id"], row["zone"], row["zone_en"], row["mode"], row["end"]) == ("L1", 6, "Floor 6", "real", "")
    counted = {
        name: row[name] for name in ("confirmed", "late", "failed", "pending", "not_applicable", "weak", "unknown")
    }
    assert counted == {
        "confirmed": 2, "late": 1, "failed": 1, "pending": 1, "not_applicable": 1, "weak": 0, "unknown": 0,
    }  # fmt: skip
    rows = {item["effect"]: item for item in (await get(client, house, "/runs/L1/effects")).json()["items"]}
    assert (rows[8]["verdict"], rows[8]["seconds"], rows[8]["limit_s"]) == ("late", 30.0, 15.0)
    assert rows[14]["verdict"] == "failed"
    assert "fan.smoke_run=True (good)" in rows[8]["evidence"]
    assert (rows[17]["verdict"], rows[17]["reason_en"]) == ("not_applicable", "There are no cameras")
    assert (await get(client, house, "/verify")).json() == {"links": 0, "whole": True, "broken": None, "newest": ""}


async def test_runs_come_in_pages_and_an_unknown_one_is_404(house: House, client: httpx.AsyncClient) -> None:
    await keep(house, *(a_run(house, run_id=f"L{number}") for number in range(5)))
    first = (await get(client, house, "/runs?limit=3")).json()
    assert [row["id"] for row in first["items"]] == ["L4", "L3", "L2"]
    rest = (await get(client, house, f"/runs?limit=3&cursor={first['next']}")).json()
    assert ([row["id"] for row in rest["items"]], rest["next"]) == (["L1", "L0"], None)
    for path in ("/runs/none", "/runs/none/effects", "/runs/none/notes", "/runs/none/export.csv"):
        answer = await get(client, house, path)
        assert answer.status_code == 404
        assert "linkage run" in answer.json()["detail"]


async def test_what_is_over_is_sealed_and_notes_are_only_added(house: House, client: httpx.AsyncClient) -> None:
    run = a_run(house)
    run.close(run.t0 + 80_000, "reset")
    await keep(house, run)
    run.effects[0].basis = "changed afterwards"
    await keep(house, run)
    rows = (await get(client, house, "/runs/L1/effects")).json()["items"]
    assert rows[0]["basis"] == "GB 50116", "the sealed record is shown"
    for role, status in (("viewer", 403), ("crew", 403), ("operator", 200), ("manager", 200)):
        said = {"text": f"{role}: 2号梯已手动迫降"}
        answer = await client.post(f"{BASE}/runs/L1/notes", json=said, headers=house.auth(role))
        assert answer.status_code == status
    notes = (await get(client, house, "/runs/L1/notes")).json()["items"]
    assert [(note["author"], note["text"]) for note in notes] == [
        ("operator", "operator: 2号梯已手动迫降"),
        ("manager", "manager: 2号梯已手动迫降"),
    ]
    for bad in ("", "   ", "x" * 2001):
        answer = await client.post(f"{BASE}/runs/L1/notes", json={"text": bad}, headers=house.auth("operator"))
        assert answer.status_code == 422
    chain = (await get(client, house, "/verify")).json()
    assert (chain["links"], chain["whole"], chain["newest"]) == (3, True, notes[-1]["hash"])


async def test_a_change_in_the_file_is_seen(house: House, client: httpx.AsyncClient) -> None:
    run = a_run(house)
    run.close(run.t0 + 80_000, "reset")
    await keep(house, run)
    async with house.deps.records.writing() as connection:
        await connection.execute(text("DROP TRIGGER linkage_chain_no_update"))
        await connection.execute(text("UPDATE linkage_chain SET body = replace(body, 'failed', 'confirmed')"))
    chain = (await get(client, house, "/verify")).json()
    assert (chain["whole"], chain["broken"]) == (False, 1)


@pytest.mark.parametrize(("language", "verdict"), [("zh", "未动作"), ("en", "FAILED")])
async def test_a_run_on_paper(house: House, client: httpx.AsyncClient, language: str, verdict: str) -> None:
    run = a_run(house)
    run.close(run.t0 + 80_000, "reset")
    await keep(house, run)
    script = {"text": "<script>alert(1)</script>"}
    await client.post(f"{BASE}/runs/L1/notes", json=script, headers=house.auth("operator"))
    sheet = await get(client, house, f"/runs/L1/export.csv?language={language}")
    assert sheet.content.startswith(b"\xef\xbb\xbf"), "or Excel takes it for another encoding"
    rows = list(csv.reader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    assert [row[2] for row in rows[1:7]] == ["3", "4", "6", "8", "14", "17"]
    assert next(row for row in rows if row[2] == "14")[4] == verdict
    assert all(not cell.startswith("=") for row in rows for cell in row), "no cell is a formula"
    page = await get(client, house, f"/runs/L1/export.html?language={language}")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert verdict in page.text
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
