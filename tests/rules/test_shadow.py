"""Shadow rules: they run live beside the others, and what they raise reaches nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from facility.bus import MemoryBus
from facility.catalog import load_catalog
from facility.errors import ConfigError, TransitionError
from rules.book.compiled import CompiledRule
from rules.book.rulebook import PACKS, Definition, read_rules
from rules.desk.commands import Commands
from rules.records.records import Records
from rules.records.schema_trial import shadow_alarms
from rules.records.shadow import ShadowRow, shadow_row
from rules.records.shadow_report import side_by_side
from rules.role import readback, service
from rules.rule import Raises, Severity
from rules.trial.compare import Change
from rules.versions import stamped
from tests.rules.builders import a_routing
from tests.rules.plant import CLOCK, OVERLOAD, Line, a_book, a_compiled, a_sample, a_site, at_work
from tests.services.hook import Hook, a_hook
from tests.services.waiting import until


def a_shadow(when: str = "car.overload", shadow_of: str = "overload") -> CompiledRule:
    """An emergency, so that it would reach everybody if it could."""
    made = a_compiled("overload.shadow", when, Severity.EMERGENCY, Raises.EMERGENCY)
    return replace(made, rule=stamped(replace(made.rule, shadow=True, shadow_of=shadow_of)))


LIVE = replace(OVERLOAD, rule=stamped(OVERLOAD.rule))


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """Where pushes arrive."""
    async with a_hook() as running:
        yield running


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readback, "CATCH_UP", 0.0)
    monkeypatch.setattr(service, "HOUSEKEEPING", 0.02)


async def shadows(records: Records) -> list[ShadowRow]:
    return [shadow_row(row) for row in await records.rows(select(shadow_alarms).order_by(shadow_alarms.c.raised_at))]


async def test_what_a_shadow_raises_is_kept_apart(records: Records, tmp_path: Path, hook: Hook) -> None:
    bus, site = MemoryBus(), a_site(tmp_path, hook.url)
    async with at_work(site, records, bus=bus, book=a_book(site, [LIVE, a_shadow()])) as rules:
        line, now = Line(bus), CLOCK.ms()
        await line.send(a_sample("EL-001", now, car_overload=True))
        await hook.wait_for(1)
        await line.send(a_sample("EL-001", now + 50, car_overload=False))
        await until(lambda: rules.metrics().get("judgements", 0) >= 4)
        await until(lambda: rules.metrics()["waiting_judgements"] == 0)
        await hook.wait_for(2)
    assert [(row.rule, row.severity) for row in (await records.alarms()).items] == [("overload", 3)]
    assert {post.body["rule"] for post in hook.posts} == {"overload"}
    assert [ticket.priority for ticket in (await records.tickets()).items] == [3]
    counts = await records.counts()
    assert (counts.alarms, counts.emergencies) == (1, 0)
    assert {row.kind for row in (await records.outbox()).items} <= {"message", "notice"}
    assert all("overload.shadow" not in row.payload for row in (await records.outbox()).items)
    (shadow,) = await shadows(records)
    assert (shadow.rule, shadow.shadow_of, shadow.asset, shadow.severity) == (
        "overload.shadow",
        "overload",
        "EL-001",
        1,
    )
    assert (shadow.raised_at, shadow.cleared_at, shadow.facts) == (now, now + 50, {"car.overload": True})
    assert shadow.rule_version == a_shadow().rule.version


async def test_a_restart_goes_on_with_what_stood(records: Records, tmp_path: Path, hook: Hook) -> None:
    bus, site = MemoryBus(), a_site(tmp_path, hook.url)
    book, now = a_book(site, [LIVE, a_shadow()]), CLOCK.ms()
    line = Line(bus)
    async with at_work(site, records, bus=bus, book=book):
        await line.send(a_sample("EL-001", now, car_overload=True))
        await hook.wait_for(1)
    async with at_work(site, records, bus=bus, book=book) as rules:
        await line.send(a_sample("EL-001", now + 60, car_overload=False))
        await until(lambda: rules.metrics().get("judgements", 0) >= 2)
        await until(lambda: rules.metrics()["waiting_judgements"] == 0)
    assert [(row.raised_at, row.cleared_at) for row in await shadows(records)] == [(now, now + 60)]


async def test_a_shadow_rule_that_is_taken_away_leaves_nothing_standing(
    records: Records, tmp_path: Path, hook: Hook
) -> None:
    bus, site = MemoryBus(), a_site(tmp_path, hook.url)
    async with at_work(site, records, bus=bus, book=a_book(site, [LIVE, a_shadow()])):
        await Line(bus).send(a_sample("EL-001", CLOCK.ms(), car_overload=True))
        await hook.wait_for(1)
    async with at_work(site, records, bus=bus, book=a_book(site, [LIVE])):
        (shadow,) = await shadows(records)
    assert shadow.cleared_at is not None
    assert [row.rule for row in (await records.alarms(True)).items] == ["overload"]


async def test_nobody_can_answer_a_shadow_alarm(records: Records, tmp_path: Path, hook: Hook) -> None:
    bus, site = MemoryBus(), a_site(tmp_path, hook.url)
    async with at_work(site, records, bus=bus, book=a_book(site, [a_shadow()])) as rules:
        await Line(bus).send(a_sample("EL-001", CLOCK.ms(), car_overload=True))
        await until(lambda: rules.metrics().get("judgements", 0) >= 1)
        await until(lambda: rules.metrics()["waiting_judgements"] == 0)
    (shadow,) = await shadows(records)
    with pytest.raises(TransitionError, match="shadow"):
        await Commands(records, a_routing()).acknowledge(shadow.id, actor="o", at=CLOCK.ms())


async def test_both_rules_side_by_side(records: Records, tmp_path: Path, hook: Hook) -> None:
    bus, site = MemoryBus(), a_site(tmp_path, hook.url)
    book = a_book(site, [LIVE, a_shadow("car.overload or alarm.car_button")])
    async with at_work(site, records, bus=bus, book=book) as rules:
        line, now = Line(bus), CLOCK.ms()
        await line.send(a_sample("EL-001", now, car_overload=True, alarm_car_button=False))
        await line.send(a_sample("EL-003", now, car_overload=False, alarm_car_button=True))
        await until(lambda: rules.metrics().get("judgements", 0) >= 3)
        await until(lambda: rules.metrics()["waiting_judgements"] == 0)
    (found,) = await side_by_side(records, "s1", now - 86_400_000, time_zone="Asia/Shanghai")
    assert (found.rule.id, found.rule.shadow_of) == ("overload.shadow", "overload")
    total = found.comparison.total
    assert (total.old, total.new, total.changes[Change.ADDED]) == (1, 2, 1)
    added = [pair for pair in found.comparison.pairs if pair.changes == (Change.ADDED,)]
    assert [pair.first.key for pair in added] == [("overload", 0, "EL-003")]


RULE = """
class: elevator
rules:
  - {id: %s, labels: {zh: 底坑进水, en: Water in the pit}, guidance: {zh: 查看, en: Look}, when: pit.water, severity: 3,
     raises: ticket, %s}
