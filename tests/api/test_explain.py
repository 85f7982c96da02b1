"""Why an alarm rang and why a rule did not: the API over real records, rules and a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from facility.catalog import Catalog
from facility.config import Site, load_site
from facility.readings import Quality, Sample, Value
from rules.book.compiled import Rulebook
from rules.book.rulebook import load_rulebook
from rules.desk.commands import Commands
from rules.effects import Judgement, Seen
from rules.language.summaries import HOUR_MS, Hour
from rules.records.rule_texts import note_versions
from rules.records.schema import deliveries, outbox
from rules.records.summaries import SeriesHour, save_hours
from rules.rule import Rule
from rules.versions import stamped
from tests.api.house import House, a_house, a_rule, write_site

CHANNELS = """
channels:
  - {id: log, kind: log}
routes:
  - {severities: [2], to: [log]}
"""
RULES = """
class: water_pump
rules:
  - id: test.low
    labels: {zh: 供水压力低, en: Supply pressure low}
    when: avg(sys.outlet_pressure, '20s') < 0.3 and sys.run
    for: 60s
    clear: sys.outlet_pressure > 0.4
    clear_for: 30s
    severity: 2
    raises: nothing
    escalate: [{after: 30m, severity: 1}]
    guidance: {zh: 查看水泵。, en: See to the pumps.}
  - id: test.rising
    labels: {zh: 流量上升, en: Flow rises}
    when: slope(sys.flow, '3d') > 5
    severity: 2
    raises: nothing
    guidance: {zh: 查看水泵。, en: See to the pumps.}
  - id: test.long
    labels: {zh: 流量偏高, en: Flow is high}
    when: count(sys.flow > 50, '24h') >= 1
    for: 1h
    severity: 2
    raises: nothing
    guidance: {zh: 查看水泵。, en: See to the pumps.}
"""
S = 1000


_READ: list[tuple[Site, Catalog, Rulebook]] = []


@pytest.fixture
async def house(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The small house with a rule of its own and a channel; its files are read once for all tests."""
    if not _READ:
        site, catalog = load_site(_folder(tmp_path_factory.mktemp("explained")), env={})
        _READ.append((site, catalog, load_rulebook(site, catalog)))
    site, catalog, book = _READ[0]
    async with a_house(tmp_path, loaded=(site, catalog)) as house:
        house.deps.explainer._book = book
        yield house


def _folder(tmp_path: Path) -> Path:
    folder = write_site(tmp_path / "site")
    (folder / "rules").mkdir()
    (folder / "rules" / "pumps.yaml").write_text(RULES, encoding="utf-8")
    (folder / "people.yaml").write_text(CHANNELS, encoding="utf-8")
    return folder


async def store(house: House, ago: float, values: dict[str, Value], quality: dict[str, Quality] | None = None) -> None:
    await house.publish(Sample("PS-01", house.clock.ms() - round(ago * S), values, quality or {}))


async def the_rule(house: House) -> Rule:
    return next(
        item.rule for item in (await house.deps.explainer.rulebook()).by_asset["PS-01"] if item.rule.id == "test.low"
    )


async def low_pressure(house: House) -> int:
    """Normal, then low for two minutes, the pumps running; the instant at which it turned."""
    for ago in range(300, 120, -10):
        await store(house, ago, {"sys.outlet_pressure": 0.45, "sys.run": True})
    for ago in range(120, -1, -10):
        await store(house, ago, {"sys.outlet_pressure": 0.2, "sys.run": True})
    return house.clock.ms() - 120 * S


async def raised(house: House) -> str:
    """The alarm as the rules role records it, some 70 s after the pressure fell."""
    rule, at = await the_rule(house), house.clock.ms() - 47 * S
    seen = {
        "sys.outlet_pressure": Seen(0.2, Quality.GOOD, at - 3 * S),
        "sys.run": Seen(True, Quality.GOOD, at - 3 * S),
    }
    facts: dict[str, Value] = {key: item.value for key, item in seen.items()}
    judgement = Judgement(rule, "PS-01", "raise", at, at - 60 * S, facts, False, seen)
    await house.deps.records.apply([judgement], house.routing, at + 200)
    house.deps.board.touch()
    return (await house.deps.records.alarms(asset="PS-01")).items[0].id


