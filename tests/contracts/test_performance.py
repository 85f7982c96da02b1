"""The figures out of the records, over SQLite and PostgreSQL alike, against what was played into them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from facility.settings import RecordsSettings
from rules.desk.commands import Commands
from rules.effects import Judgement
from rules.performance import reading
from rules.performance.names import titles
from rules.performance.reading import TooMuchError, measure, stand
from rules.performance.tally import DAY
from rules.records.records import Records, open_records
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


async def test_too_much_is_refused_and_not_read(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooMuchError):
        await measure(records, "s1", ZONE, START, START + 400 * DAY)
    monkeypatch.setattr(reading, "MOST", 2)
    await play(records, *((event, "P-01", 1000 * n) for n, event in enumerate(("raise", "clear") * 2)))
    with pytest.raises(TooMuchError):
        await measure(records, "s1", ZONE, START, START + DAY)
