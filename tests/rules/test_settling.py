"""Consequences, floods, repetitions and escalation, through the records, in virtual time."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.settings import RecordsSettings
from rules.desk.commands import Commands
from rules.life.alarm import ACTIVE, State
from rules.life.rows import AlarmRow
from rules.notification.notify import REASONS, is_emergency
from rules.notification.sift import QUIET
from rules.records.database import new_engine
from rules.records.records import Records, open_records
from rules.records.related import floods, folded
from rules.rule import Rule
from tests.rules.house import (
    ADVICE,
    DEAD,
    EFFECT,
    FIRE,
    LATE,
    LIFTS,
    MAINS,
    MINOR,
    OFFLINE,
    ROUTING,
    RULES,
    URGENT,
    House,
)


@pytest.fixture
def house(records: Records) -> House:
    """Nothing is wrong yet."""
    return House(records)


async def test_a_cause_and_what_follows_are_one_message(house: House) -> None:
    await house.raise_((MAINS, "feed"))
    await house.wait(2)
    await house.raise_((DEAD, "board"), *((EFFECT, lift) for lift in LIFTS))
    await house.wait(60)
    assert await house.told() == ["raise mains feed"]
    assert await house.told(tickets=True) == ["ticket mains feed"]
    mains, effect = await house.alarm(MAINS, "feed"), await house.alarm(EFFECT, "lift-3")
    assert (effect.cause_id, effect.quiet, effect.told, effect.ticket_id is not None) == (
        mains.id,
        "folded",
        False,
        True,
    )
    assert await house.reasons(EFFECT, "lift-3") == [("raise", "folded")]
    assert await folded(house.records, [mains.id]) == {mains.id: len(LIFTS) + 1}


async def test_a_cause_that_comes_a_little_later_still_takes_them(house: House) -> None:
    await house.raise_(*((EFFECT, lift) for lift in LIFTS))
    await house.wait(2)
    assert await house.told() == []
    await house.raise_((MAINS, "feed"))
    await house.wait(60)
    assert await house.told() == ["raise mains feed"]
    assert await house.reasons(EFFECT, "lift-3") == [("raise", "settling"), ("fold", "folded")]


async def test_without_a_cause_it_is_told_after_a_moment_with_its_ticket(house: House) -> None:
    await house.raise_((EFFECT, "lift-1"))
    await house.wait(2)
    assert await house.told() == []
    await house.wait(2)
    assert await house.told() == ["raise effect lift-1"]
    assert await house.told(tickets=True) == ["ticket effect lift-1"]
    assert await house.reasons(EFFECT, "lift-1") == [("raise", "settling"), ("announce", "routed")]


async def test_what_outlives_its_cause_is_told_on_its_own(house: House) -> None:
    await house.raise_((MAINS, "feed"), (EFFECT, "lift-1"), (EFFECT, "lift-2"))
    await house.wait(300, step=10)
    await house.clear((MAINS, "feed"))
    await house.wait(60, step=10)
    await house.clear((EFFECT, "lift-1"))
    await house.wait(50, step=10)
    assert "raise effect lift-2" not in await house.told()
    await house.wait(20, step=10)
    told = await house.told()
    assert "raise effect lift-2" in told
    assert not [line for line in told if "lift-1" in line]


async def test_a_cause_that_is_back_in_time_keeps_them(house: House) -> None:
    await house.raise_((MAINS, "feed"), (EFFECT, "lift-1"))
    await house.clear((MAINS, "feed"))
    await house.wait(60, step=10)
    await house.raise_((MAINS, "feed"))
    await house.wait(600, step=10)
    assert not [line for line in await house.told() if "lift-1" in line]


async def test_a_silent_gateway_is_one_message(house: House) -> None:
    await house.raise_((OFFLINE, "gw"), *((EFFECT, lift) for lift in LIFTS))
    await house.wait(60)
    assert await house.told() == ["raise offline gw"]


async def test_an_emergency_is_told_at_once_whatever_goes_on(house: House) -> None:
    await house.raise_((MAINS, "feed"), *((MINOR, lift) for lift in LIFTS))
    for _ in range(10):
        await house.raise_((FIRE, "lift-1"))
        await house.clear((FIRE, "lift-1"))
        await house.wait(40, step=40)  # quicker than that is chattering, which has limits of its own
    told = await house.told("boss")
    assert told.count("raise fire lift-1") == 10


async def test_a_flood_is_told_as_a_whole(house: House) -> None:
    await house.raise_(*((MINOR, lift) for lift in LIFTS))
    await house.wait(1)
    told = await house.told()
    assert [line for line in told if line.startswith("raise")] == [f"raise minor {lift}" for lift in LIFTS[:10]]
    assert told[-1] == "flood begun"
    assert await house.reasons(MINOR, "lift-10") == [("raise", "flood")]
    await house.raise_(*((ADVICE, lift) for lift in LIFTS[:14]))
    await house.raise_(*((URGENT, lift) for lift in LIFTS))
    told = await house.told()
    assert len([line for line in told if line.startswith("raise urgent")]) == 10
    assert not [line for line in told if "advice" in line and line.startswith("raise")]
    await house.wait(300, step=30)
    await house.raise_(*((ADVICE, lift) for lift in LIFTS[14:]))
    await house.wait(320, step=20)
    assert (await house.told())[-1] == "flood goes_on"
    await house.wait(320, step=20)
    told = await house.told()
    assert told[-1] == "flood ended"
    assert await house.told("boss") == []  # who gets no such alarm gets no summary
    (row,) = await floods(house.records, "s1")
    assert (row.alarms, row.untold, row.worst) == (3 * len(LIFTS), 3 * len(LIFTS) - 20, 2)
    assert row.ended_at


async def test_a_flood_goes_on_over_a_restart(house: House) -> None:
    await house.raise_(*((MINOR, lift) for lift in LIFTS))
    await house.wait(1)
    before = house.sifter
    await house.restart()
    assert house.sifter.flood == before.flood
    assert house.sifter.told == before.told
    await house.raise_((ADVICE, "lift-1"))
    assert await house.reasons(ADVICE, "lift-1") == [("raise", "flood")]
    await house.wait(700, step=20)
    assert [line for line in await house.told() if line.startswith("flood")] == ["flood begun", "flood ended"]


async def test_an_alarm_that_keeps_coming_back_is_told_four_times_then_when_it_stands(house: House) -> None:
    for _ in range(9):
        await house.raise_((MINOR, "lift-1"))
        await house.clear((MINOR, "lift-1"))
        await house.wait(40, step=40)  # quicker than that is chattering, which has limits of its own
    await house.raise_((MINOR, "lift-1"))
    raises = [line for line in await house.told() if line.startswith("raise")]
    assert len(raises) == 4
    assert (await house.reasons(MINOR, "lift-1"))[-1] == ("raise", "repeat")
    await house.restart()
    await house.wait(920, step=10)
    raises = [line for line in await house.told() if line.startswith("raise")]
    assert len(raises) == 5  # it stands, so it is told once more after its quarter of an hour
    assert (await house.alarm(MINOR, "lift-1")).told


async def test_an_alarm_that_stands_gets_worse_and_says_so(house: House) -> None:
    await house.raise_((LATE, "lift-1"))
    await house.wait(590, step=10)
    await house.restart()
    await house.wait(20, step=10)
    row = await house.alarm(LATE, "lift-1")
    assert row.severity == 2
    assert (await house.reasons(LATE, "lift-1"))[-1] == ("escalate", "escalated")
    await house.wait(600, step=10)
    assert (await house.alarm(LATE, "lift-1")).severity == 1
    assert await house.told("boss") == ["escalate1 late lift-1"]  # an emergency by now: to everybody
    assert [line for line in await house.told() if line.startswith("escalate")] == [
        "escalate2 late lift-1",
        "escalate1 late lift-1",
    ]
    await house.clear((LATE, "lift-1"))
    await house.raise_((LATE, "lift-1"))
    assert (await house.alarm(LATE, "lift-1")).severity == 3


async def test_an_acknowledged_alarm_stops_at_the_step_that_says_so(house: House) -> None:
    await house.raise_((LATE, "lift-1"))
    row = await house.alarm(LATE, "lift-1")
    await Commands(house.records, ROUTING).acknowledge(row.id, actor="wang", at=house.now)
    await house.wait(3000, step=60)
    assert (await house.alarm(LATE, "lift-1")).severity == 2


async def test_a_shelved_consequence_is_seen_to_after_the_shelving(house: House) -> None:
    await house.raise_((MAINS, "feed"), (EFFECT, "lift-1"))
    commands, row = Commands(house.records, ROUTING), await house.alarm(EFFECT, "lift-1")
    await commands.shelve(row.id, actor="wang", at=house.now, until=house.now + 3_600_000, reason="x")
    await commands.unshelve(row.id, actor="wang", at=house.now + 1)
    await house.wait(60)
    assert await house.told() == ["raise mains feed"]
    await house.clear((MAINS, "feed"))
    await house.wait(130, step=10)
    assert "raise effect lift-1" in await house.told()


Act = tuple[str, list[tuple[Rule, str]], float, bool]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["raise", "raise", "clear"]),
        st.lists(
            st.tuples(st.sampled_from(RULES), st.sampled_from(("feed", "board", "gw", *LIFTS[:6]))),
            min_size=1,
            max_size=8,
            unique_by=lambda pair: (pair[0].id, pair[1]),
        ),
        st.sampled_from([0.0, 0.5, 4.0, 70.0, 700.0]),
        st.booleans(),
    ),
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTS)
def test_whoever_is_not_told_of_an_alarm_was_told_of_what_it_belongs_to(empty: Path, acts: list[Act]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty, folder)
        asyncio.run(_play(acts, Path(folder)))


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing in them."""
    folder = tmp_path_factory.mktemp("empty")

    async def make() -> None:
        async with open_records(RecordsSettings(path="records.sqlite"), folder):
            pass

    asyncio.run(make())
    return folder / "records.sqlite"


