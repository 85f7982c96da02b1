"""Transitions as the records keep them: suppression, replay, latching, what is told late."""

from __future__ import annotations

from facility.settings import RouteSettings
from rules.desk.commands import Commands
from rules.life.rows import AlarmRow
from rules.records.records import Records
from rules.role.settling import announce_standing
from rules.role.tending import note_orphans
from tests.rules.builders import a_judgement, a_routing, a_rule, an_emergency

ROUTING = a_routing()


async def only(records: Records) -> AlarmRow:
    """The one alarm there is."""
    (row,) = (await records.alarms()).items
    return row


async def messages(records: Records) -> list[str]:
    """`event channel` of every message, the oldest first."""
    items = (await records.outbox(kind="message")).items
    return [f"{item.key.split(':')[1]} {item.channel}" for item in reversed(items)]


async def reasons(records: Records, alarm: AlarmRow) -> list[tuple[str, str]]:
    """(event, reason) of the alarm's journal."""
    return [(entry.event, entry.reason) for entry in await records.journal(alarm.id)]


async def test_an_emergency_is_pushed_everywhere_and_gets_a_ticket_of_priority_1(records: Records) -> None:
    await records.apply([a_judgement(rule=an_emergency(), asset="EL-01")], ROUTING, 1000)
    assert await messages(records) == ["raise duty", "raise boss"]
    assert [ticket.priority for ticket in (await records.tickets()).items] == [1]
    counts = await records.counts()
    assert (counts.emergencies, counts.tickets, counts.alarms) == (1, 1, 1)


async def test_a_rule_that_raises_nothing_opens_no_ticket(records: Records) -> None:
    await records.apply([a_judgement(rule=a_rule(severity=4, raises="nothing"))], ROUTING, 1000)
    assert (await records.counts()).tickets == 0
    assert await reasons(records, await only(records)) == [("raise", "no_route")]


async def test_a_new_ticket_can_be_routed(records: Records) -> None:
    routing = a_routing(RouteSettings(to=["boss"], severities=[2], events=["ticket"]))
    await records.apply([a_judgement()], routing, 1000)
    assert await messages(records) == ["ticket boss"]


async def test_each_return_of_a_condition_is_told_but_never_opens_a_second_ticket(records: Records) -> None:
    moves = [a_judgement("raise", at=1), a_judgement("clear", at=2), a_judgement("raise", at=3)]
    await records.apply(moves, ROUTING, 3)
    row = await only(records)
    assert (row.state, row.raise_count, row.raised_at) == ("unacknowledged", 2, 3)
    assert await messages(records) == ["raise duty", "clear duty", "raise duty"]
    assert (await records.counts()).tickets == 1


async def test_a_latched_alarm_waits_for_acknowledgement_and_reset(records: Records) -> None:
    commands = Commands(records, ROUTING)
    rule = a_rule(latch=True)
    await records.apply([a_judgement(rule=rule, at=1), a_judgement("clear", rule=rule, at=2)], ROUTING, 2)
    row = await only(records)
    assert (row.state, row.live) == ("latched_unacknowledged", True)
    await commands.acknowledge(row.id, actor="wang", at=3)
    row = await commands.reset(row.id, actor="wang", at=4)
    assert (row.state, row.live) == ("normal", False)


async def test_replayed_readings_record_but_tell_nobody(records: Records) -> None:
    moves = [a_judgement(at=1, historical=True), a_judgement("clear", at=2, historical=True)]
    await records.apply(moves, ROUTING, 10_000)
    row = await only(records)
    assert (row.state, row.historical, row.told) == ("returned", True, False)
    assert await messages(records) == []
    assert await reasons(records, row) == [("raise", "historical"), ("clear", "historical")]
    assert (await records.counts()).tickets == 1  # the work is there, although nobody was woken


async def test_what_a_replay_raised_and_still_stands_is_told_once(records: Records) -> None:
    await records.apply([a_judgement(at=1, rule=an_emergency(), historical=True)], ROUTING, 10_000)
    assert await announce_standing(records, ROUTING, 10_500, settled_before=9_999) == 0
    assert await announce_standing(records, ROUTING, 15_000, settled_before=10_000) == 1
    assert await announce_standing(records, ROUTING, 16_000, settled_before=16_000) == 0
    assert await messages(records) == ["raise duty", "raise boss"]
    row = await only(records)
    assert (row.told, row.version) == (True, 2)
    assert await reasons(records, row) == [("raise", "historical"), ("announce", "routed")]
    notices = (await records.outbox(kind="notice")).items
    assert len({item.key for item in notices}) == 2


async def test_history_does_not_move_what_the_live_alarm_knows_better(records: Records) -> None:
    await records.apply([a_judgement(at=5_000)], ROUTING, 5_000)
    late = [a_judgement("clear", at=2_000, historical=True), a_judgement("raise", at=1_000, historical=True)]
    await records.apply(late, ROUTING, 6_000)
    row = await only(records)
    assert (row.state, row.version) == ("unacknowledged", 1)
    assert await reasons(records, row) == [("raise", "routed"), ("clear", "historical"), ("raise", "historical")]


async def test_a_clear_of_nothing_is_nothing(records: Records) -> None:
    done = await records.apply([a_judgement("clear")], ROUTING, 1000)
    assert (done.unchanged, done.queued) == (1, 0)
    assert (await records.alarms()).items == ()


async def test_orphans_are_remarked_once_and_stay(records: Records) -> None:
    await records.apply([a_judgement()], ROUTING, 1000)
    row = await only(records)
    assert await note_orphans(records, ROUTING, 2000, [row]) == 1
    assert await note_orphans(records, ROUTING, 3000, [row]) == 0
    assert await reasons(records, row) == [("raise", "routed"), ("orphaned", "orphaned")]
    assert (await only(records)).live


async def test_facts_of_every_kind_come_back_as_they_were(records: Records) -> None:
    facts = {"a": 1, "b": 2.5, "c": True, "d": "困人", "e": None}
    await records.apply([a_judgement(facts=facts)], ROUTING, 1000)
    assert (await only(records)).facts == facts


async def test_alarms_of_another_site_in_the_same_database_are_apart(records: Records) -> None:
    other = a_routing()
    object.__setattr__(other, "site", "s2")
    await records.apply([a_judgement()], ROUTING, 1000)
    await records.apply([a_judgement()], other, 1000)
    assert sorted(row.site for row in (await records.alarms()).items) == ["s1", "s2"]
    assert [row.site for row in await records.live_alarms("s2")] == ["s2"]
