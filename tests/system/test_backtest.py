"""`caretaker rules backtest` over a real DuckDB file: of a site that stands still, and of one that runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from api.accounts import Accounts
from api.auth import Role
from api.backtest import Tried, run_backtest, way_to
from caretaker import app
from caretaker_roles import House, open_house
from caretaker_site import load_whole
from facility.clock import SystemClock
from facility.errors import StoreError
from facility.readings import Quality, Sample, Value
from facility.wire import Batch
from ingest.open import open_store
from ingest.store import Delivery
from rules.records.records import open_records
from rules.records.rule_texts import note_versions
from rules.trial.table import as_json
from tests.api.house import write_site
from tests.services.influx import InfluxServer

DAY = "2026-03-0{}"
RULE = """
class: elevator
rules:
  - id: elevator.motor_hot
    labels: {zh: 电机过热, en: Motor is hot}
    guidance: {zh: 查看机房, en: Look into the machine room}
    when: drive.motor_temp > %s
    clear: drive.motor_temp < %s
    for: %s
    clear_for: 10s
    severity: 3
    raises: ticket%s
"""
SPAN = ("--from", "2026-03-01 00:00", "--to", "2026-03-04 00:00")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)


def readings() -> Iterator[tuple[int, Value, Quality]]:
    """Three days, a reading a minute: warm at 23:00 of the 1st, hot at noon of the 2nd, a bad hour on the 3rd."""
    hot = {ms("2026-03-01 23:00"): 95.0, ms("2026-03-02 12:00"): 115.0, ms("2026-03-03 03:00"): 95.0}
    start = ms("2026-03-01 00:00")
    for minute in range(3 * 1440):
        at = start + minute * 60_000
        value = next((item for begin, item in hot.items() if begin <= at < begin + 600_000), 60.0)
        bad = ms("2026-03-03 15:00") <= at < ms("2026-03-03 16:00")
        yield at, None if bad else value, Quality.COMM if bad else Quality.GOOD


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small site whose lift has three days of history."""
    folder = write_site(tmp_path / "site")
    (folder / "rules").mkdir()
    (folder / "rules" / "own.yaml").write_text(RULE % (110, 100, "30s", ""))

    (folder / "data").mkdir()
    asyncio.run(store(folder))
    return folder


