"""Routes: checked commands: ask, approve, cancel, and what became of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from api.alarms import instant_of
from api.auth import Action, User, allowed
from api.deps import Deps, DepsOf, Reader, may
from api.present import value_words
from api.problems import refused
from api.schemas import Name, Rows, Shape, refusals
from facility.clock import from_ms
from facility.commanding import MAX_TTL_S
from facility.points import Label
from facility.readings import Value
from facility.words import COMMAND_WORDS
from rules.life.commanding import CommandEvent, CommandState
from rules.life.commanding import allowed as legal
from rules.life.rows import CommandRow, CommandStepRow
from rules.records.transactions import MAX_NOTE

router = APIRouter(tags=["commands"])

PERSONS = (CommandEvent.APPROVE, CommandEvent.CANCEL)
"""What people do with a command; the rest is done by gateways and time."""

Commanding = Annotated[User, Depends(may(Action.COMMAND))]


class CommandIn(Shape):
    """A value for a point, as in readings; a state may be given by its code. `ttl`: seconds until it reverts.

    Without `ttl` it stands as long as the point allows; 0 is for ever.
    """

    asset: Name
    point: str = Field(min_length=1, max_length=100, examples=["sys.setpoint_pct"])
    value: StrictBool | StrictInt | StrictFloat | Annotated[StrictStr, Field(max_length=64)]
    ttl: float | None = Field(default=None, ge=0, le=MAX_TTL_S, examples=[900])
    reason: str = Field(min_length=1, max_length=MAX_NOTE, pattern=r"\S", examples=["Night setback"])


class CommandFilter(Shape):
    """Which commands."""

    asset: str | None = Field(default=None, max_length=64)
    state: list[CommandState] = Field(default=[], max_length=7)
    limit: int = Field(default=100, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=64, description="`next` of the page before")


class CommandOut(Shape):
    """A command. `state`: where the desk stands; `step`: what its gateway said last; `shown_*`: the one to read.

    `moves` are what the caller may do with it now.
    """

    id: str
    gateway: str
    asset: str = Field(examples=["PS-01"])
    asset_zh: str
    asset_en: str
    point: str = Field(examples=["sys.setpoint_pct"])
    zh: str
    en: str
    value: float | int | bool
    value_zh: str
    value_en: str
    ttl: float
    reason: str
    asked_by: str
    approved_by: str
    state: str = Field(examples=["sent"])
    step: str = Field(examples=["reading_back"])
    shown_zh: str
    shown_en: str
    message: str
    created_at: datetime
    approved_at: datetime | None
    expires_at: datetime | None
    changed_at: datetime
    version: int
    moves: list[str]


class StepOut(Shape):
    """What a gateway said of a command: `at` by its own clock, `recorded_at` when it was heard."""

    step: str = Field(examples=["writing"])
    zh: str
    en: str
    at: datetime
    recorded_at: datetime
    value: float | int | bool | str | None
    value_zh: str
    value_en: str
    message: str
    final: bool


class CommandDetail(CommandOut):
    """A command with its steps."""

    steps: list[StepOut]


_EXAMPLES = {
    "number": {
        "summary": "A set point, for a quarter of an hour",
        "value": {
            "asset": "PS-01", "point": "sys.setpoint_pct", "value": 60, "ttl": 900, "reason": "Trial of the night set"
        },
    },
    "state": {
        "summary": "A state by its code",
        "value": {"asset": "PS-01", "point": "sys.operation_mode", "value": "min", "reason": "Leak on floor 7"},
    },
}  # fmt: skip


@router.get("/commands", summary="Commands, newest first", responses=refusals())
async def commands(deps: DepsOf, user: Reader, wanted: Annotated[CommandFilter, Query()]) -> Rows[CommandOut]:
    """Every command ever, or those that the filters leave, in pages."""
    page = await deps.commander.desk.commands(
        asset=wanted.asset, states=wanted.state, after=wanted.cursor, limit=wanted.limit
    )
    return Rows(items=[CommandOut(**_out(deps, row, user)) for row in page.items], next=page.next)


@router.get("/commands/{command}", summary="One command with its steps", responses=refusals(404))
async def one_command(deps: DepsOf, user: Reader, command: str) -> CommandDetail:
    """Who, when, why, and each step that its gateway told, in the order in which it was heard."""
    return await _detail(deps, await deps.commander.desk.command(command[:64]), user)


@router.post("/commands", summary="Command a point", status_code=202, responses=refusals(404, 429))
async def ask(
    deps: DepsOf, user: Commanding, body: Annotated[CommandIn, Body(openapi_examples=_EXAMPLES)]
) -> CommandOut:
    """Sent to the gateway at once, or `awaiting_second` where the point wants two people. What it did, its steps tell.

    403 for life-safety equipment, 422 for a point that can't be commanded or a value that it may not have. 503 when the
    broker or the gateway is away: the command is on record as failed, and is not sent later.
    """
    with refused():
        row = await deps.commander.ask(user, body.asset, body.point, body.value, ttl=body.ttl, reason=body.reason)
    return CommandOut(**_out(deps, row, user))


@router.post("/commands/{command}/approve", summary="Approve as the second person", responses=refusals(404, 409))
async def approve(deps: DepsOf, user: Commanding, command: str) -> CommandOut:
    """Within five minutes, by anybody who may command but the one who asked (403); it is sent then."""
    with refused():
        row = await deps.commander.approve(user, command[:64])
    return CommandOut(**_out(deps, row, user))


@router.post("/commands/{command}/cancel", summary="Withdraw a command", responses=refusals(404, 409))
async def cancel(deps: DepsOf, user: Commanding, command: str) -> CommandOut:
    """Only one that still waits for its second person; what was sent can't be called back (409)."""
    return CommandOut(**_out(deps, await deps.commander.cancel(user, command[:64]), user))