async def _play(acts: list[Act], folder: Path) -> None:
    engine = new_engine(RecordsSettings(path="records.sqlite"), folder)
    try:
        house = House(Records(engine))
        for event, what, pause, restart in acts:
            await (house.raise_ if event == "raise" else house.clear)(*what)
            await _check_emergencies(house)
            await house.wait(pause, step=max(1.0, pause / 3))
            if restart:
                await house.restart()
        await house.wait(8_000, step=500)
        await _check_settled(house)
    finally:
        await engine.dispose()


async def _check_emergencies(house: House) -> None:
    keys = {item.key for item in (await house.records.outbox(kind="message", limit=1000)).items}
    for row in (await house.records.alarms(limit=1000)).items:
        if is_emergency(row) and row.alarm.is_active and row.chattering_since is None:
            events = ("raise", "escalate1")
            assert all(
                any(f"{row.id}:{event}:{row.raise_count}:{channel}" in keys for event in events)
                for channel in ROUTING.channels
            )


async def _check_settled(house: House) -> None:
    rows: dict[str, AlarmRow] = {row.id: row for row in (await house.records.alarms(limit=1000)).items}
    messages = (await house.records.outbox(kind="message", limit=1000)).items
    summaries = [item.created_at for item in messages if item.alarm_id is None]
    for row in rows.values():
        for entry in await house.records.journal(row.id):
            assert entry.reason in REASONS
            if entry.reason == "flood":
                assert any(at >= entry.recorded_at for at in summaries)
        if row.state is not State.UNACKNOWLEDGED:
            continue
        assert row.told or row.quiet in QUIET
        if row.quiet == "folded":
            cause = rows[row.cause_id or ""]
            seen = {row.id}
            while not cause.told:
                assert cause.id not in seen
                seen.add(cause.id)
                cause = rows[cause.cause_id or ""]
            assert cause.state in ACTIVE
        elif not row.told:
            assert row.quiet == "flood"
