"""The figures out of the records, over SQLite and PostgreSQL alike, against what was played into them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from facility.assets import Asset
from facility.points import Label
from facility.settings import RecordsSettings
from rules.desk.commands import Commands
from rules.desk.drilling import Declaration, declare
from rules.drills.scope import Ground, Scope
from rules.effects import Judgement
from rules.performance import reading
from rules.performance.names import titles
from rules.performance.reading import TooMuchError, measure, stand
from rules.performance.tally import DAY
from rules.records.records import Records, open_records
from rules.role.tending import tend
from tests.rules.builders import a_routing, a_rule

ROUTING = a_routing()
ZONE = ZoneInfo("Asia/Shanghai")
START = 1_790_000_000_000


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service("postgres"))])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    """Fresh records of each kind."""
    if request.param == "sqlite":
        settings = RecordsSettings(path="records.sqlite")
    else:
        settings = RecordsSettings(kind="postgresql", url=request.getfixturevalue("postgres").url())
    async with open_records(settings, tmp_path) as opened:
        yield opened


async def play(records: Records, *what: tuple[str, str, int], historical: bool = False) -> None:
    """(event, asset, ms after START) one by one, each written at its instant."""
    for event, asset, after in what:
        judgement = Judgement(a_rule(), asset, event, START + after, START + after - 1, historical=historical)  # type: ignore[arg-type]
        await records.apply([judgement], ROUTING, START + after + 50)


async def test_a_day_is_measured_page_by_page(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE", 3)
    cycles = [(event, "P-01", 60_000 + n * 10_000 + (event == "clear") * 4_000) for n in range(4) for event in
              ("raise", "clear")]  # fmt: skip
    await play(records, *cycles, ("raise", "P-02", 300_000))
    row = next(row for row in (await records.alarms()).items if row.asset == "P-02")
    commands = Commands(records, ROUTING)
    await commands.acknowledge(row.id, actor="wang", at=START + 340_000)
    await commands.shelve(row.id, actor="li", at=START + 350_000, until=START + 900_000, reason="test")
    found = await measure(records, "s1", ZONE, START - DAY, START + DAY)
    assert (found.start, found.end) == (START + 60_000, START + DAY), "nobody watched before the first line"
    assert [(item.key[2], item.raises) for item in found.top] == [("P-01", 3), ("P-02", 1)], "the fourth was shelved"
    assert (found.people["wang"][0].p50, found.people["li"][1], found.shelved) == (40_000, 1, 2), (
        "one of them by the system"
    )
    assert set(found.people) == {"wang", "li"}
    assert (found.fleeting, found.episodes) == (4, 1)
    assert (await stand(records, "s1")).shelved == 2
    assert (await titles(records, "s1", [found.top[0].key]))[found.top[0].key].en == "Pump runs dry"


async def test_history_and_other_sites_do_not_count(records: Records) -> None:
    await play(records, ("raise", "P-03", 0), historical=True)
    await play(records, ("raise", "P-01", 1000))
    found = await measure(records, "s1", ZONE, START, START + DAY)
    assert [(item.key[2], item.raises) for item in found.top] == [("P-01", 1)]
    other = await measure(records, "s2", ZONE, START, START + DAY)
    assert (other.raises, other.span) == (0, 0)
    assert (await stand(records, "s1")).active == 1


async def test_a_drill_is_in_no_figure(records: Records) -> None:
    assets = {name: Asset(name, "water_pump", Label("泵", name)) for name in ("P-01", "P-02", "P-09")}
    routing = replace(ROUTING, ground=Ground(assets), time_zone="UTC", stale_ms=DAY // 8)
    commands = Commands(records, routing)

    async def say(event: str, asset: str, after: int) -> None:
        judgement = Judgement(a_rule(), asset, event, START + after, START + after - 1)  # type: ignore[arg-type]
        await records.apply([judgement], routing, START + after + 50)

    async def acknowledge(asset: str, who: str, after: int) -> None:
        row = next(row for row in (await records.alarms()).items if row.asset == asset)
        await commands.acknowledge(row.id, actor=who, at=START + after)

    await say("raise", "P-09", 0)
    await say("clear", "P-09", 500_000)
    wanted = Declaration(name="演习", scope=Scope(assets=("P-01",)), reason="季度", until_at=START + DAY // 3)
    drill = await declare(records, routing, wanted, actor="zhao", at=START + 1000)
    for number in range(5):  # often enough to chatter, to be a bad actor, and to be first in the list
        await say("raise", "P-01", 10_000 + 10_000 * number)
        if number < 4:
            await say("clear", "P-01", 15_000 + 10_000 * number)
    await acknowledge("P-01", "zhao", 55_000)
    await say("raise", "P-02", 60_000)
    await acknowledge("P-02", "wang", 90_000)
    rows = {row.asset: row for row in (await records.alarms()).items}
    assert (rows["P-01"].drill, rows["P-02"].drill) == (drill.id, None)

    found = await measure(records, "s1", ZONE, START, START + DAY // 8)
    assert [(item.key[2], item.raises, item.share) for item in found.top] == [("P-02", 1, 50.0), ("P-09", 1, 50.0)]
    assert (found.raises, found.episodes, found.chattering, dict(found.severities)) == (2, 0, (), {2: 2})
    assert (found.answers.count, found.answers.p50, set(found.people)) == (1, 30_000, {"wang"})
    standing = await stand(records, "s1")
    assert (standing.active, standing.shelved) == (1, 0)

    await tend(records, routing, START + DAY // 4)
    assert all(row.stale_at for row in (await records.live_alarms("s1")) if row.asset != "P-09")
    assert (await stand(records, "s1")).stale == 1
    assert (await measure(records, "s1", ZONE, START, START + DAY // 2)).stale_most == 1
    assert (await measure(records, "s1", ZONE, START + DAY // 3, START + DAY)).stale_most == 1


async def test_too_much_is_refused_and_not_read(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooMuchError):
        await measure(records, "s1", ZONE, START, START + 400 * DAY)
    monkeypatch.setattr(reading, "MOST", 2)
    await play(records, *((event, "P-01", 1000 * n) for n, event in enumerate(("raise", "clear") * 2)))
    with pytest.raises(TooMuchError):
        await measure(records, "s1", ZONE, START, START + DAY)
