"""The impairment ledger: its machine, rounds and reminders, and what it keeps quiet in the records."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from facility.assets import Asset
from facility.errors import TransitionError
from facility.points import Label
from facility.settings import RouteSettings
from rules.desk import impairing
from rules.desk.commands import Commands
from rules.desk.impairing import Opening
from rules.drills.impairments import (
    LASTS,
    TABLE,
    Impairment,
    ImpairmentEvent,
    ImpairmentState,
    gone_round,
    missed_round,
    refusal,
    severity_of,
    step,
    told_again,
)
from rules.drills.scope import Ground, Scope
from rules.effects import Judgement
from rules.notification.notify import Routing
from rules.records import schema
from rules.records.records import Records
from rules.records.transitions import Act
from rules.rule import Rule
from tests.rules.builders import a_rule, an_emergency

L = Label("物", "thing")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
GROUND = Ground({"P-01": Asset("P-01", "water_pump", L), "P-02": Asset("P-02", "water_pump", L)})
ROUTES = tuple(
    RouteSettings(to=[name], severities=[severity]) for name, severity in (("crew", 3), ("duty", 2), ("boss", 1))
)
ROUTING = Routing("s1", {"crew": "zh", "duty": "zh", "boss": "en"}, ROUTES, ground=GROUND, time_zone="UTC")
DRY = a_rule("pump.dry", severity=3)
NOW = 1_000_000_000


def an_item(**changed: object) -> Impairment:
    values: dict[str, object] = {
        "id": "M1", "site": "s1", "state": ImpairmentState.OPEN, "scope": Scope(assets=("P-01",)), "what": "pump",
        "reason": "repair", "owner": "zhao", "measures": "", "ticket_id": None, "suppress": (), "rounds_every": 30,
        "round_due": 30 * MINUTE, "opened_at": 0, "opened_by": "li", "expires_at": DAY,
    }  # fmt: skip
    return Impairment(**{**values, **changed})  # type: ignore[arg-type]


def test_the_machine_is_its_table() -> None:
    for state in ImpairmentState:
        for event in ImpairmentEvent:
            item = an_item(state=state)
            if (state, event) not in TABLE:
                with pytest.raises(TransitionError):
                    step(item, event, 5, until=10)
                continue
            after = step(item, event, 5, until=10)
            assert (after.state, after.version) == (TABLE[state, event], 2)
            assert (after.expires_at == 10) == (event is ImpairmentEvent.EXTEND)
            assert (after.restored_at == 5) == (event is ImpairmentEvent.RESTORE)
            assert (after.tell_at == 5) == (event is ImpairmentEvent.EXPIRE)
    with pytest.raises(ValueError, match="future"):
        step(an_item(), ImpairmentEvent.EXTEND, 5, until=5)


@given(st.lists(st.sampled_from(ImpairmentEvent)))
def test_nothing_is_closed_that_was_not_restored(events: list[ImpairmentEvent]) -> None:
    item, past = an_item(), [ImpairmentState.OPEN]
    for at, event in enumerate(events, 1):
        try:
            item = step(item, event, at, until=at + 1)
        except TransitionError:
            continue
        past.append(item.state)
    if item.state is ImpairmentState.CLOSED:
        assert past[-2] is ImpairmentState.RESTORED
    assert item.lasts == (item.restored_at is None) == (item.state in LASTS)


@given(st.integers(1, 120), st.lists(st.tuples(st.integers(1, 600), st.booleans()), max_size=20))
def test_rounds_are_counted_as_on_paper(every: int, steps: list[tuple[int, bool]]) -> None:
    """`last` is when the present row of rounds began; each whole distance since then is a round that was due."""
    item = an_item(rounds_every=every, round_due=every * MINUTE)
    at = last = 0
    for wait, walks in steps:
        at += wait * MINUTE
        item = missed_round(item, at)
        assert item.missed == (at - last) // (every * MINUTE)
        assert item.round_due is not None
        assert item.round_due > at
        assert item.is_round_due(at) == (item.missed > 0)
        if walks:
            item = gone_round(item, at)
            last = at
            assert (item.missed, item.last_round, item.is_round_due(at)) == (0, at, False)


def test_no_round_where_none_is_wanted_or_nothing_is_out() -> None:
    for item in (an_item(rounds_every=0, round_due=None), an_item(state=ImpairmentState.RESTORED)):
        with pytest.raises(TransitionError):
            gone_round(item, 5)
        assert missed_round(item, DAY) is item


def test_an_overdue_one_becomes_louder_every_hour() -> None:
    item = step(an_item(), ImpairmentEvent.EXPIRE, DAY)
    heard = []
    for hour in range(4):
        heard.append(severity_of(item))
        item = told_again(item, DAY + hour * HOUR)
        assert item.tell_at == DAY + (hour + 1) * HOUR
    assert heard == [3, 2, 1, 1]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"what": " "}, "what is impaired"),
        ({"reason": ""}, "a reason"),
        ({"owner": ""}, "an owner"),
        ({"scope": Scope()}, "a scope"),
        ({"scope": Scope(site=True)}, "a scope"),
        ({"scope": Scope(assets=("zz",))}, "'zz'"),
        ({"rounds_every": 1441}, "1440"),
        ({"expires_at": 0}, "future"),
        ({"expires_at": 31 * DAY}, "30 days"),
        ({}, ""),
    ],
)
def test_what_can_be_opened(changed: dict[str, object], word: str) -> None:
    found = refusal(an_item(**changed), GROUND, longest=30 * DAY)
    assert word in found if word else found == ""


async def opened(records: Records, *suppress: str, hours: int = 24) -> Impairment:
    wanted = Opening(
        scope=Scope(assets=("P-01",)), what="1号泵", reason="检修", owner="zhao", expires_at=NOW + hours * HOUR,
        rounds_every=30, suppress=suppress,
    )  # fmt: skip
    return await impairing.open_impairment(records, ROUTING, wanted, actor="li", at=NOW)


async def say(records: Records, event: str, rule: Rule, asset: str, at: int) -> None:
    await records.apply([Judgement(rule, asset, event, at, at)], ROUTING, at)  # type: ignore[arg-type]


async def shown(records: Records) -> dict[tuple[str, str], str]:
    return {(row.asset, row.rule): row.suppression.value for row in (await records.alarms()).items}


async def told(records: Records) -> list[tuple[str, str]]:
    """(channel, event) of what was told of impairments, the oldest first."""
    rows = await records.rows(select(schema.outbox).order_by(schema.outbox.c.id))
    bodies = [(item["channel"], json.loads(item["payload"])) for item in rows if item["kind"] == "message"]
    return [(channel, body["event"]) for channel, body in bodies if body["rule"] == "impairment"]


async def test_only_the_rules_named_are_quiet_until_it_expires_and_never_life_safety(records: Records) -> None:
    fire = replace(an_emergency("pump.fire"), asset_class="water_pump")
    await say(records, "raise", DRY, "P-01", NOW - 1)
    item = await opened(records, "pump.dry", "pump.late", "pump.fire", hours=2)
    for number, (rule, asset) in enumerate(
        [(a_rule("pump.late"), "P-01"), (a_rule("pump.other"), "P-01"), (fire, "P-01"), (DRY, "P-02")]
    ):
        await say(records, "raise", rule, asset, NOW + number)
    assert await shown(records) == {
        ("P-01", "pump.dry"): "out_of_service",
        ("P-01", "pump.late"): "out_of_service",
        ("P-01", "pump.other"): "none",
        ("P-01", "pump.fire"): "none",
        ("P-02", "pump.dry"): "none",
    }
    assert await impairing.tick(records, ROUTING, NOW + 2 * HOUR) == 1
    assert set((await shown(records)).values()) == {"none"}, "nobody answers for it any more"
    act = Act(at=NOW + 2 * HOUR, actor="zhao", note="parts are late", until=NOW + DAY)
    await impairing.act_on(records, ROUTING, item.id, ImpairmentEvent.EXTEND, act)
    assert (await shown(records))["P-01", "pump.dry"] == "out_of_service"
    (dry,) = [row for row in (await records.alarms(asset="P-01")).items if row.rule == "pump.dry"]
    await Commands(records, ROUTING).restore(dry.id, actor="li", at=NOW + 3 * HOUR)
    assert (await shown(records))["P-01", "pump.dry"] == "none", "a person may return one"
    await impairing.act_on(records, ROUTING, item.id, ImpairmentEvent.RESTORE, Act(at=NOW + 4 * HOUR, actor="li"))
    assert set((await shown(records)).values()) == {"none"}


async def test_an_alarm_that_escalates_to_life_safety_comes_back(records: Records) -> None:
    await opened(records, "pump.dry")
    await say(records, "raise", DRY, "P-01", NOW)
    async with records.writing() as connection:
        await connection.execute(schema.alarms.update().values(severity=1))
    await impairing.tick(records, ROUTING, NOW + 1)
    assert set((await shown(records)).values()) == {"none"}


async def test_expiry_and_missed_rounds_are_told_and_each_hour_to_more(records: Records) -> None:
    item = await opened(records, hours=1)
    for minutes in (10, 30, 31, 60, 119, 120, 180):
        await impairing.tick(records, ROUTING, NOW + minutes * MINUTE)
    assert await told(records) == [
        ("crew", "impairment_open"),
        ("duty", "impairment_missed"),
        ("crew", "impairment_overdue"),
        ("duty", "impairment_missed"),
        ("duty", "impairment_missed"),
        ("duty", "impairment_overdue"),
        ("duty", "impairment_missed"),
        ("boss", "impairment_overdue"),
        ("duty", "impairment_missed"),
    ]
    found = await impairing.impairment(records, "s1", item.id)
    assert (found.state, found.missed, found.told_level) == (ImpairmentState.OVERDUE, 6, 3)


async def test_a_round_needs_a_note(records: Records) -> None:
    item = await opened(records)
    with pytest.raises(ValueError, match="what was seen"):
        await impairing.confirm_round(records, ROUTING, item.id, Act(at=NOW + 1, actor="li", note=" "))
    with pytest.raises(ValueError, match="no ticket"):
        await impairing.open_impairment(
            records,
            ROUTING,
            Opening(scope=item.scope, what="w", reason="r", owner="o", expires_at=NOW + HOUR, ticket_id="T0"),
            actor="li",
            at=NOW,
        )
