"""Routes: tickets and their moves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.alarms import instant_of
from api.auth import Action, User, allowed
from api.deps import Deps, DepsOf, Reader, demand
from api.problems import ApiError, refused
from api.schemas import MoveOut, PersonRow, Rows, Shape, TicketOut, refusals
from facility.clock import from_ms
from facility.points import Label
from rules.desk.commands import MAX_NOTE
from rules.life.rows import TicketRow
from rules.life.tickets import TicketEvent, TicketState
from rules.life.tickets import allowed as legal

router = APIRouter(tags=["tickets"])

ACTION_OF: dict[TicketEvent, Action] = {
    TicketEvent.ASSIGN: Action.TICKET_DISPATCH,
    TicketEvent.CANCEL: Action.TICKET_DISPATCH,
    TicketEvent.REOPEN: Action.TICKET_DISPATCH,
    TicketEvent.ACCEPT: Action.TICKET_WORK,
    TicketEvent.ARRIVE: Action.TICKET_WORK,
    TicketEvent.FINISH: Action.TICKET_WORK,
    TicketEvent.VERIFY: Action.TICKET_APPROVE,
    TicketEvent.CLOSE: Action.TICKET_APPROVE,
}
"""What a person must be allowed for each move."""


class Move(Shape):
    """One move. `assign` needs the assignee."""

    event: TicketEvent = Field(examples=["accept"])
    assignee: str = Field(default="", max_length=64)
    note: str = Field(default="", max_length=MAX_NOTE)


class TicketFilter(Shape):
    """Which tickets. `open`: neither closed nor cancelled."""

    open: bool | None = None
    asset: str | None = Field(default=None, max_length=64)
    assignee: str | None = Field(default=None, max_length=64)
    state: list[TicketState] = Field(default=[], max_length=8)
    limit: int = Field(default=100, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=64, description="`next` of the page before")


@router.get("/tickets", summary="Tickets, newest first", responses=refusals())
async def tickets(deps: DepsOf, user: Reader, wanted: Annotated[TicketFilter, Query()]) -> Rows[TicketOut]:
    """Every ticket, or those that the filters leave, in pages."""
    page = await deps.records.tickets(
        open_=wanted.open,
        asset=wanted.asset,
        assignee=wanted.assignee,
        states=wanted.state,
        after=wanted.cursor,
        limit=wanted.limit,
    )
    return Rows(items=[ticket_out(deps, row, user) for row in page.items], next=page.next)


@router.get("/people", summary="Who can be given a ticket", responses=refusals())
async def people(deps: DepsOf, _: Reader) -> Rows[PersonRow]:
    """Users who may work on tickets."""
    return Rows(items=[PersonRow(name=user.name, role=user.role) for user in await workers(deps)])


@router.get("/tickets/{ticket}", summary="One ticket", responses=refusals(404))
async def one_ticket(deps: DepsOf, user: Reader, ticket: str) -> TicketOut:
    """One ticket, and the moves that the caller may make now."""
    return ticket_out(deps, await deps.records.ticket(ticket), user)


@router.get("/tickets/{ticket}/journal", summary="What happened to a ticket", responses=refusals(404))
async def journal(deps: DepsOf, _: Reader, ticket: str) -> Rows[MoveOut]:
    """Every move, oldest first."""
    await deps.records.ticket(ticket)
    rows = await deps.records.ticket_journal(ticket)
    items = [
        MoveOut(
            at=from_ms(row.at), actor=row.actor, event=row.event, state=row.state, version=row.version, note=row.note
        )
        for row in rows
    ]
    return Rows(items=items)


@router.post("/tickets/{ticket}/move", summary="Move a ticket", responses=refusals(404, 409))
async def move(deps: DepsOf, user: Reader, ticket: str, body: Move) -> TicketOut:
    """Along its table: assign, accept, arrive, finish, verify, close; cancel, reopen. 409 where the table has no way.

    Crews accept, arrive and finish; operators also assign, cancel and reopen; managers also verify and close.
    """
    demand(user, ACTION_OF[body.event])
    return ticket_out(deps, await move_ticket(deps, user, ticket, body), user)


async def move_ticket(deps: Deps, user: User, ticket: str, body: Move) -> TicketRow:
    """Carry out a move that the user may make; ApiError 422 for an assignee who can't work."""
    if body.event is TicketEvent.ASSIGN and body.assignee not in {worker.name for worker in await workers(deps)}:
        zh = f"“{body.assignee}”不是可以处理工单的用户"
        raise ApiError(422, Label(zh, f"{body.assignee!r} is no user who may work on tickets"))
    with refused():
        return await deps.commands.move_ticket(
            ticket, body.event, actor=user.name, at=deps.clock.ms(), note=body.note, assignee=body.assignee
        )


async def workers(deps: Deps) -> list[User]:
    """Users who may work on tickets, crews first."""
    found = [account.user for account in await deps.accounts.all() if not account.disabled]
    able = [user for user in found if allowed(user, Action.TICKET_WORK)]
    return sorted(able, key=lambda user: (user.role != "crew", user.name))


def moves(row: TicketRow, user: User) -> list[TicketEvent]:
    """What this user may do with the ticket as it stands."""
    return [event for event in legal(row.state) if allowed(user, ACTION_OF[event])]


def ticket_out(deps: Deps, row: TicketRow, user: User) -> TicketOut:
    """A ticket on the wire."""
    asset = deps.site.assets.get(row.asset)
    return TicketOut(
        id=row.id,
        alarm=row.alarm_id,
        asset=row.asset,
        asset_class=row.asset_class,
        asset_zh=asset.label.zh if asset else row.asset,
        asset_en=asset.label.en if asset else row.asset,
        priority=row.priority,
        state=row.state,
        assignee=row.assignee,
        zh=row.title_zh,
        en=row.title_en,
        guidance_zh=row.guidance_zh,
        guidance_en=row.guidance_en,
        created_at=from_ms(row.created_at),
        changed_at=from_ms(row.changed_at),
        assigned_at=instant_of(row.assigned_at),
        accepted_at=instant_of(row.accepted_at),
        arrived_at=instant_of(row.arrived_at),
        finished_at=instant_of(row.finished_at),
        verified_at=instant_of(row.verified_at),
        closed_at=instant_of(row.closed_at),
        version=row.version,
        moves=[event.value for event in moves(row, user)],
    )
