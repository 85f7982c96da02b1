"""What a person may do with alarms and tickets: each command one transaction through the pure tables.

The API and the rules use the same functions, in one process or in two. The row is read and written under a version
check; when somebody else was quicker, the command looks again and is judged by the state it then finds. Every command
leaves a journal entry, an audit entry, and a notice for the live stream.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from facility.errors import TransitionError
from rules import schema
from rules.alarm import Event, Suppression
from rules.notify import Routing, is_emergency
from rules.records import Records, new_id
from rules.rows import AlarmRow, NotFoundError, TicketRow, alarm_row, ticket_row, values
from rules.shadow import refuse_shadow
from rules.tickets import TicketEvent
from rules.tickets import step as ticket_step
from rules.transactions import MAX_NOTE, ConflictError, audit, check_note, retried
from rules.transitions import SYSTEM, Act, Changes, move, ticket_entry
from rules.writing import write

__all__ = ["MAX_NOTE", "MAX_SHELVING_MS", "Commands", "NotFoundError"]

MAX_SHELVING_MS = 8 * 3600 * 1000
"""A shelving ends by itself after at most eight hours."""


class Commands:
    """Commands of people, for one site. `actor` is a user's name; `at` is ms UTC; notes are what the person wrote.

    Errors: NotFoundError (404), TransitionError (409), ValueError (422) and StoreError (503).
    """

    def __init__(self, records: Records, routing: Routing) -> None:
        self._records = records
        self._routing = routing

    async def acknowledge(self, alarm_id: str, *, actor: str, at: int, note: str = "") -> AlarmRow:
        """Somebody has seen the alarm and cares for it."""
        return await self._alarm(alarm_id, Event.ACKNOWLEDGE, Act(at=at, actor=actor, note=note))

    async def reset(self, alarm_id: str, *, actor: str, at: int, note: str = "") -> AlarmRow:
        """Let go of a latched alarm that is acknowledged and whose condition has cleared."""
        return await self._alarm(alarm_id, Event.RESET, Act(at=at, actor=actor, note=note))

    async def shelve(self, alarm_id: str, *, actor: str, at: int, until: int, reason: str) -> AlarmRow:
        """Keep the alarm quiet until an instant, at most eight hours ahead, for a reason. Never an emergency."""
        if not reason.strip():
            raise ValueError("shelving needs a reason")
        if until > at + MAX_SHELVING_MS:
            raise ValueError(f"an alarm may be shelved for at most {MAX_SHELVING_MS // 3_600_000} hours")
        return await self._alarm(alarm_id, Event.SHELVE, Act(at=at, actor=actor, note=reason, until=until))

    async def unshelve(self, alarm_id: str, *, actor: str, at: int, note: str = "") -> AlarmRow:
        """End a shelving early; an alarm that stands is told then."""
        return await self._alarm(alarm_id, Event.UNSHELVE, Act(at=at, actor=actor, note=note))

    async def remove(self, alarm_id: str, *, actor: str, at: int, reason: str) -> AlarmRow:
        """Take the alarm out of service for maintenance, for a reason. Never an emergency."""
        if not reason.strip():
            raise ValueError("taking an alarm out of service needs a reason")
        return await self._alarm(alarm_id, Event.REMOVE, Act(at=at, actor=actor, note=reason))

    async def restore(self, alarm_id: str, *, actor: str, at: int, note: str = "") -> AlarmRow:
        """Return an alarm to service; one that stands is told then."""
        return await self._alarm(alarm_id, Event.RETURN, Act(at=at, actor=actor, note=note))

    async def expire(self, at: int) -> int:
        """End every shelving whose time has come; returns how many."""
        table = schema.alarms
        query = select(table.c.id).where(
            table.c.site == self._routing.site,
            table.c.suppression == Suppression.SHELVED.value,
            table.c.shelved_until <= at,
        )
        async with self._records.reading() as connection:
            ids = (await connection.execute(query)).scalars().all()
        ended = 0
        for id_ in ids:
            try:
                await self._alarm(id_, Event.UNSHELVE, Act(at=at, actor=SYSTEM))
            except TransitionError:
                continue  # a person was quicker
            ended += 1
        return ended

    async def move_ticket(
        self, ticket_id: str, event: TicketEvent, *, actor: str, at: int, note: str = "", assignee: str = ""
    ) -> TicketRow:
        """Move a ticket along its table; `assign` needs the assignee."""
        check_note(note)

        async def attempt(connection: AsyncConnection) -> TicketRow:
            table = schema.tickets
            found = (await connection.execute(select(table).where(table.c.id == ticket_id))).mappings().first()
            if found is None:
                raise NotFoundError("ticket", ticket_id)
            before = ticket_row(found)
            ticket = ticket_step(before.ticket, event, at, actor=actor, assignee=assignee)
            after = replace(
                before,
                state=ticket.state,
                assignee=ticket.assignee,
                assigned_at=ticket.assigned_at,
                accepted_at=ticket.accepted_at,
                arrived_at=ticket.arrived_at,
                finished_at=ticket.finished_at,
                verified_at=ticket.verified_at,
                closed_at=ticket.closed_at,
                changed_at=at,
                version=before.version + 1,
            )
            result = await connection.execute(
                update(table).where(table.c.id == ticket_id, table.c.version == before.version).values(values(after))
            )
            if result.rowcount != 1:
                raise ConflictError
            entry = ticket_entry(after, event.value, at, actor=actor, note=note)
            await connection.execute(insert(schema.ticket_journal), [entry])
            detail = " ".join(part for part in (assignee, note) if part)
            await audit(connection, Act(at=at, actor=actor, note=detail), f"ticket.{event.value}", ticket_id)
            return after

        return await retried(self._records, attempt)

    async def _alarm(self, alarm_id: str, event: Event, act: Act) -> AlarmRow:
        check_note(act.note)

        async def attempt(connection: AsyncConnection) -> AlarmRow:
            table = schema.alarms
            query = select(table).where(table.c.id == alarm_id).with_for_update()
            found = (await connection.execute(query)).mappings().first()
            if found is None:
                await refuse_shadow(connection, alarm_id, event.value)
                raise NotFoundError("alarm", alarm_id)
            before = alarm_row(found)
            _check_quiet(before, event)
            changes = Changes(self._routing, act.at, new_id)
            move(changes, before, event, act)
            await write(connection, changes)
            await audit(connection, act, f"alarm.{event.value}", alarm_id)
            return changes.moved[alarm_id]

        try:
            row = await retried(self._records, attempt)
        except IntegrityError as error:
            # a newer occurrence of the same alarm is live: this one is over, whatever is wanted of it
            raise TransitionError("alarm", "over", event) from error
        self._records.outbox_changed.set()
        return row


def _check_quiet(row: AlarmRow, event: Event) -> None:
    """Life safety is never kept quiet by hand, nor what its rule forbids."""
    if event in (Event.SHELVE, Event.REMOVE) and (is_emergency(row) or not row.shelvable):
        raise TransitionError("alarm", f"severity {row.severity}", event)
