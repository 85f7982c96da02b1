"""The whole life of alarms in the records: chattering, stale, out of service by ticket, suppressed by design."""

from __future__ import annotations

import pytest

from facility.errors import TransitionError
from facility.readings import Quality
from rules.desk.commands import Commands, Removal
from rules.effects import Judgement, Kind, Seen
from rules.life.rows import AlarmRow, TicketRow
from rules.life.tickets import TicketEvent
from rules.records.records import Records
from rules.role.settling import announce_standing
from rules.role.tending import tend
from rules.rule import Rule
from tests.rules.builders import a_judgement, a_routing, a_rule, an_emergency
from tests.rules.test_records import messages, only, reasons

ROUTING = a_routing()
MINUTE = 60_000
LIFE = an_emergency()


@pytest.fixture
def commands(records: Records) -> Commands:
    """The commands of the site s1."""
    return Commands(records, ROUTING)


def cycles(number: int, *, start: int = 0, period: int = 20_000, rule: Rule | None = None) -> list[Judgement]:
    """So many raises, each cleared after half a period."""
    found = []
    for at in range(start, start + number * period, period):
        found += [a_judgement(rule=rule, at=at), a_judgement("clear", rule=rule, at=at + period // 2)]
    return found


async def told(records: Records, judgements: list[Judgement]) -> AlarmRow:
    """Each judgement written at its own instant; the newest alarm afterwards."""
    for judgement in judgements:
        await records.apply([judgement], ROUTING, judgement.at)
    return (await records.alarms()).items[0]


async def a_ticket(records: Records) -> TicketRow:
    """An open ticket of P-01, from an alarm that is over since."""
    rule = a_rule("pump.old")
    await records.apply([a_judgement(rule=rule, at=1), a_judgement("clear", rule=rule, at=2)], ROUTING, 2)
    return (await records.tickets()).items[0]


async def test_three_cycles_in_a_minute_are_shelved_by_the_system_with_one_ticket(records: Records) -> None:
    row = await told(records, cycles(3))
    assert (row.suppression, row.shelved_until, row.chattering_since) == ("shelved", 50_000 + 15 * MINUTE, 0)
    assert await reasons(records, row) == [
        *[("raise", "routed"), ("clear", "routed")] * 3,
        ("chattering", "chattering"),
        ("shelve", "chattering"),
    ]
    entry = (await records.journal(row.id))[-1]
    assert (entry.actor, entry.at) == ("system", 50_000)
    extra = [ticket for ticket in (await records.tickets()).items if ticket.alarm_id is None]
    assert [(ticket.priority, ticket.title.en, ticket.asset) for ticket in extra] == [
        (3, "Chattering: Pump runs dry", "P-01")
    ]
    # it goes on under the shelving: nobody is told, and the same episode opens no second ticket
    row = await told(records, cycles(3, start=60_000))
    assert len(await messages(records)) == 6
    await tend(records, ROUTING, row.shelved_until or 0)
    row = await told(records, cycles(3, start=16 * MINUTE))
    assert row.suppression == "shelved"
    assert len((await records.tickets()).items) == 2
    assert len(await messages(records)) == 8  # after the shelving only the first: it still chatters


async def test_two_cycles_or_slow_ones_are_no_chattering(records: Records) -> None:
    row = await told(records, cycles(2))
    assert (row.suppression, row.chattering_since) == ("none", None)
    row = await told(records, cycles(5, start=10 * MINUTE, period=40_000))
    assert (row.suppression, row.chattering_since) == ("none", None)


async def test_chattering_is_not_forgotten_between_alarms_nor_by_a_restart(
    records: Records, commands: Commands
) -> None:
    for moves in (cycles(1), cycles(1, start=20_000), cycles(1, start=40_000)):
        row = await told(records, moves[:1])
        await commands.acknowledge(row.id, actor="wang", at=moves[0].at + 1)
        row = await told(records, moves[1:])  # each is an alarm of its own
    assert len((await records.alarms()).items) == 3
    assert (row.state, row.suppression, row.live) == ("normal", "shelved", True)


async def test_life_safety_chatters_aloud_but_not_without_end(records: Records) -> None:
    row = await told(records, cycles(6, period=10_000, rule=LIFE))
    assert (row.suppression, row.chattering_since) == ("none", 0)
    found = [reason for event, reason in await reasons(records, row) if event == "raise"]
    assert found == ["routed"] * 3 + ["chattering"] * 3
    await told(records, [a_judgement(rule=LIFE, at=2 * MINUTE)])
    assert await announce_standing(records, ROUTING, 3 * MINUTE, settled_before=3 * MINUTE) == 0
    assert (
        await announce_standing(records, ROUTING, 6 * MINUTE, settled_before=6 * MINUTE) == 1
    )  # it stands: told again


async def test_replayed_cycles_shelve_nothing(records: Records) -> None:
    for number, judgement in enumerate(cycles(4)):
        event: Kind = "clear" if number % 2 else "raise"
        past = a_judgement(event, at=judgement.at, historical=True)
        await records.apply([past], ROUTING, 10 * MINUTE)
    row = await only(records)
    assert (row.suppression, row.chattering_since) == ("none", None)


async def test_an_alarm_that_is_calm_loses_its_mark(records: Records) -> None:
    row = await told(records, cycles(3, rule=LIFE))
    assert (await tend(records, ROUTING, 15 * MINUTE)).steady == 0
    assert (await tend(records, ROUTING, 17 * MINUTE)).steady == 1
    row = await records.alarm(row.id)
    assert row.chattering_since is None
    assert (await reasons(records, row))[-1] == ("steady", "steady")


async def test_an_alarm_that_stands_for_a_day_is_stale_once(records: Records, commands: Commands) -> None:
    row = await told(records, [a_judgement(at=1000)])
    await commands.acknowledge(row.id, actor="wang", at=2000)
    day = 24 * 60 * MINUTE
    assert (await tend(records, ROUTING, day + 999)).stale == 0
    assert (await tend(records, ROUTING, day + 1000)).stale == 1
    assert (await tend(records, ROUTING, day + 2000)).stale == 0
    row = await records.alarm(row.id)
    assert row.stale_at == day + 1000
    assert (await reasons(records, row))[-1] == ("stale", "stale")
    assert [found.id for found in (await records.alarms(states=["stale"])).items] == [row.id]
    row = await told(records, [a_judgement("clear", at=day + 3000)])
    assert row.stale_at is None
    assert (await records.alarms(states=["stale"])).items == ()


async def test_the_journal_keeps_the_values_of_each_instant(records: Records) -> None:
    seen = {"pump[1].flow": Seen(0.0, Quality.GOOD, 990), "pump[1].hz": Seen(None, Quality.SENSOR, 980)}
    judgement = a_judgement(at=1000)
    row = await told(records, [Judgement(judgement.rule, "P-01", "raise", 1000, 990, judgement.facts, seen=seen)])
    looking = Commands(records, ROUTING, lambda asset, points: {key: Seen(3.5, Quality.GOOD, 1900) for key in points})
    await looking.acknowledge(row.id, actor="wang", at=2000)
    first, second = await records.journal(row.id)
    assert first.seen == {
        "pump[1].flow": {"value": 0.0, "quality": "good", "at": 990},
        "pump[1].hz": {"value": None, "quality": "sensor", "at": 980},
    }
    assert second.seen == {"pump[1].flow": {"value": 3.5, "quality": "good", "at": 1900}}


async def test_a_suppression_by_design_is_listed_and_told_when_it_ends(records: Records) -> None:
    row = await told(records, [a_judgement("suppress", at=10), a_judgement("raise", at=10)])
    assert (row.shown, row.state, row.inhibited, row.told) == ("by_design", "unacknowledged", True, False)
    assert await messages(records) == []
    assert (await records.counts()).tickets == 0
    row = await told(records, [a_judgement("release", at=20)])
    assert (row.shown, row.told) == ("unacknowledged", True)
    assert await messages(records) == ["raise duty"]
    assert (await records.counts()).tickets == 1


async def test_what_cleared_under_the_logic_is_told_to_nobody(records: Records) -> None:
    moves = [
        a_judgement("suppress", at=10),
        a_judgement(at=10),
        a_judgement("clear", at=15),
        a_judgement("release", at=20),
    ]
    row = await told(records, moves)
    assert (row.state, row.live) == ("returned", True)  # the debt stays
    assert await messages(records) == []


async def test_a_shelving_that_ends_under_the_logic_tells_nobody(records: Records, commands: Commands) -> None:
    row = await told(records, [a_judgement(at=10), a_judgement("clear", at=11), a_judgement(at=12)])
    await commands.shelve(row.id, actor="wang", at=20, until=1000, reason="换泵")
    row = await told(records, [a_judgement("suppress", at=30)])
    assert (row.shown, row.inhibited) == ("shelved", True)
    row = await commands.unshelve(row.id, actor="wang", at=40)
    assert row.shown == "by_design"
    row = await told(records, [a_judgement("release", at=50)])
    assert row.shown == "unacknowledged"


async def test_a_whole_asset_is_out_of_service_until_its_ticket_is_done(records: Records, commands: Commands) -> None:
    ticket = await a_ticket(records)
    removal = await commands.remove_asset("P-01", Removal(ticket=ticket.id, reason="换泵"), actor="wang", at=100)
    (old,) = (await records.alarms()).items
    assert (old.shown, old.removal_id) == ("out_of_service", removal.id)
    later = await told(records, [a_judgement(at=200)])
    assert (later.shown, later.state, later.told) == ("out_of_service", "unacknowledged", False)
    other = await told(records, [a_judgement(asset="P-02", at=210)])
    assert other.shown == "unacknowledged"
    with pytest.raises(TransitionError):
        await commands.remove_asset("P-01", Removal(ticket=ticket.id, reason="换泵"), actor="wang", at=300)
    with pytest.raises(TransitionError, match="its asset"):
        await commands.restore(later.id, actor="wang", at=300)
    before = len(await messages(records))
    await commands.move_ticket(ticket.id, TicketEvent.ACCEPT, actor="wang", at=400)
    await commands.move_ticket(ticket.id, TicketEvent.FINISH, actor="wang", at=500)
    later, old = await records.alarm(later.id), await records.alarm(old.id)
    assert (later.shown, later.told, later.removal_id) == ("unacknowledged", True, None)
    assert old.shown == "returned"
    assert len(await messages(records)) == before + 1
    (entry,) = await records.removals(asset="P-01")
    assert (entry.ended_at, entry.ended_by) == (500, "system")
    assert await records.removals(asset="P-01", now=True) == []


async def test_life_safety_stays_in_service_unless_it_is_meant(records: Records, commands: Commands) -> None:
    ticket = await a_ticket(records)
    first = await commands.remove_asset("P-01", Removal(ticket=ticket.id, reason="换泵"), actor="wang", at=100)
    row = await told(records, [a_judgement(rule=LIFE, at=200)])
    assert (row.shown, row.told) == ("unacknowledged", True)
    await commands.end_removal(first.id, actor="wang", at=300)
    with pytest.raises(TransitionError, match="ended"):
        await commands.end_removal(first.id, actor="wang", at=310)
    meant = Removal(ticket=ticket.id, reason="换泵", life_safety=True)
    await commands.remove_asset("P-01", meant, actor="boss", at=400)
    assert (await records.alarm(row.id)).shown == "out_of_service"


async def test_the_ticket_must_be_an_open_one_of_that_asset(records: Records, commands: Commands) -> None:
    ticket = await a_ticket(records)
    row = await told(records, [a_judgement(asset="P-02", at=10)])
    with pytest.raises(ValueError, match="no ticket"):
        await commands.remove(row.id, Removal(ticket="T0", reason="x"), actor="wang", at=20)
    with pytest.raises(ValueError, match="one of P-01"):
        await commands.remove(row.id, Removal(ticket=ticket.id, reason="x"), actor="wang", at=20)
    await commands.move_ticket(ticket.id, TicketEvent.CANCEL, actor="wang", at=30)
    with pytest.raises(TransitionError):
        await commands.remove_asset("P-01", Removal(ticket=ticket.id, reason="x"), actor="wang", at=40)
    assert await records.removals() == []
    assert (await records.alarm(row.id)).suppression == "none"


async def test_an_alarm_stays_out_with_its_asset_when_its_own_removal_ends(
    records: Records, commands: Commands
) -> None:
    ticket = await a_ticket(records)
    row = await told(records, [a_judgement(at=10)])
    assert row.ticket_id
    await commands.remove(row.id, Removal(ticket=row.ticket_id, reason="阀门"), actor="wang", at=20)
    whole = await commands.remove_asset("P-01", Removal(ticket=ticket.id, reason="换泵"), actor="wang", at=30)
    row = await commands.restore(row.id, actor="wang", at=40)
    assert (row.shown, row.removal_id) == ("out_of_service", whole.id)
    await commands.end_removal(whole.id, actor="wang", at=50)
    assert (await records.alarm(row.id)).shown == "unacknowledged"
