"""Routes: the impairment ledger, its rounds, and the list for shift hand-over."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.alarms import instant_of
from api.auth import Action, User
from api.deps import Deps, DepsOf, Reader, may
from api.drills import ScopeShape, StepRow, scope_shape, step_row, steps
from api.problems import refused
from api.schemas import Rows, Shape, refusals
from facility.clock import from_ms, to_ms
from rules.desk import impairing
from rules.desk.impairing import Opening
from rules.drills.impairments import LONGEST_ROUND_M, Impairment, ImpairmentEvent
from rules.notification.notify import Routing
from rules.records.schema_drills import impairment_journal
from rules.records.transactions import MAX_NOTE
from rules.records.transitions import Act

router = APIRouter(tags=["impairments"])
Opener = Annotated[User, Depends(may(Action.IMPAIRMENT))]
Walker = Annotated[User, Depends(may(Action.IMPAIRMENT_ROUND))]
Signer = Annotated[User, Depends(may(Action.IMPAIRMENT_SIGN))]
Text = Annotated[str, Field(min_length=1, max_length=MAX_NOTE, pattern=r"\S")]


class ImpairmentRow(Shape):
    """An entry. `state`: open, overdue, restored, closed.

    `suppress`: rules whose alarms it keeps quiet until it expires. `rounds_every` is in minutes, 0 for none; `missed`
    counts the rounds missed since the last one.
    """

    id: str
    state: Literal["open", "overdue", "restored", "closed"]
    scope: ScopeShape
    what: str
    reason: str
    owner: str
    measures: str
    ticket: str | None
    suppress: list[str]
    rounds_every: int
    round_due: datetime | None
    round_is_due: bool
    last_round: datetime | None
    missed: int
    opened_at: datetime
    opened_by: str
    expires_at: datetime
    restored_at: datetime | None
    closed_at: datetime | None


class NewImpairment(Shape):
    """What is out of action, who answers for it, until when, and what makes up for it."""

    scope: ScopeShape
    what: Annotated[Text, Field(examples=["Hydrant pump 1 out for repair"])]
    reason: Text
    owner: str = Field(min_length=1, max_length=64, pattern=r"\S")
    expires_at: datetime
    measures: str = Field(default="", max_length=MAX_NOTE)
    rounds_every: int = Field(default=0, ge=0, le=LONGEST_ROUND_M)
    ticket: str | None = Field(default=None, max_length=32)
    suppress: list[Annotated[str, Field(max_length=128)]] = Field(default=[], max_length=50)


class Note(Shape):
    """What there is to say."""

    note: str = Field(default="", max_length=MAX_NOTE)


class RoundNote(Shape):
    """What was seen on the round."""

    note: Text


class Extension(Shape):
    """The new expiry, and why it takes longer."""

    expires_at: datetime
    note: Text


@router.get("/impairments", summary="The impairment ledger, newest first", responses=refusals())
async def impairments(
    deps: DepsOf,
    _: Reader,
    open: Annotated[bool | None, Query(description="something is out of action")] = None,  # noqa: A002
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
) -> Rows[ImpairmentRow]:
    """What is out of action, and what was."""
    page = await impairing.impairments_of(deps.records, deps.site.id, open_=open, after=cursor, limit=limit)
    now = deps.clock.ms()
    return Rows(items=[impairment_row(item, now) for item in page.items], next=page.next)


@router.post("/impairments", summary="Open an impairment", responses=refusals())
async def open_one(deps: DepsOf, user: Opener, body: NewImpairment) -> ImpairmentRow:
    """It has a reason, an owner and an expiry. Alarms of life safety are never kept quiet by it."""
    with refused():
        wanted = Opening(
            scope=body.scope.scope(),
            what=body.what,
            reason=body.reason,
            owner=body.owner,
            expires_at=to_ms(body.expires_at),
            measures=body.measures,
            rounds_every=body.rounds_every,
            ticket_id=body.ticket or None,
            suppress=tuple(body.suppress),
        )
    return impairment_row(await open_impairment(deps, user, wanted), deps.clock.ms())


@router.get("/impairments/{impairment}", summary="One impairment", responses=refusals(404))
async def one(deps: DepsOf, _: Reader, impairment: str) -> ImpairmentRow:
    """As it stands."""
    found = await impairing.impairment(deps.records, deps.site.id, impairment[:64])
    return impairment_row(found, deps.clock.ms())


@router.get("/impairments/{impairment}/journal", summary="What happened to it", responses=refusals(404))
async def journal(deps: DepsOf, _: Reader, impairment: str) -> Rows[StepRow]:
    """Every step and every round, oldest first."""
    found = await impairing.impairment(deps.records, deps.site.id, impairment[:64])
    return Rows(items=[step_row(entry) for entry in await steps(deps.records, impairment_journal, found.id)])


@router.post("/impairments/{impairment}/round", summary="Confirm a round", responses=refusals(404, 409))
async def round_done(deps: DepsOf, user: Walker, impairment: str, body: RoundNote) -> ImpairmentRow:
    """Who went round says what was seen; the next one is due a whole distance later."""
    return impairment_row(await go_round(deps, user, impairment, body.note), deps.clock.ms())


@router.post("/impairments/{impairment}/restore", summary="It is in action again", responses=refusals(404, 409))
async def restore(deps: DepsOf, user: Opener, impairment: str, body: Note) -> ImpairmentRow:
    """What it kept quiet is told again; a manager signs it off."""
    found = await act_on(deps, user, impairment, ImpairmentEvent.RESTORE, note=body.note)
    return impairment_row(found, deps.clock.ms())


@router.post("/impairments/{impairment}/extend", summary="Give it more time", responses=refusals(404, 409))
async def extend(deps: DepsOf, user: Signer, impairment: str, body: Extension) -> ImpairmentRow:
    """A new expiry, within the site's limit from now."""
    with refused():
        until = to_ms(body.expires_at)
    found = await act_on(deps, user, impairment, ImpairmentEvent.EXTEND, note=body.note, until=until)
    return impairment_row(found, deps.clock.ms())