async def store(folder: Path) -> None:
    """Write the readings to the store that the site's settings name."""
    whole = load_whole(folder)
    opened = await open_store(whole.site.settings.readings, site=whole.site, catalog=whole.catalog)
    point = "drive.motor_temp"
    samples = [Sample("EL-01", at, {point: value}, {point: quality}) for at, value, quality in readings()]
    await opened.write([Delivery("gw-1", Batch("b", 1, samples, False), {"EL-01": "elevator"})])
    await opened.close()


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["rules", "backtest", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def found(*arguments: object) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return data


def given(site: Path, *values: object) -> Path:
    path = site.parent / "try.yaml"
    path.write_text(RULE % values)
    return path


def test_a_lower_limit_adds_alarms_and_makes_one_earlier(site: Path) -> None:
    data = found(site, *SPAN, "--rules", given(site, 90, 80, "0s", ""))
    assert data["rules_that_differ"] == ["elevator.motor_hot"]
    assert data["total"] == {
        "old": 1, "new": 3, "added": 2, "removed": 0, "earlier": 1, "later": 0, "longer": 1, "shorter": 0,
    }  # fmt: skip
    assert {day: (item["old"], item["new"]) for day, item in data["days"].items()} == {
        "2026-03-01": (0, 1),
        "2026-03-02": (1, 1),
        "2026-03-03": (0, 1),
    }
    assert {hour: item["new"] for hour, item in data["nights"].items() if item["new"]} == {"23": 1, "3": 1}
    noon = next(item for item in data["alarms"] if "earlier" in item["changes"])
    begun = ms("2026-03-02 12:00")
    assert noon["old"] == [begun + 30_000, begun + 610_000]
    assert noon["new"] == [begun, begun + 610_000]
    assert data["samples"] == 3 * 1440
    assert data["samples_per_s"] > 0


@pytest.mark.service("influxd")
def test_over_influxdb_it_finds_what_it_finds_over_duckdb(site: Path, influx: InfluxServer) -> None:
    path = given(site, 90, 80, "0s", "")
    over_duckdb = found(site, *SPAN, "--rules", path)
    bucket = influx.fresh("backtest")
    settings = site / "site.yaml"
    where = f"{{kind: influxdb, url: '{influx.url}', bucket: {bucket}, token: '{influx.token}'}}"
    settings.write_text(f"{settings.read_text()}readings: {where}\n")
    asyncio.run(store(site))
    (site / "data/readings.duckdb").unlink()
    over_influx = found(site, *SPAN, "--rules", path)
    assert over_influx["source"] == f"InfluxDB {influx.url}"
    changing = {"source", "seconds", "samples_per_s"}
    assert over_influx["total"]["added"] == 2
    assert {key: value for key, value in over_influx.items() if key not in changing} == {
        key: value for key, value in over_duckdb.items() if key not in changing
    }
    influx.fresh(bucket)
    assert found(site, *SPAN, "--rules", path)["samples"] == 0


def test_the_other_way_round_they_are_removed_and_later(site: Path) -> None:
    (site / "rules" / "own.yaml").write_text(RULE % (90, 80, "0s", ""))
    total = found(site, *SPAN, "--rules", given(site, 110, 100, "30s", ""))["total"]
    assert (total["removed"], total["later"], total["shorter"], total["added"]) == (2, 1, 1, 0)


def test_the_table_says_it_in_both_languages(site: Path) -> None:
    path = given(site, 90, 80, "0s", "")
    english = run(site, *SPAN, "--rules", path, "--language", "en")
    for word in ("1 rules differ", "samples/s", "elevator.motor_hot", "23-00", "30 s earlier", "2026-03-01 23:00:00"):
        assert word in english
    chinese = run(site, *SPAN, "--rules", path)
    for word in ("1 条规则不同", "样本/秒", "夜间时段", "更早 30 s", "新增"):
        assert word in chinese


def test_a_shadow_rule_is_tried_in_the_place_of_the_live_one(site: Path) -> None:
    total = found(site, *SPAN, "--rules", given(site, 90, 80, "0s", "\n    shadow: true"))["total"]
    assert (total["old"], total["new"], total["added"]) == (1, 3, 2)


def test_without_other_rules_the_folder_is_compared_with_what_ran_last(site: Path) -> None:
    first = found(site, *SPAN)
    assert "shipped" in first["notes"][0]["en"]
    whole = load_whole(site)

    async def note() -> None:
        async with open_records(whole.site.settings.records, site) as records:
            await note_versions(records, whole.site.id, whole.rulebook.written, 1000)

    asyncio.run(note())
    assert found(site, *SPAN)["rules_that_differ"] == []
    (site / "rules" / "own.yaml").write_text(RULE % (90, 80, "0s", ""))
    data = found(site, *SPAN)
    assert (data["rules_that_differ"], data["total"]["added"]) == (["elevator.motor_hot"], 2)


def test_what_can_not_be_run_is_said(site: Path) -> None:
    path = given(site, 90, 80, "0s", "")
    bad = site.parent / "bad.yaml"
    bad.write_text((RULE % (90, 80, "0s", "")).replace("drive.motor_temp", "drive.motortemp"))
    for arguments, word in (
        (("--rules", bad), "drive.motortemp"),
        (("--rules", path, "--from", "yesterday"), "is no time"),
        (("--rules", path, "--from", "2026-03-04", "--to", "2026-03-01"), "before --to"),
    ):
        result = CliRunner().invoke(app, ["rules", "backtest", str(site), *map(str, arguments)])
        assert result.exit_code == 1
        assert word in result.output
    (site / "data/readings.duckdb").unlink()
    result = CliRunner().invoke(app, ["rules", "backtest", str(site), *SPAN, "--rules", str(path)])
    assert result.exit_code == 1
    assert "nothing was ever stored here" in result.output


async def test_a_running_site_is_asked_by_its_api(site: Path) -> None:
    settings = site / "site.yaml"
    settings.write_text(settings.read_text() + "api: {port: 0}\nbroker: {embedded: true}\n")
    whole, clock = load_whole(site), SystemClock()
    house = House(whole.site, whole.catalog, whole.rulebook, clock)
    tried = Tried(whole.site, whole.catalog, whole.rulebook)
    async with open_house(house, ["broker", "ingest", "rules", "api"]):
        accounts = Accounts(await house.records())
        user = await accounts.add("reader", Role.VIEWER, language="zh", password_hash="x", at=clock.ms(), actor="t")
        token = await accounts.add_token(user, "test", clock.ms(), expires=None, actor="t")
        span = ms("2026-03-01 00:00"), ms("2026-03-04 00:00")
        path = given(site, 90, 80, "0s", "")
        report = as_json(await run_backtest(tried, path, span, way_to(whole.site, house.address, token), "en"))
        with pytest.raises(StoreError, match="caretaker token add"):
            await run_backtest(tried, path, span, way_to(whole.site, house.address, ""), "en")
        with pytest.raises(StoreError, match="401"):
            await run_backtest(tried, path, span, way_to(whole.site, house.address, "wrong"), "en")
    assert report["source"].startswith("API http")
    assert (report["samples"], report["total"]["added"], report["total"]["earlier"]) == (3 * 1440, 2, 1)
