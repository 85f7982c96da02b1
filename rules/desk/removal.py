"""Out of service: an alarm, or everything of an asset, is kept from people while a ticket's work goes on.

The work is what ends it: when its ticket is done, closed or cancelled the alarms return to service, and what stands
then is told. The whole of an asset is kept in the table `out_of_service`, so that alarms that come later are out of
service from their first instant. Evaluation never stops. Guarded alarms (life safety, and what its rule guards) stay
in service unless whoever asks says otherwise, which takes a right of its own (api/auth.py).

Every function works within the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from facility.errors import TransitionError
from rules.life.alarm import Event, Suppression
from rules.life.rows import AlarmRow, NotFoundError, RemovalRow, alarm_row, row, ticket_row
from rules.life.tickets import PENDING, TicketState
from rules.notification.notify import is_guarded
from rules.records import schema
from rules.records.records import new_id
from rules.records.schema_life import out_of_service
from rules.records.transitions import Act, Changes, mark, move
from rules.records.writing import removals, write


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What somebody asks for: the ticket whose work it is, why, and whether guarded alarms are meant too."""

    ticket: str
    reason: str
    life_safety: bool = False


async def begin(
    connection: AsyncConnection, changes: Changes, asset: str, wanted: Removal, act: Act, *, alarm_id: str | None = None
) -> RemovalRow:
    """Write down that it begins, for an asset or one alarm of it; ValueError or TransitionError for a wrong ticket.

    TransitionError too when the whole asset is out of service already.
    """
    site = changes.routing.site
    await _check_ticket(connection, site, asset, wanted.ticket)
    if alarm_id is None and asset in await removals(connection, site):
        raise TransitionError("asset", Suppression.OUT_OF_SERVICE, Event.REMOVE)
    removal = RemovalRow(
        id=new_id("O", act.at),
        site=site,
        asset=asset,
        alarm_id=alarm_id,
        ticket_id=wanted.ticket,
        life_safety=wanted.life_safety,
        reason=wanted.reason,
        begun_at=act.at,
        begun_by=act.actor,
        ended_at=None,
        ended_by="",
    )
    await connection.execute(insert(out_of_service), [asdict(removal)])
    return removal


async def remove_all(connection: AsyncConnection, changes: Changes, removal: RemovalRow, act: Act) -> None:
    """Every live alarm of the asset that the removal covers goes out of service."""
    table = schema.alarms
    for found in await _alarms(connection, changes, table.c.asset == removal.asset):
        if found.suppression is not Suppression.OUT_OF_SERVICE and covers(removal, found):
            move(changes, found, Event.REMOVE, replace(act, removal=removal.id))
    await write(connection, changes)


async def end(connection: AsyncConnection, changes: Changes, removal: RemovalRow, act: Act) -> RemovalRow:
    """Write down that it ends, and return its alarms to service; those that another removal covers stay out."""
    if removal.ended_at is not None:
        raise TransitionError("removal", "ended", Event.RETURN)
    table = out_of_service
    ended = {"ended_at": act.at, "ended_by": act.actor}
    await connection.execute(update(table).where(table.c.id == removal.id).values(**ended))
    rest = await removals(connection, removal.site)
    for found in await _alarms(connection, changes, schema.alarms.c.removal_id == removal.id):
        other = rest.get(found.asset)
        if other is not None and covers(other, found):
            mark(changes, found, Suppression.OUT_OF_SERVICE.value, removal_id=other.id)
        else:
            move(changes, found, Event.RETURN, act)
    await write(connection, changes)
    return replace(removal, ended_at=act.at, ended_by=act.actor)


async def end_with_ticket(connection: AsyncConnection, changes: Changes, ticket_id: str, act: Act) -> int:
    """End everything that is out of service for a ticket whose work is over; returns how many removals."""
    table = out_of_service
    wanted = (table.c.ticket_id == ticket_id) & table.c.ended_at.is_(None)
    found = await _removals(connection, wanted)
    for removal in found:
        part = Changes(changes.routing, changes.at, changes.new_id, look=changes.look)
        await end(connection, part, removal, act)
    return len(found)


async def one(connection: AsyncConnection, site: str, removal_id: str) -> RemovalRow:
    """The removal with this id, locked; NotFoundError."""
    table = out_of_service
    found = await _removals(connection, (table.c.id == removal_id) & (table.c.site == site))
    if not found:
        raise NotFoundError("removal", removal_id)
    return found[0]


def covers(removal: RemovalRow, alarm: AlarmRow) -> bool:
    """Whether a removal takes this alarm of its asset out of service."""
    return removal.life_safety or not is_guarded(alarm)


async def _check_ticket(connection: AsyncConnection, site: str, asset: str, ticket_id: str) -> None:
    table = schema.tickets
    query = select(table).where(table.c.id == ticket_id, table.c.site == site).with_for_update()
    found = (await connection.execute(query)).mappings().first()
    if found is None:
        raise ValueError(f"there is no ticket {ticket_id!r}")
    ticket = ticket_row(found)
    if ticket.asset != asset:
        raise ValueError(f"the ticket {ticket_id} is one of {ticket.asset}, not of {asset}")
    if ticket.state not in PENDING:
        raise TransitionError("ticket", ticket.state, Event.REMOVE)


async def _alarms(connection: AsyncConnection, changes: Changes, wanted: ColumnElement[bool]) -> list[AlarmRow]:
    table = schema.alarms
    live = (table.c.site == changes.routing.site) & table.c.live.is_(True)
    query = select(table).where(live & wanted).order_by(table.c.id).with_for_update()
    return [alarm_row(found) for found in (await connection.execute(query)).mappings()]


async def _removals(connection: AsyncConnection, wanted: ColumnElement[bool]) -> Sequence[RemovalRow]:
    query = select(out_of_service).where(wanted).order_by(out_of_service.c.id).with_for_update()
    return [row(RemovalRow, found) for found in (await connection.execute(query)).mappings()]


def is_over(state: TicketState) -> bool:
    """Whether a ticket in this state keeps nothing out of service any more."""
    return state not in PENDING
