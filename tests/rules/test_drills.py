"""Drills in the records: who is told, what is marked, what becomes real; no real alarm is ever lost to one."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from facility.assets import Asset
from facility.errors import TransitionError
from facility.points import Label
from facility.readings import Sample
from facility.settings import RouteSettings
from rules.desk import drilling
from rules.desk.commands import Commands
from rules.desk.drilling import Declaration
from rules.drills.drills import Drill, DrillEvent, DrillState, due, step
from rules.drills.scope import Ground, Scope
from rules.effects import Judgement
from rules.life.alarm import Event
from rules.life.rows import AlarmRow
from rules.notification.notify import Routing
from rules.records import schema
from rules.records.judging import judge
from rules.records.records import Records
from rules.records.schema_drills import drill_journal
from rules.records.transitions import Act, Changes, Key, move
from rules.role.settling import announce_standing
from rules.rule import Rule
from tests.rules.builders import a_rule, an_emergency

HOUR = 3_600_000
L = Label("物", "thing")
ASSETS = {
    name: Asset(name, kind, L)
    for name, kind in (("EL-01", "elevator"), ("EL-02", "elevator"), ("WP-01", "water_pump"), ("FA", "fire_alarm"))
}
ROUTES = (RouteSettings(to=["duty"], severities=[1, 2, 3], events=["raise", "clear", "ticket"]),)
FIRE, CONFIRMED = (
    a_rule(name, severity=1, raises="emergency", latch=True, shelvable=False, asset_class="fire_alarm")
    for name in ("fire_alarm.fire", "fire_alarm.confirmed")
)
STUCK = an_emergency()


@dataclass
class Play:
    """One site whose drills and alarms a test moves; `now` in ms."""

    records: Records
    site: str = "s1"
    now: int = 1_000_000_000
    routing: Routing = field(init=False)

    def __post_init__(self) -> None:
        self.routing = Routing(
            self.site, {"duty": "zh", "boss": "en", "coach": "en"}, ROUTES, ground=Ground(ASSETS), time_zone="UTC"
        )

    async def declare(self, scope: Scope, *, hours: float = 1, start: int | None = None, to: str = "") -> Drill:
        until = (start or self.now) + round(hours * HOUR)
        wanted = Declaration(
            name="疏散演习", scope=scope, reason="半年一次", from_at=start, until_at=until, channels=(to,) if to else ()
        )
        return await drilling.declare(self.records, self.routing, wanted, actor="zhao", at=self.now)

    async def say(self, event: str, rule: Rule, asset: str, *facts: str) -> None:
        self.now += 1
        judgement = Judgement(rule, asset, event, self.now, self.now, dict.fromkeys(facts, True))  # type: ignore[arg-type]
        await self.records.apply([judgement], self.routing, self.now)

    async def tick(self, ms: int = 1) -> int:
        self.now += ms
        done = await drilling.tick(self.records, self.routing, self.now)
        await announce_standing(self.records, self.routing, self.now, settled_before=self.now - 5000)
        return done

    async def zones(self, *zones: int) -> None:
        values = {f"zone[{zone}].alarm": zone in zones for zone in (6, 9)} | {"panel.fire": bool(zones)}
        self.routing.ground.take(Sample("FA", self.now, values))

    async def row(self, rule: Rule, asset: str) -> AlarmRow:
        rows = (await self.records.alarms(asset=asset, limit=1000)).items
        return next(row for row in rows if row.rule == rule.id and row.site == self.site)

    async def said(self) -> list[tuple[str, str, bool]]:
        """(channel, event, whether it says that it is a drill) of every message about an alarm, the oldest first."""
        table = schema.outbox
        query = select(table).where(table.c.site == self.site, table.c.kind == "message", table.c.alarm_id.is_not(None))
        found = []
        for item in await self.records.rows(query.order_by(table.c.id)):
            body = json.loads(item["payload"])
            marked = body["text"].startswith(("【演习】", "[DRILL]"))
            assert marked == (body["drill"] is not None)
            assert marked == body["title"].startswith(("【演习】", "[DRILL]"))
            found.append((item["channel"], body["event"], marked))
        return found


@pytest.fixture
def play(records: Records) -> Play:
    return Play(records)


async def test_an_emergency_in_scope_is_told_as_a_drill_along_the_routes_and_opens_no_ticket(play: Play) -> None:
    drill = await play.declare(Scope(assets=("EL-01",)))
    assert drill.state is DrillState.RUNNING
    await play.say("raise", STUCK, "EL-01")
    await play.say("raise", STUCK, "EL-02")
    assert await play.said() == [
        ("duty", "raise", True),
        ("duty", "ticket", False),
        ("duty", "raise", False),
        ("boss", "raise", False),
        ("coach", "raise", False),
    ]
    row = await play.row(STUCK, "EL-01")
    assert (row.drill, row.ticket_id, row.told) == (drill.id, None, True)
    assert [(entry.event, entry.reason) for entry in await play.records.journal(row.id)] == [("raise", "drill")]
    assert (await play.records.counts()).active_by_severity[1] == 1, "a drill is not counted"
    await play.say("clear", STUCK, "EL-01")
    assert (await play.said())[-1] == ("duty", "clear", True)


async def test_channels_can_be_named_for_a_drill(play: Play) -> None:
    await play.declare(Scope(classes=("elevator",)), to="coach")
    await play.say("raise", STUCK, "EL-01")
    assert await play.said() == [("coach", "raise", True)]


async def test_what_outlasts_a_drill_is_real_and_told_at_once_even_when_it_was_acknowledged(play: Play) -> None:
    drill = await play.declare(Scope(site=True), hours=1)
    await play.say("raise", STUCK, "EL-01")
    await play.say("raise", FIRE, "FA", "panel.fire")
    fire = await play.row(FIRE, "FA")
    await Commands(play.records, play.routing).acknowledge(fire.id, actor="li", at=play.now)
    assert await play.tick(HOUR - 60_000) == 0
    assert await play.tick(60_000) == 2
    for rule, asset in ((STUCK, "EL-01"), (FIRE, "FA")):
        row = await play.row(rule, asset)
        assert (row.state, row.drill, row.told, row.raise_count) == ("unacknowledged", None, True, 2)
        assert row.ticket_id is not None
    real = [(channel, event) for channel, event, marked in await play.said() if not marked and event == "raise"]
    assert sorted(real) == sorted([(name, "raise") for name in ("duty", "boss", "coach")] * 2)
    entries = [(entry.event, entry.reason, entry.note) for entry in await play.records.journal(fire.id)]
    assert entries[2:] == [
        ("drill_over", "drill_over", ""),
        ("clear", "drill_over", drill.id),
        ("raise", "routed", drill.id),
    ]
    assert (await drilling.drill(play.records, play.site, drill.id)).ended_by == "system"
    assert await play.tick() == 0, "once"


async def test_a_real_second_zone_during_a_zone_drill_is_a_full_emergency(play: Play) -> None:
    await play.declare(Scope(zones={"FA": (6,)}))
    await play.zones(6)
    await play.say("raise", FIRE, "FA", "panel.fire")
    assert await play.said() == [("duty", "raise", True)]
    await play.zones(6, 9)
    await play.say("raise", CONFIRMED, "FA", "panel.fire", "cnt.alarm")
    everybody = {("duty", "raise", False), ("boss", "raise", False), ("coach", "raise", False)}
    assert everybody <= set(await play.said())
    assert await play.tick() == 1, "the first alarm is real as well now"
    assert (await play.row(FIRE, "FA")).drill is None


async def test_a_panel_that_names_no_zone_and_a_fault_of_the_panel_are_real(play: Play) -> None:
    await play.declare(Scope(zones={"FA": (6,)}))
    await play.say("raise", FIRE, "FA", "panel.fire")
    await play.zones(6)
    await play.say("raise", a_rule("fire_alarm.main_power", asset_class="fire_alarm"), "FA", "power.main_fault")
    assert not any(marked for _, _, marked in await play.said())


async def test_what_stood_before_the_drill_stays_real(play: Play) -> None:
    await play.say("raise", STUCK, "EL-01")
    await play.declare(Scope(site=True))
    await play.tick()
    await play.say("clear", STUCK, "EL-01")
    await play.say("raise", STUCK, "EL-01")
    assert not any(marked for _, _, marked in await play.said())
    assert (await play.row(STUCK, "EL-01")).drill is None


async def test_what_cleared_in_the_drill_stays_one_and_is_real_when_it_comes_back_later(play: Play) -> None:
    drill = await play.declare(Scope(assets=("EL-01",)))
    await play.say("raise", STUCK, "EL-01")
    await play.say("clear", STUCK, "EL-01")
    await drilling.stop(
        play.records, play.routing, drill.id, DrillEvent.END, Act(at=play.now, actor="zhao", note="done")
    )
    await play.tick()
    assert (await play.row(STUCK, "EL-01")).drill == drill.id
    await play.say("raise", STUCK, "EL-01")
    assert (await play.row(STUCK, "EL-01")).drill is None
    assert {("boss", "raise", False), ("coach", "raise", False)} <= set(await play.said())


async def test_a_drill_starts_by_time_after_a_restart_and_each_step_is_journalled_audited_and_told(play: Play) -> None:
    drill = await play.declare(Scope(classes=("elevator",)), start=play.now + HOUR)
    await play.tick()
    assert (await drilling.drill(play.records, play.site, drill.id)).state is DrillState.PLANNED
    play = Play(play.records, now=play.now + HOUR)
    await play.tick()
    await play.say("raise", STUCK, "EL-01")
    await drilling.stop(play.records, play.routing, drill.id, DrillEvent.CANCEL, Act(at=play.now, actor="zhao"))
    with pytest.raises(TransitionError):
        await drilling.stop(play.records, play.routing, drill.id, DrillEvent.END, Act(at=play.now, actor="zhao"))
    assert (await play.row(STUCK, "EL-01")).drill is None, "real at once"
    journal = await play.records.rows(select(drill_journal).order_by(drill_journal.c.id))
    assert [(item["event"], item["actor"], item["state"]) for item in journal] == [
        ("declare", "zhao", "planned"),
        ("start", "system", "running"),
        ("cancel", "zhao", "cancelled"),
    ]
    audit = await play.records.rows(select(schema.audit.c.action).order_by(schema.audit.c.id))
    assert [item["action"] for item in audit] == ["drill.declare", "drill.cancel"]
    told = [json.loads(item.payload) for item in (await play.records.outbox(kind="message", limit=100)).items]
    texts = [item["text"] for item in reversed(told) if item["rule"] == "drill"]
    assert len(texts) == 3
    assert texts[0].startswith("【演习】疏散演习：计划")


async def test_the_journal_of_drills_is_append_only(play: Play) -> None:
    await play.declare(Scope(site=True))
    for statement in (update(drill_journal).values(note="other"), delete(drill_journal)):
        with pytest.raises(DBAPIError):
            async with play.records.engine.begin() as connection:
                await connection.execute(statement)


# -- no real alarm is lost

STEPS = st.one_of(
    st.tuples(st.sampled_from(["raise", "clear", "acknowledge"]), st.sampled_from(["EL-01", "EL-02"])),
    st.tuples(st.just("drill"), st.sampled_from(["EL-01", "site"])),
    st.tuples(st.just("stop"), st.just("")),
    st.tuples(st.just("wait"), st.sampled_from(["1", "1800", "3600"])),
)


class World:
    """One site without a database: what a restart keeps are the rows and the drills, and nothing else is kept."""

    def __init__(self) -> None:
        self.now = 1_000_000_000
        self.live: dict[Key, AlarmRow] = {}
        self.drills: dict[str, Drill] = {}
        self.raises: Counter[tuple[str, bool]] = Counter()
        self.keys: set[str] = set()

    def changes(self) -> Changes:
        routing = Routing("s1", {"duty": "zh", "boss": "en"}, ROUTES, ground=Ground(ASSETS), drills=dict(self.drills))
        return Changes(routing, self.now, lambda prefix, at: f"{prefix}{at}")

    def keep(self, changes: Changes) -> None:
        for row in [*changes.opened.values(), *changes.moved.values()]:
            key = (row.rule, row.rule_index, row.asset)
            if row.live:
                self.live[key] = row
            else:
                self.live.pop(key, None)
        for item in changes.outbox:
            body = json.loads(item["payload"])
            if item["kind"] == "message" and body["event"] == "raise" and item["key"] not in self.keys:
                self.raises[body["asset"], body["drill"] is None and item["channel"] == "boss"] += 1
            self.keys.add(item["key"])

    def real(self, asset: str) -> int:
        """How often everybody was told of a real emergency at an asset."""
        return self.raises[asset, True]

    def say(self, event: str, asset: str) -> None:
        self.now += 1
        changes = self.changes()
        judge(changes, dict(self.live), Judgement(STUCK, asset, event, self.now, self.now))  # type: ignore[arg-type]
        self.keep(changes)

    def acknowledge(self, asset: str) -> None:
        row = self.live.get((STUCK.id, 0, asset))
        if row and row.alarm.is_owed:
            changes = self.changes()
            move(changes, row, Event.ACKNOWLEDGE, Act(at=self.now, actor="li"))
            self.keep(changes)

    def declare(self, which: str) -> None:
        scope = Scope(site=True) if which == "site" else Scope(assets=(which,))
        drill = Drill(
            id=f"D{self.now}", site="s1", name="n", state=DrillState.PLANNED, scope=scope, channels=(), reason="r",
            from_at=self.now, until_at=self.now + HOUR, declared_by="zhao", declared_at=self.now,
        )  # fmt: skip
        self.drills[drill.id] = step(drill, DrillEvent.START, self.now, actor="zhao")

    def stop(self) -> None:
        for name, drill in self.drills.items():
            if drill.holds(self.now):
                self.drills[name] = step(drill, DrillEvent.END, self.now, actor="zhao")
                return

    def tick(self, ms: int) -> None:
        self.now += ms
        for name, drill in self.drills.items():
            if event := due(drill, self.now):
                self.drills[name] = step(drill, event, self.now, actor="system")
        changes = self.changes()
        drilling.return_to_reality(changes, list(self.live.values()))
        self.keep(changes)

    def covered(self, asset: str) -> bool:
        return any(
            item.holds(self.now) and (item.scope.site or asset in item.scope.assets) for item in self.drills.values()
        )


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_no_real_alarm_is_ever_lost_to_a_drill(steps: list[tuple[str, str]]) -> None:
    """What stands and no drill covers was told to everybody as real: at once when raised so, else within a tick.

    `stood`: the conditions that hold; each with how often people had been told of a real one before it began.
    """
    world = World()
    stood: dict[str, int] = {}
    for what, which in steps:
        if what == "raise" and which not in stood:
            stood[which] = world.real(which)
            inside = world.covered(which)
            world.say("raise", which)
            row = world.live[STUCK.id, 0, which]
            assert inside or world.real(which) == stood[which] + 1, "told at once"
            assert row.drill is None or inside
        elif what == "clear" and which in stood:
            world.say("clear", which)
            del stood[which]
        elif what == "acknowledge":
            world.acknowledge(which)
        elif what == "drill":
            world.declare(which)
        elif what == "stop":
            world.stop()
        world.tick(int(which) * 1000 if what == "wait" else 1)
        for asset, before in stood.items():
            row = world.live[STUCK.id, 0, asset]
            if not world.covered(asset):
                assert row.drill is None, "within a tick of the end"
            assert world.real(asset) == before + (row.drill is None), "each real one is told, and once"