"""


def read(folder: Path, rule: str, more: str) -> dict[str, Definition]:
    (folder / "own.yaml").write_text(RULE % (rule, more))
    return {item.rule.id: item for item in read_rules([PACKS, folder], load_catalog(), assets=None)}


def test_a_shadow_under_the_live_rules_id_runs_beside_it(tmp_path: Path) -> None:
    plain = {item.rule.id: item.rule for item in read_rules([PACKS], load_catalog(), assets=None)}
    found = read(tmp_path, "elevator.pit_water", "shadow: true")
    assert found["elevator.pit_water"].rule == plain["elevator.pit_water"]
    shadow = found["elevator.pit_water.shadow"].rule
    assert (shadow.shadow, shadow.shadow_of, shadow.delay) == (True, "elevator.pit_water", 0.0)


def test_a_shadow_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    found = read(tmp_path, "elevator.wet", "shadow: true, shadow_of: elevator.pit_water")
    assert found["elevator.wet"].rule.shadow_of == "elevator.pit_water"
    assert read(tmp_path, "elevator.wet", "shadow: true")["elevator.wet"].rule.shadow_of == ""


@pytest.mark.parametrize(
    ("more", "word"),
    [("shadow_of: elevator.pit_water", "shadow: true"), ("shadow: true, shadow_of: elevator.pitwater", "no rule")],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, more: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        read(tmp_path, "elevator.wet", more)
