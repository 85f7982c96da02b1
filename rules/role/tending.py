"""What time alone does to alarms: shelvings run out, alarms that stand for long are stale, chattering calms down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.desk import drilling, impairing
from rules.effects import Look, blind
from rules.life.alarm import ACTIVE, Event, Suppression
from rules.life.chatter import Habit
from rules.life.rows import AlarmRow, alarm_row
from rules.notification.notify import Routing
from rules.records import schema
from rules.records.records import Records, new_id
from rules.records.transitions import SYSTEM, Act, Changes, mark, move, remark
from rules.records.writing import habits, write

MANY = 500
"""Alarms that one transaction moves."""


@dataclass(frozen=True, slots=True)
class Tended:
    """What a round has done: shelvings that ended, alarms found stale, that chatter no more, that were a drill.

    `impairments`: entries of the ledger that something became due of.
    """

    unshelved: int = 0
    stale: int = 0
    steady: int = 0
    real: int = 0
    impairments: int = 0


async def tend(records: Records, routing: Routing, at: int, look: Look = blind) -> Tended:
    """One round at `at` (ms): everything whose time has come; `look` tells the journal the values. StoreError."""
    return Tended(
        await expire(records, routing, at, look),
        await _stale(records, routing, at, look),
        await _steady(records, routing, at, look),
        await drilling.tick(records, routing, at, look),
        await impairing.tick(records, routing, at, look),
    )


async def expire(records: Records, routing: Routing, at: int, look: Look = blind) -> int:
    """End every shelving whose time has come; returns how many."""
    table = schema.alarms
    due = (table.c.suppression == Suppression.SHELVED.value) & (table.c.shelved_until <= at)

    def end(changes: Changes, row: AlarmRow) -> None:
        move(changes, row, Event.UNSHELVE, Act(at=at, actor=SYSTEM))

    return await _each(records, _blank(routing, at, look), due, end)


async def _stale(records: Records, routing: Routing, at: int, look: Look = blind) -> int:
    """Mark every alarm that has been active for too long, once; an acknowledgement does not make it younger."""
    table = schema.alarms
    due = (
        table.c.stale_at.is_(None)
        & table.c.state.in_([state.value for state in ACTIVE])
        & (table.c.raised_at <= at - routing.stale_ms)
    )

    def found(changes: Changes, row: AlarmRow) -> None:
        mark(changes, row, "stale", stale_at=at)

    return await _each(records, _blank(routing, at, look), due, found)


async def _steady(records: Records, routing: Routing, at: int, look: Look = blind) -> int:
    """Take the mark of chattering from every alarm that has been calm for long enough."""

    def calm(changes: Changes, row: AlarmRow) -> None:
        habit = changes.habits.get((row.rule, row.rule_index, row.asset), Habit())
        if habit.chattering_since(at) is None:
            mark(changes, row, "steady", chattering_since=None)

    return await _each(records, _blank(routing, at, look), schema.alarms.c.chattering_since.is_not(None), calm)


async def note_orphans(records: Records, routing: Routing, at: int, orphans: Iterable[AlarmRow]) -> int:
    """Say in the journal, once, that these alarms stay although their rule or asset is gone; returns how many.

    No rule is left that could release one which the plant's own logic suppresses: it is released.
    """
    ids = {item.id: item for item in orphans}
    table = schema.journal
    changes = Changes(routing, at, new_id)
    async with records.writing() as connection:
        query = select(table.c.alarm_id).where(table.c.alarm_id.in_(ids), table.c.event == "orphaned")
        noted = set((await connection.execute(query)).scalars())
        for id_ in ids.keys() - noted:
            remark(changes, ids[id_], "orphaned", "orphaned")
            if ids[id_].inhibited:
                move(changes, ids[id_], Event.RELEASE, Act(at=at, actor=SYSTEM))
        await write(connection, changes)
    if changes.outbox:
        records.outbox_changed.set()
    return len(ids.keys() - noted)


def _blank(routing: Routing, at: int, look: Look) -> Callable[[], Changes]:
    return lambda: Changes(routing, at, new_id, look=look)


async def _each(
    records: Records,
    blank: Callable[[], Changes],
    wanted: ColumnElement[bool],
    change: Callable[[Changes, AlarmRow], object],
) -> int:
    """Do something to the live alarms that are wanted, in transactions of a bounded size; returns how many changed."""
    table = schema.alarms
    site = blank().routing.site
    query = select(table).where((table.c.site == site) & table.c.live.is_(True) & wanted).order_by(table.c.id)
    done, after = 0, ""
    while await records.rows(query.where(table.c.id > after).limit(1)):
        changes = blank()
        async with records.writing() as connection:
            part = query.where(table.c.id > after).limit(MANY).with_for_update()
            rows = [alarm_row(found) for found in (await connection.execute(part)).mappings()]
            changes.habits = await _habits_of(connection, site, rows)
            for row in rows:
                change(changes, row)
            await write(connection, changes)
        done += len(changes.moved)
        after = rows[-1].id if rows else after
        if changes.outbox:
            records.outbox_changed.set()
        if not rows:
            break
    return done


async def _habits_of(connection: AsyncConnection, site: str, rows: list[AlarmRow]) -> dict[tuple[str, int, str], Habit]:
    return await habits(
        connection, site, {(row.rule, row.rule_index, row.asset) for row in rows if row.chattering_since is not None}
    )
