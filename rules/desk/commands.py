"""What a person may do with alarms and tickets: each command one transaction through the pure tables.

The API and the rules use the same functions, in one process or in two. The row is read and written under a version
check; when somebody else was quicker, the command looks again and is judged by the state it then finds. Every command
leaves a journal entry, an audit entry, and a notice for the live stream.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from facility.errors import TransitionError
from rules.desk import removal as out
from rules.desk.removal import Removal
from rules.effects import Look, blind
from rules.life.alarm import SUPPRESSION, Event
from rules.life.rows import AlarmRow, NotFoundError, RemovalRow, TicketRow, alarm_row, ticket_row, values
from rules.life.tickets import TicketEvent
from rules.life.tickets import step as ticket_step
from rules.notification.notify import Routing, is_guarded
from rules.records import schema
from rules.records.informing import informed
from rules.records.records import Records, new_id
from rules.records.scoped import is_impairment
from rules.records.shadow import refuse_shadow
from rules.records.transactions import MAX_NOTE, ConflictError, acted, audit, check_note
from rules.records.transitions import SYSTEM, Act, Changes, move, ticket_entry
from rules.records.writing import write

__all__ = ["MAX_NOTE", "Commands", "NotFoundError", "Removal"]

T = TypeVar("T")


class Commands:
    """Commands of people, for one site. `actor` is a user's name; `at` is ms UTC; notes are what the person wrote.

    `look` says what is known of a rule's points at that instant, for the journal; without it the journal has no values.
    Errors: NotFoundError (404), TransitionError (409), ValueError (422) and StoreError (503).
    """

    def __init__(self, records: Records, routing: Routing, look: Look = blind) -> None:
        self._records = records
        self._routing = routing
        self._look = look

    async def acknowledge(self, alarm_id: str, *, actor: str, at: int, note: str = "") -> AlarmRow:
        """Somebody has seen the alarm and cares for it."""
        return await self._alarm(alarm_id, Event.ACKNOWLEDGE, Act(at=at, actor=actor, note=note))

    async def reset(self, alarm_id: str, *, actor: str, at: int, note: str = "") -> AlarmRow:
        """Let go of a latched alarm that is acknowledged and whose condition has cleared."""
        return await self._alarm(alarm_id, Event.RESET, Act(at=at, actor=actor, note=note))

    async def shelve(self, alarm_id: str, *, actor: str, at: int, until: int, reason: str) -> AlarmRow:
        """Keep the alarm quiet until an instant, for a reason; never life safety, never longer than the site allows."""
        if not reason.strip():
            raise ValueError("shelving needs a reason")
        if until > at + self._routing.shelve_ms:
            raise ValueError(f"an alarm may be shelved for at most {self._routing.shelve_ms / 3_600_000:g} hours")
        return await self._alarm(alarm_id, Event.SHELVE, Act(at=at, actor=actor, note=reason, until=until))

    async def unshelve(self, alarm_id: str, *, actor: str, at: int, note: str = "") -> AlarmRow:
        """End a shelving early; an alarm that stands is told then."""
        return await self._alarm(alarm_id, Event.UNSHELVE, Act(at=at, actor=actor, note=note))

    async def remove(self, alarm_id: str, wanted: Removal, *, actor: str, at: int) -> AlarmRow:
        """Take the alarm out of service for an open ticket of its asset, until that work is over."""
        _check_removal(wanted)
        return await self._alarm(alarm_id, Event.REMOVE, _removing(wanted, actor, at), removal=wanted)

    async def restore(self, alarm_id: str, *, actor: str, at: int, note: str = "") -> AlarmRow:
        """Return an alarm to service before its ticket does; one that stands is told then.

        One that is out of service with its whole asset returns with that (`end_removal`).
        """
        return await self._alarm(alarm_id, Event.RETURN, Act(at=at, actor=actor, note=note))

    async def remove_asset(self, asset: str, wanted: Removal, *, actor: str, at: int) -> RemovalRow:
        """Take every alarm of an asset out of service, those that come later too, until the ticket's work is over."""
        _check_removal(wanted)
        act = _removing(wanted, actor, at)

        async def attempt(connection: AsyncConnection) -> RemovalRow:
            changes = self._changes(at)
            removal = await out.begin(connection, changes, asset, wanted, act)
            await out.remove_all(connection, changes, removal, act)
            await audit(connection, act, "asset.remove", asset)
            return removal

        return await self._done(attempt)

    async def end_removal(self, removal_id: str, *, actor: str, at: int, note: str = "") -> RemovalRow:
        """Return to service what a removal took out, before its ticket does; what stands is told then."""
        check_note(note)
        act = Act(at=at, actor=actor, note=note)

        async def attempt(connection: AsyncConnection) -> RemovalRow:
            removal = await out.one(connection, self._routing.site, removal_id)
            ended = await out.end(connection, self._changes(at), removal, act)
            await audit(connection, act, "asset.return", removal.asset)
            return ended

        return await self._done(attempt)

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
            if out.is_over(after.state):
                over = Act(at=at, actor=SYSTEM, note=f"{ticket_id}: {event.value}")
                await out.end_with_ticket(connection, self._changes(at), ticket_id, over)
            return after

        return await self._done(attempt)

    def _changes(self, at: int) -> Changes:
        return Changes(self._routing, at, new_id, look=self._look)

    async def _done(self, attempt: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return await acted(self._records, attempt)

    async def _alarm(self, alarm_id: str, event: Event, act: Act, *, removal: Removal | None = None) -> AlarmRow:
        check_note(act.note)

        async def attempt(connection: AsyncConnection) -> AlarmRow:
            table = schema.alarms
            query = select(table).where(table.c.id == alarm_id).with_for_update()
            found = (await connection.execute(query)).mappings().first()
            if found is None:
                await refuse_shadow(connection, alarm_id, event.value)
                raise NotFoundError("alarm", alarm_id)
            before = alarm_row(found)
            changes = self._changes(act.at)
            changes.routing = await informed(connection, self._routing, act.at)
            done = act
            _check_quiet(before, event, removal)
            if removal and (before.suppression, event) in SUPPRESSION:
                begun = await out.begin(connection, changes, before.asset, removal, act, alarm_id=alarm_id)
                done = replace(done, removal=begun.id)
            if event is Event.RETURN and before.removal_id and not is_impairment(before.removal_id):
                ending = await out.one(connection, self._routing.site, before.removal_id)
                if ending.alarm_id is None:
                    raise TransitionError("alarm", "out_of_service with its asset", event)
                await out.end(connection, changes, ending, done)
            else:
                move(changes, before, event, done)
                await write(connection, changes)
            await audit(connection, act, f"alarm.{event.value}", alarm_id)
            return changes.moved[alarm_id]

        try:
            return await acted(self._records, attempt)
        except IntegrityError as error:
            # a newer occurrence of the same alarm is live: this one is over, whatever is wanted of it
            raise TransitionError("alarm", "over", event) from error


def _check_quiet(row: AlarmRow, event: Event, removal: Removal | None) -> None:
    """Life safety is never kept quiet by hand, nor what its rule forbids, unless a removal says that it means it."""
    meant = removal is not None and removal.life_safety
    if event in (Event.SHELVE, Event.REMOVE) and is_guarded(row) and not meant:
        raise TransitionError("alarm", f"severity {row.severity}", event)


def _check_removal(wanted: Removal) -> None:
    if not wanted.reason.strip():
        raise ValueError("taking something out of service needs a reason")
    check_note(wanted.reason)


def _removing(wanted: Removal, actor: str, at: int) -> Act:
    return Act(at=at, actor=actor, note=f"{wanted.ticket}: {wanted.reason}")
