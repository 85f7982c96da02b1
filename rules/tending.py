"""What time alone does to alarms: shelvings run out, alarms that stand for long are stale, chattering calms down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules import schema
from rules.alarm import ACTIVE, Event, Suppression
from rules.chatter import Habit
from rules.notify import Routing
from rules.records import Records, new_id
from rules.rows import AlarmRow, alarm_row
from rules.transitions import SYSTEM, Act, Changes, mark, move
from rules.writing import habits, write

MANY = 500
"""Alarms that one transaction moves."""


@dataclass(frozen=True, slots=True)
class Tended:
    """What a round has done: shelvings that ended, alarms found stale, alarms that chatter no more."""

    unshelved: int = 0
    stale: int = 0
    steady: int = 0


async def tend(records: Records, routing: Routing, at: int) -> Tended:
    """One round at `at` (ms): everything whose time has come. StoreError."""
    return Tended(
        await expire(records, routing, at), await _stale(records, routing, at), await _steady(records, routing, at)
    )


async def expire(records: Records, routing: Routing, at: int) -> int:
    """End every shelving whose time has come; returns how many."""
    table = schema.alarms
    due = (table.c.suppression == Suppression.SHELVED.value) & (table.c.shelved_until <= at)

    def end(changes: Changes, row: AlarmRow) -> None:
        move(changes, row, Event.UNSHELVE, Act(at=at, actor=SYSTEM))

    return await _each(records, routing, at, due, end)


async def _stale(records: Records, routing: Routing, at: int) -> int:
    """Mark every alarm that has been active for too long, once; an acknowledgement does not make it younger."""
    table = schema.alarms
    due = (
        table.c.stale_at.is_(None)
        & table.c.state.in_([state.value for state in ACTIVE])
        & (table.c.raised_at <= at - routing.stale_ms)
    )

    def found(changes: Changes, row: AlarmRow) -> None:
        mark(changes, row, "stale", stale_at=at)

    return await _each(records, routing, at, due, found)


async def _steady(records: Records, routing: Routing, at: int) -> int:
    """Take the mark of chattering from every alarm that has been calm for long enough."""

    def calm(changes: Changes, row: AlarmRow) -> None:
        habit = changes.habits.get((row.rule, row.rule_index, row.asset), Habit())
        if habit.chattering_since(at) is None:
            mark(changes, row, "steady", chattering_since=None)

    return await _each(records, routing, at, schema.alarms.c.chattering_since.is_not(None), calm)


async def _each(
    records: Records,
    routing: Routing,
    at: int,
    wanted: ColumnElement[bool],
    change: Callable[[Changes, AlarmRow], object],
) -> int:
    """Do something to the live alarms that are wanted, in transactions of a bounded size; returns how many changed."""
    table = schema.alarms
    query = select(table).where((table.c.site == routing.site) & table.c.live.is_(True) & wanted).order_by(table.c.id)
    done, after = 0, ""
    while await records.rows(query.where(table.c.id > after).limit(1)):
        changes = Changes(routing, at, new_id)
        async with records.writing() as connection:
            part = query.where(table.c.id > after).limit(MANY).with_for_update()
            rows = [alarm_row(found) for found in (await connection.execute(part)).mappings()]
            changes.habits = await _habits_of(connection, routing.site, rows)
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