@router.post("/impairments/{impairment}/close", summary="Sign it off", responses=refusals(404, 409))
async def close(deps: DepsOf, user: Signer, impairment: str, body: Note) -> ImpairmentRow:
    """Once it is restored."""
    found = await act_on(deps, user, impairment, ImpairmentEvent.CLOSE, note=body.note)
    return impairment_row(found, deps.clock.ms())


async def open_impairment(deps: Deps, user: User, wanted: Opening) -> Impairment:
    """Open it in the user's name; ApiError 422 when it can't be opened so."""
    with refused():
        return await impairing.open_impairment(
            deps.records, Routing.of(deps.site), wanted, actor=user.name, at=deps.clock.ms()
        )


async def go_round(deps: Deps, user: User, impairment: str, note: str) -> Impairment:
    """The user has gone round."""
    act = Act(at=deps.clock.ms(), actor=user.name, note=note)
    with refused():
        return await impairing.confirm_round(deps.records, Routing.of(deps.site), impairment[:64], act)


async def act_on(
    deps: Deps, user: User, impairment: str, event: ImpairmentEvent, *, note: str = "", until: int | None = None
) -> Impairment:
    """Move it along its table in the user's name."""
    act = Act(at=deps.clock.ms(), actor=user.name, note=note, until=until)
    with refused():
        return await impairing.act_on(deps.records, Routing.of(deps.site), impairment[:64], event, act)


def impairment_row(item: Impairment, now: int) -> ImpairmentRow:
    """An entry on the wire, at an instant (ms)."""
    return ImpairmentRow(
        id=item.id,
        state=item.state.value,
        scope=scope_shape(item.scope),
        what=item.what,
        reason=item.reason,
        owner=item.owner,
        measures=item.measures,
        ticket=item.ticket_id,
        suppress=list(item.suppress),
        rounds_every=item.rounds_every,
        round_due=instant_of(item.round_due),
        round_is_due=item.is_round_due(now),
        last_round=instant_of(item.last_round),
        missed=item.missed,
        opened_at=from_ms(item.opened_at),
        opened_by=item.opened_by,
        expires_at=from_ms(item.expires_at),
        restored_at=instant_of(item.restored_at),
        closed_at=instant_of(item.closed_at),
    )
