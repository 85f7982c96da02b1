"""The linkage inside the rules role: alarms, runs that outlive a restart, and the chain of what is over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.readings import Sample
from rules.book.compiled import Rulebook
from rules.drills.scope import Ground
from rules.engine import Engine
from rules.judges import Judges
from rules.linkage.judge import Linkage
from rules.linkage.run import Run
from rules.notification.notify import Routing
from rules.records import linkage_runs
from rules.records.records import Records
from rules.records.rule_texts import running_versions, version, versions
from rules.role import readback
from rules.role.service import Rules
from rules.role.taking_up import take_up_trials
from rules.versions import rule_of
from tests.rules.linkage.panels import CATALOG, FIRE, MATRIX, QUIET, START, a_site, matrices, play, told
from tests.rules.plant import Line, Store, at_work
from tests.services.waiting import until

CLOCK = SystemClock()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readback, "CATCH_UP", 0.0)


def shifted(sample: Sample, by: int) -> Sample:
    return Sample(sample.asset, sample.at + by, sample.values, sample.quality)


async def runs(records: Records) -> list[Run]:
    return await linkage_runs.runs(records, "s1", limit=10)


async def written(rules: Rules) -> None:
    await until(lambda: rules.metrics()["waiting_judgements"] == 0 and not rules.linkage.is_dirty)


async def test_a_restart_in_mid_run_goes_on_with_its_t0(records: Records, tmp_path: Path) -> None:
    site = a_site(tmp_path)
    book = Rulebook({}, linkage=matrices(site))
    bus, store = MemoryBus(), Store()
    line = Line(bus)
    by = CLOCK.ms() - START - 40_000  # T0 is 30 s ago: doors (15 s) and fan (15 s) are late by now
    samples = [shifted(item, by) for item in (*QUIET, FIRE, told("FA", 12, fan__smoke_cmd=True))]
    async with at_work(site, records, bus=bus, store=store, book=book, channels={}) as rules:
        store.samples += samples
        await line.send(*samples)
        await until(lambda: rules.metrics().get("alarms_opened", 0) >= 2)
        await written(rules)
    alarms = {(row.rule, row.rule_index) for row in await records.live_alarms("s1")}
    assert alarms == {("fire_alarm.doors_failed", 6), ("fire_alarm.smoke_failed", 8)}
    (before,) = await runs(records)
    assert (before.zone, before.t0, before.is_live) == (6, FIRE.at + by, True)
    late = shifted(told("FA", 38, fan__smoke_run=True), by)
    store.samples.append(late)  # it came while the rules were down
    async with at_work(site, records, bus=bus, store=store, book=book, channels={}) as rules:
        await until(lambda: rules.metrics().get("alarms_moved", 0) >= 1)
        assert rules.metrics().get("orphaned_alarms", 0) == 0
        (run,) = rules.linkage.runs
        assert (run.id, run.t0) == (before.id, before.t0)
        reset = Sample("FA", CLOCK.ms(), {"panel.fire": False, "panel.started": False})
        store.samples.append(reset)
        await line.send(reset)
        await until(lambda: not rules.linkage.runs)
        await written(rules)
    states = {row.rule: row.state.value for row in await records.live_alarms("s1")}
    assert states == dict.fromkeys(["fire_alarm.doors_failed", "fire_alarm.smoke_failed"], "latched_unacknowledged")
    (run,) = await runs(records)
    assert (run.end, run.held) == ("reset", False)
    verdicts = {effect.number: effect.verdict.value for effect in run.effects}
    assert (verdicts[6], verdicts[8], verdicts[4]) == ("failed", "late", "pending")
    assert await linkage_runs.verify(records, "s1") == (1, None)
    sealed = await linkage_runs.run_of(records, "s1", run.id)
    assert sealed
    assert sealed.effects == run.effects


async def test_the_text_of_an_effects_alarm_is_kept_and_changes_with_its_row(records: Records, tmp_path: Path) -> None:
    texts: list[dict[str, object]] = []
    for number, matrix in enumerate((MATRIX, MATRIX.replace("within: 15, command", "within: 20, command"))):
        site = a_site(tmp_path, matrix)
        book = Rulebook({}, linkage=matrices(site))
        linkage = Linkage(site.id, book.linkage, site.assets, CATALOG)
        judges = Judges.of(Engine(book, site.assets, CATALOG), linkage, site, CATALOG, Ground())
        await take_up_trials(records, "s1", book, judges, 1000 + number)
        raised = play(linkage, (*QUIET, FIRE), 60)
        await records.apply(raised, Routing.of(site), 1000 + number)
        rows = {row.rule: row for row in await records.live_alarms("s1")}
        alarm = rows["fire_alarm.smoke_failed"]
        kept = await version(records, "s1", alarm.rule, alarm.rule_version)
        texts.append(json.loads(kept.text))
        played = rule_of(kept.text, index=alarm.rule_index)
        assert (played.label.zh, played.severity) == (alarm.title_zh, alarm.severity)
        await records.apply(
            [replace(item, event="clear", at=item.at + 1) for item in raised], Routing.of(site), 1000 + number
        )
    limits = [text["definition"]["limit_s"] for text in texts]  # type: ignore[index]
    assert limits == [15, 20]
    found = await versions(records, "s1", "fire_alarm.linkage_weak")
    assert len(found) == 6 + 1  # one text an effect that is judged, and the new one of the row that changed
    assert await running_versions(records, "s1") == {}  # a start names what can be run again from its text alone


async def test_the_chain_shows_what_was_changed(records: Records) -> None:
    for number in range(3):
        await linkage_runs.add_note(records, "s1", f"L{number}", text=f"说明 {number}", author="wang", at=number)
    assert await linkage_runs.verify(records, "s1") == (3, None)
    with pytest.raises(IntegrityError, match="append-only"):
        async with records.writing() as connection:
            await connection.execute(text("UPDATE linkage_chain SET body = 'x' WHERE id = 2"))
    async with records.writing() as connection:  # somebody with the file in his hands
        await connection.execute(text("DROP TRIGGER linkage_chain_no_update"))
        await connection.execute(text("UPDATE linkage_chain SET body = 'x' WHERE id = 2"))
    assert await linkage_runs.verify(records, "s1") == (3, 1)
    with pytest.raises(ValueError, match="a note has"):
        await linkage_runs.add_note(records, "s1", "L0", text=" ", author="wang", at=9)
