"""The rules role and a critical system with a hole: told, kept over a restart, folded under the device that is down."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from facility.bus import MemoryBus
from facility.config import load_site
from facility.readings import Quality, Sample
from rules import coverage
from rules.book.rulebook import load_rulebook
from rules.notification.notify import Routing
from rules.notification.sift import Sifter
from rules.records.records import Records
from rules.records.rule_texts import version
from rules.role import readback
from tests.api.house import write_site
from tests.rules.plant import CLOCK, Line, at_work
from tests.services.waiting import until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readback, "CATCH_UP", 0.0)
    for name, value in (("HOLE_MS", 300), ("WHOLE_MS", 100), ("LOOK_MS", 50)):
        monkeypatch.setattr(coverage, name, value)


async def test_a_hole_is_told_once_over_a_restart_and_goes_when_it_is_filled(records: Records, tmp_path: Path) -> None:
    read, catalog = load_site(write_site(tmp_path / "tower"), env={})
    site = dataclasses.replace(read, id="s1")
    book, bus = load_rulebook(site, catalog), MemoryBus()
    keys = catalog.profiles["fw-fire-1"].points
    line = Line(bus, gateway="gw-2")

    def sample(*, bad: bool) -> Sample:
        values = {key: None if bad and key == keys[0] else 0 for key in keys}
        return Sample("FA-01", CLOCK.ms(), values, {keys[0]: Quality.SENSOR} if bad else {})

    async def raised() -> list[str]:
        rows = (await records.alarms(asset="FA-01")).items
        return [row.state for row in rows if row.rule == "site.coverage"]

    async with at_work(site, records, bus=bus, book=book, catalog=catalog) as rules:
        await line.send(sample(bad=True))
        await until(lambda: bool(rules.judges.coverage._systems["FA-01"].standing))
    assert await raised() == ["unacknowledged"]
    async with at_work(site, records, bus=bus, book=book, catalog=catalog) as rules:
        assert rules.counts["orphaned_alarms"] == 0
        await line.send(sample(bad=True))
        await line.send(sample(bad=False))
        await until(lambda: not rules.judges.coverage._systems["FA-01"].standing)
    assert await raised() == ["returned"]
    (row,) = [row for row in (await records.alarms(asset="FA-01")).items if row.rule == "site.coverage"]
    kept = json.loads((await version(records, "s1", row.rule, row.rule_version)).text)
    assert set(kept["definition"]["points_s"]) == set(keys)


def test_it_may_be_the_consequence_of_a_supply_or_a_line(tmp_path: Path) -> None:
    site, catalog = load_site(write_site(tmp_path / "tower"), env={})
    sifter = Sifter.of(site, load_rulebook(site, catalog), Routing.of(site))
    assert sifter.folding.rules[coverage.RULE.id].effect_of == {"supply", "comms"}
