"""The bad actors of a month become tickets, each once: over both databases, midnight, restarts and two processes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from facility.clock import to_ms
from facility.config import Site, load_site
from facility.points import Label
from facility.settings import RecordsSettings
from rules.effects import Judgement
from rules.performance.actors import EVERY, LEAST, SETTLE_MS, Monthly, bad_actors, open_tickets
from rules.performance.monthly import report_of
from rules.performance.months import Month
from rules.performance.report import Report, page
from rules.performance.tally import Measured, Often, Standing
from rules.records.records import Records, open_records
from tests.api.house import HeldClock, write_site
from tests.rules.builders import a_routing, a_rule

ZONE = ZoneInfo("Asia/Shanghai")
OCTOBER = Month(2026, 10)
BEGIN, END = OCTOBER.begin(ZONE), OCTOBER.end(ZONE)
DAY = 86_400_000


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service("postgres"))])
def settings(request: pytest.FixtureRequest) -> RecordsSettings:
    """A fresh database of each kind."""
    if request.param == "sqlite":
        return RecordsSettings(path="records.sqlite")
    return RecordsSettings(kind="postgresql", url=request.getfixturevalue("postgres").url())


@pytest.fixture
async def records(settings: RecordsSettings, tmp_path: Path) -> AsyncIterator[Records]:
    """Records with one month: a door that came twenty times, a pump that chattered, a lift that came twice."""
    async with open_records(settings, tmp_path) as opened:
        routing = dataclasses.replace(a_routing(), site="tower")
        door, pump, lift = a_rule("door.held", severity=3), a_rule("pump.dry"), a_rule("lift.door")
        what = [(door, "AC-01", BEGIN + n * 3_600_000) for n in range(20)]
        what += [(pump, "PS-01", BEGIN + 2 * DAY + n * 15_000) for n in range(3)]
        what += [(lift, "EL-01", BEGIN + 3 * DAY + n * DAY) for n in range(2)]
        for rule, asset, at in sorted(what, key=lambda item: item[2]):
            for event, instant in (("raise", at), ("clear", at + 5_000)):
                judgement = Judgement(rule, asset, event, instant, instant)  # type: ignore[arg-type]
                await opened.apply([judgement], routing, instant)
        yield opened


def tower(tmp_path: Path) -> Site:
    return load_site(write_site(tmp_path / "site"), env={})[0]


async def titles(records: Records) -> list[tuple[str, str]]:
    rows = (await records.tickets(limit=500)).items
    return sorted((row.asset, row.title_en) for row in rows if row.title_en.startswith("Bad actor"))


WANTED = [
    ("AC-01", "Bad actor of 2026-10: Pump runs dry"),
    ("PS-01", "Bad actor of 2026-10: Pump runs dry"),
]


async def test_each_has_one_ticket_however_often_one_looks(records: Records) -> None:
    assert await open_tickets(records, "tower", OCTOBER, ZONE, END) == 2
    assert await open_tickets(records, "tower", OCTOBER, ZONE, END + 5) == 0
    assert await titles(records) == WANTED
    row = next(row for row in (await records.tickets()).items if row.asset == "AC-01" and row.alarm_id is None)
    assert (row.priority, row.state.value, row.created_at) == (3, "open", END)
    assert "20" in row.guidance_en
    assert "20" in row.guidance_zh
    assert [entry.event for entry in await records.ticket_journal(row.id)] == ["open"]


async def test_two_processes_open_them_once(settings: RecordsSettings, records: Records, tmp_path: Path) -> None:
    async with open_records(settings, tmp_path) as other:
        both = await asyncio.gather(
            open_tickets(records, "tower", OCTOBER, ZONE, END), open_tickets(other, "tower", OCTOBER, ZONE, END)
        )
    assert sum(both) == 2
    assert await titles(records) == WANTED


async def test_they_come_after_midnight_by_the_sites_clocks(records: Records, tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    clock = HeldClock(END - 60_000)
    monthly = Monthly(tower(tmp_path), records, clock, counts)
    for now, opened in ((END - 60_000, 0), (END, 0), (END + SETTLE_MS, 2), (END + DAY, 2)):
        await monthly.look(now)
        assert counts["bad_actors"] == opened, now
    assert to_ms(clock.now().replace(month=10, day=31, hour=16, minute=0, second=0, microsecond=0)) == END


async def test_a_process_that_was_down_at_midnight_catches_up(records: Records, tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    slept: list[float] = []

    class Clock(HeldClock):
        async def sleep(self, seconds: float) -> None:
            slept.append(seconds)
            self.forward(seconds)
            if len(slept) == 3:
                raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Monthly(tower(tmp_path), records, Clock(END + 9 * DAY), counts).run()
    assert (counts["bad_actors"], slept) == (2, [EVERY] * 3)
    await Monthly(tower(tmp_path), records, HeldClock(), counts).look(END + 10 * DAY)  # and another start
    assert await titles(records) == WANTED


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_report_names_figures_and_tickets(records: Records, tmp_path: Path, language: str) -> None:
    site = tower(tmp_path)
    await open_tickets(records, "tower", OCTOBER, ZONE, END)
    found = await report_of(records, site, OCTOBER, END + DAY)
    assert found.measured.raises == 25
    assert set(found.tickets) == {("door.held", 0, "AC-01"), ("pump.dry", 0, "PS-01")}
    text = page(found, language)
    for expected in ("2026-10", "AC-01", *found.tickets.values(), site.label.to(language)):
        assert expected in text
    assert ("报警系统月报" in text) is (language == "zh")
    assert "not enough data" not in text.split("EEMUA")[0]
    with pytest.raises(ValueError, match="not begun"):
        await report_of(records, site, Month(2027, 1), END)


def test_what_is_written_into_the_page_is_escaped(tmp_path: Path) -> None:
    evil = Label("<script>zh</script>", "<script>en</script>")
    measured = Measured(BEGIN, END, 20, top=(Often(("r<b>", 0, "a<b>"), 2, 20, 100.0, 0, 0),))
    found = Report(evil, OCTOBER, measured, Standing(), {"a<b>": evil}, {("r<b>", 0, "a<b>"): evil}, {})
    for language in ("zh", "en"):
        assert "<script>" not in page(found, language)
        assert "<b>" not in page(found, language)


def test_a_quiet_month_has_none_and_a_loud_one_only_its_loudest() -> None:
    def often(name: str, raises: int, share: float, chattering: int = 0) -> Often:
        return Often((name, 0, "A"), 3, raises, share, chattering, 0)

    few = often("few", LEAST - 1, 90.0)
    loud, small, chatters = often("loud", LEAST, 5.1), often("small", 900, 5.0), often("chatters", 1, 0.1, 1)
    measured = Measured(BEGIN, END, 1000, top=(few, loud, small), chattering=(chatters,))
    assert [item.key[0] for item in bad_actors(measured)] == ["loud", "chatters"]


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "26-10", "", "2026-10-01", "1999-12", "٢٠٢٦-10", "x" * 10_000])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no month"):
        Month.read(text)


def test_months_follow_each_other() -> None:
    month = Month.read("2026-12")
    assert (str(month.after), str(month.after.before), str(month)) == ("2027-01", "2026-12", "2026-12")
    assert Month.of(BEGIN - 1, ZONE) == OCTOBER.before
    assert Month.of(BEGIN, ZONE) == OCTOBER