def moves(row: CommandRow, user: User) -> list[CommandEvent]:
    """What this user may do with the command as it stands."""
    if not allowed(user, Action.COMMAND):
        return []
    found = [event for event in PERSONS if event in legal(row.state)]
    return [event for event in found if event is not CommandEvent.APPROVE or row.asked_by != user.name]


def value_of(deps: Deps, row: CommandRow | None, value: Value) -> Label:
    """A value of the command's point in words, with its unit."""
    asset = deps.site.assets.get(row.asset) if row else None
    point = deps.catalog.point(asset.asset_class, row.point) if asset and row else None
    if point is None:
        return Label(str(value), str(value))
    return Label(value_words(point, value, "zh"), value_words(point, value, "en"))


def words_of(code: str) -> Label:
    """What people read for a state or step; the code itself for one that nobody knows."""
    return COMMAND_WORDS.get(code, Label(code, code))


async def _detail(deps: Deps, row: CommandRow, user: User) -> CommandDetail:
    steps = await deps.commander.desk.steps(row.id)
    return CommandDetail(**_out(deps, row, user), steps=[_step(deps, row, step) for step in steps])


def _out(deps: Deps, row: CommandRow, user: User) -> dict[str, Any]:
    asset = deps.site.assets.get(row.asset)
    point = deps.catalog.point(asset.asset_class, row.point) if asset else None
    value, shown = value_of(deps, row, row.value), words_of(row.shown)
    return {
        "id": row.id,
        "gateway": row.gateway,
        "asset": row.asset,
        "asset_zh": asset.label.zh if asset else row.asset,
        "asset_en": asset.label.en if asset else row.asset,
        "point": row.point,
        "zh": point.label.zh if point else row.point,
        "en": point.label.en if point else row.point,
        "value": row.value,
        "value_zh": value.zh,
        "value_en": value.en,
        "ttl": row.ttl,
        "reason": row.reason,
        "asked_by": row.asked_by,
        "approved_by": row.approved_by,
        "state": row.state.value,
        "step": row.last_step,
        "shown_zh": shown.zh,
        "shown_en": shown.en,
        "message": row.message,
        "created_at": from_ms(row.created_at),
        "approved_at": instant_of(row.approved_at),
        "expires_at": instant_of(row.expires_at),
        "changed_at": from_ms(row.changed_at),
        "version": row.version,
        "moves": [event.value for event in moves(row, user)],
    }


def _step(deps: Deps, row: CommandRow, step: CommandStepRow) -> StepOut:
    words, value = words_of(step.step), value_of(deps, row, step.value)
    return StepOut(
        step=step.step,
        zh=words.zh,
        en=words.en,
        at=from_ms(step.at),
        recorded_at=from_ms(step.recorded_at),
        value=step.value,
        value_zh="" if step.value is None else value.zh,
        value_en="" if step.value is None else value.en,
        message=step.message,
        final=step.final,
    )