async def get(client: httpx.AsyncClient, house: House, path: str, status: int = 200, role: str = "viewer") -> Any:
    answer = await client.get(f"/api/v1/{path}", headers=house.auth(role))
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_why_it_rang(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    found = await get(client, house, f"alarms/{await raised(house)}/explain")
    then = found["then"]
    assert then["verdict"] == "active"
    assert then["sentence_zh"].startswith("出水压力 20 秒平均值低于 0.3 MPa（0.2")
    assert then["sentence_zh"].endswith("，已持续 1 分钟")
    assert "is below 0.3 MPa (0.2" in then["sentence_en"]
    assert then["sentence_en"].endswith("for 1 min")
    assert (then["when"]["truth"], [part["truth"] for part in then["when"]["parts"]]) == ("true", ["true", "true"])
    pressure = next(item for item in then["inputs"] if item["point"] == "sys.outlet_pressure")
    assert (pressure["shown_en"], pressure["quality"], pressure["age"]) == ("0.2 MPa", "good", 3.0)
    assert (then["timers"]["on_delay"], then["timers"]["off_delay"]) == (60.0, 30.0)
    assert found["rule"]["when"].startswith("avg(")


async def test_who_was_told_and_what_comes_next(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    alarm = await raised(house)
    (row,) = (await house.deps.records.outbox(kind="message", alarm_id=alarm)).items
    async with house.deps.records.writing() as connection:
        await connection.execute(outbox.update().where(outbox.c.id == row.id).values(attempts=1, error="timeout"))
        attempt = {
            "outbox_id": row.id, "channel": "log", "attempt": 1, "at": house.clock.ms(), "took_ms": 30, "ok": False,
            "error": "timeout",
        }  # fmt: skip
        await connection.execute(deliveries.insert(), [attempt])
    found = await get(client, house, f"alarms/{alarm}/explain")
    (told,) = found["told"]
    assert (told["event"], told["reason"], told["reason_zh"]) == ("raise", "routed", "已通知")
    (message,) = told["messages"]
    assert (message["channel"], message["event"], message["state"]) == ("log", "raise", "pending")
    assert [(item["ok"], item["error"]) for item in message["attempts"]] == [(False, "timeout")]
    coming = {item["code"]: item for item in found["next"]}
    assert coming["acknowledge"]["who"] == ["admin", "crew", "manager", "operator"]
    assert coming["escalates"]["en"] == "It becomes emergency"
    assert "is not above 0.4 MPa (0.2 MPa)" in coming["clear_needs"]["en"]
    assert "出水压力不高于 0.4 MPa（0.2 MPa）" in coming["clear_needs"]["zh"]


async def test_now_and_then_differ(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    alarm = await raised(house)
    house.clock.forward(10)
    await store(house, 0, {"sys.outlet_pressure": 0.5})
    house.clock.forward(12)
    found = await get(client, house, f"alarms/{alarm}/explain")
    assert found["then"]["verdict"] == "active"
    assert (found["now"]["verdict"], found["now"]["clear"]["truth"]) == ("clearing", "true")
    clears = next(item for item in found["next"] if item["code"] == "clears")
    assert clears["at"] == found["now"]["timers"]["due"]


async def test_why_it_does_not_ring(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    asked = "rules/test.low/explain?asset=PS-01"
    early = await get(client, house, f"{asked}&at={house.clock.ms() - 200 * S}")
    assert early["view"]["verdict"] == "watching"
    assert "is not below 0.3 MPa (0.45 MPa)" in early["view"]["sentence_en"]
    pending = await get(client, house, f"{asked}&at={house.clock.ms() - 80 * S}")
    assert pending["view"]["verdict"] == "pending"
    assert "再过" in pending["view"]["sentence_zh"]
    assert pending["view"]["timers"]["due"] is not None
    now = await get(client, house, asked)
    assert now["view"]["truth"] == "true"
    assert [note["code"] for note in now["view"]["notes"]] == ["not_recorded"]


async def test_unknown_says_what_is_the_matter(house: House, client: httpx.AsyncClient) -> None:
    await store(house, 100, {"sys.outlet_pressure": 0.2, "sys.run": True})
    await store(house, 80, {"sys.outlet_pressure": None}, {"sys.outlet_pressure": Quality.COMM})
    house.clock.forward(1)
    found = await get(client, house, "rules/test.low/explain?asset=PS-01")
    view = found["view"]
    assert (view["verdict"], view["truth"]) == ("paused", "unknown")
    assert "出水压力通信中断" in view["sentence_zh"]
    assert next(item for item in view["inputs"] if item["point"] == "sys.outlet_pressure")["quality"] == "comm"


async def test_a_trend_over_days_is_known(house: House, client: httpx.AsyncClient) -> None:
    now = house.clock.ms()
    newest = now // HOUR_MS * HOUR_MS - HOUR_MS
    rows = [
        SeriesHour("PS-01", "sys.flow", Hour(newest - ago * HOUR_MS, HOUR_MS, flow, flow, flow, (flow,) * 20))
        for ago in range(5 * 24)
        # level until two days ago, then rising by 24 a day
        if (flow := 10.0 + max(0, 48 - ago)) is not None
    ]
    async with house.deps.records.writing() as connection:
        await save_hours(connection, site=house.deps.site.id, hours=rows, now=now)
    await store(house, 60, {"sys.flow": 58.0})
    found = await get(client, house, "rules/test.rising/explain?asset=PS-01")
    assert (found["view"]["truth"], found["view"]["when"]["truth"]) == ("true", "true")
    assert 15 < found["view"]["when"]["parts"][0]["value"] < 25
    assert found["view"]["notes"][0]["code"] == "not_recorded"
    then = await get(client, house, f"rules/test.rising/explain?asset=PS-01&at={now - 48 * HOUR_MS}")
    slope = then["view"]["when"]["parts"][0]
    assert (then["view"]["when"]["truth"], slope["value"]) == ("false", pytest.approx(0, abs=0.1))


async def test_a_window_of_a_whole_day_with_a_delay_is_known(house: House, client: httpx.AsyncClient) -> None:
    for ago in range(25 * 3600, -1, -240):
        await store(house, ago, {"sys.flow": 60.0 if 23 * 3600 < ago < 23.5 * 3600 else 8.0 + ago % 7})
    found = await get(client, house, "rules/test.long/explain?asset=PS-01")
    assert (found["view"]["verdict"], found["view"]["when"]["parts"][0]["value"]) == ("active", 1)
    assert "cut" not in [note["code"] for note in found["view"]["notes"]]


async def test_a_time_before_all_history_says_so(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    found = await get(client, house, "rules/test.low/explain?asset=PS-01&at=2020-01-01T00:00:00Z")
    assert [note["code"] for note in found["view"]["notes"]] == ["no_history"]
    assert found["view"]["verdict"] == "unknown"
    assert "nothing was received for Outlet pressure" in found["view"]["sentence_en"]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("rules/no.such/explain?asset=PS-01", 404, "no rule 'no.such'"),
        ("rules/test.low/explain?asset=EL-99", 404, "EL-99"),
        ("rules/test.low/explain?asset=EL-01", 404, "is for the class water_pump; EL-01 is of the class elevator"),
        ("rules/test.low/explain?asset=PS-01&index=3", 404, "only the indices 0"),
        ("rules/test.low/explain?asset=PS-01&at=2099-01-01T00:00:00Z", 422, "future"),
        ("rules/test.low/explain?asset=PS-01&at=yesterday", 422, "at "),
        ("alarms/A-none/explain", 404, "A-none"),
    ],
)
async def test_bad_questions(house: House, client: httpx.AsyncClient, path: str, status: int, says: str) -> None:
    answer = await client.get(f"/api/v1/{path}", headers=house.auth("viewer") | {"accept-language": "en"})
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text


async def test_an_alarm_whose_rule_is_gone_is_explained_as_far_as_it_goes(
    house: House, client: httpx.AsyncClient
) -> None:
    alarm = await house.alarm("EL-01", a_rule("gone", 2))
    found = await get(client, house, f"alarms/{alarm}/explain")
    assert found["rule"] is None
    assert [note["code"] for note in found["then"]["notes"]] == ["no_rule"]
    assert [item["event"] for item in found["told"]] == ["raise"]
    assert "acknowledge" in [item["code"] for item in found["next"]]


async def test_the_version_that_raised_it_is_explained(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    rule, at = await the_rule(house), house.clock.ms() - 47 * S
    older = stamped(replace(rule, when="sys.outlet_pressure < 0.25", delay=30.0, version="", text=""))
    await note_versions(house.deps.records, house.deps.site.id, [older], at - 1000)
    judgement = Judgement(older, "PS-01", "raise", at, at - 30 * S, {"sys.outlet_pressure": 0.2}, False, {})
    await house.deps.records.apply([judgement], house.routing, at + 200)
    alarm = (await house.deps.records.alarms(asset="PS-01")).items[0].id
    found = await get(client, house, f"alarms/{alarm}/explain")
    assert found["rule"]["version"] == older.version != rule.version
    assert (found["then"]["when"]["text"], found["then"]["when"]["truth"]) == ("sys.outlet_pressure < 0.25", "true")
    assert found["now"]["when"]["form"] == "all"
    assert [note["code"] for note in found["then"]["notes"]] == ["older_text"]


async def test_a_version_that_was_not_kept_is_said(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    rule, at = replace(await the_rule(house), version="0123456789ab"), house.clock.ms() - 47 * S
    judgement = Judgement(rule, "PS-01", "raise", at, at - 60 * S, {}, False, {})
    await house.deps.records.apply([judgement], house.routing, at + 200)
    alarm = (await house.deps.records.alarms(asset="PS-01")).items[0].id
    found = await get(client, house, f"alarms/{alarm}/explain")
    assert "version_lost" in [note["code"] for note in found["then"]["notes"]]
    assert found["then"]["when"]["truth"] == "true"


async def test_a_data_check_that_was_set_differently(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    items = (await house.deps.explainer.rulebook()).by_asset["PS-01"]
    rule = next(item.rule for item in items if item.is_check and item.rule.id == "data.noisy")
    at = house.clock.ms() - 47 * S
    older = stamped(replace(rule, delay=1.0), {"check": "noisy", "times": 99})
    await note_versions(house.deps.records, house.deps.site.id, (), at - 1000, beside=[rule, older])
    for judged in (older, rule):
        for event in ("raise", "clear"):
            judgement = Judgement(judged, "PS-01", event, at, at, {})  # type: ignore[arg-type]
            await house.deps.records.apply([judgement], house.routing, at + 200)
        alarm = (await house.deps.records.alarms(asset="PS-01")).items[0].id
        found = await get(client, house, f"alarms/{alarm}/explain?at={at}")
        assert found["rule"]["version"] == judged.version
        assert ("older_check" in [note["code"] for note in found["then"]["notes"]]) is (judged is older)
        assert found["then"]["when"]["form"] == "check"
        kept = await get(client, house, f"rules/{rule.id}/versions/{judged.version}")
        assert kept["text"]["definition"]["check"] == "noisy"
        at += 5 * S
    asked = await get(client, house, f"rules/{rule.id}/explain?asset=PS-01&index={rule.index}")
    assert (asked["rule"]["index"], asked["rule"]["version"]) == (rule.index, rule.version)


async def test_every_rule_of_an_asset_in_a_line(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    await raised(house)
    items = (await get(client, house, "assets/PS-01/rules"))["items"]
    by_rule = {item["rule"]: item for item in items}
    assert by_rule["test.low"]["verdict"] == "active"
    assert {item["verdict"] for item in items} >= {"active", "unknown"}
    assert all(item["sentence_zh"] and item["sentence_en"] for item in items)
    await get(client, house, "assets/nothing/rules", 404)


async def test_what_a_shelved_alarm_waits_for(house: House, client: httpx.AsyncClient) -> None:
    await low_pressure(house)
    alarm = await raised(house)
    commands: Commands = house.deps.commands
    await commands.shelve(alarm, actor="test", at=house.clock.ms(), until=house.clock.ms() + 60 * S, reason="pump test")
    house.clock.forward(1)
    found = await get(client, house, f"alarms/{alarm}/explain")
    assert "shelving_ends" in [item["code"] for item in found["next"]]
    assert [item["event"] for item in found["told"]] == ["raise", "shelve"]


def test_the_description_has_all_of_it(house: House) -> None:
    paths = create_app(house.deps, console=False).openapi()["paths"]
    assert {
        "/api/v1/alarms/{alarm}/explain", "/api/v1/rules/{rule}/explain", "/api/v1/assets/{asset}/rules",
    } <= set(paths)  # fmt: skip
