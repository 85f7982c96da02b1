"""Routes: what is out of service for a ticket, by whom, and how it returns."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.alarms import Note, alarm_out, instant_of
from api.auth import Action, User
from api.deps import Deps, DepsOf, Reader, demand, may
from api.problems import not_found, refused
from api.schemas import AlarmRowOut, RemovalOut, Rows, Shape, refusals
from facility.clock import from_ms
from facility.points import Label
from rules.desk.commands import MAX_NOTE, Removal
from rules.life.rows import RemovalRow

router = APIRouter(tags=["alarms"])

Remover = Annotated[User, Depends(may(Action.ALARM_REMOVE))]


class Removing(Shape):
    """Whose work it is, and why. `life_safety`: alarms of life safety too, which only managers may say."""

    ticket: str = Field(min_length=1, max_length=64, examples=["T018c2f4e5a0b1c2d3e4f"])
    reason: str = Field(min_length=1, max_length=MAX_NOTE, pattern=r"\S", examples=["Pump 1 is being replaced"])
    life_safety: bool = False


class RemovalFilter(Shape):
    """Which removals: of one asset, or only those that last."""

    asset: str | None = Field(default=None, max_length=64)
    now: bool | None = None


@router.get("/out-of-service", summary="What is or was out of service", responses=refusals())
async def removals(deps: DepsOf, _: Reader, wanted: Annotated[RemovalFilter, Query()]) -> Rows[RemovalOut]:
    """Alarms and whole assets that people took out of service, oldest first; with `now=true` those that still are."""
    found = await deps.records.removals(asset=wanted.asset, now=wanted.now)
    return Rows(items=[removal_out(row) for row in found])


@router.post("/alarms/{alarm}/remove", summary="Take an alarm out of service", responses=refusals(404, 409))
async def remove(deps: DepsOf, user: Remover, alarm: str, body: Removing) -> AlarmRowOut:
    """For an open ticket of its asset; it returns when that work is over. Judged and listed, told to nobody."""
    wanted = _wanted(user, body)
    with refused():
        row = await deps.commands.remove(alarm, wanted, actor=user.name, at=deps.clock.ms())
    deps.board.touch()
    return alarm_out(deps, row)


@router.post("/alarms/{alarm}/return", summary="Return an alarm to service", responses=refusals(404, 409))
async def restore(deps: DepsOf, user: Remover, alarm: str, body: Note) -> AlarmRowOut:
    """Before its ticket does. One that is out of service with its whole asset returns with that (409)."""
    row = await deps.commands.restore(alarm, actor=user.name, at=deps.clock.ms(), note=body.note)
    deps.board.touch()
    return alarm_out(deps, row)


@router.post("/assets/{asset}/remove", summary="Take an asset out of service", responses=refusals(404, 409))
async def remove_asset(deps: DepsOf, user: Remover, asset: str, body: Removing) -> RemovalOut:
    """All of its alarms, those that come later too, until the ticket's work is over."""
    _known(deps, asset)
    wanted = _wanted(user, body)
    with refused():
        removal = await deps.commands.remove_asset(asset, wanted, actor=user.name, at=deps.clock.ms())
    deps.board.touch()
    return removal_out(removal)


@router.post("/out-of-service/{removal}/return", summary="End a removal", responses=refusals(404, 409))
async def end(deps: DepsOf, user: Remover, removal: str, body: Note) -> RemovalOut:
    """Return to service what it took out, before its ticket does; what stands is told then."""
    ended = await deps.commands.end_removal(removal, actor=user.name, at=deps.clock.ms(), note=body.note)
    deps.board.touch()
    return removal_out(ended)


def removal_out(row: RemovalRow) -> RemovalOut:
    """A removal on the wire."""
    return RemovalOut(
        id=row.id,
        asset=row.asset,
        alarm=row.alarm_id,
        ticket=row.ticket_id,
        life_safety=row.life_safety,
        reason=row.reason,
        begun_at=from_ms(row.begun_at),
        begun_by=row.begun_by,
        ended_at=instant_of(row.ended_at),
        ended_by=row.ended_by,
    )


def _wanted(user: User, body: Removing) -> Removal:
    if body.life_safety:
        demand(user, Action.ALARM_REMOVE_LIFE_SAFETY)
    return Removal(ticket=body.ticket, reason=body.reason.strip(), life_safety=body.life_safety)


def _known(deps: Deps, asset: str) -> None:
    if asset not in deps.site.assets:
        raise not_found(Label("设备", "asset"), asset)
