"""What people do: through the tables, with journal, audit and notice, and refused where it is wrong."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import select

from facility.errors import TransitionError
from facility.wire import AlarmNotice
from rules.desk.commands import MAX_NOTE, Commands, Removal
from rules.life.rows import AlarmRow
from rules.life.tickets import TicketEvent
from rules.records import schema
from rules.records.records import Records
from rules.role.tending import expire
from rules.rule import Rule
from tests.rules.builders import a_judgement, a_routing, a_rule, an_emergency
from tests.rules.test_records import messages, reasons

ROUTING = a_routing()


@pytest.fixture
def commands(records: Records) -> Commands:
    """The commands of the site s1."""
    return Commands(records, ROUTING)


async def raised(records: Records, rule: Rule | None = None, *, at: int = 1000) -> AlarmRow:
    """A fresh alarm."""
    await records.apply([a_judgement(rule=rule, at=at)], ROUTING, at)
    return (await records.alarms()).items[0]


async def audit(records: Records) -> list[tuple[str, str, str, str]]:
    """(actor, action, object, detail) of the audit."""
    table = schema.audit
    async with records.reading() as connection:
        query = select(table.c.actor, table.c.action, table.c.object, table.c.detail).order_by(table.c.id)
        return [tuple(found) for found in await connection.execute(query)]


async def test_an_acknowledgement_leaves_its_traces(records: Records, commands: Commands) -> None:
    row = await raised(records)
    records.outbox_changed.clear()
    after = await commands.acknowledge(row.id, actor="wang", at=2000, note="我去看")
    assert (after.state, after.acknowledged_at, after.acknowledged_by, after.version) == (
        "acknowledged",
        2000,
        "wang",
        2,
    )
    assert after == await records.alarm(row.id)
    entry = (await records.journal(row.id))[-1]
    assert (entry.actor, entry.event, entry.note, entry.state) == ("wang", "acknowledge", "我去看", "acknowledged")
    assert await audit(records) == [("wang", "alarm.acknowledge", row.id, "我去看")]
    newest = (await records.outbox(kind="notice")).items[0]
    told = msgspec.json.decode(newest.payload, type=AlarmNotice)
    assert (told.event, told.state, told.version, told.at) == ("acknowledge", "acknowledged", 2, 2000)
    assert records.outbox_changed.is_set()


async def test_what_the_table_refuses_changes_nothing(records: Records, commands: Commands) -> None:
    row = await raised(records)
    with pytest.raises(TransitionError):
        await commands.reset(row.id, actor="wang", at=2000)
    assert await records.alarm(row.id) == row
    assert await audit(records) == []


async def test_a_shelved_alarm_is_silent_and_tells_on_release_what_came_meanwhile(
    records: Records, commands: Commands
) -> None:
    row = await raised(records)
    row = await commands.shelve(row.id, actor="wang", at=1100, until=9000, reason="换泵")
    assert (row.shown, row.state, row.shelved_until) == ("shelved", "unacknowledged", 9000)
    await records.apply([a_judgement("clear", at=2000), a_judgement(at=3000)], ROUTING, 3000)
    assert await messages(records) == ["raise duty"]  # the first one, before it was shelved
    assert await expire(records, ROUTING, 8999) == 0
    assert await expire(records, ROUTING, 9000) == 1
    row = await records.alarm(row.id)
    assert (row.shown, row.shelved_until, row.told) == ("unacknowledged", None, True)
    assert await messages(records) == ["raise duty", "raise duty"]
    assert (await records.counts()).tickets == 1
    assert await reasons(records, row) == [
        ("raise", "routed"),
        ("shelve", "quiet_event"),
        ("clear", "shelved"),
        ("raise", "shelved"),
        ("unshelve", "quiet_event"),
        ("announce", "routed"),
    ]


async def test_what_was_told_before_the_shelving_is_not_told_again(records: Records, commands: Commands) -> None:
    row = await raised(records)
    await commands.shelve(row.id, actor="wang", at=1100, until=9000, reason="换泵")
    await commands.unshelve(row.id, actor="wang", at=1200)
    assert await messages(records) == ["raise duty"]


async def test_a_released_alarm_still_owes_its_acknowledgement(records: Records, commands: Commands) -> None:
    row = await raised(records)
    await commands.shelve(row.id, actor="wang", at=1100, until=9000, reason="换泵")
    await records.apply([a_judgement("clear", at=2000)], ROUTING, 2000)
    row = await commands.unshelve(row.id, actor="wang", at=3000)
    assert (row.state, row.live) == ("returned", True)


async def test_out_of_service_opens_no_ticket_until_the_return(records: Records, commands: Commands) -> None:
    row = await raised(records)
    await commands.acknowledge(row.id, actor="wang", at=1050)
    await records.apply([a_judgement("clear", at=1060)], ROUTING, 1060)
    assert row.ticket_id
    await commands.remove(row.id, Removal(ticket=row.ticket_id, reason="检修"), actor="wang", at=1100)
    await records.apply([a_judgement(at=1200)], ROUTING, 1200)
    assert (await records.counts()).tickets == 1
    row = await commands.restore(row.id, actor="wang", at=1300)
    assert (row.state, row.told) == ("unacknowledged", True)


@pytest.mark.parametrize("rule", [an_emergency(), a_rule(shelvable=False)], ids=["emergency", "not shelvable"])
async def test_life_safety_is_never_kept_quiet_by_hand(records: Records, commands: Commands, rule: Rule) -> None:
    row = await raised(records, rule)
    with pytest.raises(TransitionError):
        await commands.shelve(row.id, actor="wang", at=1100, until=9000, reason="吵")
    with pytest.raises(TransitionError):
        await commands.remove(row.id, Removal(ticket=str(row.ticket_id), reason="吵"), actor="wang", at=1100)


async def test_shelving_needs_a_reason_and_ends_within_eight_hours(records: Records, commands: Commands) -> None:
    row = await raised(records)
    with pytest.raises(ValueError, match="reason"):
        await commands.shelve(row.id, actor="wang", at=1100, until=9000, reason=" ")
    with pytest.raises(ValueError, match="8 hours"):
        await commands.shelve(row.id, actor="wang", at=1100, until=1101 + ROUTING.shelve_ms, reason="换泵")
    with pytest.raises(ValueError, match="future"):
        await commands.shelve(row.id, actor="wang", at=1100, until=1100, reason="换泵")
    with pytest.raises(ValueError, match="reason"):
        await commands.remove(row.id, Removal(ticket=str(row.ticket_id), reason=""), actor="wang", at=1100)
    with pytest.raises(ValueError, match="characters"):
        await commands.acknowledge(row.id, actor="wang", at=1100, note="x" * (MAX_NOTE + 1))


async def test_an_alarm_that_is_over_can_be_shelved_unless_it_came_again(records: Records, commands: Commands) -> None:
    over = await raised(records)
    await commands.acknowledge(over.id, actor="wang", at=1050)
    await records.apply([a_judgement("clear", at=1060)], ROUTING, 1060)
    await raised(records, at=2000)
    with pytest.raises(TransitionError):
        await commands.shelve(over.id, actor="wang", at=2100, until=9000, reason="换泵")


async def test_a_ticket_from_open_to_closed(records: Records, commands: Commands) -> None:
    alarm = await raised(records)
    assert alarm.ticket_id
    moves = [
        (TicketEvent.ASSIGN, "boss"),
        (TicketEvent.ACCEPT, "wang"),
        (TicketEvent.ARRIVE, "wang"),
        (TicketEvent.FINISH, "wang"),
        (TicketEvent.VERIFY, "boss"),
        (TicketEvent.CLOSE, "boss"),
    ]
    for at, (event, actor) in enumerate(moves, start=2000):
        ticket = await commands.move_ticket(alarm.ticket_id, event, actor=actor, at=at, note="ok", assignee="wang")
    assert (ticket.state, ticket.assignee, ticket.closed_at, ticket.version) == ("closed", "wang", 2005, 7)
    assert ticket == await records.ticket(alarm.ticket_id)
    trail = [(entry.event, entry.actor, entry.state) for entry in await records.ticket_journal(ticket.id)]
    assert trail[0] == ("open", "system", "open")
    assert trail[-1] == ("close", "boss", "closed")
    assert len(await audit(records)) == 6
    assert (await records.counts()).open_tickets == 0
    with pytest.raises(TransitionError):
        await commands.move_ticket(ticket.id, TicketEvent.VERIFY, actor="boss", at=3000)
